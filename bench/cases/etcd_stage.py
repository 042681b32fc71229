"""Stages with a real etcd on loopback."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec

from bench.cases.documents import Document, filling
from bench.harness import Params, Round, Stage
from reactive_config.testing.etcd_server import EtcdServer, etcd_server

if TYPE_CHECKING:
    from reactive_config.etcd.link import Link


class EtcdStage(Stage):
    """One etcd for the point. A subject's place has `endpoint` and `prefix`, a prefix of its own.

    Attributes:
        server: The etcd.
        link: A connection of the stage's own, open from the first round to the last.
    """

    server: EtcdServer
    link: Link

    async def open(self) -> None:
        self.server = await self.stack.enter_async_context(etcd_server())
        self.link = await self.stack.enter_async_context(self.server.connect())
        self.versions["etcd"] = self.server.binary.version

    async def place(self, subject: str) -> Params:
        return {"endpoint": self.server.endpoint, "prefix": f"/bench/{subject.replace(' ', '-')}/"}


class StampedPuts(EtcdStage):
    """Puts stamped documents of `params["size"]` bytes to the key `PREFIXdocument`, at the round's rate."""

    async def open(self) -> None:
        await super().open()
        self._services = filling(int(self.params["size"]))

    async def place(self, subject: str) -> Params:
        place = await super().place(subject)
        place["key"] = f"{place['prefix']}document"
        await self._put(str(place["key"]), Document(services=self._services))
        return place

    async def drive(self, place: Params, work: Round) -> None:
        begin = time.monotonic()
        for number in range(1, work.samples + 1):
            if work.rate:
                await asyncio.sleep(begin + number / work.rate - time.monotonic())
            stamp = time.monotonic_ns()
            document = Document(round=work.number, number=number, of=work.samples, stamp=stamp, services=self._services)
            await self._put(str(place["key"]), document)

    async def _put(self, key: str, document: Document) -> None:
        from reactive_config.etcd.transaction import write

        await write(self.link, {key: msgspec.json.encode(document).decode()})
