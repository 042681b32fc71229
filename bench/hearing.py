"""An etcd source that can be listened to: counters and states at the moment in which they change."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from datetime import datetime

from reactive_config import Etcd
from reactive_config._core.source import Feed, ForwardingFeed
from reactive_config.status import SourceState


class ListeningFeed(ForwardingFeed):
    """Remembers the counters and the state, at the moment in which they change.

    Attributes:
        now, since: The state, and from when on by the monotonic clock.
        away: Whether it was another one than SYNCED; reset by who asks.
        changed: Set at the next change of the state, and then replaced.
        said: The last words about the state, with their time.
    """

    def __init__(self, feed: Feed) -> None:
        super().__init__(feed)
        self.counters: Counter[str] = Counter()
        self.now = SourceState.CONNECTING
        self.changed = asyncio.Event()
        self.since = time.monotonic()
        self.away = False
        self.said: deque[tuple[float, SourceState, str]] = deque(maxlen=20)

    def state(self, state: SourceState, reason: str = "", *, next_try: datetime | None = None) -> None:
        self.said.append((time.monotonic(), state, reason))
        if state is not self.now:
            self.now, self.since = state, time.monotonic()
            self.changed.set()
            self.changed = asyncio.Event()
        self.away |= state is not SourceState.SYNCED
        super().state(state, reason, next_try=next_try)

    def count(self, counter: str, by: int = 1) -> None:
        self.counters[counter] += by
        super().count(counter, by)


class HeardEtcd(Etcd):
    """An `Etcd` whose run can be listened to."""

    heard: ListeningFeed | None = None

    async def run(self, feed: Feed) -> None:
        self.heard = ListeningFeed(feed)
        await super().run(self.heard)
