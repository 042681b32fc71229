"""Plans: how each type is decoded, part by part, from what changed.

A **plan** is compiled once from the type. A **part** is what a plan made of one subtree: the value, and
the parts that it was built from. Decoding the next tree visits only what changed and returns old parts
for the rest, so unchanged values keep their identity and cost nothing.

Structs, plain dataclasses and dict[str, X] decode part by part. Everything else is one part (a leaf):
lists, tagged unions, constrained containers, TypedDicts, attrs classes, pydantic models.

A parent is always rebuilt by its constructor from the decoded fields kept beside it, never from an
instance whose `__post_init__` ran: that is what makes the result the same as decoding the whole.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Final, get_args

import msgspec

from reactive_config.core.delta import Bare
from reactive_config.core.leaf import Fault, decode_leaf, faults, own_fault, own_words, unchanged
from reactive_config.core.lenient import infer, untyped
from reactive_config.core.paths import Path
from reactive_config.core.trees import ABSENT
from reactive_config.core.types import (
    FieldType,
    bare_type,
    describe,
    fields_of,
    is_pydantic,
    is_secret,
    is_union,
    is_untyped,
    kind_of,
    mapping_types,
    plain_dataclass,
    plain_struct,
)
from reactive_config.errors import TypeNotSupported

Changes = dict[str, Any] | None
"""Which names below a subtree may have changed, nested; None stands for all of them."""

Kept = dict[str, Any] | None

NOTHING: Final[dict[str, Any]] = {}


class Part:
    """What a plan made of a subtree.

    Attributes:
        tree: The subtree; ABSENT for a default.
        value: The decoded value; the same object as before where nothing changed.
        inner: The parts it was built from, by name; empty for a leaf.
        kept: For a mapping, its values by name, never given to anybody: the published one is the user's to spoil.
    """

    __slots__ = ("inner", "kept", "tree", "value")

    def __init__(self, tree: Any, value: Any, inner: dict[str, Part], kept: Kept = None) -> None:
        self.tree = tree
        self.value = value
        self.inner = inner
        self.kept = kept


class Plan(ABC):
    """How to decode one type."""

    kind: Any

    @abstractmethod
    def decode(self, tree: Any, old: Part | None, changes: Changes, path: Path, found: list[Fault]) -> Part | None:
        """Decode a subtree.

        Args:
            tree: The subtree.
            old: What this plan made of the tree before it; None decodes the whole.
            changes: Where the two trees may differ.
            path: Where the subtree stands.
            found: Takes what is wrong.

        Returns:
            The part, `old` itself where nothing changed, or None if something was wrong.
        """


class LeafPlan(Plan):
    """One part, converted as a whole."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        # Conversion of these to themselves gives the same object, and most leaves are one of them.
        self._itself = kind if kind in (str, int, bool) else None

    def decode(self, tree: Any, old: Part | None, changes: Changes, path: Path, found: list[Fault]) -> Part | None:
        if old is not None and old.tree is tree:
            return old
        try:
            value = tree if type(tree) is self._itself else decode_leaf(tree, self.kind)
        except Exception:  # noqa: BLE001 - any exception of a user's validation is a rejection
            found += faults(tree, self.kind, path)
            return None
        if old is not None and unchanged(old.value, value):
            value = old.value
        return Part(tree, value, NOTHING)


