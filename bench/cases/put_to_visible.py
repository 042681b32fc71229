"""From a put to the typed snapshot that shows it, on a real etcd.

The rivals decode the same text into the same type and have it in a variable. None of them resumes, lists,
merges layers, compares, keeps the last good document or refuses a bad one.
"""

from __future__ import annotations

import asyncio
import time

import msgspec

from bench.cases.documents import Document
from bench.cases.etcd_stage import StampedPuts
from bench.cases.raw_etcd import open_channel, open_watch
from bench.cases.texts import decoder
from bench.harness import Case, NotHere, Round, Subject
from reactive_config import Config, Etcd, open_config


class Ours(Subject):
    """`async for snapshot in config`."""

    config: Config[Document]

    async def open(self) -> None:
        source = Etcd(str(self.params["endpoint"]), key=str(self.params["key"]))
        self.config = await self.stack.enter_async_context(open_config(Document, source))

    async def measure(self, work: Round) -> list[float]:
        seen: list[float] = []
        async for snapshot in self.config:
            now = time.monotonic_ns()
            if snapshot.value.round != work.number:
                continue  # the one of the round before: a stream begins with what is in force
            seen += (snapshot.value.number, now)
            if snapshot.value.last:
                break
        return seen


class Rival(Subject):
    """Decodes what comes, one text after another.

    Attributes:
        current: What is in force.
    """

    current = Document()

    async def open(self) -> None:
        self._decode = decoder(str(self.params.get("format", "json")))
        await self.connect()

    async def connect(self) -> None:
        """Begin to watch `params["key"]`."""
        raise NotImplementedError

    async def texts(self) -> list[bytes]:
        """Wait for values that have come together, oldest first."""
        raise NotImplementedError

    async def measure(self, work: Round) -> list[float]:
        seen: list[float] = []
        while not (self.current.round == work.number and self.current.last):
            for text in await self.texts():
                self.current = self._decode(text)
                seen += (self.current.number, time.monotonic_ns())
        return seen


class RawStub(Rival):
    """The least that a program can do: aetcd's stub of the Watch call."""

    async def connect(self) -> None:
        channel = await open_channel(str(self.params["endpoint"]), self.stack)
        self._call = await open_watch(channel, str(self.params["key"]))
        self.stack.callback(self._call.cancel)

    async def texts(self) -> list[bytes]:
        return [event.kv.value for event in (await self._call.read()).events]


class AetcdWatch(Rival):
    """`async for event in await client.watch(key)`: what aetcd's page shows."""

    async def connect(self) -> None:
        from aetcd import Client

        host, _, port = str(self.params["endpoint"]).rpartition(":")
        client = await self.stack.enter_async_context(Client(host, int(port)))
        self._events = aiter(await client.watch(str(self.params["key"]).encode()))

    async def texts(self) -> list[bytes]:
        return [(await anext(self._events)).kv.value]


class _Kv(msgspec.Struct):
    value: bytes  # base64 in JSON, which msgspec undoes


class _Event(msgspec.Struct):
    kv: _Kv


class _Said(msgspec.Struct):
    Events: list[_Event] = []


class Etcdctl(Rival):
    """`etcdctl watch` in a process of its own, as scripts do; it says a line of JSON for each response."""

    async def connect(self) -> None:
        if not self.params["etcdctl"]:
            raise NotHere("no etcdctl beside etcd")
        self._process = await asyncio.create_subprocess_exec(
            str(self.params["etcdctl"]),
            *("--endpoints", str(self.params["endpoint"]), "--write-out", "json"),
            *("watch", "--rev", "1", str(self.params["key"])),
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 24,
            env={"ETCDCTL_API": "3"},
        )
        self.stack.push_async_callback(self._end)
        self._said = msgspec.json.Decoder(_Said).decode
        await self.texts()  # what stands there already: now it watches, so it misses no put

    async def _end(self) -> None:
        self._process.terminate()
        await self._process.wait()

    async def texts(self) -> list[bytes]:
        assert self._process.stdout is not None
        return [event.kv.value for event in self._said(await self._process.stdout.readline()).Events]


_IN_PROCESS: dict[str, type[Subject]] = {
    "reactive_config": Ours,
    "raw stub": RawStub,
    "aetcd watch": AetcdWatch,
}

CASES = (
    Case(
        name="put_to_visible",
        title="put to visible in a typed snapshot",
        unit="ms",
        subjects={**_IN_PROCESS, "etcdctl watch": Etcdctl},
        stage=StampedPuts,
    ),
    Case(
        name="put_to_visible_text",
        title="put to visible in a typed snapshot, YAML and TOML",
        unit="ms",
        subjects=_IN_PROCESS,
        stage=StampedPuts,
    ),
)
