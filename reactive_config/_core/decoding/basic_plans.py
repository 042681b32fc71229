"""How single values and tables decode.

Structs, dataclasses and dict[str, X] decode part by part. Everything else is one value (a leaf): lists, tagged
unions, constrained containers, TypedDicts, attrs classes, whatever is pydantic's. So is a Struct of nothing but
scalars: to make it anew is cheaper than to remember its fields.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any

import msgspec

from reactive_config._core.bounds import FINITE
from reactive_config._core.decoding.conversion import NO_DECODERS, DecodeHook
from reactive_config._core.decoding.fault import ENOUGH, Fault
from reactive_config._core.decoding.fault_search import faults, own_fault
from reactive_config._core.decoding.finite import NotFiniteError
from reactive_config._core.decoding.leaf import decode_leaf
from reactive_config._core.decoding.plans import (
    MISSING,
    NOTHING,
    Decoded,
    DecodedPart,
    DecodePlan,
    same_or_new,
    value_of,
)
from reactive_config._core.decoding.unknown_keys import NONE, UnknownKeys, may_ignore, unknown_keys
from reactive_config._core.delta import Bare
from reactive_config._core.json_text import JsonRefusedError, decode_json
from reactive_config._core.paths import Path
from reactive_config._core.refusals import is_a, is_refusal, name_of, own_words
from reactive_config._core.trees import ABSENT, Changes
from reactive_config._core.types import (
    describe,
    is_scalar,
    kind_of,
    may_be_float,
)

_unknown_of = attrgetter("unknown")


class LeafPlan(DecodePlan):
    """One value, converted as a whole."""

    def __init__(self, kind: Any, hook: DecodeHook = NO_DECODERS) -> None:
        self.kind = kind
        self._hook = hook
        self.scalar = is_scalar(kind)
        self.may_ignore = not self.scalar and may_ignore(kind)
        self.has_floats = may_be_float(kind)
        # Conversion of these to themselves gives the same object, and most leaves are one of them.
        self._itself = kind if kind in (str, int, bool) else None

    def decode(self, tree: Any, old: Decoded, changes: Changes, path: Path, found: list[Fault]) -> Decoded:
        try:
            value = tree if type(tree) is self._itself else self._converted(tree)
        except BaseException as error:
            if not is_refusal(error):
                raise
            found += faults(tree, self.kind, path, self._hook)
            return MISSING
        if not self.may_ignore:
            return same_or_new(old, value)
        value = same_or_new(value_of(old), value)
        unknown = unknown_keys(tree, self.kind)
        return DecodedPart(tree, value, NOTHING, NOTHING, unknown=unknown) if unknown else value

    def _converted(self, tree: Any) -> Any:
        if self.scalar and type(tree) is not Bare:  # what is bare has to be prepared first
            value = msgspec.convert(tree, self.kind)
            if self.is_sound(value):
                return value
        return decode_leaf(tree, self.kind, self._hook)

    def anew(self, tree: Any, decoded: Decoded) -> Any:
        return value_of(decoded) if self.immutable else self._converted(tree)

    def is_sound(self, value: Any) -> bool:
        """Whether a value that was converted at once may stand."""
        return type(value) is not float or math.isfinite(value)

    def knows_all(self, tables: Iterable[Mapping[str, Any]]) -> bool:
        """Whether no name is unknown: a scalar has none."""
        return self.scalar


class TablePlan(DecodePlan):
    """A table whose values decode one by one; subclasses say which, and build the whole of them.

    Attributes:
        own_code: Whether the user's code runs when the whole is built.
    """

    own_code = False

    def decode(  # noqa: C901 - a call for each name would cost more than the rest of it
        self, tree: Any, old: Decoded, changes: Changes, path: Path, found: list[Fault]
    ) -> Decoded:
        if type(tree) is not dict or type(old) is not DecodedPart or type(old.tree) is not dict:
            return self._decode_all(tree, value_of(old), path, found)
        before = len(found)
        kept: dict[str, Any] | None = None  # copies are made at the first difference
        inner: dict[str, Any] | None = None
        unsure = False  # whether the unknown keys may be other ones than before
        for name in {**old.tree, **tree} if changes is None else changes:
            subtree = tree.get(name, ABSENT)
            if subtree is old.tree.get(name, ABSENT):
                continue
            previous = old.kept.get(name, MISSING)
            deeper = None if changes is None else changes[name]
            value = decoded = self._decode_name(name, subtree, old.inner.get(name, previous), deeper, path, found)
            if type(decoded) is DecodedPart:
                inner = dict(old.inner) if inner is None else inner
                inner[name] = decoded
                value = decoded.value
                if decoded.unknown:
                    unsure = True
            elif name in old.inner:
                inner = dict(old.inner) if inner is None else inner
                del inner[name]
            if value is MISSING:
                if len(found) >= ENOUGH:
                    break
                unsure = True
                if previous is not MISSING:
                    kept = dict(old.kept) if kept is None else kept
                    del kept[name]
            elif value is not previous:
                kept = dict(old.kept) if kept is None else kept
                kept[name] = value
        if len(found) > before:
            return MISSING
        parts = old.inner if inner is None else inner
        unknown = old.unknown
        if (unsure or unknown) and self.may_ignore:
            unknown = self._unknown_after(unknown, {**old.tree, **tree} if changes is None else changes, tree, parts)
        if kept is None:
            return DecodedPart(tree, old.value, old.kept, parts, self.own_code, unknown)
        value = self._build(kept, parts, tree, path, found)
        if value is MISSING:
            return MISSING
        if self.own_code:  # what it makes of other values may be the same
            value = same_or_new(old.value, value)
        return DecodedPart(tree, value, kept, parts, self.own_code, unknown)

    def _unknown_after(
        self,
        before: UnknownKeys,
        names: Iterable[str],
        table: Mapping[str, Any],
        inner: Mapping[str, DecodedPart],
    ) -> UnknownKeys:
        """The unknown keys of the table, where only some names differ from before."""
        now = dict(before)
        for name in names:
            if name in table and self.plan_of(name) is None:
                now[name] = None
            elif name in inner and inner[name].unknown:
                now[name] = inner[name].unknown
            else:
                now.pop(name, None)
        return before if now == before else now

    def _unknown_in(self, table: Mapping[str, Any], inner: Mapping[str, DecodedPart]) -> UnknownKeys:
        """The unknown keys of the table."""
        found: dict[str, Any] = dict.fromkeys(self.unknown_names(table))
        if any(map(_unknown_of, inner.values())):
            found.update((name, part.unknown) for name, part in inner.items() if part.unknown)
        return found or NONE

    def _decode_all(self, tree: Any, previous: Any, path: Path, found: list[Fault]) -> Decoded:
        try:
            table = _as_table(tree)
        except JsonRefusedError as error:
            found.append(Fault(path, "", error.expected, error.got))
            return MISSING
        if table is None:
            found.append(Fault(path, "", "table", kind_of(tree)))
            return MISSING
        before = len(found)
        kept, inner = self.decode_names(table, path, found)
        if len(found) > before:
            return MISSING
        value = self._build(kept, inner, table, path, found)
        if value is MISSING:
            return MISSING
        unknown = self._unknown_in(table, inner) if self.may_ignore else NONE
        return DecodedPart(tree, same_or_new(previous, value), kept, inner or NOTHING, self.own_code, unknown)

    def decode_names(
        self, table: Mapping[str, Any], path: Path, found: list[Fault]
    ) -> tuple[dict[str, Any], dict[str, DecodedPart]]:
        """All names of a table, of which nothing is known from before: the values, and the parts among them."""
        kept: dict[str, Any] = {}
        inner: dict[str, DecodedPart] = {}
        for name in self.all_names(table):
            decoded = self._decode_name(name, table.get(name, ABSENT), MISSING, None, path, found)
            if type(decoded) is DecodedPart:
                inner[name] = decoded
                kept[name] = decoded.value
            elif decoded is not MISSING:
                kept[name] = decoded
            elif len(found) >= ENOUGH:
                break
        return kept, inner

    def anew(self, tree: Any, decoded: Decoded) -> Any:
        if self.immutable or type(decoded) is not DecodedPart:
            return value_of(decoded)
        return self.build(self._renewed(decoded.kept, decoded.inner, _as_table(tree) or {}))

    def _renewed(
        self, kept: Mapping[str, Any], inner: Mapping[str, DecodedPart], table: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The values of the names, those that can be changed in place made anew."""
        return {name: self.anew_at(name, inner.get(name, value), table) for name, value in kept.items()}

    def anew_at(self, name: str, decoded: Decoded, table: Mapping[str, Any]) -> Any:
        """The same as `anew` for one name."""
        plan = self.plan_of(name)
        assert plan is not None  # it has a value
        return plan.anew(table[name], decoded)

    def _build(
        self,
        kept: Mapping[str, Any],
        inner: Mapping[str, DecodedPart],
        table: Mapping[str, Any],
        path: Path,
        found: list[Fault],
    ) -> Any:
        try:
            return self.build(self._renewed(kept, inner, table) if self.own_code else kept)
        except BaseException as error:
            if not is_refusal(error):
                raise
            if is_a(error, NotFiniteError):
                found.append(Fault((*path, *map(str, error.steps[:1])), "", FINITE, "one that is not"))
            elif (own := own_words(error)) is not None:
                found.append(own_fault(own, table, self.kind, path, ""))
            else:  # its text is not copied: it may quote the value
                got = f"a refused table ({name_of(error)})"
                found.append(Fault(path, "", f"what {self.title()} accepts", got))
            return MISSING

    def _decode_name(
        self, name: str, tree: Any, old: Decoded, changes: Changes, path: Path, found: list[Fault]
    ) -> Decoded:
        plan = self.plan_of(name)
        if plan is None or tree is ABSENT:
            return self.without(name, plan, value_of(old), path, found)
        return plan.decode(tree, old, changes, (*path, name), found)

    def without(self, name: str, plan: DecodePlan | None, old: Any, path: Path, found: list[Fault]) -> Any:
        """The value of a name that the table does not have, or that has no plan; MISSING if there is none.

        Args:
            name: The name.
            plan: Its plan, if it has one: then it is absent.
            old: Its value before.
            path: The table's.
            found: Takes what is wrong with that.
        """
        return MISSING

    @abstractmethod
    def plan_of(self, name: str) -> DecodePlan | None:
        """The plan of one name, or None where no such name can stand."""

    def unknown_names(self, table: Mapping[str, Any]) -> Iterable[str]:
        """The names of a table that fits of which the type has none."""
        return ()

    @abstractmethod
    def all_names(self, table: Mapping[str, Any]) -> Iterable[str]:
        """The names to visit when nothing is known of before."""

    @abstractmethod
    def build(self, kept: Mapping[str, Any]) -> Any:
        """The value, from those of its names."""

    def title(self) -> str:
        return getattr(self.kind, "__name__", describe(self.kind))


def _as_table(tree: Any) -> dict[str, Any] | None:
    """The table that a tree is, or that a bare text spells in JSON; None for anything else.

    Raises:
        JsonRefusedError: The text breaks a rule that every document keeps.
    """
    parsed = decode_json(tree.text) if type(tree) is Bare else tree
    return parsed if type(parsed) is dict else None