class TablePlan(Plan):
    """A table whose values decode one by one; subclasses say which, and build the whole of them."""

    def decode(self, tree: Any, old: Part | None, changes: Changes, path: Path, found: list[Fault]) -> Part | None:
        if old is not None and old.tree is tree:
            return old
        table = _as_table(tree)
        if table is None:
            found.append(Fault(path, "", "table", kind_of(tree)))
            return None
        if old is None or type(tree) is not dict or type(old.tree) is not dict or not old.inner:
            old_inner, names, inner = NOTHING, self.all_names(table), {}
        else:
            old_inner, inner = old.inner, dict(old.inner)
            names = {**old.inner, **table} if changes is None else changes
        before = len(found)
        differs = old is None
        for name in names:
            deeper = changes.get(name) if changes else None
            part = self.decode_name(name, table.get(name, ABSENT), old_inner.get(name), deeper, path, found)
            previous = old_inner.get(name)
            if part is None:
                differs |= previous is not None
                inner.pop(name, None)
            else:
                differs |= previous is None or part.value is not previous.value
                inner[name] = part
        if len(found) > before:
            return None
        if old is not None and not differs and len(inner) == len(old.inner):
            return Part(tree, old.value, inner, old.kept)
        try:
            value, kept = self.build(inner, old if old_inner else None, names)
        except Exception as error:  # noqa: BLE001 - any exception of a user's validation is a rejection
            found.append(self._refusal(error, tree, path))
            return None
        if old is not None and type(tree) is not type(old.tree) and unchanged(old.value, value):
            value = old.value
        return Part(tree, value, inner, kept)

    def _refusal(self, error: Exception, tree: Any, path: Path) -> Fault:
        if (own := own_words(error)) is not None:
            return own_fault(own, tree, self.kind, path, "")
        # Its text is not copied: it may quote the value.
        return Fault(path, "", f"what {self.title()} accepts", f"a refused table ({type(error).__name__})")

    def decode_name(
        self, name: str, tree: Any, old: Part | None, changes: Changes, path: Path, found: list[Fault]
    ) -> Part | None:
        """The part of one name; None, without a fault, for a name that has none."""
        plan = self.plan_of(name)
        return None if plan is None or tree is ABSENT else plan.decode(tree, old, changes, (*path, name), found)

    @abstractmethod
    def plan_of(self, name: str) -> Plan | None:
        """The plan of one name, or None where no such name can stand."""

    @abstractmethod
    def all_names(self, table: Mapping[str, Any]) -> Iterable[str]:
        """The names to visit when nothing is known of before."""

    @abstractmethod
    def build(self, inner: Mapping[str, Part], old: Part | None, names: Iterable[str]) -> tuple[Any, Kept]:
        """The value, and what a mapping keeps.

        Args:
            inner: Its parts.
            old: The part before, of which only `names` differ; None if there is none.
            names: Where the parts may differ.
        """

    def title(self) -> str:
        return getattr(self.kind, "__name__", describe(self.kind))


