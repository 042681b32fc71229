"""Values of the command line by the type of the configuration: a text of digits stays one where a text is wanted."""

from __future__ import annotations

from typing import Any

import msgspec

from reactive_config._cli.failures import UsageError
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.decoding.conversion import Decoders
from reactive_config._core.decoding.decode import decode
from reactive_config._core.decoding.fault import Fault
from reactive_config._core.delta import Bare
from reactive_config._core.lookup import Shape, resolve, selector, shape, type_at
from reactive_config._core.paths import Path, format_path
from reactive_config._printable import printable
from reactive_config.errors import UnknownPath


class TypedValues:
    """Reads values for the paths of one type.

    Args:
        kind: The configuration's type; `dict` knows every path and takes every value.
        decoders: Functions for types of the program's own.

    Attributes:
        kind: The type.
    """

    def __init__(self, kind: Any, decoders: Decoders | None = None) -> None:
        self.kind: Any = kind
        self._decoders = decoders

    def fitting(self, path: Path, text: str, value: Any) -> Any:
        """What to write at a path.

        Args:
            path: Where.
            text: As it was written on the command line.
            value: What it says as JSON; the text itself if it is none.

        Returns:
            The first that fits the type: the value, the text, or what the type makes of the text.

        Raises:
            UsageError: The type has no such path, or nothing fits.
        """
        try:
            selector(self.kind, path)
        except UnknownPath as error:
            raise UsageError(str(error)) from None
        kind = type_at(self.kind, path)
        faults: list[Fault] = []
        for candidate in (value, text):
            _, faults = self._decoded(kind, candidate)
            if not faults:
                return candidate
        made, faults = self._decoded(kind, Bare(text))
        if not faults and (plain := _plain(made)) is not None:
            return plain
        expected, got = (faults[0].expected, faults[0].got) if faults else ("a value that JSON can say", "another one")
        raise UsageError(f"{printable(format_path(path))}: expected {expected}, got {got}")

    def resolve(self, names: Path) -> Path:
        """The path that the names of a variable mean, in any case."""
        return resolve(self.kind, names)

    def shape(self, path: Path) -> Shape:
        """What fits at a path."""
        return shape(self.kind, path)

    def _decoded(self, kind: Any, tree: Any) -> tuple[Any, list[Fault]]:
        part, faults = decode(compile_plan(dict[str, kind], self._decoders), {"value": tree}, None, None)
        return (None if part is None else part.value["value"]), list(faults)


def _plain(value: Any) -> Any:
    """A single value, or a list of them, that JSON has; None for any other."""
    try:
        plain = msgspec.to_builtins(value)
    except (TypeError, ValueError):
        return None
    values = plain if type(plain) is list else [plain]
    return plain if all(type(one) in (bool, int, float, str) for one in values) else None
