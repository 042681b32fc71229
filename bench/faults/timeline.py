"""The state that etcd had at every revision of every segment, from the writes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from bench.faults.history import History, Segment, State, Unknown, Write

FOREVER = 1 << 62
"""No revision is as high."""


class Timeline:
    """Answers which state there was; made once the run is over and every outcome is known."""

    def __init__(self, history: History) -> None:
        self.segments = history.segments
        self.place = {write.number: (write.segment, write.revision) for write in history.writes}
        self.tried = set(self.place) | {unknown.number for unknown in history.unknown}
        self._unknown: dict[int, list[Unknown]] = {}
        for unknown in history.unknown:
            self._unknown.setdefault(unknown.segment, []).append(unknown)
        by_segment: dict[int, list[Write]] = {}
        for write in history.writes:
            by_segment.setdefault(write.segment, []).append(write)
        self._states = [_states(one, by_segment.get(index, [])) for index, one in enumerate(history.segments)]

    def at(self, segment: int, revision: int) -> State | None:
        """The state at a revision; None before the segment began."""
        revisions, states = self._states[segment]
        index = bisect_right(revisions, revision) - 1
        return states[index] if index >= 0 else None

    def had(self, segment: int, revision: int, state: State) -> bool:
        """Whether etcd may have shown this state at this revision of this segment.

        What came after the part that the next segment shares was lost, perhaps before any answer: there,
        each slot may also hold what a transaction without an answer wrote.
        """
        known = self.at(segment, revision)
        if known is None or known == state:
            return known is not None
        if revision <= self.kept(segment):
            return False
        unknown = self._unknown.get(segment, [])
        return all(
            seen == value or any(one.effect.get(slot) == seen for one in unknown)
            for slot, (seen, value) in enumerate(zip(state, known, strict=True))
        )

    def kept(self, segment: int, until: int | None = None) -> int:
        """The last revision of a segment that is also the history of the segments after it, up to `until`."""
        if until == segment:
            return FOREVER
        if until == segment + 1:
            return self.segments[until].shared
        after = self.segments[segment + 1 : None if until is None else until + 1]
        return min((one.shared for one in after), default=FOREVER)

    def survives(self, write: Write) -> bool:
        """Whether a write is still part of the history at the end."""
        return write.revision <= self.kept(write.segment)


def _states(segment: Segment, writes: Iterable[Write]) -> tuple[list[int], list[State]]:
    revisions, states = [segment.revision], [segment.base]
    for write in sorted(writes, key=lambda write: write.revision):
        state = list(states[-1])
        for slot, value in write.effect.items():
            state[slot] = value
        revisions.append(write.revision)
        states.append(tuple(state))
    return revisions, states
