"""From a put to the typed snapshot that shows it, on a real etcd."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from bench.cases.documents import Document, milliseconds_since
from bench.cases.etcd_stage import StampedPuts
from bench.harness import Case, Round, Subject
from reactive_config import Config, Etcd, open_config


class Ours(Subject):
    """`async for snapshot in config`."""

    config: Config[Document]

    async def open(self) -> None:
        source = Etcd(str(self.params["endpoint"]), key=str(self.params["key"]))
        self.config = await self.stack.enter_async_context(open_config(Document, source))

    async def measure(self, work: Round) -> list[float]:
        samples: list[float] = []
        async for snapshot in self.config:
            now = time.monotonic_ns()
            if snapshot.value.round != work.number:
                continue  # the one of the round before: a stream begins with what is in force
            samples.append(milliseconds_since(snapshot.value.stamp, now))
            if snapshot.value.last:
                break
        return samples


class RawStub(Subject):
    """The least that a program can do: aetcd's stub of the Watch call, and msgspec on what comes."""

    async def open(self) -> None:
        from aetcd.rpc import WatchCreateRequest, WatchRequest, WatchStub, insecure_channel

        options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
        channel = await self.stack.enter_async_context(insecure_channel(str(self.params["endpoint"]), options=options))
        self._call: Any = WatchStub(channel).Watch()
        self.stack.callback(self._call.cancel)
        key = str(self.params["key"]).encode()
        await self._call.write(WatchRequest(create_request=WatchCreateRequest(key=key)))
        assert (await self._call.read()).created
        self._decode = msgspec.json.Decoder(Document).decode

    async def measure(self, work: Round) -> list[float]:
        samples: list[float] = []
        while True:
            response = await self._call.read()
            for event in response.events:
                document = self._decode(event.kv.value)
                samples.append(milliseconds_since(document.stamp, time.monotonic_ns()))
                if document.last:
                    return samples


CASES = (
    Case(
        name="put_to_visible",
        title="put to visible in a typed snapshot",
        unit="ms",
        subjects={"reactive_config": Ours, "raw stub": RawStub},
        stage=StampedPuts,
    ),
)
