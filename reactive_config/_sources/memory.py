"""A source inside the program: for tests, for defaults, for values that other code decides."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from reactive_config._core.delta import Entry, Patch, Replace
from reactive_config._core.input_trees import entries_of, owned
from reactive_config._core.runtime.home import Home
from reactive_config._core.source import Feed, Source
from reactive_config._core.status import SourceState
from reactive_config._core.trees import difference, get, overlay, paths_of


class Memory(Source):
    """A layer that the program itself writes.

    Every call is one unit: it is accepted or held as a whole. Revisions count the calls, from 1.

    Args:
        tree: Nested mappings with str keys. Copied; later changes to it have no effect.
        name: In the status.

    Raises:
        TypeError: A key is not a str, or a value is not one that a configuration file could hold.
        ValueError: A float is not finite, or the tree is nested deeper than 128.
    """

    def __init__(self, tree: Mapping[str, Any] | None = None, *, name: str = "memory") -> None:
        self.name = name
        self.layers: tuple[str, ...] = (name,)
        self.optional = True
        self._tree: dict[str, Any] = owned(tree or {})
        self._revision = 1
        self._feed: Feed | None = None
        self._home: Home | None = None

    async def run(self, feed: Feed) -> None:
        if self._feed is not None:
            raise RuntimeError(f"{self.name}: expected one configuration to use this source, got two")
        self._feed, self._home = feed, Home(asyncio.get_running_loop())
        try:
            feed.send(Replace(entries_of(self._tree, self._revision), self._revision))
            feed.state(SourceState.SYNCED)
            await asyncio.Event().wait()
        finally:
            self._feed = self._home = None

    async def patch(self, tree: Mapping[str, Any]) -> None:
        """Merge a tree into the layer, table by table; returns once the runtime has taken it.

        Raises:
            Rejected: It is held. It stays pending until it fits or is overwritten.
            WrongProcess: Called in another thread, event loop or process than the configuration's; nothing is changed.
        """
        self._check_home()
        await self._become(overlay(self._tree, owned(tree)))

    async def replace(self, tree: Mapping[str, Any]) -> None:
        """Make a tree the whole layer; returns once the runtime has taken it.

        Raises:
            Rejected: It is held. It stays pending until it fits or is overwritten.
            WrongProcess: Called in another thread, event loop or process than the configuration's; nothing is changed.
        """
        self._check_home()
        await self._become(owned(tree))

    def _check_home(self) -> None:
        if self._home is not None:
            self._home.check()

    async def _become(self, tree: dict[str, Any]) -> None:
        old, self._tree = self._tree, tree
        self._revision += 1
        if self._feed is None:  # not open yet: it will be part of the first delta
            return
        revision = self._revision
        gone: dict[str, Entry] = {}
        come: dict[str, Entry] = {}
        for path in paths_of(difference(old, tree)):
            gone |= entries_of(get(old, path), revision, path)
            come |= entries_of(get(tree, path), revision, path)
            # An empty table is an entry of its own, which comes and goes with the keys in it.
            table = path[:-1]
            if table and get(old, table) == {}:
                gone |= entries_of({}, revision, table)
            if table and get(tree, table) == {}:
                come |= entries_of({}, revision, table)
        self._feed.send(Patch(come, dict.fromkeys(gone.keys() - come.keys(), revision), revision))
        await self._feed.wait_revision(revision)
