"""One source's two states: what it last said, and what of it is in force."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from reactive_config._core.bounds import admitted
from reactive_config._core.change_limits import ChangeLimits
from reactive_config._core.delta import Delta, Entry, Malformed, Replace, Unit
from reactive_config._core.layers import Layer
from reactive_config._core.paths import KeyPath, Path
from reactive_config._core.trees import same
from reactive_config._printable import printable
from reactive_config.errors import Origin


class PendingChange(NamedTuple):
    """One entry whose current state is not the accepted one.

    Attributes:
        entry_id: Its id.
        entry: The current one; None if it is gone.
        unit: The unit that changed it.
        relist: Whether it came with a `Replace`.
    """

    entry_id: str
    entry: Entry | None
    unit: Unit
    relist: bool


GONE: Final = ("deletions",)
"""The unit of what a `Replace` lacks: nobody knows which transactions deleted it."""

OVERWRITTEN: Final = "overwritten or taken back"


class SourceRecord:
    """One source's states.

    Attributes:
        name: The source's, unique.
        layers: Its layers, lowest first; their entries are the accepted state.
        places: What a person calls each layer where it stands.
        optional_layers: Indexes of the layers that may be empty; all of them where the source is optional.
        optional: Whether the source is optional.
        change_limits: How far it may jump at once.
        size: Bytes of the accepted documents.
        pending: Id to what differs from the accepted state.
        units: The same by unit, so that nobody has to walk all of it to find the changes of one.
        touched: The units whose changes are other ones than at the last attempt; True where
            something came to them, False where they only lost changes to newer units. A unit that lost all of them
            is no longer in `units`.
        emptied: Layers that may be empty, see `Replace.emptied`.
        absent: What empty layers lack, see `Replace.absent`.
        variable: How the source spells a path; None if it has no variables.
        revision: The store's, of the current state; None before the first delta.
        overwritten: What has become of units that lost their changes with the last delta, for people.
        gone_between: The revision that was known before the first `Replace` that found something gone which is still
            pending, and that of the last such one: it went somewhere between them.
        accepted_at: Counts the acceptances that changed something.
        accepted_revision: The newest revision of which nothing waited; 0 before the first acceptance.
    """

    def __init__(
        self,
        name: str,
        layers: Sequence[str],
        *,
        optional: bool,
        optional_layers: Collection[int] = (),
        change_limits: ChangeLimits | None = None,
        places: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.layers: list[Layer] = [Layer(layer) for layer in layers]
        self.places: tuple[str, ...] = tuple(places or layers)
        self.optional = optional
        self.optional_layers: frozenset[int] = frozenset(range(len(self.layers)) if optional else optional_layers)
        self.change_limits: ChangeLimits = change_limits or ChangeLimits()
        self.size: int = 0
        self.pending: dict[str, PendingChange] = {}
        self.units: dict[Unit, dict[str, PendingChange]] = {}
        self.touched: dict[Unit, bool] = {}
        self.emptied: frozenset[int] = frozenset()
        self.absent: Mapping[int, Malformed] = {}
        self.variable: Callable[[Path], str] | None = None
        self.revision: int | None = None
        self.overwritten: str = OVERWRITTEN
        self.gone_between: tuple[int, int] = (0, 0)
        self.accepted_at: int = 0
        self.accepted_revision: int = 0

    @property
    def accepted(self) -> Mapping[str, Entry]:
        """The entries in force; a live view."""
        if len(self.layers) == 1:
            return self.layers[0].entries
        return ChainMap(*(layer.entries for layer in self.layers))

    def may_have_deleted(self, revision: int) -> bool:
        """Whether what a `Replace` found gone, and what is pending of it, may belong to a revision."""
        first, last = self.gone_between
        return GONE in self.units and (first < revision <= last or revision == last)

    def find(self, entry_id: str) -> Entry | None:
        """The accepted entry of an id."""
        for layer in self.layers:
            if (entry := layer.entries.get(entry_id)) is not None:
                return entry
        return None

    def take(self, delta: Delta) -> None:
        """Make the delta the current state; what then differs from the accepted one is pending."""
        self.overwritten = OVERWRITTEN
        if isinstance(delta, Replace):
            self.absent = delta.absent
            if delta.deleted_by is not None:  # it did not happen to them where they stand
                self.overwritten = f"the {unit_name(delta.deleted_by)} comes in its place"
            first = self.gone_between[0] if GONE in self.units else self.revision or 0
            self.gone_between = (first, delta.revision)
            known = self.accepted
            for entry_id in {*known, *self.pending} - delta.entries.keys():
                self._record(
                    PendingChange(entry_id, None, GONE if delta.deleted_by is None else delta.deleted_by, relist=True)
                )
            for entry_id, entry in delta.entries.items():
                # Most of a relist is what is in force already: sources read anew only what has changed.
                if entry_id in self.pending or known.get(entry_id) is not entry:
                    self._record(PendingChange(entry_id, admitted(entry), entry.unit, relist=True))
        else:
            for entry_id, entry in delta.set.items():
                self._record(PendingChange(entry_id, admitted(entry), entry.unit, relist=False))
            for entry_id, unit in delta.deleted.items():
                self._record(PendingChange(entry_id, None, unit, relist=False))
        self.revision = delta.revision
        self.emptied = delta.emptied

    def _record(self, change: PendingChange) -> None:
        entry_id, entry = change.entry_id, change.entry
        if entry is not None and not 0 <= entry.layer < len(self.layers):
            raise ValueError(f"{self.name}: expected a layer from 0 to {len(self.layers) - 1}, got {entry.layer}")
        accepted = self.find(entry_id)
        if accepted is None and entry is None:
            self._forget(entry_id)
        elif (
            accepted is not None
            and entry is not None
            and entry.path == accepted.path
            and entry.layer == accepted.layer
            and same(entry.value, accepted.value)
        ):
            self._forget(entry_id)
            # Only where it came from is new. The old value stays, for its identity.
            self.size += entry.size - accepted.size
            self.layers[entry.layer].entries[entry_id] = msgspec.structs.replace(entry, value=accepted.value)
        else:
            unit = change.unit
            if entry_id in self.pending:
                if _says_the_same(self.pending[entry_id], change):
                    # Said once more, by a relist: whoever judged it would judge it so again.
                    self.pending[entry_id] = self.units[unit][entry_id] = change
                    return
                self._forget(entry_id)
            self.pending[entry_id] = change
            if unit in self.units:
                self.units[unit][entry_id] = change
            else:
                self.units[unit] = {entry_id: change}
            self.touched[unit] = True

    def _forget(self, entry_id: str) -> None:
        """A pending change is overwritten: its unit goes on without it."""
        change = self.pending.pop(entry_id, None)
        if change is not None:
            changes = self.units[change.unit]
            del changes[entry_id]
            if not changes:
                del self.units[change.unit]
            self.touched.setdefault(change.unit, False)

    def note_accepted(self, unit: Unit) -> None:
        """A unit's changes are in force now."""
        changes = self.units.pop(unit)
        self.accepted_at += len(changes)
        for entry_id in changes:
            del self.pending[entry_id]
        if not self.pending:  # a dict that once was large keeps its size
            self.pending = {}

    def put(self, entry_id: str, entry: Entry | None) -> Entry | None:
        """Set or delete an accepted entry, wherever it stood; returns what stood there."""
        old = None
        for index, layer in enumerate(self.layers):
            old = layer.entries.get(entry_id, old)
            if entry is not None and entry.layer == index:
                layer.put(entry_id, entry)
            elif entry_id in layer.entries:
                layer.put(entry_id, None)
        self.size += (entry.size if entry is not None else 0) - (old.size if old is not None else 0)
        return old


def _says_the_same(one: PendingChange, other: PendingChange) -> bool:
    if one.unit != other.unit:
        return False
    old, new = one.entry, other.entry
    if old is None or new is None:
        return old is new
    return old.path == new.path and old.layer == new.layer and same(old.value, new.value)


def origin_of(record: SourceRecord, entry_id: str, entry: Entry, path: Path, *, locate: bool = True) -> Origin:
    """Where an entry's value at a path stands, with line and column where the source can tell."""
    inner = path[len(entry.path) :]
    if inner and isinstance(path, KeyPath):  # a slice is a plain path
        inner = KeyPath(inner)
    at: Any = entry.locate(entry, inner) if locate and entry.locate is not None else None
    line, column = at or (0, 0)
    return Origin(record.name, entry.place or entry_id, entry.revision, line, column)


def unit_name(unit: Unit) -> str:
    """What a person calls a unit."""
    if isinstance(unit, int):
        return f"revision {unit}"
    return printable(" ".join(map(str, unit)) if isinstance(unit, tuple) else str(unit))
