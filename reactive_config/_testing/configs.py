"""Configurations that a test changes in one line."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from reactive_config._core.runtime.config import Config, open_config
from reactive_config._core.runtime.runtime import Runtime
from reactive_config._core.source import Source
from reactive_config._testing.scripted import Scripted

T = TypeVar("T")


class ScriptedConfig(Config[T]):
    """A configuration as the program uses it, and the hand that changes it.

    Attributes:
        source: Its highest layer; for what is rarer than new content (states, errors, unreadable content).
    """

    def __init__(self, runtime: Runtime[T], source: Scripted) -> None:
        super().__init__(runtime)
        self.source = source

    async def patch(self, tree: Mapping[str, Any]) -> None:
        """Merge a tree over what is there; `current` has it when this returns.

        Raises:
            Rejected: It does not fit the type; the last good configuration stays in force.
        """
        await self.source.set(tree)

    async def replace(self, tree: Mapping[str, Any]) -> None:
        """Make a tree all that this layer says; `current` has it when this returns.

        Raises:
            Rejected: It does not fit the type; the last good configuration stays in force.
        """
        await self.source.replace(tree)

    async def delete(self, *paths: str) -> None:
        """Delete dotted paths of this layer, so that lower layers and defaults come back.

        Raises:
            LookupError: This layer says nothing there.
            Rejected: Without them it does not fit the type.
        """
        await self.source.delete(*paths)


class open_test_config(open_config[T]):  # noqa: N801 - reads and is used as a function
    """Open a configuration for a test: `async with open_test_config(App, {"log": {"root": "INFO"}}) as config: ...`

    It is the real runtime over a `Scripted` source; no file, network or environment is touched.

    Args:
        kind: The configuration's type, as for `open_config`.
        tree: What it says, over the type's defaults.
        below: Sources under it, lowest first.
        startup_timeout: Seconds to wait for the first snapshot.

    Raises:
        StartupError: On entering; the content does not fit the type, or a source below has trouble.
    """

    def __init__(
        self,
        kind: type[T],
        tree: Mapping[str, Any] | None = None,
        *,
        below: Sequence[Source] = (),
        startup_timeout: float = 30.0,
    ) -> None:
        self._scripted = Scripted(tree or {}, name="test")
        super().__init__(kind, *below, self._scripted, startup_timeout=startup_timeout)

    async def __aenter__(self) -> ScriptedConfig[T]:
        config = await super().__aenter__()
        assert isinstance(config, ScriptedConfig)
        return config

    def _make(self, runtime: Runtime[T]) -> ScriptedConfig[T]:
        return ScriptedConfig(runtime, self._scripted)


class ConfigFactory:
    """Opens configurations for one test and closes them after it; what the fixture `live_config` gives."""

    def __init__(self) -> None:
        self._opened: list[tuple[asyncio.AbstractEventLoop, asyncio.Event, asyncio.Task[None]]] = []

    async def __call__(
        self,
        kind: type[T],
        tree: Mapping[str, Any] | None = None,
        *,
        below: Sequence[Source] = (),
        startup_timeout: float = 30.0,
    ) -> ScriptedConfig[T]:
        """Open one; takes and raises what `open_test_config` does."""
        opening = open_test_config(kind, tree, below=below, startup_timeout=startup_timeout)
        config = await opening.__aenter__()
        leave = asyncio.Event()
        # The one that leaves: asked by `close`, or cancelled by a loop that ends before the fixture does.
        task = asyncio.create_task(_leave(opening, leave), name="live_config")
        self._opened.append((asyncio.get_running_loop(), leave, task))
        return config

    def close(self) -> None:
        """End all of them, the last one first. Called outside of the loop, as fixtures of pytest are.

        Raises:
            Exception: A bug ended one of them earlier.
        """
        while self._opened:
            loop, leave, task = self._opened.pop()
            if not task.done() and not loop.is_closed():
                leave.set()
                loop.run_until_complete(task)
            elif task.done() and not task.cancelled():
                task.result()


async def _leave(opening: open_test_config[Any], leave: asyncio.Event) -> None:
    try:
        await leave.wait()
    finally:
        await opening.__aexit__(None, None, None)
