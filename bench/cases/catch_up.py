"""Cut off while others write, then back: how long until everything that was missed is in force.

Subjects reach etcd through a TCP proxy that resets their connection, refuses new ones while the changes are
written, and then listens again: the figure runs from there, so how soon a subject tries again is part of it.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import AsyncExitStack
from typing import Any

from bench.cases.many_keys import ByHand, ManyKeys, Mark, batches, limit_keys, limit_text, open_ours
from bench.cases.raw_etcd import open_channel
from bench.harness import Case, Params, Round, Subject
from reactive_config._testing.tcp_proxy import TcpProxy, tcp_proxy

TOGETHER = 10
"""Puts in one transaction: so many changes a revision."""

RETRY = 0.1
"""Seconds between the attempts of the one by hand; our own first pause is as long."""


class Away(ManyKeys):
    """Cuts the measured subject off, makes `params["missed"]` changes, lets it back. Says when that was."""

    _proxies: dict[str, TcpProxy]

    async def open(self) -> None:
        await super().open()
        self._proxies = {}

    async def place(self, subject: str) -> Params:
        place = await super().place(subject)
        proxy = await self.stack.enter_async_context(tcp_proxy(self.server.endpoint))
        self._proxies[str(place["prefix"])] = proxy
        return {**place, "endpoint": proxy.endpoint}

    async def drive(self, place: Params, work: Round) -> int:
        prefix = str(place["prefix"])
        proxy = self._proxies[prefix]
        proxy.refuse()
        missed = int(self.params["missed"])
        keys = itertools.islice(itertools.cycle(limit_keys(int(self.params["keys"]))), missed)
        for number, some in enumerate(batches(keys, TOGETHER)):
            await self.write(prefix, {key: limit_text(work.number * missed + number) for key in some})
        await self.write(prefix, {}, Mark(round=work.number))
        await proxy.listen()
        return time.monotonic_ns()

    def samples(self, driven: Any, seen: list[float]) -> list[float]:
        return [(seen[0] - driven) / 1e6]


class Ours(Subject):
    """Comes back by itself: looks whether etcd is still the same one, then resumes at its revision."""

    async def open(self) -> None:
        self._config = await open_ours(self.params, self.stack)

    async def measure(self, work: Round) -> list[float]:
        async for snapshot in self._config:
            if snapshot.value.mark.round == work.number:
                break
        return [float(time.monotonic_ns())]


class RawStub(Subject):
    """A new channel and a watch from the next revision, tried again until it works.

    It does not ask whether etcd has been restored, does not list where its revision is compacted, and does not
    back off.
    """

    async def open(self) -> None:
        self._state = ByHand(self.params)
        self._connection = await self.stack.enter_async_context(AsyncExitStack())
        await self._state.open(self._connection)

    async def measure(self, work: Round) -> list[float]:
        from aetcd.rpc import AioRpcError

        while self._state.current.mark.round != work.number:
            try:
                await self._state.follow()
            except (AioRpcError, ConnectionError):
                await self._again()
        return [float(time.monotonic_ns())]

    async def _again(self) -> None:
        from aetcd.rpc import AioRpcError

        while True:
            await self._connection.aclose()
            try:
                channel = await open_channel(str(self.params["endpoint"]), self._connection)
                return await self._state.watch(channel, self._connection)
            except (AioRpcError, ConnectionError):
                await asyncio.sleep(RETRY)


CASES = (
    Case(
        name="catch_up",
        title="back after an outage: everything missed is in force",
        unit="ms",
        subjects={"reactive_config": Ours, "raw stub": RawStub},
        stage=Away,
    ),
)
