"""A source that tells the truth in the worst way."""

from __future__ import annotations

import asyncio
import enum
import random
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import anyio

from reactive_config._core.delta import Delta, Entry, Malformed, Patch, Replace
from reactive_config._core.input_trees import leaves, owned
from reactive_config._core.paths import Path, format_path
from reactive_config._core.source import Feed, Source
from reactive_config._core.status import SourceState
from reactive_config._core.trees import same
from reactive_config.errors import Rejected


class Misbehaviour(enum.Enum):
    """What a source may do to its reader without ever sending an older state after a newer one."""

    DUPLICATE = "the last delta comes again, word for word"
    RELIST = "the same state comes again, as a Replace"
    MOVE = "some entries come again under another unit and revision"
    RESHAPE = "a table moves from one entry to one for each key, or back"
    BURST = "the next delta follows at once"
    MALFORMED = "an entry cannot be read for a while"
    DISCONNECT = "the next state is missed and comes with the Replace after the reconnect"
    SILENCE = "nothing is said for long"


SILENT = frozenset(Misbehaviour) - {Misbehaviour.MALFORMED}
"""The faults that nobody may notice in the configuration: they change nothing, or how fast it comes."""

_MOST_FAULTS = 3  # after one state, where the seed decides
_LONG = 50  # turns of the loop


