"""Subjects of the tests: they run in processes of their own, which import this module."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from bench.harness import NotHere, Params, Round, Stage, Subject


class Constant(Subject):
    """Says 10 for every sample."""

    figure = 10.0

    async def measure(self, work: Round) -> list[float]:
        return [self.figure] * work.samples


class Half(Constant):
    """Says 5."""

    figure = 5.0


class Asked(Subject):
    """Says what it was asked for: number, samples and rate."""

    async def measure(self, work: Round) -> list[float]:
        return [float(work.number), float(work.samples), work.rate]


class Process(Subject):
    """Says the id of its process."""

    async def measure(self, work: Round) -> list[float]:
        return [float(os.getpid())]


class Writing(Subject):
    """Appends what happens to it to the file `log`."""

    def _write(self, what: str) -> None:
        with Path(str(self.params["log"])).open("a") as log:
            log.write(f"{what} {type(self).__name__}\n")

    async def open(self) -> None:
        self._write("open")

    async def measure(self, work: Round) -> list[float]:
        self._write(f"measure {work.number}")
        return [1.0]

    async def pause(self) -> None:
        self._write("pause")

    async def resume(self) -> None:
        self._write("resume")

    async def close(self) -> None:
        self._write("close")


class WritingToo(Writing):
    """A second one."""


class Talkative(Constant):
    """Prints where the replies go."""

    async def open(self) -> None:
        print("hello")
        os.write(1, b"hello\n")


class Raising(Subject):
    """Has a bug."""

    async def measure(self, work: Round) -> list[float]:
        print("about to fail", file=sys.stderr)
        raise ZeroDivisionError("the canary")


class Dying(Subject):
    """Is killed."""

    async def measure(self, work: Round) -> list[float]:
        os.kill(os.getpid(), signal.SIGKILL)
        return [1.0]


class Hanging(Subject):
    """Never comes to an end."""

    async def measure(self, work: Round) -> list[float]:
        print("waiting for godot", file=sys.stderr, flush=True)
        await asyncio.Event().wait()
        return [1.0]


class Parent(Subject):
    """Has a child of its own, writes its id to the file `pid`, and hangs."""

    async def measure(self, work: Round) -> list[float]:
        child = await asyncio.create_subprocess_exec("sleep", "600")
        Path(str(self.params["pid"])).write_text(str(child.pid))
        await asyncio.Event().wait()
        return [1.0]


class Empty(Subject):
    """Forgets its figures."""

    async def measure(self, work: Round) -> list[float]:
        return []


class Missing(Subject):
    """Is not installed."""

    async def open(self) -> None:
        raise NotHere("no such library")

    async def measure(self, work: Round) -> list[float]:
        return [1.0]


class Listening(Subject):
    """Reads the FIFO at its place until the line `end`; says how many lines there were."""

    async def open(self) -> None:
        reader = asyncio.StreamReader()
        pipe = os.fdopen(os.open(str(self.params["fifo"]), os.O_RDWR | os.O_NONBLOCK), "rb", 0)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        self._lines = reader

    async def measure(self, work: Round) -> list[float]:
        seen = 0
        while await self._lines.readline() != b"end\n":
            seen += 1
        return [float(seen)]


class Fifos(Stage):
    """Writes `samples` lines to the FIFO of the measured subject, and adds 100 to what it saw."""

    async def place(self, subject: str) -> Params:
        fifo = Path(str(self.params["home"])) / subject
        os.mkfifo(fifo)
        return {"fifo": str(fifo)}

    async def drive(self, place: Params, work: Round) -> float:
        Path(str(place["fifo"])).write_text("line\n" * work.samples + "end\n")
        return 100.0

    def samples(self, driven: float, seen: list[float]) -> list[float]:
        return [driven + one for one in seen]


class BrokenStage(Stage):
    """Cannot make its load."""

    async def drive(self, place: Params, work: Round) -> None:
        raise ConnectionError("no server here")


class StuckStage(Stage):
    """Never finishes its load."""

    async def drive(self, place: Params, work: Round) -> None:
        await asyncio.Event().wait()


class Busy(Subject):
    """Calls `_work` twice for each sample, and `_preparation` where it is not measured."""

    async def open(self) -> None:
        self._preparation()
        self.forget()
        self._work()

    async def measure(self, work: Round) -> list[float]:
        await asyncio.sleep(0.01)
        for _ in range(2 * work.samples):
            self._work()
        return [1.0] * work.samples

    def _preparation(self) -> None:
        self.unused = bytes(1 << 20)

    def _work(self) -> None:
        sum(range(10_000))


class Hoarding(Subject):
    """Holds 3 MB."""

    async def measure(self, work: Round) -> list[float]:
        self.held = bytearray(3_000_000)
        return [3.0]
