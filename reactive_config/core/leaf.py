"""Decoding of one part as a whole, and saying precisely what is wrong with it.

msgspec stops at the first error and does not name the keys of a dict. So a part that does not fit is
taken apart once more, item by item, to find every fault and its full path.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple, get_args

import msgspec

from reactive_config.core.delta import Bare
from reactive_config.core.lenient import convert, infer, prepare
from reactive_config.core.paths import Path
from reactive_config.core.secret import Secret, is_sensitive
from reactive_config.core.types import (
    bare_type,
    describe,
    fields_of,
    holds_secret,
    is_pydantic,
    is_union,
    is_untyped,
    item_types,
    kind_of,
    mapping_types,
)
from reactive_config.errors import Unfit

_NOTHING = object()
_SCALARS = (str, int, float, bool, type(None), Bare)
_SIMPLE = frozenset({str, int, float, bool, type(None)})
"""Types whose `==` is all there is to equality."""
_EXPECTED = re.compile(r"Expected (.+?)(?:, got .*)?(?: - at .*)?", re.DOTALL)
_AT = re.compile(r" - at `(?:key in )?\$([^`]*)`$")


class Fault(NamedTuple):
    """What is wrong at a path of the configuration.

    Attributes:
        path: The part's path.
        inside: Where inside the part, as text to append: `[3].name`.
        expected: What would have fitted.
        got: What was there, shown as far as it may be.
    """

    path: Path
    inside: str
    expected: str
    got: str


def decode_leaf(value: Any, kind: Any) -> Any:
    """The value of type `kind` that a tree means.

    Raises:
        Exception: It does not fit. `faults` says why; the exception's own text may quote the value.
    """
    result = convert(prepare(value, kind), kind)
    if not is_sound(result):
        raise ValueError("not finite")
    return result


def is_sound(value: Any) -> bool:
    """Whether a scalar is no float that is not finite: NaN would differ from itself for ever."""
    return not isinstance(value, float) or math.isfinite(value)


def faults(value: Any, kind: Any, path: Path) -> list[Fault]:
    """Everything that keeps a tree from being a `kind`; at least one."""
    return list(_faults(value, kind, path, ""))


def _faults(value: Any, kind: Any, path: Path, inside: str) -> Iterator[Fault]:
    try:
        decode_leaf(value, kind)
    except Exception as error:  # noqa: BLE001 - any exception of a user's validation is a rejection
        inner = list(_inner_faults(value, bare_type(kind), path, inside))
        if not inner and (own := own_words(error)) is not None:
            inner = [own_fault(own, value, kind, path, inside)]
        yield from inner or [Fault(path, inside + _place(error), _expected(error, kind), shown(value, kind, path))]


def _inner_faults(value: Any, plain: Any, path: Path, inside: str) -> Iterator[Fault]:
    if is_pydantic(plain):
        yield from _pydantic_faults(value, plain, path, inside)
    elif type(value) is list and (items := item_types(plain)) is not None:
        for index, item in enumerate(value):
            kind = items[0] if items[-1] is Ellipsis else items[min(index, len(items) - 1)]
            yield from _faults(item, kind, path, f"{inside}[{index}]")
    elif type(value) is dict:
        yield from _table_faults(value, plain, path, inside)


def _table_faults(value: dict[str, Any], plain: Any, path: Path, inside: str) -> Iterator[Fault]:
    if is_union(plain):
        members = [bare_type(member) for member in get_args(plain)]
        tables = [member for member in members if fields_of(member) is not None or mapping_types(member) is not None]
        if len(tables) == 1:  # of several, nobody knows which one was meant
            yield from _faults(value, tables[0], path, inside)
    elif (mapping := mapping_types(plain)) is not None:
        for name, item in value.items():
            yield from _faults(item, mapping[1], *_below(path, inside, name))
    else:
        yield from _record_faults(value, plain, path, inside)


def _record_faults(value: dict[str, Any], plain: Any, path: Path, inside: str) -> Iterator[Fault]:
    fields = fields_of(plain) or {}
    for name, field in fields.items():
        if name in value:
            yield from _faults(value[name], field.type, *_below(path, inside, name))
        elif field.default is None:
            yield Fault(*_below(path, inside, name), describe(field.type), "nothing")
    if getattr(getattr(plain, "__struct_config__", None), "forbid_unknown_fields", False):
        for name in [name for name in value if name not in fields]:
            yield Fault(*_below(path, inside, name), f"one of the names {', '.join(fields)}", "an unknown name")


@cache
def _own_errors() -> frozenset[str]:
    from pydantic_core import core_schema

    return frozenset(get_args(core_schema.ErrorType)) - {"value_error", "assertion_error"}


def _below(path: Path, inside: str, name: str) -> tuple[Path, str]:
    """Path and inside of a name: names belong to the path until an index comes, which no path has."""
    return (path, f"{inside}.{name}") if inside else ((*path, name), "")


def own_words(error: Exception) -> Unfit | None:
    """What a type's own validation says was expected, in words that quote nothing."""
    cause = error.__cause__ if type(error) is msgspec.ValidationError else error
    return cause if isinstance(cause, Unfit) else None


