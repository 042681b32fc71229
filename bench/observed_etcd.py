"""An etcd source whose counters and states are known at the moment in which they change."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from typing import Any

from reactive_config import Etcd
from reactive_config._core.observed_source import ObservedSource, SourceListener
from reactive_config.status import SourceState


class SourceRecorder(SourceListener):
    """Remembers the counters and the state.

    Attributes:
        now, since: The state, and from when on by the monotonic clock.
        away: Whether it was another one than SYNCED; reset by who asks.
        changed: Set at the next change of the state, and then replaced.
        said: The last words about the state, with their time.
    """

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.now = SourceState.CONNECTING
        self.changed = asyncio.Event()
        self.since = time.monotonic()
        self.away = False
        self.said: deque[tuple[float, SourceState, str]] = deque(maxlen=20)

    def stated(self, state: SourceState, reason: str) -> None:
        self.said.append((time.monotonic(), state, reason))
        if state is not self.now:
            self.now, self.since = state, time.monotonic()
            self.changed.set()
            self.changed = asyncio.Event()
        self.away |= state is not SourceState.SYNCED

    def counted(self, counter: str, by: int) -> None:
        self.counters[counter] += by


class ObservedEtcd(ObservedSource):
    """An `Etcd` with a recorder; takes what `Etcd` takes."""

    def __init__(self, *endpoints: str, **options: Any) -> None:
        self.recorder = SourceRecorder()
        super().__init__(Etcd(*endpoints, **options), self.recorder)