class RecordPlan(TablePlan):
    """A Struct or a plain dataclass."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.fields: Mapping[str, FieldType] = fields_of(kind) or {}
        self.plans: dict[str, Plan] = {}
        config = getattr(kind, "__struct_config__", None)
        self.closed: bool = config is not None and config.forbid_unknown_fields

    def plan_of(self, name: str) -> Plan | None:
        return self.plans.get(name)

    def all_names(self, table: Mapping[str, Any]) -> Iterable[str]:
        return {**self.plans, **table} if self.closed else self.plans

    def decode_name(
        self, name: str, tree: Any, old: Part | None, changes: Changes, path: Path, found: list[Fault]
    ) -> Part | None:
        if tree is ABSENT:
            return self._default(name, old, path, found)
        if name not in self.plans and self.closed:
            found.append(Fault((*path, name), "", f"one of the names {', '.join(self.plans)}", "an unknown name"))
        return super().decode_name(name, tree, old, changes, path, found)

    def _default(self, name: str, old: Part | None, path: Path, found: list[Fault]) -> Part | None:
        field = self.fields.get(name)
        if field is None:
            return None
        if field.default is None:
            found.append(Fault((*path, name), "", describe(field.type), "nothing"))
            return None
        return old if old is not None and old.tree is ABSENT else _default_part(field, old)

    def build(self, inner: Mapping[str, Part], old: Part | None, names: Iterable[str]) -> tuple[Any, Kept]:
        return self.kind(**{self.fields[name].attribute: part.value for name, part in inner.items()}), None


class MapPlan(TablePlan):
    """dict[str, X]."""

    def __init__(self, kind: Any, values: Plan) -> None:
        self.kind = kind
        self.values = values

    def plan_of(self, name: str) -> Plan | None:
        return self.values

    def all_names(self, table: Mapping[str, Any]) -> Iterable[str]:
        return table

    def build(self, inner: Mapping[str, Part], old: Part | None, names: Iterable[str]) -> tuple[Any, Kept]:
        if old is None or old.kept is None:
            kept = {name: part.value for name, part in inner.items()}
            return dict(kept), kept
        # Copying is C's work: a wide table with one change must not cost a step of Python for each name.
        kept = dict(old.kept)
        for name in names:
            if name in inner:
                kept[name] = inner[name].value
            else:
                kept.pop(name, None)
        return dict(kept), kept


class UntypedPlan(Plan):
    """Anything; tables in it decode part by part all the same."""

    kind = Any

    def __init__(self) -> None:
        self._table = MapPlan(dict[str, Any], self)

    def decode(self, tree: Any, old: Part | None, changes: Changes, path: Path, found: list[Fault]) -> Part | None:
        if type(tree) is dict:
            previous = old if old is not None and type(old.tree) is dict else None
            return self._table.decode(tree, previous, changes, path, found)
        if old is not None and old.tree is tree:
            return old
        value = infer(tree.text) if type(tree) is Bare else untyped(tree)
        if old is not None and unchanged(old.value, value):
            value = old.value
        return Part(tree, value, NOTHING)


class OptionalPlan(Plan):
    """X | None for an X that decodes part by part."""

    def __init__(self, kind: Any, inner: TablePlan) -> None:
        self.kind = kind
        self.inner = inner

    def decode(self, tree: Any, old: Part | None, changes: Changes, path: Path, found: list[Fault]) -> Part | None:
        if tree is None or (type(tree) is Bare and tree.text == "null"):
            return Part(tree, None, NOTHING)
        previous = old if old is not None and old.value is not None else None
        return self.inner.decode(tree, previous, changes, path, found)


def _default_part(field: FieldType, old: Part | None) -> Part:
    value = field.default() if field.default else None
    if old is not None and unchanged(old.value, value):
        value = old.value
    return Part(ABSENT, value, NOTHING)


def _as_table(tree: Any) -> dict[str, Any] | None:
    """The table that a tree is, or that a bare text spells in JSON."""
    if type(tree) is dict:
        return tree
    if type(tree) is Bare and tree.text.lstrip().startswith("{"):
        try:
            parsed = msgspec.json.decode(tree.text)
        except (msgspec.DecodeError, RecursionError):
            return None
        return parsed if type(parsed) is dict else None
    return None


def compile_plan(kind: Any) -> Plan:
    """The plan for a configuration type.

    Raises:
        TypeNotSupported: Nothing here can decode it; names the type.
    """
    _check(kind)
    return _compile(kind, {})


def _compile(kind: Any, known: dict[Any, Plan]) -> Plan:
    plain = bare_type(kind)
    if is_untyped(plain):
        return UntypedPlan()
    if plain_struct(plain) or plain_dataclass(plain):
        if plain not in known:
            plan = known[plain] = RecordPlan(plain)  # known before its fields: a type may contain itself
            plan.plans = {name: _compile(field.type, known) for name, field in plan.fields.items()}
        return known[plain]
    mapping = mapping_types(plain)
    if mapping is not None and mapping[0] is str and plain is kind:
        return MapPlan(kind, _compile(mapping[1], known))
    if is_union(plain) and plain is kind and len(get_args(plain)) == 2 and type(None) in get_args(plain):
        inner = _compile(next(t for t in get_args(plain) if t is not type(None)), known)
        if isinstance(inner, TablePlan):
            return OptionalPlan(kind, inner)
    return LeafPlan(kind)


def _check(kind: Any) -> None:
    try:
        _check_info(msgspec.inspect.type_info(kind), set())
    except (TypeError, NameError) as error:
        if isinstance(error, TypeNotSupported):
            raise
        raise TypeNotSupported(f"expected a type that can be decoded, got {kind!r}: {error}") from None


def _check_info(info: Any, seen: set[int]) -> None:
    if id(info) in seen:
        return
    seen.add(id(info))
    if isinstance(info, msgspec.inspect.CustomType) and not (is_secret(info.cls) or is_pydantic(info.cls)):
        raise TypeNotSupported(f"expected a type that can be decoded, got {info.cls!r}")
    for name in getattr(info, "__struct_fields__", ()):
        value = getattr(info, name)
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, (msgspec.inspect.Type, msgspec.inspect.Field)):
                _check_info(inner, seen)
