"""10,000 puts in transactions of 100, one after another: when it is done, and what it costs.

The stage's last transaction carries the round's number in the key `mark`. Every transaction waits for the
one before: a writer that does not would see etcd reorder them.
"""

from __future__ import annotations

import itertools
import time
from typing import Any

from bench.cases.many_keys import (
    TOGETHER,
    ByHand,
    ManyKeys,
    Mark,
    batches,
    limit_keys,
    limit_text,
    open_ours,
)
from bench.harness import Case, Params, Round, Subject


class Burst(ManyKeys):
    """As many puts as the round has samples, over the point's keys in turn. Says when the last was acknowledged."""

    async def drive(self, place: Params, work: Round) -> int:
        keys = itertools.islice(itertools.cycle(limit_keys(int(self.params["keys"]))), work.samples)
        transactions = list(batches(keys, TOGETHER))
        for number, some in enumerate(transactions, 1):
            texts = {key: limit_text(work.number * len(transactions) + number) for key in some}
            mark = Mark(round=work.number) if number == len(transactions) else None
            await self.write(str(place["prefix"]), texts, mark)
        return time.monotonic_ns()


class Done(Burst):
    """Milliseconds from the last acknowledgement; 0 where the subject saw it before the writer did."""

    def samples(self, driven: Any, seen: list[float]) -> list[float]:
        return [max(0.0, (seen[0] - driven) / 1e6)]


class Follows(Subject):
    """Follows the burst of a round to its end."""

    async def follow(self, number: int) -> None:
        """Return once round `number` is in force."""
        raise NotImplementedError

    async def measure(self, work: Round) -> list[float]:
        await self.follow(work.number)
        return [float(time.monotonic_ns())]


class Costs(Follows):
    """Microseconds of CPU for each put, all threads."""

    async def measure(self, work: Round) -> list[float]:
        begin = time.process_time()
        await self.follow(work.number)
        return [(time.process_time() - begin) / work.samples * 1e6]


class Ours(Follows):
    """`async for snapshot in config`."""

    async def open(self) -> None:
        self._config = await open_ours(self.params, self.stack)

    async def follow(self, number: int) -> None:
        async for snapshot in self._config:
            if snapshot.value.mark.round == number:
                return


class RawStub(Follows):
    """List, watch, decode, by hand; see `ByHand` for what it leaves out."""

    async def open(self) -> None:
        self._state = ByHand(self.params)
        await self._state.open(self.stack)

    async def follow(self, number: int) -> None:
        while self._state.current.mark.round != number:
            await self._state.follow()


class AetcdWatch(Follows):
    """`client.watch_prefix`: event after event, without a list before and without an end that it would tell of."""

    async def open(self) -> None:
        from aetcd import Client

        host, _, port = str(self.params["endpoint"]).rpartition(":")
        client = await self.stack.enter_async_context(Client(host, int(port)))
        self._state = ByHand(self.params)
        self._events = aiter(await client.watch_prefix(str(self.params["prefix"]).encode()))

    async def follow(self, number: int) -> None:
        while self._state.current.mark.round != number:
            event = await anext(self._events)
            self._state.take(event.kv.key, event.kv.value)


class OursCosts(Ours, Costs):
    """What ours costs."""


class RawStubCosts(RawStub, Costs):
    """What the raw stub costs."""


class AetcdWatchCosts(AetcdWatch, Costs):
    """What aetcd's watch costs."""


CASES = (
    Case(
        name="burst_done",
        title="burst of puts in transactions of 100: in force after the last acknowledgement",
        unit="ms",
        subjects={"reactive_config": Ours, "raw stub": RawStub, "aetcd watch": AetcdWatch},
        stage=Done,
    ),
    Case(
        name="burst_cpu",
        title="burst of puts in transactions of 100: CPU for each put",
        unit="us CPU",
        subjects={"reactive_config": OursCosts, "raw stub": RawStubCosts, "aetcd watch": AetcdWatchCosts},
        stage=Burst,
    ),
)
