"""msgspec's conversion, and the values of types that msgspec does not know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, get_args

import msgspec

from reactive_config._core.refusals import is_refusal, name_of, readable
from reactive_config._core.secret import Secret
from reactive_config._core.types import class_of, describe, is_pydantic, is_secret
from reactive_config._core.types.pydantic_types import validated
from reactive_config._core.types.text_types import text_type

Decoder = Callable[[Any], Any]
"""Makes an instance of a program's own type: given a str, int, float, bool, None, a list or a dict."""


Decoders = Mapping[type, Decoder]
"""The decoders of a configuration, by the class that they make instances of."""


class DecoderRefusedError(ValueError):
    """A program's decoder did not make a value. Its text quotes nothing.

    Attributes:
        title: The type's name.
        reason: What happened, without the text of an exception.
    """

    def __init__(self, title: str, reason: str) -> None:
        super().__init__("refused by its decoder")
        self.title = title
        self.reason = reason


class DecodeHook:
    """Makes the values of the types that msgspec does not know; msgspec's `dec_hook`.

    Attributes:
        decoders: The program's own, by class.
    """

    def __init__(self, decoders: Decoders) -> None:
        self.decoders = dict(decoders)

    def __call__(self, kind: Any, value: Any) -> Any:
        if is_secret(kind):
            inner = get_args(kind)[0] if get_args(kind) else Any
            return Secret(convert(value, inner, self))
        if is_pydantic(kind):
            try:
                return validated(value, kind)
            except ValueError:
                # msgspec makes the text of this one its own, and that of 300,000 errors takes a second.
                raise ValueError("refused by the model") from None
        if (known := text_type(kind)) is not None:
            return known.read(value)
        cls: Any = class_of(kind)
        if cls not in self.decoders:
            raise NotImplementedError(describe(kind))
        return _decoded(cls, self.decoders[cls], value)


def _decoded(cls: type, decoder: Decoder, value: Any) -> Any:
    """What a program's decoder makes of a value.

    Raises:
        InvalidValue: The decoder raised one.
        DecoderRefusedError: It raised anything else, or made something else.
    """
    try:
        made = decoder(value)
        if isinstance(made, cls):
            return made
        reason = f"it made {type(made).__name__}"
    except BaseException as error:
        if not is_refusal(error):
            raise
        if (own := readable(error)) is not None:
            raise own from None
        reason = f"it raised {name_of(error)}"
    raise DecoderRefusedError(cls.__name__, reason)


NO_DECODERS: Final = DecodeHook({})


def convert(value: Any, kind: Any, hook: DecodeHook = NO_DECODERS, *, strict: bool = True) -> Any:
    """msgspec's conversion, with the types that it does not know."""
    return msgspec.convert(value, kind, strict=strict, str_keys=True, dec_hook=hook)
