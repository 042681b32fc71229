"""A configuration of many keys in etcd, a small document in each; ours, and the same by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import msgspec

from bench.cases.etcd_stage import EtcdStage
from bench.cases.raw_etcd import list_range, open_channel, open_watch, prefix_end
from bench.harness import Params

if TYPE_CHECKING:
    from reactive_config import Config

WIDTH = 100
"""Entries of one table."""

TOGETHER = 100
"""Puts in one transaction; etcd's own limit is 128."""


class Limit(msgspec.Struct, frozen=True):
    """The document of one key, `limits/tenant-12/route-34`."""

    rate: float
    burst: int


class Mark(msgspec.Struct, frozen=True):
    """The document of the key `mark`, which a writer writes last; see `documents.Document`."""

    round: int = 0
    number: int = 0
    of: int = 0


class App(msgspec.Struct, frozen=True):
    """The whole configuration."""

    mark: Mark = Mark()
    limits: dict[str, dict[str, Limit]] = {}


def limit_keys(count: int) -> list[str]:
    """The keys of as many limits, in tables of `WIDTH`, without the prefix."""
    return [f"limits/tenant-{number // WIDTH}/route-{number % WIDTH}" for number in range(count)]


def limit_text(burst: int) -> str:
    """The document of a limit."""
    return f'{{"rate":2.5,"burst":{burst}}}'


class ManyKeys(EtcdStage):
    """`params["keys"]` limits at every place."""

    async def place(self, subject: str) -> Params:
        place = await super().place(subject)
        prefix = str(place["prefix"])
        await self.write(prefix, {"mark": _mark(Mark())})
        texts = {key: limit_text(number) for number, key in enumerate(limit_keys(int(self.params["keys"])))}
        await asyncio.gather(*(self.write(prefix, dict(some)) for some in batches(texts.items(), TOGETHER)))
        return place

    async def write(self, prefix: str, texts: dict[str, str], mark: Mark | None = None) -> None:
        """Put keys in one transaction, and the mark with them."""
        from reactive_config._etcd.transaction import write

        if mark is not None:
            texts = {**texts, "mark": _mark(mark)}
        await write(self.link, {prefix + key: text for key, text in texts.items()})


def batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Lists of `size` items, the last one shorter."""
    everything = list(items)
    return (everything[at : at + size] for at in range(0, len(everything), size))


async def open_ours(params: Params, stack: AsyncExitStack) -> Config[App]:
    """Ours, synced. Loads reactive_config."""
    from reactive_config import Etcd, open_config

    source = Etcd(str(params["endpoint"]), prefix=str(params["prefix"]))
    return await stack.enter_async_context(open_config(App, source))


class ByHand:
    """The keys below a prefix as an `App`: listed in one call, then watched from there.

    What it does not do: it neither comes back after an end of the stream nor notices a silent one; a bad document
    ends it; who keeps a table sees it change, also in the middle of an update; nobody is told what changed.

    Attributes:
        current: What is in force.
        revision: Up to which.
    """

    def __init__(self, params: Params) -> None:
        self.current = App()
        self.revision = 0
        self._endpoint = str(params["endpoint"])
        self._prefix = str(params["prefix"])
        self._mark = msgspec.json.Decoder(Mark).decode
        self._limit = msgspec.json.Decoder(Limit).decode

    async def open(self, stack: AsyncExitStack) -> None:
        """Connect, list and watch. Loads aetcd."""
        from aetcd.rpc import Event

        self._delete = Event.DELETE
        end = prefix_end(self._prefix)
        channel = await open_channel(self._endpoint, stack)
        listing = await list_range(channel, self._prefix, end)
        for kv in listing.kvs:
            self.take(kv.key, kv.value)
        self.revision = listing.header.revision
        await self.watch(channel, stack)

    async def watch(self, channel: Any, stack: AsyncExitStack) -> None:
        """Watch, from the first revision that is not in force."""
        end = prefix_end(self._prefix)
        self._call = await open_watch(channel, self._prefix, end=end, start=self.revision + 1)
        stack.callback(self._call.cancel)

    async def follow(self) -> None:
        """Wait for one response and take it.

        Raises:
            ConnectionError: The stream has ended.
        """
        response = await self._call.read()
        if not hasattr(response, "events") or response.canceled:  # the end of a call is no message
            raise ConnectionError("the watch has ended")
        for event in response.events:
            if event.type == self._delete:
                self.drop(event.kv.key)
            else:
                self.take(event.kv.key, event.kv.value)
        self.revision = response.header.revision

    def take(self, key: bytes, value: bytes) -> None:
        """Put one key into force; a value that does not fit raises."""
        path = key.decode()[len(self._prefix) :]
        if path == "mark":
            self.current = App(self._mark(value), self.current.limits)
        else:
            _, tenant, route = path.split("/")
            self.current.limits.setdefault(tenant, {})[route] = self._limit(value)

    def drop(self, key: bytes) -> None:
        """Take one key out of force."""
        path = key.decode()[len(self._prefix) :]
        if path == "mark":
            self.current = App(limits=self.current.limits)
        else:
            _, tenant, route = path.split("/")
            self.current.limits.get(tenant, {}).pop(route, None)


def _mark(mark: Mark) -> str:
    return msgspec.json.encode(mark).decode()
