"""What types say about the places in their values: which types may stand at a name or an index."""

from __future__ import annotations

import enum
import typing
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin

from reactive_config._core.secret import Secret, Shown
from reactive_config._core.sensitive import is_sensitive
from reactive_config._core.types import (
    ByteSize,
    FieldType,
    bare_type,
    fields_of,
    inputs_of,
    is_pydantic,
    is_sealed,
    is_struct,
    is_union,
    is_untyped,
    item_types,
    mapping_types,
)
from reactive_config._core.types.env_fields import env_names
from reactive_config._core.types.sealed import holds_secret, positions_of

_OPEN = frozenset({int, float, bool, Decimal, timedelta, datetime, date, time})
_WRAPPERS = (typing.Final, typing.Required, typing.NotRequired)


class FieldAt(NamedTuple):
    """What one type says about a name or an index.

    Attributes:
        kind: The type there.
        attribute: Its field's name in Python; empty if it is no field, but a key of a table or an item of a list.
    """

    kind: Any
    attribute: str = ""


def alternatives(kind: Any) -> tuple[Any, ...]:
    """Every type that may stand where one is declared: unions taken apart, RootModels opened, None left out."""
    plain = bare_type(kind)
    if is_union(plain):
        return tuple(inner for member in get_args(plain) for inner in alternatives(member))
    if get_origin(plain) in _WRAPPERS:
        return alternatives(get_args(plain)[0])
    if is_root_model(plain):
        return alternatives(_root_of(plain))
    if plain is None or plain is type(None):
        return ()
    return (Any,) if isinstance(plain, TypeVar) or plain is typing.Final else (plain,)


def is_root_model(kind: Any) -> bool:
    """Whether it is a pydantic RootModel: it stands in a configuration as what it holds."""
    return is_pydantic(kind) and bool(getattr(kind, "__pydantic_root_model__", False))


def _root_of(model: Any) -> Any:
    return model.model_fields["root"].rebuild_annotation()


def says_shown(kind: Any) -> bool:
    """Whether `Shown()` marks a type; for a union, each of its members."""
    if get_origin(kind) is typing.Annotated:
        return any(isinstance(mark, Shown) for mark in kind.__metadata__) or says_shown(kind.__origin__)
    if isinstance(kind, typing.NewType):
        return says_shown(kind.__supertype__)
    if type(kind).__name__ == "TypeAliasType":
        return says_shown(kind.__value__)
    if get_origin(kind) in _WRAPPERS:
        return says_shown(get_args(kind)[0])
    if is_union(kind):
        members = [member for member in get_args(kind) if member is not type(None)]
        return all(map(says_shown, members))
    return is_root_model(kind) and says_shown(_root_of(kind))


def is_open(kind: Any) -> bool:
    """Whether its values are shown whatever their names: numbers, sizes, booleans, times, enums and Literals."""
    if get_origin(kind) is Literal:
        return True
    return kind is ByteSize or (isinstance(kind, type) and (kind in _OPEN or issubclass(kind, enum.Enum)))


def are_open(kinds: tuple[Any, ...]) -> bool:
    """Whether a single value is shown whatever its name, if it is what one of these types says."""
    single = [kind for kind in kinds if not is_container(kind)]
    return bool(single) and all(map(is_open, single))


def is_container(kind: Any) -> bool:
    """Whether its values are tables or lists."""
    return mapping_types(kind) is not None or item_types(kind) is not None or bool(_fields(kind) or _positions(kind))


class TypePlace:
    """A place in the values of a type. It keeps the places below it: a thousand tables of one type cost one look.

    Attributes:
        kinds: Every type that may stand there, with unions taken apart; `Any` where no type says so.
        sensitive: Whether a name on the way sounds like a secret's.
        free: Whether `Shown()` holds here, so that names do not count.
        sealed: Whether a value here may be a Secret itself.
        holds_secret: Whether one may stand here or below.
    """

    def __init__(
        self, kinds: tuple[Any, ...], *, sensitive: bool = False, free: bool = False, beside: bool = False
    ) -> None:
        self.kinds = kinds
        self.sensitive = sensitive
        self.free = free
        self.beside = beside  # whether a type around this place has a Secret
        self.sealed = any(map(is_sealed, kinds))
        self.holds_secret = any(map(holds_secret, kinds))
        self._tables = [FieldAt(Any if is_untyped(kind) else mapping[1]) for kind in kinds if (mapping := _table(kind))]
        self._length = max(map(_length, kinds), default=0)
        self._fields: dict[str, TypePlace] = {}
        self._names: dict[bool, TypePlace] = {}
        self._items: dict[int, TypePlace] = {}
        self._own: dict[Any, TypePlace] = {}

    def under(self, name: str) -> TypePlace:
        """The place under a name."""
        place = self._fields.get(name)
        if place is not None:
            return place
        fields = [one for kind in self.kinds for one in _field(kind, name)]
        if fields:
            place = self._fields[name] = self._below(name, [*fields, *self._tables], shape=True)
            return place
        sounds = is_sensitive(name)
        if sounds not in self._names:
            self._names[sounds] = self._below(name, self._tables, shape=any(map(_has_names, self.kinds)))
        return self._names[sounds]

    def at(self, index: int) -> TypePlace:
        """The place at the index of a list."""
        index = min(index, self._length)  # what comes after the longest tuple has one type
        if index not in self._items:
            said = [one for kind in self.kinds if (one := _item(kind, index)) is not None]
            self._items[index] = self._below("", said, shape=False)
        return self._items[index]

    def of(self, kind: Any) -> TypePlace:
        """This place, if a value of just this record type stands there."""
        if kind not in self._own:
            own = tuple(declared for declared in self.kinds if get_origin(declared) is kind) or (kind,)
            self._own[kind] = TypePlace(own, sensitive=self.sensitive, free=self.free, beside=self.beside)
        return self._own[kind]

    def _below(self, name: str, said: list[FieldAt], *, shape: bool) -> TypePlace:
        """The place below.

        Args:
            name: Empty for an item.
            said: What the types here say about it.
            shape: If nothing: whether they know names at all, or else something of another shape belongs here.
        """
        beside = self.beside or self.holds_secret
        if said:
            kinds = tuple(kind for one in said for kind in alternatives(one.kind))
        else:  # a name that nobody knows may be a Secret's, misspelt; a wrong shape may be that of what is beside it
            kinds = (Secret,) if self.holds_secret or (beside and not shape) else (Any,)
        attributes = [one.attribute for one in said if one.attribute]
        if (said and all(says_shown(one.kind) for one in said)) or (self.free and not attributes):
            return TypePlace(kinds, free=True, beside=beside)
        variables = [variable for one in said for variable in env_names(one.kind)]
        sensitive = self.sensitive or any(map(is_sensitive, (name, *attributes, *variables)))
        return TypePlace(kinds, sensitive=sensitive, beside=beside)


