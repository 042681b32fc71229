"""Dotted paths against a type: what they select, and which path a shouted name means."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from typing import Any, Literal, get_args

from reactive_config._core.paths import Path, fold, format_path, spellings
from reactive_config._core.types import (
    bare_type,
    describe,
    fields_of,
    inputs_of,
    is_array,
    is_typed_dict,
    is_union,
    is_untyped,
    mapping_types,
    members_of,
    root_type,
)
from reactive_config._printable import printable
from reactive_config.errors import UnknownPath

Step = Callable[[Any], Any]

Shape = Literal["table", "value", "any"]
"""What fits at a path: only a table (or null), no table, or both; `any` also where no type says."""


def selector(kind: Any, path: Path) -> Step:
    """A function from a configuration of type `kind` to what stands at a path.

    An absent table key gives None, and so does everything below a None.

    Raises:
        UnknownPath: The type has no such path.
    """
    steps: list[Step] = []
    for depth, name in enumerate(path):
        plain = plain_type(kind)
        while (root := root_type(plain)) is not None:
            steps.append(_attribute("root"))
            plain = plain_type(root)
        fields = fields_of(plain)
        mapping = mapping_types(plain)
        if mapping is not None:
            steps.append(_key(name))
            kind = mapping[1]
        elif fields is not None:
            if name not in fields:
                raise _unknown(path, depth, list(fields), _renamed(plain, name))
            steps.append(_key(name) if is_typed_dict(plain) else _attribute(fields[name].attribute))
            kind = fields[name].type
        elif is_untyped(plain) or is_union(plain):
            steps.append(_either(name))
            kind = Any
        else:
            where = format_path(path[:depth]) or "the configuration"
            below = f"one below {printable(where)}, a {describe(plain)}"
            raise UnknownPath(f"{printable(format_path(path))}: expected a path of the type, got {below}")
    return _chain(steps)


def _chain(steps: list[Step]) -> Step:
    def select(value: Any) -> Any:
        for step in steps:
            if value is None:
                return None
            value = step(value)
        return value

    return select


def _key(name: str) -> Step:
    return lambda table: table.get(name)


def _attribute(name: str) -> Step:
    return lambda record: getattr(record, name)


def _either(name: str) -> Step:
    return lambda value: value.get(name) if isinstance(value, dict) else getattr(value, name, None)


def _renamed(plain: Any, name: str) -> str:
    """The first name of the field that has this one in Python, or as another alias of pydantic's; empty for none."""
    other = (inputs_of(plain) or {}).get(name)
    attribute = name if other is None else other.attribute
    return next((first for first, field in (fields_of(plain) or {}).items() if field.attribute == attribute), "")


def _unknown(path: Path, depth: int, names: list[str], meant: str) -> UnknownPath:
    text, where, name = map(
        printable, (format_path(path), format_path(path[:depth]) or "the configuration", path[depth])
    )
    # Of the short name: it takes the square of the length.
    near = [meant] if meant else difflib.get_close_matches(name, names, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return UnknownPath(f"{text}: expected one of {', '.join(names)} in {where}, got {name}{hint}")


def resolve(kind: Any, names: Path) -> Path:
    """The path that names in any case mean: fields match without case, other names are lower-cased.

    One in camelCase matches with `_` between its words too: `MAX_SIZE` is `maxSize`.
    """
    found: list[str] = []
    for name in names:
        plain = plain_type(kind)
        while (root := root_type(plain)) is not None:
            plain = plain_type(root)
        fields = inputs_of(plain) or {}
        match = name if name in fields else _field_meant(fields, name)
        mapping = mapping_types(plain)
        found.append(name.lower() if match is None else match)
        kind = fields[match].type if match is not None else mapping[1] if mapping else Any
    return tuple(found)


def shape(kind: Any, path: Path) -> Shape:
    """What fits at a path of a type."""
    plain = plain_type(type_at(kind, path))
    members = [bare_type(t) for t in get_args(plain)] if is_union(plain) else [plain]
    shapes = {_shape(member) for member in members if member is not type(None)}
    return shapes.pop() if len(shapes) == 1 else "any"


def _shape(plain: Any) -> Shape:
    if is_untyped(plain):
        return "any"
    if (root := root_type(plain)) is not None:
        return shape(root, ())
    if is_array(plain):
        return "value"
    return "table" if fields_of(plain) is not None or mapping_types(plain) is not None else "value"


def _field_meant(fields: Iterable[str], name: str) -> str | None:
    """The field that a name in any case means; one whose own name it is comes before one whose words it is."""
    folded = fold(name)
    by_words = None
    for field in fields:
        plain, *words = spellings(field)
        if plain == folded:
            return field
        if by_words is None and folded in words:
            by_words = field
    return by_words


def plain_type(kind: Any) -> Any:
    """The type without annotations, and X for X | None."""
    plain = bare_type(kind)
    if not is_union(plain):
        return plain
    members = [member for member in members_of(plain) if member is not type(None)]
    return members[0] if len(members) == 1 else plain


def inner_type(kind: Any, name: str) -> Any:
    """The type of what may stand at a name of a type; Any where the type does not say."""
    plain = plain_type(kind)
    while (root := root_type(plain)) is not None:
        plain = plain_type(root)
    if (mapping := mapping_types(plain)) is not None:
        return mapping[1]
    fields = inputs_of(plain) or {}
    return fields[name].type if name in fields else Any


def type_at(kind: Any, path: Path) -> Any:
    """The type of what may stand at a path of a type; Any where the type does not say."""
    for name in path:
        kind = inner_type(kind, name)
    return kind
