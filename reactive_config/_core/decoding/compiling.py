"""Which plan decodes which type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import msgspec

from reactive_config._core.decoding.basic_plans import LeafPlan, TablePlan
from reactive_config._core.decoding.conversion import NO_DECODERS, DecodeHook, Decoders
from reactive_config._core.decoding.map_plans import MapPlan, OptionalPlan, UntypedPlan
from reactive_config._core.decoding.plans import DecodePlan
from reactive_config._core.decoding.record_plans import FlatPlan, RecordPlan
from reactive_config._core.decoding.refused_types import check_decoders, find_refused, is_known, text_default
from reactive_config._core.refusals import is_refusal
from reactive_config._core.types import (
    bare_type,
    class_of,
    fields_of,
    is_array,
    is_constrained,
    is_dataclass,
    is_pydantics,
    is_scalar,
    is_sealed,
    is_struct,
    is_union,
    is_untyped,
    mapping_types,
    members_of,
    not_served,
    own_constructor,
    reachable,
    unmarked,
    unserved_alias,
)
from reactive_config._core.types.env_fields import named_variables
from reactive_config._core.types.generics import cached
from reactive_config._core.types.sealed import holds_secret_names
from reactive_config.errors import TypeNotSupported


def compile_plan(kind: Any, decoders: Decoders | None = None) -> DecodePlan:
    """The plan for a configuration type.

    Args:
        kind: The type.
        decoders: Functions for types of the program's own, by class.

    Raises:
        TypeError: A decoder would never be called.
        TypeNotSupported: It, or a type inside it, cannot be decoded, or only without some code of its own; names both.
    """
    if decoders:
        check_decoders(decoders)
    hook = DecodeHook(decoders) if decoders else NO_DECODERS
    _check((kind, frozenset(hook.decoders)))
    if holds_secret_names(kind):
        raise TypeNotSupported(f"expected tables whose names may be shown, got {kind!r}, where a name is a Secret")
    return _compile(kind, {}, hook)


def _compile(kind: Any, known: dict[Any, DecodePlan], hook: DecodeHook) -> DecodePlan:
    kind = unmarked(kind)
    plain = bare_type(kind)
    if is_untyped(plain):
        return UntypedPlan()
    if _is_table_of_fields(plain):
        if plain not in known:
            make = FlatPlan if _is_flat(plain) else RecordPlan
            plan = known[plain] = make(plain)  # known before its fields: a type may contain itself
            plan.plans = {name: _compile(field.type, known, hook) for name, field in plan.fields.items()}
        return known[plain]
    if not is_constrained(kind):
        mapping = mapping_types(plain)
        if mapping is not None and mapping[0] is str:
            return MapPlan(kind, _compile(mapping[1], known, hook))
        members = members_of(plain)
        if is_union(plain) and len(members) == 2 and type(None) in members:
            inner = _compile(next(t for t in get_args(plain) if bare_type(t) is not type(None)), known, hook)
            if isinstance(inner, TablePlan):
                return OptionalPlan(kind, inner)
    return LeafPlan(kind, hook)


def _is_table_of_fields(kind: Any) -> bool:
    """Whether it is a Struct or dataclass that is a table of its fields and nothing else."""
    if is_struct(kind):
        return not is_array(kind) and class_of(kind).__struct_config__.tag is None  # type: ignore[union-attr]
    return is_dataclass(kind)


def _is_flat(kind: Any) -> bool:
    return is_struct(kind) and all(
        is_scalar(field.type) and (field.default is None or _is_constant(field.default))
        for field in (fields_of(kind) or {}).values()
    )


def _is_constant(default: Callable[[], Any]) -> bool:
    try:
        return default() is default()
    except BaseException as error:
        if not is_refusal(error):
            raise
        return False


@cached
def _check(asked: tuple[Any, frozenset[type]]) -> None:
    """Whether a type can be decoded with these decoders."""
    kind, decoders = asked
    walked = False
    try:
        for inner in reachable(kind):
            if (reason := not_served(inner)) is not None:
                raise TypeNotSupported(f"{_name(inner)} cannot be decoded: {reason} is not served")
        walked = True
        _check_info(msgspec.inspect.type_info(kind), decoders, {})
        _check_variables(kind)
        if (reason := text_default(kind)) is not None:
            raise TypeNotSupported(reason)
    except (TypeError, NameError, NotImplementedError, RecursionError) as error:
        if isinstance(error, TypeNotSupported):
            raise
        if (reason := _alias_below(kind)) is not None:
            raise TypeNotSupported(reason) from None
        if walked and (found := find_refused(kind, decoders)) is not None:
            raise TypeNotSupported(str(found)) from None
        raise TypeNotSupported(f"expected a type that can be decoded, got {kind!r}: {error}") from None


def _check_variables(kind: Any) -> None:
    try:
        named_variables(kind)
    except ValueError as error:
        raise TypeNotSupported(str(error)) from None


def _alias_below(kind: Any) -> str | None:
    """Which alias in a type is to blame that msgspec takes it for none."""
    try:
        inside = reachable(kind)
    except (TypeError, NameError):
        return None
    fields = [field.type for inner in inside for field in (fields_of(inner) or {}).values()]
    return next(filter(None, map(unserved_alias, (kind, *inside, *fields))), None)


def _check_info(info: Any, decoders: frozenset[type], seen: dict[Any, Any]) -> None:
    """Look for types that cannot be decoded.

    Args:
        info: What msgspec knows of a type.
        decoders: The classes that the program decodes.
        seen: What was looked at: by its id, which stays its own while it is kept here, and the classes that are made
            by their own constructor, since each of their fields is described anew.
    """
    if id(info) in seen:
        return
    seen[id(info)] = info
    if isinstance(info, msgspec.inspect.DataclassType) and own_constructor(info.cls):
        if info.cls in seen:
            return
        seen[info.cls] = info
        if not is_pydantics(info.cls):  # pydantic knows types that msgspec does not
            for field in (fields_of(info.cls) or {}).values():  # not what the constructor makes of them
                _check_info(msgspec.inspect.type_info(field.type), decoders, seen)
        return
    _refuse_custom(info, decoders)
    for name in getattr(info, "__struct_fields__", ()):
        value = getattr(info, name)
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, (msgspec.inspect.Type, msgspec.inspect.Field)):
                _check_info(inner, decoders, seen)


def _refuse_custom(info: Any, decoders: frozenset[type]) -> None:
    """Refuse what msgspec does not know and nobody else decodes.

    Raises:
        TypeError: It is such a type. `find_refused` says where it stands.
    """
    if isinstance(info, msgspec.inspect.DictType) and _has_custom_names(info.key_type):
        raise TypeError("a table has names that msgspec does not make")
    if isinstance(info, msgspec.inspect.CustomType) and not is_known(info.cls, decoders):
        raise TypeError(f"{info.cls!r} is not known")


def _has_custom_names(info: Any) -> bool:
    infos = getattr(info, "types", (info,))
    return any(isinstance(one, msgspec.inspect.CustomType) and not is_sealed(one.cls) for one in infos)


def _name(kind: Any) -> str:
    return str(getattr(kind, "__qualname__", kind))
