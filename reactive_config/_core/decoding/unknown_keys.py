"""Keys that a type does not know, found by their names alone.

Mappings, what no type describes, and models that take extra names know every name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, get_args

from reactive_config._core.decoding.bare_values import members_for
from reactive_config._core.delta import Bare
from reactive_config._core.json_text import JsonRefusedError, decode_json
from reactive_config._core.paths import Path
from reactive_config._core.types import (
    class_of,
    inputs_of,
    is_array,
    is_pydantic,
    is_secret,
    is_single,
    is_struct,
    is_typed_dict,
    is_untyped,
    item_types,
    mapping_types,
    members_of,
    reachable,
    root_type,
)
from reactive_config._core.types.generics import cached

UnknownKeys = Mapping[Any, Any]
"""Where unknown keys stand: names, or indexes of a list; None at an unknown one, the same below at any other."""

UnknownKey = tuple[str | int, ...]
"""The way to one of them."""

NONE: Final[UnknownKeys] = {}


class KnownNames(NamedTuple):
    """What one type says about the names in its tables.

    Attributes:
        names: Those that it knows; None for every name.
        below: The types of those below which an unknown key may stand.
        values: The type of what stands under any other name, if an unknown key may stand there; otherwise None.
    """

    names: frozenset[str] | None
    below: Mapping[str, Any]
    values: Any


@cached
def known_names(kind: Any) -> KnownNames | None:
    """What a bare type says about names; None if its values are no tables."""
    if is_untyped(kind):
        return KnownNames(None, {}, None)
    if (mapping := mapping_types(kind)) is not None:
        return KnownNames(None, {}, mapping[1] if may_ignore(mapping[1]) else None)
    inputs = inputs_of(kind)
    if inputs is None or is_array(kind):
        return None
    below = {name: field.type for name, field in inputs.items() if may_ignore(field.type)}
    if _extra(kind) == "allow":  # which a TypedDict inside of the model inherits
        below = {name: inner for name, inner in below.items() if not any(map(is_typed_dict, reachable(inner)))}
    return KnownNames(None if _takes_all(kind) else frozenset((*inputs, *_tag_field(kind))), below, None)


@cached
def may_ignore(kind: Any) -> bool:
    """Whether a value of this type may have a key somewhere that is ignored."""
    return any(inputs_of(one) is not None and _ignores(one) for one in reachable(kind))


def _ignores(kind: Any) -> bool:
    """Whether a record type neither takes nor refuses a name that it does not know."""
    forbids = getattr(getattr(class_of(kind), "__struct_config__", None), "forbid_unknown_fields", False)
    return not (forbids or is_array(kind) or _extra(kind) == "forbid" or _takes_all(kind))


def _takes_all(kind: Any) -> bool:
    """Whether a type of pydantic's keeps extra names, or has code of its own that is given the table first."""
    decorators = getattr(class_of(kind), "__pydantic_decorators__", None)
    validators = getattr(decorators, "model_validators", {}).values()
    return _extra(kind) == "allow" or any(one.info.mode in ("before", "wrap") for one in validators)


def _extra(kind: Any) -> str | None:
    cls = class_of(kind)
    config = getattr(cls, "model_config", None) if is_pydantic(cls) else getattr(cls, "__pydantic_config__", None)
    return config.get("extra") if isinstance(config, dict) else None


def _tag_field(kind: Any) -> tuple[str, ...]:
    config = class_of(kind).__struct_config__ if is_struct(kind) else None  # type: ignore[union-attr]
    return () if config is None or config.tag_field is None else (config.tag_field,)


@cached
def _alternatives(kind: Any) -> tuple[Any, ...]:
    """The bare types that may stand where one is declared: unions taken apart, Secrets and RootModels opened."""
    found: list[Any] = []
    for member in members_of(kind):
        if is_secret(member):
            found += _alternatives(*(get_args(member) or (Any,)))
        elif (root := root_type(member)) is not None:
            found += _alternatives(root)
        else:
            found.append(member)
    return tuple(found)


