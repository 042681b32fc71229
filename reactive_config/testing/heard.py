"""A source that can be listened to: waiting for an outcome without polling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from reactive_config.core.delta import Delta, Replace
from reactive_config.core.source import Feed, Source
from reactive_config.errors import Rejected


class Heard(Source):
    """Another source, unchanged, and a way to wait until what it says has an outcome.

    Args:
        source: The one to run.
    """

    def __init__(self, source: Source) -> None:
        self.name, self.layers, self.optional = source.name, source.layers, source.optional
        self._source = source
        self._feed: Feed | None = None
        self._said = asyncio.Event()

    async def run(self, feed: Feed) -> None:
        self._feed = feed
        await self._source.run(cast(Feed, _Tap(feed, self._said.set)))

    async def last_good(self) -> Replace | None:
        return await self._source.last_good()

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


class _Tap:
    """The feed, heard."""

    def __init__(self, feed: Feed, said: Callable[[], None]) -> None:
        self._feed, self._heard = feed, said

    def send(self, delta: Delta) -> None:
        self._feed.send(delta)
        self._heard()

    def state(self, *args: Any, **options: Any) -> None:
        self._feed.state(*args, **options)
        self._heard()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._feed, name)
