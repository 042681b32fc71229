"""From nothing to the first typed configuration, and what it then holds in memory; a new process each time.

`start` counts from the start of the process: the interpreter and every import are part of it, as they are of
every deployment. `start_opened` counts from the call, with gRPC and the package loaded: connecting, listing,
decoding, publishing. The difference is what imports cost. Both end when the typed value is there and the watch
stands (ours: `open_config` has been entered).
"""

from __future__ import annotations

import gc
import time
from pathlib import Path

from bench.cases.many_keys import ByHand, ManyKeys, open_ours
from bench.harness import Case, Params, Round, Subject


class OneStore(ManyKeys):
    """The same keys for all: nobody changes them."""

    _place: Params | None = None

    async def place(self, subject: str) -> Params:
        if self._place is None:
            self._place = await super().place("all")
        return self._place


class Started(Subject):
    """Starts in `open`.

    Attributes:
        called, ready: When the call began, and when it had returned; `time.monotonic_ns`.
    """

    called = 0
    ready = 0

    async def load(self) -> None:
        """Import what a start needs."""
        raise NotImplementedError

    async def start(self) -> int:
        """Start; how many limits there are."""
        raise NotImplementedError

    def begins(self) -> None:
        """Everything is loaded."""

    async def open(self) -> None:
        await self.load()
        self.begins()
        self.called = time.monotonic_ns()
        found = await self.start()
        self.ready = time.monotonic_ns()
        assert found == self.params["keys"], f"expected {self.params['keys']} keys, got {found}"


class Ours(Started):
    """`async with open_config(App, Etcd(...)) as config`."""

    async def load(self) -> None:
        import reactive_config._sources.etcd.session_loop  # noqa: F401 - what `Etcd` loads when it runs, gRPC with it

    async def start(self) -> int:
        self._config = await open_ours(self.params, self.stack)
        return sum(map(len, self._config.current.limits.values()))


class RawStub(Started):
    """List, decode, watch by hand; see `ByHand` for what it leaves out."""

    async def load(self) -> None:
        import aetcd.rpc  # noqa: F401

    async def start(self) -> int:
        self._state = ByHand(self.params)
        await self._state.open(self.stack)
        return sum(map(len, self._state.current.limits.values()))


class FromSpawned(Started):
    """Milliseconds from the start of the process."""

    async def measure(self, work: Round) -> list[float]:
        return [(self.ready - self.spawned) / 1e6]


class FromCall(Started):
    """Milliseconds from the call."""

    def begins(self) -> None:
        self.forget()

    async def measure(self, work: Round) -> list[float]:
        return [(self.ready - self.called) / 1e6]


class Memory(Started):
    """MiB of the process, its share of what it shares with others: all of it, interpreter and libraries included."""

    async def measure(self, work: Round) -> list[float]:
        gc.collect()
        return [_resident() / 1024]


class OursFromSpawned(Ours, FromSpawned):
    """Ours."""


class RawStubFromSpawned(RawStub, FromSpawned):
    """By hand."""


class OursFromCall(Ours, FromCall):
    """Ours."""


class RawStubFromCall(RawStub, FromCall):
    """By hand."""


class OursMemory(Ours, Memory):
    """Ours."""


class RawStubMemory(RawStub, Memory):
    """By hand."""


def _resident() -> int:
    """KiB of memory: its own, and its share of pages that others have mapped too."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


CASES = (
    Case(
        name="start",
        title="start of the process to the first typed configuration",
        unit="ms",
        subjects={"reactive_config": OursFromSpawned, "raw stub": RawStubFromSpawned},
        stage=OneStore,
        fresh=True,
    ),
    Case(
        name="start_opened",
        title="call to the first typed configuration, everything imported",
        unit="ms",
        subjects={"reactive_config": OursFromCall, "raw stub": RawStubFromCall},
        stage=OneStore,
        fresh=True,
    ),
    Case(
        name="memory",
        title="resident memory of the process",
        unit="MiB",
        subjects={"reactive_config": OursMemory, "raw stub": RawStubMemory},
        stage=OneStore,
        fresh=True,
    ),
)
