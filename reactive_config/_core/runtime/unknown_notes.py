"""What is told of keys that the type does not know: a line of the log when one appears, and a note while it stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import nsmallest
from itertools import takewhile
from typing import Any

from reactive_config._core.acceptance.groups import AttemptBudget
from reactive_config._core.acceptance.source_records import SourceRecord, origin_of
from reactive_config._core.acceptance.verdicts import standing
from reactive_config._core.decoding.fault import below
from reactive_config._core.decoding.names_meant import elsewhere, name_meant
from reactive_config._core.decoding.unknown_keys import NONE, UnknownKey, UnknownKeys, all_keys
from reactive_config._core.delta import Entry
from reactive_config._core.document_looks import TOML
from reactive_config._core.paths import KeyPath, Path, format_path
from reactive_config._core.runtime.logbook import more_unknown_keys
from reactive_config._core.secret import HIDDEN
from reactive_config._core.source import no_variable
from reactive_config._core.types.places import place_of
from reactive_config._printable import printable
from reactive_config.errors import Origin

TOLD = 20
"""Unknown keys that are told one by one; the rest is counted."""

_KEPT = 100  # notes that are remembered


class UnknownNotes:
    """Tells of unknown keys.

    Args:
        kind: The configuration's type.
        records: Lowest first.
        warn: Called with lines for the log, and for how many keys they stand; it takes as many lines as it writes.

    Attributes:
        seen: The unknown keys of the configuration of which the log was told.
    """

    def __init__(
        self, kind: Any, records: Sequence[SourceRecord], warn: Callable[[Iterable[str], int], object]
    ) -> None:
        self._warn = warn
        self.seen: UnknownKeys = NONE
        self._kind = kind
        self._records = records
        # What each source leaves out, and the first of them in words.
        self._left_out: dict[str, tuple[Mapping[Path, str], list[str]]] = {}
        self._lines: dict[UnknownKey, tuple[Entry, str]] = {}
        # The first of those in the configuration, and how many there are; of which they are.
        self._first: tuple[list[UnknownKey], int, UnknownKeys] = ([], 0, NONE)

    def leave_out(self, source: str, keys: Mapping[Path, str], variable: Callable[[Path], str] = no_variable) -> None:
        """A source says what it leaves out because the type does not know it.

        Args:
            source: Its name.
            keys: What a person calls the place of each, by path.
            variable: How it spells a path.
        """
        before, _ = self._left_out.get(source, (NONE, []))

        def line(path: Path) -> str:
            return self._worded(path, Origin(source, keys[path]), path, variable)

        self._left_out[source] = (keys, list(map(line, nsmallest(TOLD, keys))))
        appeared = [path for path in keys if path not in before]
        if appeared:
            self._warn((line(path) for path in nsmallest(TOLD, appeared)), len(appeared))

    def take(self, unknown: UnknownKeys) -> None:
        """What is in force has other unknown keys than before: log those that are new."""
        appeared = list(all_keys(unknown, self.seen))
        self.seen = unknown
        budget = AttemptBudget()
        if appeared:
            self._warn((self._line(key, budget) for key in nsmallest(TOLD, appeared, key=_order)), len(appeared))

    def notes(self) -> tuple[str, ...]:
        """A line for each unknown key, in the order of their paths; `TOLD` at most, and how many more there are."""
        if self._first[2] is not self.seen:
            keys = list(all_keys(self.seen))
            self._first = (nsmallest(TOLD, keys, key=_order), len(keys), self.seen)
        first, count, _ = self._first
        budget = AttemptBudget()
        lines = [self._line(key, budget) for key in first]
        for left_out, told in self._left_out.values():
            lines += told
            count += len(left_out)
        more = count - len(lines[:TOLD])
        return (*lines[:TOLD], *([more_unknown_keys(more)] if more else []))

    def _line(self, key: UnknownKey, budget: AttemptBudget) -> str:
        path = tuple(takewhile(lambda step: isinstance(step, str), key))
        found = standing(self._records, path)  # type: ignore[arg-type]
        if found is None:
            return self._worded(key)
        entry, known = found[2], self._lines.get(key)
        if known is not None and known[0] is entry:  # to find the line may parse the document again
            return known[1]
        locates = budget.locates()
        record, entry_id, _, at = found
        at = KeyPath(at) if len(at) == len(key) else at  # it is the key that somebody looks for
        line = self._worded(key, origin_of(record, entry_id, entry, at, locate=locates), entry.path, entry.variable)
        if locates:
            if len(self._lines) >= _KEPT:
                self._lines.clear()
            self._lines[key] = (entry, line)
        return line

    def _worded(
        self,
        key: UnknownKey,
        origin: Origin | None = None,
        mount: Path = (),
        variable: Callable[[Path], str] = no_variable,
    ) -> str:
        """One unknown key, in words.

        Args:
            key: The way to it.
            origin: Where it stands.
            mount: The path of the document there: its place may tell these names.
            variable: How paths are spelt there, if variables stand there.
        """
        path: Path = ()
        inside = hint = ""
        place = place_of(self._kind)
        for step in key:
            if place.sealed:  # what a Secret holds is hidden as a whole
                origin = origin if len(mount) <= len(path) else None
                path, inside = below(path, inside, HIDDEN)
                break
            if isinstance(step, str):
                path, inside = below(path, inside, step)
                place = place.under(step)
            else:
                inside += f"[{step}]"
                place = place.at(step)
        else:
            toml = origin is not None and origin.place.endswith(TOML)
            meant = (elsewhere(self._kind, path, toml=toml) if path == key and not variable(path) else "") or (
                name_meant(self._kind, key, variable)
            )
            hint = f"; did you mean {printable(meant)}?" if meant else ""
        where = f" ({origin})" if origin is not None else ""
        return f"{printable(format_path(path) + inside)}: unknown key, ignored{hint}{where}"


def _order(key: UnknownKey) -> Any:
    return tuple((isinstance(step, int), step) for step in key)
