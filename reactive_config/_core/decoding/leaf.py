"""Decoding of one part as a whole, and of the instances that msgspec does not make."""

from __future__ import annotations

from typing import Any, get_args

from reactive_config._core.decoding.bare_values import member_for, prepare
from reactive_config._core.decoding.conversion import NO_DECODERS, DecodeHook, convert
from reactive_config._core.decoding.finite import check_finite
from reactive_config._core.types import (
    bare_type,
    class_of,
    constructs,
    fields_of,
    is_pydantic,
    is_pydantics,
    is_secret,
    is_union,
    item_types,
    mapping_types,
    may_hold_floats,
    members_of,
    own_constructor,
)
from reactive_config._core.types.pydantic_types import validated


def constructed(tree: Any, kind: Any, hook: DecodeHook) -> Any:
    """A prepared tree with an instance in place of every table whose class has a constructor of its own.

    Args:
        tree: As `prepare` gives it for `kind`; what does not fit stays, for the conversion to refuse.
        kind: The type that it is for.
        hook: Makes what msgspec does not know.

    Raises:
        Exception: Whatever a constructor raises.
    """
    if not constructs(kind):
        return tree
    plain = bare_type(kind)
    if is_union(plain):
        if tree is None or (member := member_for(tree, members_of(plain))) is None:
            return tree
        return constructed(tree, member, hook)
    if is_secret(plain):
        return constructed(tree, get_args(plain)[0], hook)
    if is_pydantics(plain):  # what is inside is pydantic's; a model is made by the conversion
        return tree if is_pydantic(plain) else validated(tree, plain)
    if type(tree) is list:
        return _items(tree, item_types(plain) or (), hook)
    return _table(tree, plain, hook) if type(tree) is dict else tree


def _items(tree: list[Any], items: tuple[Any, ...], hook: DecodeHook) -> list[Any]:
    if items[-1:] == (Ellipsis,):
        return [constructed(item, items[0], hook) for item in tree]
    return [constructed(item, items[i], hook) if i < len(items) else item for i, item in enumerate(tree)]


def _table(tree: dict[str, Any], plain: Any, hook: DecodeHook) -> Any:
    if (mapping := mapping_types(plain)) is not None:
        return {name: constructed(inner, mapping[1], hook) for name, inner in tree.items()}
    fields = fields_of(plain) or {}
    inner = {n: constructed(value, fields[n].type, hook) if n in fields else value for n, value in tree.items()}
    if not own_constructor(plain):
        return inner
    given = {name: convert(inner[name], field.type, hook) for name, field in fields.items() if name in inner}
    return class_of(plain)(**given)  # type: ignore[misc]


def decode_leaf(value: Any, kind: Any, hook: DecodeHook = NO_DECODERS) -> Any:
    """The value of type `kind` that a tree means.

    Args:
        value: The tree.
        kind: The type.
        hook: Makes what msgspec does not know.

    Raises:
        Exception: It does not fit. `faults` says why; the exception's own text may quote the value.
    """
    result = convert(constructed(prepare(value, kind), kind, hook), kind, hook)
    if may_hold_floats(kind):
        check_finite(result, value)
    return result
