"""The promises, checked: from what etcd acknowledged and what subscribers saw to a list of breaches. Pure.

kind                what was promised (docs: P1 to P4)
torn                the keys of one transaction in one snapshot
twice               no generation twice, none smaller than one before
hole                `updates()`: every generation, or a `Gap`
back                no older state after a newer one, except over a restore that was recognised
lost                a snapshot at revision r holds every write up to r that etcd acknowledged
phantom             nothing that nobody wrote
unrecognised        a history that etcd took back was counted as a restore
needless restore    and nothing else was
needless relist     a list only where a resume cannot do: restored, or compacted beyond what was taken
not converged       the last state is the server's
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bench.faults.history import TORN, Breach, History, Log, Missed, PartLog, Seen, SourceLog, State
from bench.faults.timeline import Timeline

KINDS = (
    "torn",
    "twice",
    "hole",
    "back",
    "lost",
    "phantom",
    "unrecognised",
    "needless restore",
    "needless relist",
    "not converged",
)


def check(
    history: History, logs: Sequence[Log], parts: Sequence[PartLog] = (), sources: Sequence[SourceLog] = ()
) -> list[Breach]:
    """Every breach in what was seen.

    Args:
        history: What etcd did.
        logs: What subscribers of whole configurations saw.
        parts: What subscribers of a selected part saw.
        sources: What the sources counted.
    """
    timeline = Timeline(history)
    breaches: list[Breach] = []
    for log in logs:
        breaches += _generations(log)
        breaches += _Walk(timeline, log).breaches()
        breaches += _converged(history, log)
    for part in parts:
        breaches += _part(history, timeline, part)
    for source in sources:
        breaches += _source(history, source)
    return breaches


def _generations(log: Log) -> Iterator[Breach]:
    last = 0
    for item in log.seen:
        first, newest = (item.first, item.last) if isinstance(item, Missed) else (item.generation, item.generation)
        if first <= last:
            yield Breach("twice", log.name, f"generation {first} after {last}")
        elif log.lossless and last and first > last + 1:
            yield Breach("hole", log.name, f"generation {first} follows {last}")
        last = max(last, newest)


class _Walk:
    """Follows one log through the history.

    A snapshot may fit several segments, because they share what came before. So every place at which the
    log can stand is kept, with the restores that the way there needed at least.
    """

    def __init__(self, timeline: Timeline, log: Log) -> None:
        self._timeline = timeline
        self._log = log
        self._places: dict[int, int] = {0: 0}
        self._revision = 0

    def breaches(self) -> Iterator[Breach]:
        # The first place is anywhere; what a mirror began with, etcd replaces without a word.
        free = 2 if self._log.from_mirror else 1
        for index, seen in enumerate(one for one in self._log.seen if isinstance(one, Seen)):
            yield from self._step(seen, free=index < free)

    def _step(self, seen: Seen, *, free: bool) -> Iterator[Breach]:
        if TORN in seen.state:
            yield Breach(
                "torn", self._log.name, f"{_where(seen)}: slots {_slots(seen.state, TORN)} hold several values"
            )
            return
        fits = [s for s in range(len(self._timeline.segments)) if self._timeline.had(s, seen.revision, seen.state)]
        places = {segment: needed for segment in fits if (needed := self._way(segment, seen, free)) is not None}
        if places:
            yield from self._move(places, seen)
        elif fits:
            yield Breach("back", self._log.name, f"{_where(seen)} after revision {self._revision}")
        else:
            yield self._misfit(seen)

    def _way(self, to: int, seen: Seen, free: bool) -> int | None:
        """Restores needed at least to get to a segment; None where that would be a step back."""
        ways = [
            needed + (not free and self._revision > self._timeline.kept(place, to))
            for place, needed in self._places.items()
            if place < to or (place == to and self._revision <= seen.revision)
        ]
        return min(ways, default=None)

    def _move(self, places: dict[int, int], seen: Seen) -> Iterator[Breach]:
        self._places = places
        if min(places.values()) > seen.restores:
            text = f"{_where(seen)}: etcd had taken revision {self._revision} back, and no restore was counted"
            yield Breach("unrecognised", self._log.name, text)
            self._places = {segment: min(needed, seen.restores) for segment, needed in places.items()}
        self._revision = seen.revision

    def _misfit(self, seen: Seen) -> Breach:
        """What is wrong with a state that etcd never had at its revision."""
        segment = max(self._places)
        expected = self._timeline.at(segment, seen.revision) or self._timeline.segments[segment].base
        wrong = [(slot, e, s) for slot, (e, s) in enumerate(zip(expected, seen.state, strict=True)) if e != s]
        text = ", ".join(f"slot {slot} holds {got} in place of {want}" for slot, want, got in wrong[:4])
        invented = any(got and got not in self._timeline.tried for _, _, got in wrong)
        return Breach("phantom" if invented else "lost", self._log.name, f"{_where(seen)}, segment {segment}: {text}")


def _converged(history: History, log: Log) -> Iterator[Breach]:
    if history.final is None or not log.open_at_end:
        return
    last = next((seen for seen in reversed(log.seen) if isinstance(seen, Seen)), None)
    if last is None or last.state != history.final[1]:
        what = "nothing" if last is None else f"{_where(last)}, which differs in slots {_differing(last, history)}"
        yield Breach("not converged", log.name, f"ends on {what}")


def _part(history: History, timeline: Timeline, log: PartLog) -> Iterator[Breach]:
    last, needed = (0, 0), 0
    for number, restores in log.seen:
        if number == TORN:
            yield Breach("torn", log.name, f"slot {log.slot} held several values")
        if number not in timeline.place:
            if number > 0 and number not in timeline.tried:
                yield Breach("phantom", log.name, f"slot {log.slot} held {number}, which nobody wrote")
            continue  # absent, or without an answer: no place to compare
        place = timeline.place[number]
        if place < last:
            needed += 1
            if restores < needed:
                yield Breach("back", log.name, f"{number} (revision {place[1]}) after revision {last[1]}")
                needed = restores
        last = place
    if log.open_at_end and history.final is not None:
        value = log.seen[-1][0] if log.seen else None
        if value != history.final[1][log.slot]:
            yield Breach("not converged", log.name, f"ends on {value} in place of {history.final[1][log.slot]}")


def _source(history: History, log: SourceLog) -> Iterator[Breach]:
    counters = log.counters
    possible = sum(1 for segment in history.segments[1:] if not history.intact or segment.cause in ("restore", "wipe"))
    if counters.get("restores", 0) > possible:
        text = f"{counters['restores']} restores counted, and etcd lost history {possible} times"
        yield Breach("needless restore", log.name, text)
    allowed = {"compacted": log.overtaken, "restored": counters.get("restores", 0)}
    for reason, count in sorted(reasons(counters).items()):
        if count > allowed.get(reason, 0):
            text = f"{count} relists because of {reason!r}, {allowed.get(reason, 0)} of them needed"
            yield Breach("needless relist", log.name, text)


def reasons(counters: dict[str, int]) -> dict[str, int]:
    """Relists by reason; those without one count as "unexplained"."""
    found = {name.removeprefix("relists_"): n for name, n in counters.items() if name.startswith("relists_")}
    rest = counters.get("relists", 0) - sum(found.values())
    return found | ({"unexplained": rest} if rest else {})


def tally(breaches: Iterable[Breach]) -> dict[str, int]:
    """Breaches by kind; every kind is there."""
    counts = dict.fromkeys(KINDS, 0)
    for breach in breaches:
        counts[breach.kind] = counts.get(breach.kind, 0) + 1
    return counts


def _where(seen: Seen) -> str:
    return f"generation {seen.generation}, revision {seen.revision}"


def _slots(state: State, value: int) -> list[int]:
    return [slot for slot, number in enumerate(state) if number == value]


def _differing(seen: Seen, history: History) -> list[int]:
    assert history.final is not None
    return [slot for slot, (a, b) in enumerate(zip(seen.state, history.final[1], strict=True)) if a != b]