def unknown_keys(tree: Any, kind: Any) -> UnknownKeys:
    """The keys in a tree that its type does not know and ignores.

    Args:
        tree: Any that fits.
        kind: What it is decoded as.
    """
    if type(tree) is Bare:
        tree = _spelt(tree.text, kind)
    if type(tree) is dict:
        names = _flat_names(kind)
        return NONE if names is not None and names.issuperset(tree) else _in_table(tree, kind)
    return _in_list(tree, kind) if type(tree) is list else NONE


@cached
def _flat_names(kind: Any) -> frozenset[str] | None:
    """The names that a table of just one record type has, if nothing below them needs a look."""
    tables = [one for member in _alternatives(kind) if (one := known_names(member)) is not None]
    return tables[0].names if len(tables) == 1 and not tables[0].below else None


def _spelt(text: str, kind: Any) -> Any:
    """The table or list that a bare text is read as; None for a single value."""
    kinds = _alternatives(kind)
    if str in kinds or any(map(is_untyped, kinds)):
        return None
    try:
        return decode_json(text)
    except JsonRefusedError:
        return None


def _in_table(table: dict[str, Any], kind: Any) -> UnknownKeys:
    fitting = members_for(table, _alternatives(kind))
    said = [one for member in fitting if (one := known_names(member)) is not None]
    known = [one.names for one in said if one.names is not None]
    if not said or (len(said) > 1 and len(known) < len(said)):
        return NONE
    found: dict[Any, Any] = {}
    if known:
        found.update((name, None) for name in table if not any(name in names for names in known))
    for name, inner in _kinds_below(table, said):
        if keys := unknown_keys(table[name], inner):
            found[name] = keys
    return found


def _kinds_below(table: dict[str, Any], said: list[KnownNames]) -> Iterator[tuple[str, Any]]:
    """What has to be looked at below a table, with its type: that of the likeliest type which knows the name."""
    if said[0].values is not None:
        for name in table:
            yield name, said[0].values
        return
    seen: set[str] = set()
    for one in said:
        for name, inner in one.below.items():
            if name in table and name not in seen:
                seen.add(name)
                yield name, inner


def _in_list(items: list[Any], kind: Any) -> UnknownKeys:
    fitting = members_for(items, _alternatives(kind))
    types = (item_types(fitting[0]) if fitting else None) or ()
    found: dict[Any, Any] = {}
    if types[-1:] == (Ellipsis,):
        if not may_ignore(types[0]):
            return NONE
        types = (types[0],) * len(items)
    for index, (item, inner) in enumerate(zip(items, types, strict=False)):
        if keys := unknown_keys(item, inner):
            found[index] = keys
    return found


def knows(kind: Any, path: Path) -> bool:
    """Whether something may stand at a path of a type; where a union leaves open what is meant, of any member."""
    kinds = [kind]
    for name in path:
        below: list[Any] = []  # each once: types that hold one another would make twice as many at every name
        for inner in (inner for one in kinds for member in _alternatives(one) for inner in _under(member, name)):
            if inner not in below:
                below.append(inner)
        kinds = below
    return bool(kinds)


def _under(kind: Any, name: str) -> tuple[Any, ...]:
    """The type of what may stand under a name of a bare type, Any where nobody knows; nothing if nothing may."""
    said = known_names(kind)
    if said is None:
        single = is_single(kind) or item_types(kind) is not None
        return () if single else (Any,)
    mapping, field = mapping_types(kind), (inputs_of(kind) or {}).get(name)
    if field is not None:
        return (field.type,)
    if mapping is not None:
        return (mapping[1],)
    return (Any,) if said.names is None or name in said.names else ()


def all_keys(unknown: UnknownKeys, before: UnknownKeys = NONE, above: UnknownKey = ()) -> Iterator[UnknownKey]:
    """The way to every unknown key.

    Args:
        unknown: Where they stand.
        before: Those that are not wanted.
        above: The way to all of it.
    """
    for name, inner in unknown.items():
        known = before.get(name, NONE)
        if inner is None:
            if known is not None:
                yield (*above, name)
        elif inner is not known:
            yield from all_keys(inner, known or NONE, (*above, name))
