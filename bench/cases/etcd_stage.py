"""Stages with a real etcd on loopback."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from bench.cases.texts import Texts
from bench.cases.visible import until_visible
from bench.harness import Params, Round, Stage

if TYPE_CHECKING:
    from reactive_config._etcd.link import Link
    from reactive_config._testing.etcd_server import EtcdServer


class EtcdStage(Stage):
    """One etcd for the point. A subject's place has `endpoint` and `prefix`, a prefix of its own.

    Attributes:
        server: The etcd.
        link: A connection of the stage's own, open from the first round to the last.
    """

    server: EtcdServer
    link: Link

    async def open(self) -> None:
        # Not above: the processes of rivals import this module, and would carry us.
        from reactive_config._etcd.link import open_link
        from reactive_config._etcd.settings import Settings, parse_endpoint
        from reactive_config._testing.etcd_server import etcd_server

        self.server = await self.stack.enter_async_context(etcd_server())
        # It may rest for minutes without a call or a watch, and etcd ends a connection that pings meanwhile.
        silent = Settings(keepalive=3600.0)
        self.link = await self.stack.enter_async_context(open_link(parse_endpoint(self.server.endpoint), silent))
        self.versions["etcd"] = self.server.binary.version

    async def place(self, subject: str) -> Params:
        return {"endpoint": self.server.endpoint, "prefix": f"/bench/{subject.replace(' ', '-')}/"}


class StampedPuts(EtcdStage):
    """Puts numbered documents to the key `PREFIXdocument.FORMAT`, at the round's rate.

    Params: `size`, bytes as JSON; `format`, json unless it is there. A place has `key` beside, and `etcdctl`, the
    program's path, empty where there is none. Subjects say pairs of a document's number and when it was seen
    (nanoseconds of `time.monotonic_ns`); the figures are milliseconds since the call of put, see `until_visible`.
    """

    async def open(self) -> None:
        await super().open()
        self._format = str(self.params.get("format", "json"))
        self._texts = Texts(self._format, int(self.params["size"]))

    async def place(self, subject: str) -> Params:
        place = await super().place(subject)
        place["key"] = f"{place['prefix']}document.{self._format}"
        place["etcdctl"] = self.server.binary.ctl or ""
        await self._put(str(place["key"]), self._texts.text())
        return place

    async def drive(self, place: Params, work: Round) -> list[int]:
        begin = time.monotonic()
        moments = []
        for number in range(1, work.samples + 1):
            if work.rate:
                await asyncio.sleep(begin + number / work.rate - time.monotonic())
            text = self._texts.text(round=work.number, number=number, of=work.samples)
            moments.append(time.monotonic_ns())
            await self._put(str(place["key"]), text)
        return moments

    def samples(self, driven: Any, seen: list[float]) -> list[float]:
        return until_visible(driven, seen)

    async def _put(self, key: str, text: str) -> None:
        from reactive_config._etcd.transaction import write

        await write(self.link, {key: text})
