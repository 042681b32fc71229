"""An etcd source that can be listened to: counters and states at the moment in which they change."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from reactive_config import Etcd, State
from reactive_config.core.delta import Delta, Entry
from reactive_config.core.source import Feed


class ListeningFeed:
    """Passes everything on and remembers the counters and the state, at the moment in which they change.

    Attributes:
        now, since: The state, and from when on by the monotonic clock.
        away: Whether it was another one than SYNCED; reset by who asks.
        changed: Set at the next change of the state, and then replaced.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.counters: Counter[str] = Counter()
        self.now = State.CONNECTING
        self.changed = asyncio.Event()
        self.since = time.monotonic()
        self.away = False

    def send(self, delta: Delta) -> None:
        self._feed.send(delta)

    def state(self, state: State, reason: str = "", *, next_try: datetime | None = None) -> None:
        if state is not self.now:
            self.now, self.since = state, time.monotonic()
            self.changed.set()
            self.changed = asyncio.Event()
        self.away |= state is not State.SYNCED
        self._feed.state(state, reason, next_try=next_try)

    def notes(self, notes: Sequence[str]) -> None:
        self._feed.notes(notes)

    def count(self, counter: str, by: int = 1) -> None:
        self.counters[counter] += by
        self._feed.count(counter, by)

    def resolve(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return self._feed.resolve(names)

    @property
    def holds_secret(self) -> bool:
        return self._feed.holds_secret

    @property
    def accepted(self) -> Mapping[str, Entry]:
        return self._feed.accepted

    @property
    def accepted_revision(self) -> int:
        return self._feed.accepted_revision

    async def wait_revision(self, revision: int) -> None:
        await self._feed.wait_revision(revision)

    async def wait_accepted(self) -> None:
        await self._feed.wait_accepted()


class HeardEtcd(Etcd):
    """An `Etcd` whose run can be listened to."""

    heard: ListeningFeed | None = None

    async def run(self, feed: Feed) -> None:
        self.heard = ListeningFeed(feed)
        await super().run(self.heard)
