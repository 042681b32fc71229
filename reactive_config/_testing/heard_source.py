"""A source that can be listened to: waiting for an outcome without polling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from reactive_config._core.delta import Delta
from reactive_config._core.source import Feed, ForwardingFeed, ForwardingSource, Source
from reactive_config._core.status import SourceState
from reactive_config.errors import Rejected


class Heard(ForwardingSource):
    """Another source, unchanged, and a way to wait until what it says has an outcome.

    Args:
        source: The one to run.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._feed: Feed | None = None
        self._said = asyncio.Event()

    async def run(self, feed: Feed) -> None:
        self._feed = feed
        await super().run(_Tap(feed, self._said.set))

    async def wait(self, condition: Callable[[], object], timeout: float) -> None:
        """Return once a condition on the configuration holds; looked at after everything the source says.

        Raises:
            TimeoutError: It did not hold within `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while True:
                self._said.clear()
                await self._taken()
                if condition():
                    return
                await self._said.wait()

    async def _taken(self) -> None:
        assert self._feed is not None, "wait() comes after open_config"
        try:
            await self._feed.wait_revision(0)  # any will do: the answer comes after what was said is taken
        except Rejected:
            pass


class _Tap(ForwardingFeed):
    """The feed, heard."""

    def __init__(self, feed: Feed, said: Callable[[], None]) -> None:
        super().__init__(feed)
        self._heard = said

    def send(self, delta: Delta) -> None:
        super().send(delta)
        self._heard()

    def state(self, state: SourceState, reason: str = "", *, next_try: datetime | None = None) -> None:
        super().state(state, reason, next_try=next_try)
        self._heard()
