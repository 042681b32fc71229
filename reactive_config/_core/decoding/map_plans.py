"""How mappings are decoded, what no type describes, and what may be null."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import msgspec

from reactive_config._core.decoding.bare_values import infer, untyped
from reactive_config._core.decoding.basic_plans import LeafPlan, TablePlan
from reactive_config._core.decoding.fault import ENOUGH, Fault
from reactive_config._core.decoding.plans import MISSING, Decoded, DecodedPart, DecodePlan, same_or_new, value_of
from reactive_config._core.decoding.record_plans import FlatPlan
from reactive_config._core.delta import Bare
from reactive_config._core.paths import Path
from reactive_config._core.refusals import is_refusal
from reactive_config._core.trees import Changes


class MapPlan(TablePlan):
    """dict[str, X]."""

    def __init__(self, kind: Any, values: DecodePlan) -> None:
        self.kind = kind
        self.values = values
        self.may_ignore = values.may_ignore
        self._whole: Any = dict[str, values.kind]  # type: ignore[name-defined]

    def plan_of(self, name: str) -> DecodePlan | None:
        return self.values

    def all_names(self, table: Mapping[str, Any]) -> Iterable[str]:
        return table

    def decode_names(
        self, table: Mapping[str, Any], path: Path, found: list[Fault]
    ) -> tuple[dict[str, Any], dict[str, DecodedPart]]:
        if not isinstance(self.values, FlatPlan) and not (isinstance(self.values, LeafPlan) and self.values.scalar):
            return super().decode_names(table, path, found)
        kept = self._at_once(table)
        if kept is None:  # something is bare, unknown or wrong: by the thousand, then name by name, it is found what
            kept = {}
            inner: dict[str, DecodedPart] = {}
            names = iter(table)
            while (some := {name: table[name] for name in islice(names, 1000)}) and len(found) < ENOUGH:
                few = self._at_once(some) if len(table) > len(some) else None
                values, parts = super().decode_names(some, path, found) if few is None else (few, {})
                kept |= values
                inner |= parts
            return kept, inner
        return kept, {}

    def _at_once(self, table: Mapping[str, Any]) -> dict[str, Any] | None:
        """The values, if conversion of all of them at once gives them."""
        assert isinstance(self.values, (FlatPlan, LeafPlan))
        try:
            kept: dict[str, Any] = msgspec.convert(table, self._whole)
        except BaseException as error:
            if not is_refusal(error):
                raise
            return None
        if self.values.has_floats and not all(map(self.values.is_sound, kept.values())):
            return None
        return kept if not self.may_ignore or self.values.knows_all(table.values()) else None

    def build(self, kept: Mapping[str, Any]) -> Any:
        return dict(kept)


class UntypedPlan(DecodePlan):
    """Anything; tables in it decode part by part all the same."""

    kind = Any

    def __init__(self) -> None:
        self._table = _OpenTable(self)

    def decode(self, tree: Any, old: Decoded, changes: Changes, path: Path, found: list[Fault]) -> Decoded:
        if type(tree) is dict:
            return self._table.decode(tree, old, changes, path, found)
        return same_or_new(value_of(old), untyped(tree))

    def anew(self, tree: Any, decoded: Decoded) -> Any:
        return untyped(tree)


class _OpenTable(MapPlan):
    """A table of anything."""

    def __init__(self, values: UntypedPlan) -> None:
        super().__init__(dict[str, Any], values)

    def decode_names(
        self, table: Mapping[str, Any], path: Path, found: list[Fault]
    ) -> tuple[dict[str, Any], dict[str, DecodedPart]]:
        """As everywhere, but tables in it at once: two calls a level, because there may be `MAX_DEPTH` levels.

        The recursion limit is Python's, 1000, and a part of it belongs to the program that runs the loop.
        """
        kept: dict[str, Any] = {}
        inner: dict[str, DecodedPart] = {}
        for name, tree in table.items():
            if type(tree) is not dict:
                kept[name] = infer(tree.text) if type(tree) is Bare else untyped(tree)
                continue
            part = inner[name] = self._decode_all(tree, MISSING, (*path, name), found)
            kept[name] = part.value
        return kept, inner


class OptionalPlan(DecodePlan):
    """X | None for an X that decodes part by part."""

    def __init__(self, kind: Any, inner: TablePlan) -> None:
        self.kind = kind
        self.inner = inner
        self.may_ignore = inner.may_ignore

    def decode(self, tree: Any, old: Decoded, changes: Changes, path: Path, found: list[Fault]) -> Decoded:
        if tree is None or (type(tree) is Bare and tree.text == "null"):
            return None
        return self.inner.decode(tree, old, changes, path, found)

    def anew(self, tree: Any, decoded: Decoded) -> Any:
        return None if decoded is None else self.inner.anew(tree, decoded)
