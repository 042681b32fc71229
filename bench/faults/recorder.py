"""Where the writers account for what they did."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from bench.faults.history import History, Segment, State, Unknown, Write


class WriteRecorder:
    """The history while it is being written.

    Attributes:
        history: For the checker.
        tried: Transactions that were sent.
        failed: Answers that were an error or did not come.
        acknowledged: Answers that were a revision.
        lost_by_etcd: Acknowledged ones that a restarted server did not have any more.
        undone: Acknowledged ones that a restored snapshot or a wipe took back.
        newest: The highest acknowledged revision of the segment.
    """

    def __init__(self, empty: State) -> None:
        self.history = History([Segment(0, empty)])
        self.tried = self.failed = self.acknowledged = 0
        self.lost_by_etcd: list[Write] = []
        self.undone = 0
        self.newest = 0
        self._numbers = itertools.count(1)

    def next_number(self) -> int:
        """A number that no transaction had before."""
        self.tried += 1
        return next(self._numbers)

    @property
    def segment(self) -> int:
        return len(self.history.segments) - 1

    def wrote(self, number: int, effect: dict[int, int], revision: int, *, acknowledged: bool) -> None:
        """A transaction happened."""
        self.acknowledged += acknowledged
        self.newest = max(self.newest, revision)
        write = Write(number, self.segment, revision, effect, acknowledged)
        self.history.writes.append(write)

    def unknown(self, number: int, effect: dict[int, int]) -> None:
        """A transaction of the segment that ends now is not there, and may have been."""
        self.history.unknown.append(Unknown(number, self.segment, effect))

    def begin(self, revision: int, base: State, cause: str) -> None:
        """A new segment begins with what the server holds. Everything else of the old one is accounted for."""
        shared = 0 if cause == "wipe" else revision
        taken_back = self._taken_back(shared)
        if cause in ("restore", "wipe"):
            self.undone += len(taken_back)
        else:
            self.lost_by_etcd += taken_back
        self.history.segments.append(Segment(revision, base, shared, cause))
        self.newest = revision

    def _taken_back(self, shared: int) -> list[Write]:
        gone = []
        for write in reversed(self.history.writes):
            if write.segment != self.segment:
                break
            if write.acknowledged and write.revision > shared:
                gone.append(write)
        return gone


def expected_at_end(history: History) -> State:
    """The state that the server should have: the last segment's base and everything that was written since."""
    state = list(history.segments[-1].base)
    for write in sorted(_last(history), key=lambda write: write.revision):
        for slot, value in write.effect.items():
            state[slot] = value
    return tuple(state)


def _last(history: History) -> Iterable[Write]:
    return (write for write in history.writes if write.segment == len(history.segments) - 1)
