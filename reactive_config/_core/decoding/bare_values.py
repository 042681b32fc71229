"""What only the type can decide: bare texts, durations and sizes.

A bare value (an environment variable, an etcd key's text, a mounted secret) has no type of its own.
Here it gets one, from the type that it is meant for: as text where text fits, otherwise leniently.
Values from JSON, YAML and TOML are never bent, save for durations and sizes.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from reactive_config._core.bounds import integer_fits
from reactive_config._core.decoding.comma_lists import comma_list, reads_commas
from reactive_config._core.decoding.conversion import convert
from reactive_config._core.delta import Bare
from reactive_config._core.json_text import decode_json
from reactive_config._core.refusals import is_refusal
from reactive_config._core.secret import Secret
from reactive_config._core.types import (
    ByteSize,
    bare_type,
    class_of,
    inputs_of,
    is_array,
    is_named_tuple,
    is_pydantics,
    is_scalar,
    is_secret,
    is_struct,
    is_union,
    is_untyped,
    item_types,
    mapping_types,
    members_of,
    root_type,
    wants_text,
)
from reactive_config._core.types.byte_sizes import BYTE_SIZE_WORDS, byte_count
from reactive_config._core.types.pydantic_types import is_given_input
from reactive_config.errors import InvalidValue

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
# Digits are those of ASCII, and no character is tried twice: a text may be long, and come from anybody.
_PART = re.compile(r"\s*+([0-9]++(?:\.[0-9]++)?)\s*+(us|ms|[smhdw])")
_LONGEST = 200  # characters; a longer text is no duration
_NUMBER = re.compile(r"-?+(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?+[0-9]++)?")
_READY = frozenset({str, int, float, bool, type(None)})
_WORDS = {"yes": True, "on": True, "no": False, "off": False}
_LONGEST_WORD = 3
_MOST_DIGITS = 20  # of an integer of 64 bits, its sign included


def duration(value: Any) -> timedelta | None:
    """The duration that a number (seconds) or a text (`30`, `30s`, `1h30m`, `PT30S`) means; None if none."""
    try:
        if type(value) in (int, float):
            return timedelta(seconds=value)
        if type(value) is not str:
            return None
        text = value.strip()
        if len(text) > _LONGEST:
            return None
        if _NUMBER.fullmatch(text):
            return timedelta(seconds=float(text))
        sign, body = (-1, text[1:]) if text.startswith("-") else (1, text)
        seconds = _seconds(body)
        return msgspec.convert(text, timedelta) if seconds is None else sign * timedelta(seconds=seconds)
    except (OverflowError, ValueError, msgspec.ValidationError):
        return None


def _seconds(text: str) -> float | None:
    """The sum of parts such as `1h30m`; None if the text is anything else."""
    total, at = 0.0, 0
    while part := _PART.match(text, at):
        total += float(part[1]) * _UNITS[part[2]]
        at = part.end()
    return total if at and at == len(text) else None


def infer(text: str) -> Any:
    """A bare text where no type says what it is: a JSON scalar, or else the text itself.

    A number that no format could hold, an integer beyond 64 bits or a float that overflows, stays text.
    """
    if text in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[text]
    if not _NUMBER.fullmatch(text):
        return text
    if any(c in text for c in ".eE"):
        real = float(text)
        return real if math.isfinite(real) else text
    integer = int(text) if len(text) <= _MOST_DIGITS else None
    return integer if integer is not None and integer_fits(integer) else text


def untyped(value: Any) -> Any:
    """A copy without bare values, sharing no container with the tree."""
    if type(value) is Bare:
        return infer(value.text)
    if type(value) is dict:
        return {name: untyped(inner) for name, inner in value.items()}
    if type(value) is list:
        return [untyped(item) for item in value]
    return value


def prepare(value: Any, kind: Any, verbatim: bool = False) -> Any:
    """The tree that strict conversion to `kind` is given: bare values, durations and sizes resolved.

    What does not fit stays as it is (a bare value as its text), for the conversion to refuse.

    Args:
        value: The tree.
        kind: The type.
        verbatim: Whether comma lists and words such as `yes` stay texts, because a validator of pydantic's is given
            them before pydantic is.

    Raises:
        InvalidValue: A comma list or a size breaks its rules. Quotes nothing.
        JsonRefusedError: A bare text is JSON that no document could hold.
    """
    if type(value) is Bare:
        return _from_text(value.text, kind, verbatim)
    plain = bare_type(kind)
    if is_secret(plain):
        return prepare(value, (get_args(plain) or (Any,))[0], verbatim)
    if is_untyped(plain):
        return untyped(value)
    if is_union(plain):
        return _prepare_union(value, members_of(plain), verbatim)
    if (root := root_type(plain)) is not None:
        return prepare(value, root, verbatim or is_given_input(plain))
    if plain is timedelta:
        found = duration(value)
        return value if found is None else found
    if type(value) is list:
        return _prepare_items(value, item_types(plain), verbatim)
    if type(value) is dict:
        return _prepare_table(value, plain, verbatim)
    return _size(value) if plain is ByteSize else value


def _size(value: Any) -> Any:
    """The number of bytes that a size means; what is no number and no size stays.

    Raises:
        InvalidValue: It is a negative number, which conversion would take.
    """
    found = byte_count(value)
    if found is None and type(value) is int:
        raise InvalidValue(BYTE_SIZE_WORDS)
    return value if found is None else found


def _prepare_items(value: list[Any], items: tuple[Any, ...] | None, verbatim: bool) -> Any:
    if items is None:
        return untyped(value)
    if items[-1] is Ellipsis:
        return value if _is_ready(value, items[0]) else [prepare(item, items[0], verbatim) for item in value]
    return [prepare(item, items[i], verbatim) if i < len(items) else untyped(item) for i, item in enumerate(value)]


def _is_ready(values: Iterable[Any], kind: Any) -> bool:
    """Whether all of them are single values that stay as they are: a step of Python for each would cost more."""
    return is_scalar(kind) and _READY.issuperset(map(type, values))


def _prepare_table(value: dict[str, Any], plain: Any, verbatim: bool) -> Any:
    if (mapping := mapping_types(plain)) is not None:
        if _is_ready(value.values(), mapping[1]):
            return value
        return {name: prepare(inner, mapping[1], verbatim) for name, inner in value.items()}
    if is_named_tuple(plain):  # pydantic takes one by the names of its fields too
        types = dict(zip(class_of(plain)._fields, item_types(plain) or (), strict=False))  # type: ignore[union-attr]
        return {name: prepare(inner, types.get(name, Any), verbatim) for name, inner in value.items()}
    fields = inputs_of(plain) or {}
    verbatim = verbatim or (is_pydantics(plain) and is_given_input(plain))
    return {
        n: prepare(inner, fields[n].type, verbatim) if n in fields else untyped(inner) for n, inner in value.items()
    }


def _prepare_union(value: Any, members: tuple[Any, ...], verbatim: bool) -> Any:
    if type(value) is dict or type(value) is list:
        member = member_for(value, members)
        return untyped(value) if member is None else prepare(value, member, verbatim)
    if timedelta in members and not any(type(value) is m or (m is float and type(value) is int) for m in members):
        found = duration(value)
        return value if found is None else found
    if value is not None and (secrets := [m for m in members if is_secret(m)]):
        return prepare(value, secrets[0], verbatim)
    if ByteSize in members and (type(value) is int or (type(value) is str and str not in members)):
        return _size(value)
    return value


def member_for(value: Any, members: tuple[Any, ...]) -> Any:
    """The member of a union that a table or a list is for; None if there is none.

    Args:
        value: The table or list.
        members: As `members_of` gives them.
    """
    fitting = members_for(value, members)
    return fitting[0] if fitting else None


def members_for(value: Any, members: tuple[Any, ...]) -> list[Any]:
    """All members of a union that a table or a list may be for, the likeliest first; those of a tag have no others."""
    fitting = [m for m in members if _takes_list(m) if type(value) is list] or [
        m for m in members if _takes_table(m) if type(value) is dict
    ]
    chosen = [m for m in fitting if _tag_fits(m, value)] or fitting
    if len(chosen) > 1 and type(value) is dict:  # pydantic's: msgspec takes no union that only trying decides
        chosen.sort(key=lambda member: _misfit(member, value))
    return chosen


def _misfit(kind: Any, value: dict[str, Any]) -> tuple[int, int]:
    """How many fields a table lacks, and how many names too many it has. Looks at names alone, so never below them."""
    inputs = inputs_of(kind) or {}
    given = {field.attribute for name, field in inputs.items() if name in value}
    missing = {field.attribute for field in inputs.values() if field.default is None} - given
    return len(missing), sum(name not in inputs for name in value)


def _takes_table(kind: Any) -> bool:
    root = root_type(kind)
    if root is not None:
        return any(map(_takes_table, members_of(root)))
    return (inputs_of(kind) is not None and not is_array(kind)) or mapping_types(kind) is not None or is_secret(kind)


def _takes_list(kind: Any) -> bool:
    root = root_type(kind)
    if root is not None:
        return any(map(_takes_list, members_of(root)))
    return item_types(kind) is not None or is_secret(kind)


def _tag_fits(kind: Any, value: Any) -> bool:
    if is_pydantics(kind):
        return type(value) is dict and _discriminates(kind, value)
    if not is_struct(kind):
        return False
    config = class_of(kind).__struct_config__  # type: ignore[union-attr]
    if config.tag_field is None:
        return False
    tag = value[:1] if type(value) is list else [value[config.tag_field]] if config.tag_field in value else []
    return bool([one.text if type(one) is Bare else one for one in tag] == [config.tag])


def _discriminates(kind: Any, value: dict[str, Any]) -> bool:
    """Whether a table has one of the texts that a pydantic type promises in a Literal of it."""
    for name, field in (inputs_of(kind) or {}).items():
        plain = bare_type(field.type)
        if get_origin(plain) is Literal and name in value:
            given = value[name]
            return (given.text if type(given) is Bare else given) in get_args(plain)
    return False


def _from_text(text: str, kind: Any, verbatim: bool) -> Any:
    plain = bare_type(kind)
    if kind is str:
        return text
    if is_untyped(plain):
        return infer(text)
    if plain in (int, float, bool):  # no text is one of these, so the strict attempt can be spared
        lax = _lenient(text, plain, strict=False)  # without its constraints: those are the conversion's to refuse
        return lax[0] if lax is not None else _word(text, plain is bool and not verbatim)
    if wants_text(plain):  # its conversion reads the text
        return text
    members = members_of(plain)
    if any(map(is_secret, members)):
        return _from_text(text, _revealed(plain), verbatim)
    if (root := root_type(plain)) is not None:
        return _from_text(text, root, verbatim or is_given_input(plain))
    if text == "null" and type(None) in members and any(map(wants_text, members)) and str not in members:
        return None  # a path or a pattern could be called so, and nobody's is
    if is_pydantics(plain) or inputs_of(plain) is not None or _lenient(text, kind, strict=True) is None:
        return _bent(text, kind, members, verbatim)
    # The conversion would take the text, but nothing bare.
    return Bare(text) if Decimal in members and str not in members and _is_odd_decimal(text) else text


def _bent(text: str, kind: Any, members: tuple[Any, ...], verbatim: bool) -> Any:
    """What a text means for a type that does not take it as it is; otherwise the text."""
    if (parsed := _container(text, members)) is not None:
        return prepare(parsed, kind, verbatim)
    if timedelta in members and (found := duration(text)) is not None:
        return found
    if text == "null" and type(None) in members:
        return None
    if ByteSize in members and (size := byte_count(text)) is not None:
        return size
    lax = _lenient(text, kind, strict=False)
    if lax is not None:
        return _size(lax[0]) if ByteSize in members else lax[0]
    if not verbatim and reads_commas(members) and (items := comma_list(text)) is not None:
        return prepare(items, kind)
    return _word(text, bool in members and not verbatim)


def _word(text: str, is_bool: bool) -> Any:
    """The boolean that a word such as `yes` or `OFF` means, where it may be one; otherwise the text."""
    return _WORDS.get(text.lower(), text) if is_bool and len(text) <= _LONGEST_WORD else text


def _revealed(plain: Any) -> Any:
    """The type without the Secret around it; for a union, around its members."""
    if is_secret(plain):
        return (get_args(plain) or (Any,))[0]
    return Union[tuple(map(_revealed, members_of(plain)))] if is_union(plain) else plain


def _is_odd_decimal(text: str) -> bool:
    """Whether only `Decimal` takes it for a number: `1_000`, one between blanks, digits of other scripts."""
    if _NUMBER.fullmatch(text):
        return False
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


def _lenient(text: str, kind: Any, *, strict: bool) -> tuple[Any] | None:
    """The builtin value that the text means for the type, in a tuple; None if it means none."""
    try:
        value = convert(text, kind, strict=strict)
    except BaseException as error:  # whatever a type's own code raises; strict conversion says what is wrong
        if not is_refusal(error):
            raise
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if type(value) is int and not _is_spelled(value, text):
        return None
    if isinstance(value, Secret):
        value = value.reveal()
    return (value.value if isinstance(value, enum.Enum) else value,)


def _is_spelled(value: int, text: str) -> bool:
    """Whether every format could hold the integer and the text means it exactly: msgspec takes `1e-400` for 0."""
    return integer_fits(value) and (not any(c in text for c in ".eE") or Decimal(text) == value)


def _container(text: str, members: tuple[Any, ...]) -> Any:
    """The JSON table or list that a bare text spells where the type wants one, otherwise None.

    Raises:
        JsonRefusedError: The text breaks a rule that every document keeps.
    """
    return decode_json(text) if any(_takes_table(m) or _takes_list(m) for m in members) else None