class Misbehaving(Source):
    """A source that plays a true history with faults, and ends on the truth.

        source = Misbehaving([{"size": 1}, {"size": 2}], seed=7)
        async with open_config(App, source) as config:
            await source.wait_finished()
            assert config.current.size == 2

    Each state of the history is one unit and one delta, so a reader may miss states (a burst, an outage) and
    must never see a mixture of two, nor an older one after a newer one. To send an older state would be
    the source's own breach of its contract, which the core does not judge; so a replay repeats what is
    still true: the last delta, or all of it.

    Args:
        history: The true states, oldest first; each nested mappings with str keys.
        seed: Decides about faults, where they hit, and pauses; the same seed misbehaves the same way.
        faults: What to do, dealt out evenly over the history. Unless given, the seed picks from all.
        silence: Seconds that a SILENCE lasts; 0 is some turns of the loop.
        name: In the status.
        optional: See `core.source.Source`.

    Attributes:
        played: The faults so far, with the index of the state that they followed.
    """

    def __init__(
        self,
        history: Sequence[Mapping[str, Any]],
        *,
        seed: int = 0,
        faults: Sequence[Misbehaviour] | None = None,
        silence: float = 0.0,
        name: str = "misbehaving",
        optional: bool = True,
    ) -> None:
        if not history:
            raise ValueError("expected a history of one state or more, got none")
        self.name = name
        self.layers: tuple[str, ...] = (name,)
        self.optional = optional
        self.played: list[tuple[int, Misbehaviour]] = []
        self._history = [owned(tree) for tree in history]
        self._seed = seed
        self._faults = faults
        self._silence = silence
        self._finished = False
        self._error: Rejected | None = None
        self._end = asyncio.Event()

    def __repr__(self) -> str:  # what a failing test must be repeated with; not the history, which may hold a secret
        return f"Misbehaving({len(self._history)} states, seed={self._seed}, faults={self._faults})"

    async def run(self, feed: Feed) -> None:
        rng = random.Random(self._seed)
        telling = _Telling(feed, rng, self._silence)
        try:
            for index, faults in enumerate(self._plan(rng)):
                telling.tell(self._history[index])
                for fault in faults:
                    self.played.append((index, fault))
                    await telling.misbehave(fault)
                await telling.pause()
            telling.reconnect()
            await feed.wait_revision(telling.revision)
            self._finished = True
        except Rejected as error:
            self._error = error  # for the one who waits; an end of the configuration would hide it
        finally:
            self._end.set()
        await anyio.sleep_forever()

    async def wait_finished(self) -> None:
        """Return once the last state of the history was sent and taken.

        Raises:
            Rejected: The last state is held: the history does not fit the type.
            RuntimeError: The configuration ended first.
        """
        await self._end.wait()
        if self._error is not None:
            raise self._error
        if not self._finished:
            raise RuntimeError(f"{self!r} ended before its history did")

    def _plan(self, rng: random.Random) -> list[list[Misbehaviour]]:
        count = len(self._history)
        if self._faults is None:
            return [rng.choices(list(Misbehaviour), k=rng.randint(0, _MOST_FAULTS)) for _ in range(count)]
        ends = [number * len(self._faults) // count for number in range(count + 1)]
        return [list(self._faults[start:end]) for start, end in pairwise(ends)]


class _Telling:
    """One run: what was said, and how it is said worse."""

    def __init__(self, feed: Feed, rng: random.Random, silence: float) -> None:
        self.revision = 0
        self._feed, self._rng, self._silence = feed, rng, silence
        self._tree: dict[str, Any] = {}
        self._entries: dict[str, Entry] = {}
        self._documents: set[str] = set()  # the top names that are told as one entry
        self._last: Delta | None = None
        self._away = False
        self._hurry = False

    def tell(self, tree: dict[str, Any]) -> None:
        """Make a tree the state, as one unit; while away, nobody hears it."""
        self._tree = tree
        self.revision += 1
        come, gone = self._difference()
        self._entries = {i: e for i, e in self._entries.items() if i not in gone} | come
        if not self._away:
            self._say(Patch(come, dict.fromkeys(gone, self.revision), self.revision))

    def reconnect(self) -> None:
        """End an outage: the state comes whole."""
        if self._away:
            self._away = False
            self._feed.count("reconnects")
            self._say(Replace(dict(self._entries), self.revision))
            self._feed.state(SourceState.SYNCED)

    async def pause(self) -> None:
        """Let others work for some turns, or, as often, for none: deltas that wait together are the hard case."""
        turns = 0 if self._hurry else self._rng.choice((0, 0, 0, 1, 2, 4))
        self._hurry = False
        for _ in range(turns):
            await asyncio.sleep(0)

    async def misbehave(self, fault: Misbehaviour) -> None:
        if fault is Misbehaviour.DISCONNECT:
            self.reconnect()  # from an outage before
            self._away = True
            self._feed.state(SourceState.STALE, "the connection was lost")
            return
        self.reconnect()
        await self.pause()
        if fault is Misbehaviour.BURST:
            self._hurry = True
        elif fault is Misbehaviour.SILENCE:
            await self._be_silent()
        elif fault is Misbehaviour.MALFORMED:
            await self._malformed()
        else:
            self._repeat(fault)

    def _repeat(self, fault: Misbehaviour) -> None:
        if fault is Misbehaviour.DUPLICATE and self._last is not None:
            self._feed.send(self._last)
        elif fault is Misbehaviour.RELIST:
            self._say(Replace(dict(self._entries), self.revision))
        elif fault is Misbehaviour.MOVE:
            some = [i for i in self._entries if self._rng.random() < 0.5]
            self._touch({i: self._entries[i].value for i in some})
        elif fault is Misbehaviour.RESHAPE and self._tree:
            self._documents ^= {self._rng.choice(list(self._tree))}
            self.tell(self._tree)

    async def _be_silent(self) -> None:
        if self._silence:
            await anyio.sleep(self._silence)
        for _ in range(_LONG):
            await asyncio.sleep(0)

    async def _malformed(self) -> None:
        """An entry that stood becomes unreadable and is mended, or an unreadable one appears and goes."""
        await self._feed.wait_taken()  # not before there is a first configuration: it would refuse to start
        bad = Malformed("readable content", "something else")
        entry_id = self._rng.choice([*self._entries, ""])
        if entry_id:
            good = self._entries[entry_id].value
            self._touch({entry_id: bad})
            await self.pause()
            self._touch({entry_id: good})
            return
        self.revision += 1
        stray = "(stray)"  # no id of ours: those are dotted paths of plain names or quoted
        self._say(Patch({stray: Entry(("stray",), bad, self.revision, self.revision)}, {}, self.revision))
        await self.pause()
        self.revision += 1
        self._say(Patch({}, {stray: self.revision}, self.revision))

    def _touch(self, values: Mapping[str, Any]) -> None:
        """Write entries again, in one unit."""
        self.revision += 1
        unit = self.revision
        come = {i: Entry(self._entries[i].path, value, unit, unit, place=i) for i, value in values.items()}
        self._entries = self._entries | come
        self._say(Patch(come, {}, unit))

    def _say(self, delta: Delta) -> None:
        if self._last is None:  # a source's first delta is a Replace
            delta = Replace(dict(self._entries), delta.revision)
            self._feed.send(delta)
            self._feed.state(SourceState.SYNCED)
        else:
            self._feed.send(delta)
        self._last = delta

    def _difference(self) -> tuple[dict[str, Entry], list[str]]:
        new = dict(self._documents_of())
        unit = self.revision
        come = {
            i: Entry(path, value, unit, unit, place=i)
            for i, (path, value) in new.items()
            if i not in self._entries or not same(self._entries[i].value, value)
        }
        return come, [i for i in self._entries if i not in new]

    def _documents_of(self) -> list[tuple[str, tuple[Path, Any]]]:
        """Id, path and value of every entry that the tree is told by now."""
        found = []
        for name, value in self._tree.items():
            parts = [((name,), value)] if name in self._documents else leaves(value, (name,))
            found += [(format_path(path), (path, part)) for path, part in parts]
        return found
