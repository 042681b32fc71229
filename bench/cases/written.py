"""A configuration of many keys, and a source that writes them one at a time."""

from __future__ import annotations

from typing import Annotated, Any

import anyio
import msgspec
from msgspec import Meta

from reactive_config._core.bounds import MAX_DEPTH
from reactive_config._core.delta import Entry, Patch, Replace
from reactive_config._core.paths import Path
from reactive_config._core.source import Feed, Source
from reactive_config._core.status import SourceState

WIDTH = 100
"""Entries of one table."""

Limit = Annotated[int, Meta(ge=0)]


class Tables(msgspec.Struct, frozen=True):
    """Keys in three levels: `groups.group-0.table-0.key-0`."""

    groups: dict[str, dict[str, dict[str, Limit]]] = {}


class Table(msgspec.Struct, frozen=True):
    """All keys in one table: `keys.key-0`."""

    keys: dict[str, Limit] = {}


def tables(keys: int) -> dict[str, Any]:
    """The tree of a `Tables` with as many keys, in tables of at most `WIDTH` entries."""
    groups: dict[str, Any] = {}
    for key in range(keys):
        table, place = divmod(key, WIDTH)
        group = groups.setdefault(f"group-{table // WIDTH}", {})
        group.setdefault(f"table-{table % WIDTH}", {})[f"key-{place}"] = key
    return {"groups": groups}


def wide(keys: int) -> dict[str, Any]:
    """The tree of a `Table` with as many keys."""
    return {"keys": {f"key-{key}": key for key in range(keys)}}


class Lower(Source):
    """A layer that is one document, as a file is, and stays as it is.

    Args:
        tree: Its content; nested dicts, the core's from then on.
    """

    name = "lower"
    layers = ("lower",)

    def __init__(self, tree: dict[str, Any]) -> None:
        self._tree = tree

    async def run(self, feed: Feed) -> None:
        feed.send(Replace({"lower": Entry((), self._tree, "lower", depth=MAX_DEPTH)}))
        feed.state(SourceState.SYNCED)
        await anyio.sleep_forever()


class Upper(Source):
    """A layer above it in which every key is an entry of its own, as in etcd.

    Args:
        paths: The keys; the value of each is 0 at first.

    Attributes:
        revision: Of what was said last.
    """

    name = "upper"
    layers = ("upper",)

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        self.revision = 1
        self._feed: Feed | None = None

    async def run(self, feed: Feed) -> None:
        self._feed = feed
        feed.send(Replace({"/".join(path): Entry(path, 0, 1, 1, depth=0) for path in self._paths}, 1))
        feed.state(SourceState.SYNCED)
        await anyio.sleep_forever()

    def send(self, path: Path, value: int) -> None:
        """Say one key, as one revision."""
        assert self._feed is not None
        self.revision += 1
        entry = Entry(path, value, self.revision, self.revision, depth=0)
        self._feed.send(Patch({"/".join(path): entry}, {}, self.revision))
