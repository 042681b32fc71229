"""What a run records. Plain data: the checker needs nothing else, and a test can make it up.

A **state** is a tuple with one number for each slot: a group of keys (all of them hold the number of the
transaction that wrote them), or a writer's own key. Numbers are unique in a run; 0 says that it is absent.

A **segment** is a stretch of etcd's history that nothing took back. A new one begins whenever the whole
cluster was down or its data was replaced, because from there on revisions may be used a second time.
"""

from __future__ import annotations

import msgspec

State = tuple[int, ...]

TORN = -1
"""In a state: the keys of this group held different values in one snapshot."""


class Write(msgspec.Struct, frozen=True):
    """One transaction that is known to have happened.

    Attributes:
        number: The value that it wrote.
        segment: Index of the segment that it belongs to.
        revision: Its revision there.
        effect: Slot to value, 0 for deleted.
        acknowledged: etcd said so to the writer; otherwise the answer was lost and it was found later.
    """

    number: int
    segment: int
    revision: int
    effect: dict[int, int]
    acknowledged: bool = True


class Unknown(msgspec.Struct, frozen=True):
    """A transaction whose answer was lost together with the segment: it may have been shown before that."""

    number: int
    segment: int
    effect: dict[int, int]


class Segment(msgspec.Struct, frozen=True):
    """A stretch of history.

    Attributes:
        revision: The server's at its begin.
        base: The state then, read from the server.
        shared: Up to this revision it is the same history as the segment before.
        cause: What ended the one before: "start", "kill", "restore", ...
    """

    revision: int
    base: State
    shared: int = 0
    cause: str = "start"


class History(msgspec.Struct):
    """etcd's side of a run.

    Attributes:
        final: The server's state at the end, with its revision.
        intact: A killed server of this version keeps what it has shown, so a restore needs a cause.
    """

    segments: list[Segment]
    writes: list[Write] = []
    unknown: list[Unknown] = []
    final: tuple[int, State] | None = None
    intact: bool = True


class Seen(msgspec.Struct, frozen=True, gc=False):
    """One snapshot as a subscriber got it; `restores` counts those that its source had recognised by then."""

    generation: int
    revision: int
    state: State
    restores: int = 0


class Missed(msgspec.Struct, frozen=True):
    """A `Gap` of `updates()`: generations that it said to have dropped."""

    first: int
    last: int


class Log(msgspec.Struct):
    """What one subscriber of one open configuration saw.

    Attributes:
        name: Of the subscriber.
        seen: In order.
        lossless: Every generation must be there, or a `Missed`.
        from_mirror: It may begin with a state of the mirror, from a history that is no more.
        open_at_end: It must end on the final state.
    """

    name: str
    seen: list[Seen | Missed] = []
    lossless: bool = False
    from_mirror: bool = False
    open_at_end: bool = True


class PartLog(msgspec.Struct):
    """What a subscriber of one selected part saw: the number of one slot, and the restores recognised by then."""

    name: str
    slot: int
    seen: list[tuple[int, int]] = []
    open_at_end: bool = True


class SourceLog(msgspec.Struct):
    """What one source did over its life.

    Attributes:
        name: Of the configuration.
        counters: The source's own.
        overtaken: Compactions beyond the revision that it had taken: each allows one relist.
    """

    name: str
    counters: dict[str, int] = {}
    overtaken: int = 0


class Recovery(msgspec.Struct, frozen=True):
    """How one follower came back after a fault that broke its connection.

    Attributes:
        seconds: From the health of the servers until it showed a write that was made after that.
        written: Of these, what that write itself took.
        cause: The fault.
        who: The follower.
        said: What its source said since the fault began: seconds after the health, state, reason.
    """

    seconds: float
    written: float
    cause: str
    who: str
    said: tuple[tuple[float, str, str], ...] = ()

    def __str__(self) -> str:
        words = "; ".join(f"{at:+.2f} s {state} {reason}".rstrip() for at, state, reason in self.said)
        return f"{self.seconds:.3f} s (the write {self.written:.3f} s): {self.who} after {self.cause}: {words}"


class Breach(msgspec.Struct, frozen=True):
    """A promise that was not kept: its kind, who saw it, and what."""

    kind: str
    who: str
    what: str

    def __str__(self) -> str:
        return f"BREACH {self.kind}: {self.who}: {self.what}"