def own_fault(own: Unfit, value: Any, kind: Any, path: Path, inside: str) -> Fault:
    """The fault that a type's own validation found in a tree."""
    field = (fields_of(bare_type(kind)) or {}).get(own.at)
    if field is None or type(value) is not dict:
        return Fault(path, inside, own.expected, shown(value, kind, path))
    place = _below(path, inside, own.at)
    got = shown(value[own.at], field.type, place[0]) if own.at in value else "nothing"
    return Fault(*place, own.expected, got)


def _pydantic_faults(value: Any, model: Any, path: Path, inside: str) -> Iterator[Fault]:
    import pydantic

    try:
        model.model_validate(prepare(value, model))
    except pydantic.ValidationError as error:
        for item in error.errors(include_url=False, include_context=False, include_input=False):
            place = (path, inside)
            for at in item["loc"]:
                place = (place[0], f"{place[1]}[{at}]") if isinstance(at, int) else _below(*place, at)
            # Only pydantic's own messages are safe to copy; a validator's text may quote the value.
            own = item["type"] in _own_errors()
            expected = item["msg"] if own else f"what {model.__name__} accepts"
            yield Fault(*place, expected, "nothing" if item["type"] == "missing" else "something else")


def shown(value: Any, kind: Any, path: Path) -> str:
    """The value where its type is known and no secret, otherwise only its kind."""
    if type(value) is Bare:
        value = value.text if bare_type(kind) is str else infer(value.text)
    hidden = holds_secret(kind) or is_untyped(bare_type(kind)) or any(map(is_sensitive, path[-1:]))
    if hidden or type(value) not in _SCALARS:
        return kind_of(value)
    text = repr(value) if value is not None else "null"
    return text if len(text) <= 80 else text[:77] + "..."


def _expected(error: Exception, kind: Any) -> str:
    """msgspec's own words where they are made of the type alone, otherwise ours."""
    if type(error) is msgspec.ValidationError and error.__cause__ is None:
        found = _EXPECTED.fullmatch(str(error))
        if found and not holds_secret(kind) and fields_of(bare_type(kind)) is None:
            return describe(kind) if "duration" in describe(kind) else found.group(1).replace("`", "")
        return describe(kind)
    if isinstance(error, (TypeError, ValueError, AssertionError)):
        return f"what {describe(kind)} accepts"
    return f"{describe(kind)} (its validation raised {type(error).__name__})"


def _place(error: Exception) -> str:
    if type(error) is not msgspec.ValidationError or error.__cause__ is not None:
        return ""
    found = _AT.search(str(error))
    return found.group(1).replace("[...]", "") if found else ""


def unchanged(old: Any, new: Any) -> bool:
    """Whether two decoded values are equal with the same scalar types, in all their parts."""
    if old is new:
        return True
    kind = type(old)
    if kind is not type(new):
        return False
    if kind in _SIMPLE:
        return bool(old == new)
    if kind in (list, tuple):
        return len(old) == len(new) and all(map(unchanged, old, new))
    if isinstance(old, dict):
        return len(old) == len(new) and all(k in new and unchanged(v, new[k]) for k, v in old.items())
    if isinstance(old, (set, frozenset)):
        return {(type(item), item) for item in old} == {(type(item), item) for item in new}
    if isinstance(old, Secret):
        return unchanged(old.reveal(), new.reveal())
    return _same_attributes(old, new)


def _same_attributes(old: Any, new: Any) -> bool:
    names = _attributes(old)
    if names is None:
        try:
            return bool(old == new)
        except Exception:  # noqa: BLE001 - a comparison of the user's own; what cannot be compared has changed
            return False
    for name in names:
        before, after = getattr(old, name, None), getattr(new, name, None)
        if before is not after and not unchanged(before, after):
            return False
    return True


def changed_values(old: Any, new: Any, path: Path) -> list[Path]:
    """The shortest paths at which two decoded values differ; descends into records and mappings."""
    if old is new:
        return []
    found: list[Path] = []
    for name, before, after in _pairs(old, new):
        if before is not after:
            found += changed_values(before, after, (*path, str(name)))
    # What holds a value beside its names (as a model with extras does) may differ in that alone.
    return found or ([] if unchanged(old, new) else [path])


def _pairs(old: Any, new: Any) -> Iterator[tuple[Any, Any, Any]]:
    """The values of two records of one type, or of two mappings, by name; nothing for other values."""
    kind = type(old)
    if kind is not type(new) or kind in _SIMPLE:
        return
    if isinstance(old, dict):
        for name in {**old, **new}:
            yield name, old.get(name, _NOTHING), new.get(name, _NOTHING)
    else:
        for name, field in (fields_of(old.__class__) or {}).items():
            yield name, getattr(old, field.attribute), getattr(new, field.attribute)


def _attributes(value: Any) -> tuple[str, ...] | None:
    kind = type(value)
    if isinstance(value, msgspec.Struct):
        return value.__struct_fields__
    if is_pydantic(kind):
        return (*kind.model_fields, "__pydantic_extra__")
    if dataclasses.is_dataclass(kind):
        return tuple(f.name for f in dataclasses.fields(kind))
    if hasattr(kind, "__attrs_attrs__"):
        return tuple(a.name for a in kind.__attrs_attrs__)
    return None
