"""Where one run of the source stands: what its parts share, and the only place that tells the status."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from reactive_config._core.delta import Delta
from reactive_config._core.source import Feed
from reactive_config._core.status import SourceState
from reactive_config._etcd.waiting import wait_within

MIRROR = "mirror"
"""The topic of notes about the mirror."""

logger = logging.getLogger("reactive_config")


class Stand:
    """Shared by the connection and the mirror of one run. Used from its loop only.

    Attributes:
        delivered: A first delta was sent.
        away: etcd's state is not what we can send at the moment; the mirror may speak.
        refused: The last trouble needs a person.
        on_mirror: What of the mirror is in force ("" while it is etcd's own state).
        rewound: etcd has lost history; the next copy may replace a newer one.
    """

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.delivered = False
        self.away = True
        self.refused = False
        self.on_mirror = ""
        self.rewound = False
        self._trouble = ""
        self._next_try: datetime | None = None
        self._was_synced = self._synced = False
        self._may_lack = False
        self._lag = 0
        self._notes: dict[str, tuple[str, ...]] = {}
        self._changed = asyncio.Event()

    def send(self, delta: Delta, *, on_mirror: str = "") -> None:
        """Hand over a delta; `on_mirror` says in words which copy it came from."""
        self.feed.send(delta)
        news = not self.delivered or on_mirror != self.on_mirror
        self.delivered = True
        self.on_mirror = on_mirror
        if news:  # a usual delta wakes nobody here
            self._wake()
        if on_mirror:
            self.tell()

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
        if self.on_mirror:
            trouble += f"; running on {self.on_mirror}"
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