def place_of(kind: Any) -> TypePlace:
    """The place of a whole value of a type."""
    return TypePlace(alternatives(kind), free=says_shown(kind))


def _has_names(kind: Any) -> bool:
    return _table(kind) is not None or _fields(kind) is not None


def _table(kind: Any) -> tuple[Any, Any] | None:
    return (str, Any) if is_untyped(kind) else mapping_types(kind)


def _length(kind: Any) -> int:
    """How many items a type tells apart."""
    items = item_types(kind) or ()
    return len(_positions(kind)) or (len(items) if Ellipsis not in items else 0)


def _field(kind: Any, name: str) -> list[FieldAt]:
    """What a record type says about a name; empty if it knows no such name."""
    if (models := getattr(kind, "__pydantic_fields__", None)) is not None:
        return _model_field(models, name)
    field = (_fields(kind) or {}).get(name)
    if field is not None:
        return [_said(field, kind)]
    config = getattr(get_origin(kind) or kind, "__struct_config__", None)
    is_tag = config is not None and config.tag is not None and name == (config.tag_field or "type")
    return [FieldAt(_tag_of(kind), name)] if is_tag else []


def _model_field(fields: Mapping[str, Any], name: str) -> list[FieldAt]:
    """The same of pydantic's fields, which may have several names in a configuration, or stand deeper in it."""
    said = []
    for attribute, field in fields.items():
        for alias in (attribute, field.alias, *_choices(field.validation_alias)):
            path = getattr(alias, "path", [alias])
            if path[0] == name:
                inner = field.rebuild_annotation()
                deeper = Secret if holds_secret(inner) else Any
                said.append(FieldAt(inner if len(path) == 1 else deeper, attribute))
    return said


def _choices(alias: Any) -> list[Any]:
    """The names, or paths, that a validation alias allows."""
    return list(getattr(alias, "choices", [alias]))


def _tag_of(kind: Any) -> Any:
    return Literal[(get_origin(kind) or kind).__struct_config__.tag]


def _item(kind: Any, index: int) -> FieldAt | None:
    """What a type says about an index; None if it knows nothing there."""
    if is_untyped(kind):
        return FieldAt(Any)
    if fields := _positions(kind):
        if index >= len(fields):
            return None
        field = fields[index]
        return FieldAt(_tag_of(kind)) if field is None else _said(field, kind)
    items = item_types(kind) or ()
    if items and items[-1] is Ellipsis:
        return FieldAt(items[0])
    return FieldAt(items[index]) if index < len(items) else None


def _said(field: FieldType, kind: Any) -> FieldAt:
    inner = _with_arguments(field.type, kind)
    if not isinstance(inner, type) and (isinstance(inner, TypeVar) or _parameters(inner)):
        # A base has put something in place of it, that cannot be told here.
        inner = Secret if holds_secret(kind) else Any
    return FieldAt(inner, field.attribute)


def _with_arguments(hint: Any, kind: Any) -> Any:
    """The type of a field of `Box[int]`, from the one of a field of `Box`."""
    arguments: Mapping[Any, Any] = dict(zip(_parameters(get_origin(kind)), get_args(kind), strict=False))
    if isinstance(hint, TypeVar):
        return arguments.get(hint, hint)
    inner = _parameters(hint)
    if isinstance(hint, type) or not inner or not all(parameter in arguments for parameter in inner):
        return hint
    return hint[tuple(arguments[parameter] for parameter in inner)]


def _parameters(kind: Any) -> tuple[Any, ...]:
    """The TypeVars that a type still has."""
    return tuple(getattr(kind, "__parameters__", ()))


def _fields(kind: Any) -> Mapping[str, FieldType] | None:
    fields = fields_of(kind)
    return None if fields is None else {**fields, **(inputs_of(kind) or {})}


def _positions(kind: Any) -> list[FieldType | None]:
    """The fields of what stands in a configuration as a list; None for a Struct's tag."""
    origin = get_origin(kind) or kind
    if is_struct(origin) and origin.__struct_config__.array_like:
        tag: list[FieldType | None] = [None] if origin.__struct_config__.tag is not None else []
        return [*tag, *(_fields(kind) or {}).values()]
    return list((positions_of(origin) or {}).values())
