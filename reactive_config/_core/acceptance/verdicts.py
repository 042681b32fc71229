"""Why a unit is refused, as people read it; where it stands, and where a change may let it fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, get_args

from reactive_config._core.acceptance.blame import region
from reactive_config._core.acceptance.source_records import PendingChange, SourceRecord, origin_of, unit_name
from reactive_config._core.decoding.fault import ENOUGH, UNKNOWN_NAME, Fault
from reactive_config._core.decoding.names_meant import elsewhere, nearest, path_meant
from reactive_config._core.decoding.plans import DecodePlan
from reactive_config._core.delta import Bare, Entry, Malformed, Unit
from reactive_config._core.document_looks import TEMPLATES, TITLES, TOML, looks_like
from reactive_config._core.kubernetes import set_by_kubernetes
from reactive_config._core.layers import Layer
from reactive_config._core.lookup import type_at
from reactive_config._core.paths import Path, format_path
from reactive_config._core.redaction import spot_of
from reactive_config._core.trees import ABSENT, get
from reactive_config._core.types import is_secret, item_types
from reactive_config._core.types.env_fields import named_variables
from reactive_config._core.types.places import alternatives, is_container, place_of
from reactive_config._printable import printable
from reactive_config.errors import Origin, Problem


def origin(records: Sequence[SourceRecord], path: Path, *, locate: bool = True) -> Origin | None:
    """Where the value at a path stands; where none does, the document that holds the table around it.

    Args:
        records: Lowest first.
        path: Of the configuration.
        locate: Whether to find line and column too.
    """
    found = standing(records, path)
    if found is None:
        return None
    record, entry_id, entry, at = found
    return origin_of(record, entry_id, entry, path if at == path else at, locate=locate)


def standing(records: Sequence[SourceRecord], path: Path) -> tuple[SourceRecord, str, Entry, Path] | None:
    """The entry that `origin` tells of: whose it is, its id, itself, and the path of what it says there."""
    for depth in range(len(path), -1, -1):
        for record, layer in _downwards(records):
            found = [(i, e) for i, e in layer.entries_at(path[:depth]) if depth == len(path) or len(e.path) <= depth]
            if found:
                return (record, *found[-1], path[:depth])
    return None


def meant_by(faults: Iterable[Fault], kind: Any) -> set[Path]:
    """Where fields belong whose names are misspelt, as far as names that the type does not know tell it.

    To find what a name may mean takes time.
    """
    named = [(fault.path[:-1], _misspelt(kind, fault)) for fault in faults]
    return {(*above, name) for above, name in named if name}


def _misspelt(kind: Any, fault: Fault) -> str:
    """The name that somebody may have misspelt so that the type does not know it; empty if none comes to mind."""
    if fault.got != UNKNOWN_NAME or fault.inside:
        return ""
    place = spot_of(None, kind, fault.path[:-1]).place
    return "" if place.sealed else "".join(nearest(place, fault.path[-1]))


def remark(records: Sequence[SourceRecord], fault: Fault, kind: Any) -> str:
    """What else is known of a value that does not fit; empty if nothing is.

    Args:
        records: Lowest first.
        fault: What does not fit.
        kind: The configuration's type.
    """
    found = standing(records, fault.path)
    if found is None or fault.inside:
        return ""
    entry = found[2]
    if fault.got == UNKNOWN_NAME:
        return _meant(entry, fault.path, kind)
    value = get(entry.value, fault.path[len(entry.path) :]) if fault.path[: len(entry.path)] == entry.path else ABSENT
    if (text := value.text if type(value) is Bare else value) and type(text) is str and text.startswith(TEMPLATES):
        return "what a template begins with (was it filled in?)"
    if entry.path == fault.path and type(value) is Bare:
        return _of_bare(entry, value.text, type_at(kind, fault.path))
    if type(value) is str and _is_list(type_at(kind, fault.path)):
        return 'where a list is written as ["a", "b"]'
    if type(value) is dict and entry.path == fault.path and str in alternatives(type_at(kind, fault.path)):
        return entry.text_advice()
    return ""


def _of_bare(entry: Entry, text: str, kind: Any) -> str:
    if said := set_by_kubernetes(entry.place, text):
        return said
    if (suffix := looks_like(text)) and _takes_container(kind):
        return f"which looks like {TITLES[suffix]}: {entry.advice(suffix)}"
    return ""


def _is_list(kind: Any) -> bool:
    """Whether nothing but a list may stand where a type is declared."""
    kinds = alternatives(kind)
    return bool(kinds) and all(item_types(one) is not None for one in kinds)


def ways_to_give(records: Sequence[SourceRecord], fault: Fault, kind: Any) -> str:
    """How a missing value may be given, if one of the sources has variables for it; otherwise empty.

    Args:
        records: Lowest first.
        fault: What is missing.
        kind: The configuration's type, whose fields may name variables of their own.
    """
    spellings = [record.variable for record in records if record.variable is not None]
    if not spellings or fault.inside or fault.expected == "table":
        return ""
    named = [name for name, path in named_variables(kind) if path == fault.path]
    variable = named[-1] if named else spellings[-1](fault.path)
    return f"write it into a layer, or set {variable}"


def _meant(entry: Entry, path: Path, kind: Any) -> str:
    """What somebody may have meant by a name that the type refuses; empty if nothing comes to mind."""
    above = place_of(kind)
    for name in path[:-1]:
        above = above.under(name)
    if not entry.variable(path) and (known := elsewhere(kind, path, toml=entry.place.endswith(TOML))):
        return f"did you mean {printable(known)}?"
    if not (found := path_meant(above.kinds, path[-1])):
        return ""
    meant = (*path[:-1], *found)
    return f"did you mean {printable(entry.variable(meant) or format_path(meant))}?"


def _takes_container(kind: Any) -> bool:
    """Whether a table or a list may stand where a type is declared, also inside of a Secret."""
    return any(
        is_container(one) or (is_secret(one) and any(map(_takes_container, get_args(one))))
        for one in alternatives(kind)
    )


def explain(records: Sequence[SourceRecord], path: Path) -> list[tuple[Origin, Path, Entry]]:
    """Every entry that says something at a path, the strongest first, with the path inside it."""
    return [
        (origin_of(record, entry_id, entry, path), path[len(entry.path) :], entry)
        for record, layer in _downwards(records)
        for entry_id, entry in reversed(list(layer.entries_at(path)))
    ]


def _downwards(records: Sequence[SourceRecord]) -> Iterator[tuple[SourceRecord, Layer]]:
    for record in reversed(records):
        for layer in reversed(record.layers):
            yield record, layer


TOLD = 20
"""Problems of one unit that are kept; the rest is counted."""


class Verdict(NamedTuple):
    """Why a unit does not fit.

    Attributes:
        problems: At most `TOLD`.
        more: How many more were found.
        stopped: Whether the search for more was given up.
        regions: Where something has to change before the unit can fit; empty if only a change of itself helps.
    """

    problems: Sequence[Problem]
    more: int = 0
    stopped: bool = False
    regions: Sequence[Path] = ()


def is_readable(changes: Mapping[str, PendingChange]) -> bool:
    """Whether a unit has no content that cannot be read, or that is no table where one must be."""
    for _, entry, _, _ in changes.values():
        if entry is not None and (type(entry.value) is Malformed if entry.path else type(entry.value) is not dict):
            return False
    return True


def malformed(record: SourceRecord, changes: Mapping[str, PendingChange]) -> Verdict:
    """The verdict on a unit that is not readable."""
    found = _malformed(record, changes.values())
    return Verdict(list(islice(found, TOLD)), sum(1 for _ in found))


def _malformed(record: SourceRecord, changes: Iterable[PendingChange]) -> Iterator[Problem]:
    said: set[tuple[int, Path, str, str]] = set()
    for entry_id, entry, _, _ in changes:
        if entry is None:
            continue
        place = (record.name, entry.place or entry_id, entry.revision)
        if isinstance(entry.value, Malformed):
            bad = entry.value
            words = (entry.layer, entry.path, bad.expected, bad.got)
            if entry.path and words in said:  # two keys for one path: each of them says the same of both
                continue
            said.add(words)
            yield Problem(format_path(entry.path), bad.expected, bad.got, Origin(*place, bad.line, bad.column))
        elif not entry.path and type(entry.value) is not dict:
            yield Problem("", "a table", type(entry.value).__name__, Origin(*place))


class Judge:
    """Words the verdicts while what is judged is still applied.

    Args:
        records: Lowest first.
        plan: Of the configuration's type.
    """

    def __init__(self, records: Sequence[SourceRecord], plan: DecodePlan) -> None:
        self._accounts = records
        self._plan = plan

    def verdict(
        self,
        record: SourceRecord,
        changes: Mapping[str, PendingChange],
        faults: Sequence[Fault],
        locates: Callable[[], bool],
        before: Mapping[str, Entry | None],
        gone: Mapping[str, Entry | None],
    ) -> Verdict:
        """The verdict on a unit that has faults.

        Args:
            record: The unit's.
            changes: The unit's.
            faults: What is wrong; may be none.
            locates: Whether there still is time to find lines and columns too.
            before: Id to what the unit has deleted.
            gone: What stood where nothing stands now, if the unit is what a relist found gone.
        """
        told = dict.fromkeys(faults[:TOLD])
        regions = {fault: region(self._plan, fault.path) for fault in told}
        problems: list[Problem] = []
        for fault in told:
            said = _deletion(changes, before, fault)
            # Where it stood nobody finds it any more; what it was called is said.
            stood = {} if said else gone
            place = self._origin(record, changes, fault.place, regions[fault], locates(), stood)
            problems.append(
                problem(fault, self._plan.kind, place, said or remark(self._accounts, fault, self._plan.kind))
            )
        return Verdict(problems, len(faults[TOLD:]), len(faults) >= ENOUGH, tuple(regions.values()))

    def waits(self, record: SourceRecord, gone: Mapping[str, PendingChange], unit: Unit) -> Verdict:
        """The verdict on what a relist found gone, while a unit that it found changed is held.

        Args:
            record: Of both.
            gone: What is gone.
            unit: The unit that is held.
        """
        expected = f"no deletion before {unit_name(unit)} fits (both may be one change)"
        for entry_id in gone:
            if (entry := record.find(entry_id)) is not None:
                place = Origin(record.name, entry.place or entry_id, entry.revision)
                return Verdict([Problem(format_path(entry.path), expected, "a deletion", place)], len(gone) - 1)
        return Verdict([Problem("", expected, "a deletion")])

    def _origin(
        self,
        record: SourceRecord,
        changes: Mapping[str, PendingChange],
        path: Path,
        region: Path,
        locate: bool,
        gone: Mapping[str, Entry | None],
    ) -> Origin | None:
        """Where the unit says what does not fit: at the path, or in its region; otherwise what stands there."""
        near = None
        for entry_id, new, _, _ in changes.values():
            entry = gone.get(entry_id, new)
            if entry is None:
                continue
            mount = entry.path
            if path[: len(mount)] == mount and get(entry.value, path[len(mount) :]) is not ABSENT:
                return origin_of(record, entry_id, entry, path, locate=locate)
            if near is None and mount[: len(region)] == region:
                near = entry_id, entry
        if near is None:
            return origin(self._accounts, path, locate=locate)
        return origin_of(record, *near, near[1].path, locate=locate)


def _deletion(changes: Mapping[str, PendingChange], before: Mapping[str, Entry | None], fault: Fault) -> str:
    """What a unit has deleted so that something is missing; empty if it did not.

    Args:
        changes: The unit's.
        before: Id to what stood there.
        fault: What does not fit.
    """
    if fault.got != "nothing":
        return ""
    for entry_id, old in before.items():
        if old is None:
            continue
        shorter = min(len(old.path), len(fault.path))
        inner = fault.path[len(old.path) :]
        if old.path[:shorter] == fault.path[:shorter] and get(old.value, inner) is not ABSENT:
            unit = changes[entry_id].unit
            how = f"was deleted at revision {unit}" if isinstance(unit, int) else "is gone"
            return f"as {printable(old.place or entry_id)} {how}"
    return ""


def problem(fault: Fault, kind: Any, place: Origin | None, said: str = "", *, hint: bool = True) -> Problem:
    """A fault as people read it.

    Args:
        fault: What is wrong.
        kind: The configuration's type: what a field is called in Python counts too for what may be quoted.
        place: Where it stands.
        said: What else is known of it, see `remark`.
        hint: Whether to look for the name that an unknown one may mean, which takes time.
    """
    if hint and not said and (meant := _misspelt(kind, fault)):
        said = f"did you mean {meant}?"
    quotes = fault.got[:1] in ("'", '"')
    got = "str" if quotes and spot_of(None, kind, fault.path).place.sensitive else fault.got
    if said and not fault.inside:
        got = f"{got}: {said}" if said.startswith("write ") else f"{got}, {said}"
    return Problem((format_path(fault.path) + fault.inside).lstrip("."), fault.expected, got, place)
