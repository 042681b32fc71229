"""Waiting for the outcome of what a source says, without polling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from reactive_config._core.delta import Delta
from reactive_config._core.observed_source import ObservedSource, SourceListener
from reactive_config._core.source import Source
from reactive_config._core.status import SourceState


class AwaitedSource(ObservedSource):
    """Another source, unchanged, and a way to wait until what it says has an outcome.

    Args:
        source: The one to run.
    """

    def __init__(self, source: Source) -> None:
        self._words = _Words()
        super().__init__(source, self._words)

    async def wait(self, condition: Callable[[], object], timeout: float) -> None:
        """Return once a condition on the configuration holds; looked at after everything the source says.

        Raises:
            TimeoutError: It did not hold within `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while True:
                self._words.came.clear()
                await self.wait_taken()
                if condition():
                    return
                await self._words.came.wait()


class _Words(SourceListener):
    def __init__(self) -> None:
        self.came = asyncio.Event()

    def sent(self, delta: Delta) -> None:
        self.came.set()

    def stated(self, state: SourceState, reason: str) -> None:
        self.came.set()
