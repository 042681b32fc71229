"""A source inside the program: for tests, for defaults, for values that other code decides."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import anyio

from reactive_config.core.delta import Bare, Entry, Patch, Replace
from reactive_config.core.paths import Path, format_path
from reactive_config.core.source import Feed, Source
from reactive_config.core.status import State
from reactive_config.core.trees import ABSENT, diff, get, overlay

_MAX_DEPTH = 128
_LEAVES = (str, int, float, bool, type(None), datetime, date, time, timedelta, Bare)


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
        self.layers = (name,)
        self.optional = True
        self._tree: dict[str, Any] = _copied(tree or {}, ())
        self._revision = 1
        self._feed: Feed | None = None

    async def run(self, feed: Feed) -> None:
        if self._feed is not None:
            raise RuntimeError(f"{self.name}: expected one configuration to use this source, got two")
        self._feed = feed
        try:
            entries = dict(self._entries(self._tree, ()))
            feed.send(Replace(entries, self._revision))
            feed.state(State.SYNCED)
            await anyio.sleep_forever()
        finally:
            self._feed = None

    async def patch(self, tree: Mapping[str, Any]) -> None:
        """Merge a tree into the layer, table by table; returns once the runtime has taken it.

        Raises:
            Rejected: It is held. It stays pending until it fits or is overwritten.
        """
        await self._become(overlay(self._tree, _copied(tree, ())))

    async def replace(self, tree: Mapping[str, Any]) -> None:
        """Make a tree the whole layer; returns once the runtime has taken it.

        Raises:
            Rejected: It is held. It stays pending until it fits or is overwritten.
        """
        await self._become(_copied(tree, ()))

    async def _become(self, tree: dict[str, Any]) -> None:
        old, self._tree = self._tree, tree
        self._revision += 1
        if self._feed is None:  # not open yet: it will be part of the first delta
            return
        revision = self._revision
        gone: dict[str, Any] = {}
        come: dict[str, Entry] = {}
        for path in diff(old, tree):
            gone |= {_entry_id(at): revision for at, _ in _leaves(get(old, path), path)}
            come |= dict(self._entries(get(tree, path), path))
            # An empty table is an entry of its own, which comes and goes with the keys in it.
            if path[:-1] and get(old, path[:-1]) == {}:
                gone[_entry_id(path[:-1])] = revision
            if path[:-1] and get(tree, path[:-1]) == {}:
                come |= dict(self._entries({}, path[:-1]))
        self._feed.send(Patch(come, {i: unit for i, unit in gone.items() if i not in come}, revision))
        await self._feed.wait_revision(revision)

    def _entries(self, tree: Any, path: Path) -> Iterator[tuple[str, Entry]]:
        for at, value in _leaves(tree, path):
            yield _entry_id(at), Entry(at, value, self._revision, self._revision, place=format_path(at))


def _entry_id(path: Path) -> str:
    return format_path(path)


def _leaves(tree: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Every value that is not a table with something in it; the root itself is none."""
    if type(tree) is dict and tree:
        for name, value in tree.items():
            yield from _leaves(value, (*path, name))
    elif path and tree is not ABSENT:
        yield path, tree


def _copied(tree: Any, path: Path) -> Any:
    if len(path) > _MAX_DEPTH:
        raise ValueError(f"expected at most {_MAX_DEPTH} levels, got more at {format_path(path[:3])}...")
    if isinstance(tree, Mapping):
        for name in tree:
            if type(name) is not str:
                raise TypeError(f"{format_path(path) or '(root)'}: expected str keys, got a {type(name).__name__}")
        return {name: _copied(value, (*path, name)) for name, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [_copied(item, (*path, str(index))) for index, item in enumerate(tree)]
    if isinstance(tree, float) and not math.isfinite(tree):
        raise ValueError(f"{format_path(path)}: expected a finite number, got one that is not")
    if type(tree) in _LEAVES:  # exactly: an IntEnum or a str of somebody's own compares in its own way
        return tree
    raise TypeError(f"{format_path(path)}: expected what a file could hold, got a {type(tree).__name__}")
