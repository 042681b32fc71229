"""The fields that `EnvName` gives a variable, and the paths at which they stand."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from reactive_config._core.env_name import EnvName
from reactive_config._core.paths import Path, format_path
from reactive_config._core.types.generics import cached, class_of
from reactive_config._core.types.kinds import (
    is_array,
    is_pydantics,
    is_secret,
    is_union,
    item_types,
    mapping_types,
    members_of,
    root_type,
)
from reactive_config._core.types.pydantic_types import Location, locations
from reactive_config._core.types.records import fields_of, inputs_of, reachable

NamedVariable = tuple[str, Path]
"""A variable, and the path of the field that names it."""


def env_names(kind: Any) -> tuple[str, ...]:
    """The variables that a field's type names, in the order of their marks; those of a union's members, too."""
    origin = get_origin(kind)
    if origin is typing.Annotated:
        return (*env_names(kind.__origin__), *(mark.name for mark in kind.__metadata__ if isinstance(mark, EnvName)))
    if isinstance(kind, typing.NewType):
        return env_names(kind.__supertype__)
    if type(kind).__name__ == "TypeAliasType":
        return env_names(kind.__value__)
    if origin in (typing.Required, typing.NotRequired, typing.Final) or is_secret(kind) or is_union(kind):
        return tuple(dict.fromkeys(name for inner in get_args(kind) for name in env_names(inner)))
    return ()


@cached
def named_variables(kind: Any) -> tuple[NamedVariable, ...]:
    """The variables that the fields of a configuration's type name; of one field's, the one that wins comes last.

    Raises:
        ValueError: Two fields name one variable, or one does that has no path of its own; in words for a person.
    """
    found: dict[str, Path] = {}
    for name, path, title in _below(kind, (), (), "the configuration"):
        if path is None:
            raise ValueError(
                f'expected EnvName("{name}") at a field with a path of its own, got it in {title}, '
                "which stands in a list or under any name"
            )
        first = found.setdefault(name, path)
        if first != path:
            both = " and ".join(sorted(map(format_path, (first, path))))
            raise ValueError(f'expected one field with EnvName("{name}"), got {both}')
    return tuple(reversed(found.items()))


@cached
def _names_any(kind: Any) -> bool:
    """Whether a mark stands anywhere in a type: nobody has to look at the many paths of one without."""
    return any(
        map(_mentions, [kind, *(field.type for one in reachable(kind) for field in (inputs_of(one) or {}).values())])
    )


def _mentions(kind: Any) -> bool:
    return bool(env_names(kind)) or any(map(_mentions, get_args(kind)))


def _below(kind: Any, path: Path | None, above: tuple[Any, ...], title: str) -> Iterator[tuple[str, Path | None, str]]:
    """Every variable that is named below, with its field's path and what a person calls the type around it.

    Args:
        kind: Declared there.
        path: None inside of a list or a mapping.
        above: The records on the way: one that holds itself is looked at once.
        title: The type around it.
    """
    if not _names_any(kind):
        return
    for member in _opened(kind):
        inner = item_types(member) or (mapping_types(member) or ())[1:]
        for one in inner:
            if one is not Ellipsis:
                yield from ((name, None, title) for name in env_names(one))
                yield from _below(one, None, above, title)
        if not inner and not is_array(member) and member not in above and inputs_of(member) is not None:
            name = getattr(class_of(member), "__name__", title)
            for location, field in _fields(member):
                at = None if path is None or location is None else (*path, *location)
                yield from ((variable, at, name) for variable in env_names(field))
                yield from _below(field, at, (*above, member), name)


def _opened(kind: Any) -> Iterator[Any]:
    """The bare types that may stand where one is declared, with Secrets and RootModels opened."""
    for member in members_of(kind):
        inner = get_args(member)[:1] if is_secret(member) else (root,) if (root := root_type(member)) else ()
        if inner:
            yield from _opened(inner[0])
        else:
            yield member


def _fields(kind: Any) -> Iterator[tuple[Path | None, Any]]:
    """Where each field of a record stands in its table, and its type; None for one inside of a list."""
    if not is_pydantics(kind):
        yield from (((name,), field.type) for name, field in (inputs_of(kind) or {}).items())
        return
    types = {field.attribute: field.type for field in (fields_of(kind) or {}).values()}
    for attribute, _, accepted in locations(kind):
        yield _names(accepted[0]), types[attribute]


def _names(location: Location) -> Path | None:
    names = tuple(step for step in location if isinstance(step, str))
    return names if len(names) == len(location) else None
