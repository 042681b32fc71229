"""The harness's end of a subject: its process, commands with a deadline, clear errors."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from bench.harness import wire
from bench.harness.subject import NotHere, Params, Round, Subject

ROOT = Path(__file__).parents[2]

SET_UP = 60.0
"""Seconds for opening, pausing, resuming or closing a subject."""

TAIL = 25
"""Lines of a failed subject's standard error in the message."""


class SubjectFailed(Exception):
    """A subject's process ended, or did not answer in time; the message has the end of its standard error."""


class SubjectProcess:
    """One subject. An async context manager: the process ends with it, whatever happens.

    Args:
        label: As in the case.
        kind: The subject's class.
        params: For it; `loop` says on which loop it runs.
        profile: What it is to write down of itself, if anything.
    """

    def __init__(self, label: str, kind: type[Subject], params: Params, profile: wire.Profile | None = None) -> None:
        self._profile = profile
        self.label = label
        self._kind = kind
        self._params = params
        self._process: asyncio.subprocess.Process | None = None
        self._errors: IO[bytes] | None = None

    async def __aenter__(self) -> Self:
        loop = str(self._params.get("loop", "asyncio"))
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __aexit__
        self._spawned = time.monotonic_ns()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bench.harness.child", loop),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._errors,
            cwd=ROOT,
            limit=1 << 26,  # bytes of one line: a round of a million figures
            start_new_session=True,  # a group of its own, to be ended as one
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._errors is not None
        try:
            os.killpg(self._process.pid, signal.SIGKILL)  # also what the subject started and did not end
        except ProcessLookupError:
            pass  # it ended in order
        await self._process.wait()
        self._errors.close()

    async def open(self) -> None:
        """Make the subject and open it.

        Raises:
            NotHere: It cannot take part.
            SubjectFailed: It raised, died or took too long. So does everything below.
        """
        path = f"{self._kind.__module__}:{self._kind.__qualname__}"
        reply = await self._ask(wire.Open(path, self._params, self._spawned, self._profile), SET_UP)
        if isinstance(reply, wire.Absent):
            raise NotHere(reply.reason)

    async def pause(self) -> None:
        """Let it rest."""
        await self._ask(wire.Pause(), SET_UP)

    async def resume(self) -> None:
        """Make it ready."""
        await self._ask(wire.Resume(), SET_UP)

    async def close(self) -> None:
        """Close it in order."""
        await self._ask(wire.Close(), SET_UP)

    async def begin(self, work: Round, deadline: float) -> None:
        """Begin a round; returns once the subject listens."""
        await self._ask(wire.Measure(work), deadline)

    async def end(self, deadline: float) -> list[float]:
        """The figures of the round that was begun.

        Raises:
            SubjectFailed: There is none.
        """
        reply = await self._reply(deadline)
        if not isinstance(reply, wire.Measured) or not reply.samples:
            raise SubjectFailed(f"{self.label}: expected one figure or more of a round, got none")
        return reply.samples

    async def _ask(self, command: wire.Command, deadline: float) -> wire.Replies:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.write(wire.line(command))
        return await self._reply(deadline)

    async def _reply(self, deadline: float) -> wire.Replies:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        try:
            async with asyncio.timeout(deadline):
                answer = await process.stdout.readline()
        except TimeoutError:
            raise SubjectFailed(f"{self.label}: expected an answer in {deadline:g} s, got none{self._tail()}") from None
        if not answer:
            code = await process.wait()
            raise SubjectFailed(f"{self.label}: expected an answer, got the end of its process ({code}){self._tail()}")
        return wire.replies.decode(answer)

    def _tail(self) -> str:
        assert self._errors is not None
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").splitlines()[-TAIL:]
        return "".join(f"\n    {line}" for line in lines)
