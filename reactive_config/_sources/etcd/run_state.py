"""Where one run of the source stands: what its parts share, and the only place that tells the status."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import msgspec

from reactive_config._core.delta import Delta
from reactive_config._core.runtime.operator_log import logger
from reactive_config._core.source import Feed
from reactive_config._core.status import SourceState
from reactive_config._etcd.waiting import wait_within

MIRROR = "mirror"
"""The topic of notes about the mirror."""

EMPTY = "empty"
"""The topic of the note about layers that have lost their last key."""


class Copied(msgspec.Struct, frozen=True):
    """Which copy of the mirror was sent.

    Attributes:
        path: Of its file.
        revision: Up to which nothing was held as it was written.
        edited: Whether somebody has changed it since.
        newest: The newest revision of a value in it: with what was held, newer values may have been in force.
    """

    path: Path
    revision: int
    edited: bool
    newest: int = 0

    def __str__(self) -> str:
        what, of = ("a hand edit of the mirror", ", made on ") if self.edited else ("the mirror", ", ")
        newer = f" with values up to revision {self.newest} beside what was held" if self.newest > self.revision else ""
        return f"{what} {self.path}{of}revision {self.revision}{newer}"


class RunState:
    """Shared by the connection and the mirror of one run. Used from its loop only.

    Attributes:
        delivered: A first delta was sent.
        away: etcd's state is not what we can send at the moment; the mirror may speak.
        refused: The last trouble needs a person.
        on_mirror: What was sent last is a copy of the mirror, and not etcd's own state.
        rewound: etcd has lost history; the next copy may replace a newer one.
    """

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.delivered = False
        self.away = True
        self.refused = False
        self.on_mirror = False
        self.rewound = False
        self._trouble = ""
        self._next_try: datetime | None = None
        self._was_synced = self._synced = False
        self._may_lack = False
        self._lag = 0
        self._notes: dict[str, tuple[str, ...]] = {}
        self._copied: Copied | None = None
        self._running_on: Copied | None = None
        self._held: Copied | None = None
        # What is to be said of something that was sent, once it is known whether it is in force; by topic.
        self._claims: Mapping[str, Callable[[], Coroutine[Any, Any, None]]] = {}
        self._emptied: Mapping[int, str] = {}
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Say whether what was sent is in force or held. Never returns."""
        while True:
            await self._wait(lambda: self._claims)  # a source without a mirror has none, and needs no task group
            claims = self._claims
            async with anyio.create_task_group() as group:
                for claim in claims.values():
                    group.start_soon(claim)
                await self._wait(lambda claims=claims: claims is not self._claims)  # type: ignore[misc]
                group.cancel_scope.cancel()

    def send(self, delta: Delta, *, copied: Copied | None = None) -> None:
        """Hand over a delta; `copied` says which copy of the mirror it is, and None that it is etcd's own state."""
        self.feed.send(delta)
        begins = not self.delivered
        self.delivered = True
        if copied is not None:
            self._send_copied(copied, begins)
        elif self.on_mirror:
            self._leave_mirror()
        if begins or copied is not None:
            self._wake()  # a usual delta wakes nobody here

    def _send_copied(self, copied: Copied, begins: bool) -> None:
        self.on_mirror = True
        self._copied, self._held = copied, None
        if begins:  # the program starts with all of it, or not at all
            self._running_on = copied
        self._claim(MIRROR, functools.partial(self._follow_copied, copied))
        self.tell()

    def _leave_mirror(self) -> None:
        if self._running_on is not None and self._running_on.edited:
            logger.info("etcd: the hand edit of the mirror %s gives way to etcd", self._running_on.path)
        self.on_mirror = False
        self._copied = self._running_on = self._held = None
        self._claim(MIRROR, None)

    @property
    def on_edit(self) -> bool:
        """Whether a hand edit is in force."""
        return self._running_on is not None and self._running_on.edited

    @property
    def edit_held(self) -> bool:
        """Whether a copy of the mirror was sent that is held."""
        return self._held is not None

    def withdraw(self, delta: Delta) -> None:
        """The copy that is held is gone; `delta` says once more what is in force."""
        self.feed.send(delta)
        self._copied = self._held = None
        self._claim(MIRROR, None)
        self.tell()

    async def _follow_copied(self, copied: Copied) -> None:
        in_force = await self.feed.wait_taken()
        if not in_force and self._copied is copied:
            self._held = copied
            self.tell()
            await self.feed.wait_in_force()
        if self._copied is not copied:
            return  # what was sent since is in force, and the end of this task is on its way
        self._held, self._running_on = None, copied
        self.feed.count("mirror_reads")
        if copied.edited:
            logger.warning("etcd: %s is in force", copied)
        self.tell()

    def restored(self, why: str, revision: int) -> None:
        """etcd has lost history, and its state of this revision was sent."""
        self.rewound = True
        self.feed.count("restores")
        self.warn("restored", f"etcd was {why}")
        self._claim("restored", functools.partial(self._follow_restored, why, revision))

    async def _follow_restored(self, why: str, revision: int) -> None:
        while True:
            await self._wait(lambda: not self.on_mirror)
            in_force = await self.feed.wait_taken()
            if self.on_mirror:
                continue
            what = (
                f"its state was taken anew at revision {revision}"
                if in_force
                else f"its state of revision {revision} is held where it does not fit, and the old values stay in force"
            )
            self.note("restored", f"etcd was {why}; {what}")
            if in_force:
                return
            await self.feed.wait_in_force()

    def emptied(self, layers: Mapping[int, str]) -> None:
        """These layers have lost their last key, which was deleted by itself; say so once that is accepted.

        Args:
            layers: All that are without a key: number to name.
        """
        self.note(EMPTY)
        self._claim(EMPTY, functools.partial(self._follow_emptied, layers) if layers else None)
        self._emptied = layers

    async def _follow_emptied(self, layers: Mapping[int, str]) -> None:
        await self._wait(lambda: not self.on_mirror)
        await self.feed.wait_taken()
        if any(entry.layer in layers for entry in self.feed.accepted.values()):  # a value that was there is required
            await self.feed.wait_in_force()
        if self._emptied is not layers:
            return  # one of them has a key again
        text = f"{', '.join(layers.values())}: the last key was deleted, and by itself, so this is accepted as empty"
        self.warn(EMPTY, f"{text}; a new start needs optional=True or a key with the value {{}}")

    def _claim(self, topic: str, claim: Callable[[], Coroutine[Any, Any, None]] | None) -> None:
        others = {name: other for name, other in self._claims.items() if name != topic}
        self._claims = others if claim is None else {**others, topic: claim}
        self._wake()

    def back(self) -> None:
        """etcd's own state is in force again."""
        self.away = self.refused = False
        self._trouble = ""
        self._wake()

    def synced(self) -> None:
        """The state is etcd's newest, and a watch stands."""
        if self._was_synced:
            self.feed.count("reconnects")
        self._was_synced = self._synced = True
        self.feed.gauge("lag", self._lag)  # from the first SYNCED on it is in the status, 0 or not
        self.feed.state(SourceState.SYNCED)
        self._wake()

    def logging_in(self, waiting: str) -> None:
        """A login takes long, for this reason; "" once it has succeeded. Until then nobody knows what etcd holds.

        The session goes on meanwhile. A refusal before it is told of until etcd answers otherwise.
        """
        if waiting and not self.refused:
            self._trouble, self._next_try = waiting, None
            self.tell()
        elif not waiting and self._synced:
            self.feed.state(SourceState.SYNCED)

    def lags(self, revisions: int) -> None:
        """The newest revision that etcd has told of is so many after the one taken."""
        if revisions != self._lag:
            self.feed.gauge("lag", revisions)
            self._lag = revisions

    def lost(self, trouble: str, next_try: datetime, *, refused: bool) -> None:
        """etcd cannot be followed, until `next_try` at least."""
        self.away, self._synced = True, False
        self.refused = refused
        self._trouble, self._next_try = trouble, next_try
        self._wake()

    def let_start(self) -> None:
        """Nothing was delivered in time, and nothing has to be: let the program start without."""
        if not self.delivered:
            self._may_lack = True
            self.tell()

    def tell(self) -> None:
        """Say in the status what keeps etcd away."""
        trouble = self._trouble or "etcd has not answered yet"
        if not self.delivered:  # what could have started the program comes first
            trouble = "; ".join([*self._notes.get(MIRROR, ()), trouble])
        if self._held is not None:
            trouble += f"; {self._held}, does not fit and is held"
        if self._running_on is not None:
            trouble += f"; running on {self._running_on}"
        state = (
            SourceState.FAILED
            if self.refused
            else SourceState.STALE
            if self.delivered or self._may_lack
            else SourceState.CONNECTING
        )
        self.feed.state(state, trouble, next_try=self._next_try)

    def note(self, topic: str, *texts: str) -> None:
        """Replace the notes of one topic."""
        if self._notes.get(topic, ()) != texts:
            self._notes[topic] = texts
            self.feed.notes([text for group in self._notes.values() for text in group])

    def warn(self, topic: str, text: str) -> None:
        """Replace the notes of one topic by a text that a person should act on: it is logged, too, if it is new.

        An empty text says that there is nothing to act on any more.
        """
        if text and self._notes.get(topic) != (text,):
            logger.warning("etcd: %s", text)
        self.note(topic, *([text] if text else []))

    async def wait(self, condition: Callable[[], object], timeout: float | None = None) -> None:
        """Return once the condition holds, or after `timeout` seconds."""
        await wait_within(timeout, self._wait(condition))

    async def _wait(self, condition: Callable[[], object]) -> None:
        while not condition():
            await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
