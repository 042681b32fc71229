"""How Structs and dataclasses are decoded, field by field or at once."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from reactive_config._core.decoding.basic_plans import TablePlan
from reactive_config._core.decoding.fault import NO_VALUE, UNKNOWN_NAME, Fault
from reactive_config._core.decoding.finite import check_finite, is_finite
from reactive_config._core.decoding.plans import (
    MISSING,
    NOTHING,
    Decoded,
    DecodedPart,
    DecodePlan,
    same_or_new,
    value_of,
)
from reactive_config._core.decoding.unknown_keys import NONE
from reactive_config._core.paths import Path
from reactive_config._core.refusals import is_refusal, name_of, own_words
from reactive_config._core.trees import Changes
from reactive_config._core.types import (
    FieldType,
    SharedDefault,
    class_of,
    describe,
    fields_of,
    may_be_float,
    may_hold_floats,
    own_code,
)


class RecordPlan(TablePlan):
    """A Struct or a plain dataclass."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.fields: Mapping[str, FieldType] = fields_of(kind) or {}
        self.plans: dict[str, DecodePlan] = {}
        self.make: Any = class_of(kind)
        config = getattr(self.make, "__struct_config__", None)
        self.closed: bool = config is not None and config.forbid_unknown_fields
        self.names = frozenset(self.fields)
        self.may_ignore = True  # what stands below is not known yet: a type may contain itself
        self.own_code = own_code(kind)
        # Its fields are finite, but what it makes of them may not be.
        self._computes = self.own_code and may_hold_floats(kind)

    def plan_of(self, name: str) -> DecodePlan | None:
        return self.plans.get(name)

    def all_names(self, table: Mapping[str, Any]) -> Iterable[str]:
        return {**self.plans, **table} if self.closed else self.plans

    def unknown_names(self, table: Mapping[str, Any]) -> Iterable[str]:
        return () if self.names.issuperset(table) else [name for name in table if name not in self.names]

    def without(self, name: str, plan: DecodePlan | None, old: Any, path: Path, found: list[Fault]) -> Any:
        if plan is None:
            if self.closed:
                found.append(Fault((*path, name), "", f"one of the names {', '.join(self.plans)}", UNKNOWN_NAME))
            return MISSING
        field = self.fields[name]
        if field.default is None:
            found.append(Fault((*path, name), "", describe(field.type), NO_VALUE))
            return MISSING
        try:
            return same_or_new(old, field.default())
        except BaseException as error:
            if not is_refusal(error):
                raise
            own = own_words(error)
            expected = own.expected if own is not None else describe(field.type)
            found.append(Fault((*path, name), "", expected, f"nothing (its default raised {name_of(error)})"))
            return MISSING

    def anew_at(self, name: str, decoded: Decoded, table: Mapping[str, Any]) -> Any:
        plan = self.plans[name]
        if plan.immutable:
            return value_of(decoded)
        if name in table:
            return plan.anew(table[name], decoded)
        default = self.fields[name].default
        return copy.deepcopy(default.value) if isinstance(default, SharedDefault) else default and default()

    def build(self, kept: Mapping[str, Any]) -> Any:
        value = self.make(**{self.fields[name].attribute: value for name, value in kept.items()})
        if self._computes:
            self._check_computed(value, kept)
        return value

    def _check_computed(self, value: Any, kept: Mapping[str, Any]) -> None:
        if not all(map(is_finite, kept.values())):  # a default is infinite, and so may be what is made of it
            return
        for name, field in self.fields.items():
            computed = getattr(value, field.attribute, None)
            if computed is not kept.get(name):
                check_finite({name: computed})


class FlatPlan(RecordPlan):
    """A Struct of scalars: one value, which msgspec makes in one call."""

    def __init__(self, kind: Any) -> None:
        super().__init__(kind)
        self._compares = self.make.__eq__ is msgspec.Struct.__eq__ and self.make.__struct_config__.eq
        self._floats = [field.attribute for field in self.fields.values() if may_be_float(field.type)]
        self.has_floats = bool(self._floats)
        self.may_ignore = not self.closed

    def decode(self, tree: Any, old: Decoded, changes: Changes, path: Path, found: list[Fault]) -> Decoded:
        if type(old) is DecodedPart:
            old = old.value
        value = self._at_once(tree) if type(tree) is dict else MISSING
        unknown = NONE
        if value is MISSING:  # something is bare, unknown or wrong: name by name it is found what
            part = self._decode_all(tree, MISSING, path, found)
            if part is MISSING:
                return part
            value, unknown = part.value, part.unknown
        value = self._same_or_new(old, value)
        return DecodedPart(tree, value, NOTHING, NOTHING, unknown=unknown) if unknown else value

    def _same_or_new(self, old: Any, value: Any) -> Any:
        try:
            if self._compares and old != value:
                return value  # what is equal by `==` may still differ in a type or a sign
        except BaseException as error:  # an enum may have an `==` of its own
            if not is_refusal(error):
                raise
        return same_or_new(old, value)

    def anew(self, tree: Any, decoded: Decoded) -> Any:
        return value_of(decoded if self.immutable else self.decode(tree, MISSING, None, (), []))

    def _at_once(self, tree: dict[str, Any]) -> Any:
        if self.may_ignore and not self.names.issuperset(tree):
            return MISSING
        try:
            value = msgspec.convert(tree, self.kind)
        except BaseException as error:
            if not is_refusal(error):
                raise
            return MISSING
        return value if self.is_sound(value) else MISSING

    def knows_all(self, tables: Iterable[Mapping[str, Any]]) -> bool:
        """Whether there is no name in tables that fit which is none of the type's."""
        return all(map(self.names.issuperset, tables))

    def is_sound(self, value: Any) -> bool:
        """Whether a value that was converted at once may stand."""
        return all(is_finite(getattr(value, attribute)) for attribute in self._floats)
