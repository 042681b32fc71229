"""Trees as people may see them: secrets hidden by type, or by name where no type says so."""

from __future__ import annotations

from typing import Any, get_args

from reactive_config.core.delta import Bare
from reactive_config.core.paths import Path
from reactive_config.core.secret import HIDDEN, is_sensitive
from reactive_config.core.types import (
    bare_type,
    fields_of,
    holds_secret,
    is_union,
    is_untyped,
    item_types,
    mapping_types,
)


def type_at(kind: Any, path: Path) -> Any:
    """The type of what may stand at a path of a type; Any where the type does not say."""
    for name in path:
        kind = inner_type(kind, name)
    return kind


def inner_type(kind: Any, name: str) -> Any:
    """The type of what may stand at a name of a type; Any where the type does not say."""
    plain = plain_type(kind)
    if (mapping := mapping_types(plain)) is not None:
        return mapping[1]
    fields = fields_of(plain) or {}
    return fields[name].type if name in fields else Any


def plain_type(kind: Any) -> Any:
    """The type without annotations, and X for X | None."""
    plain = bare_type(kind)
    if not is_union(plain):
        return plain
    members = [bare_type(t) for t in get_args(plain) if t is not type(None)]
    return members[0] if len(members) == 1 else plain


def redacted(tree: Any, kind: Any, name: str = "") -> Any:
    """A copy of a tree that may be shown.

    Args:
        tree: What stands at some path.
        kind: The type of that path; Any where unknown.
        name: The path's last name; decides where the type is unknown.
    """
    if type(tree) is Bare:
        tree = tree.text
    plain = plain_type(kind)
    if is_untyped(plain):
        return _by_name(tree, name)
    if type(tree) is dict and (mapping_types(plain) is not None or fields_of(plain) is not None):
        return {key: redacted(value, inner_type(plain, key), key) for key, value in tree.items()}
    if type(tree) is list and (items := item_types(plain)) is not None and items[-1] is Ellipsis:
        return [redacted(item, items[0]) for item in tree]
    if holds_secret(plain):
        return None if tree is None else HIDDEN
    # A table or list of which the type says too little (a union, a tuple) is hidden by name.
    return _by_name(tree, name) if type(tree) in (dict, list) else tree


def _by_name(tree: Any, name: str) -> Any:
    if type(tree) is Bare:
        tree = tree.text
    if type(tree) is dict:
        # A table under a sensitive name is hidden name by name, so that its shape stays visible.
        return {key: _by_name(value, f"{name}.{key}" if is_sensitive(name) else key) for key, value in tree.items()}
    if name and tree is not None and any(map(is_sensitive, name.split("."))):
        return HIDDEN
    return [_by_name(item, "") for item in tree] if type(tree) is list else tree
