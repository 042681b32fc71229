"""The process of a subject: `python -m bench.harness.child LOOP`, commands on its standard input.

Replies leave on what was its standard output; whatever the subject prints goes to standard error.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, BinaryIO

from bench.harness import wire
from bench.harness.subject import NotHere, Subject

if TYPE_CHECKING:
    from bench.harness.profiler import Profiler

Say = Callable[[wire.Reply], None]

FRAMES = 6
"""Of a subject's traceback; those further out are the harness's and the loop's."""


async def serve(lines: asyncio.StreamReader, say: Say) -> None:
    """Obey until `Close`, or until the harness is gone."""
    subject: Subject | None = None
    profiler: Profiler | None = None
    while command := await lines.readline():
        match wire.commands.decode(command):
            case wire.Open() as asked:
                profiler = _profiler(asked.profile)
                with profiler.opening() if profiler else nullcontext():
                    subject = _class(asked.subject)(asked.params, asked.spawned)
                    if profiler:
                        subject.forget = profiler.forget
                    reply = await _opened(subject)
                say(reply)
            case wire.Measure(work) if subject is not None:
                with profiler.round(work.number) if profiler else nullcontext():
                    figures = await _measure(subject.measure(work), say)
                say(wire.Measured(figures))
            case wire.Pause() if subject is not None:
                await subject.pause()
                say(wire.Done())
            case wire.Resume() if subject is not None:
                await subject.resume()
                say(wire.Done())
            case wire.Close() if subject is not None:
                if profiler:
                    profiler.dump()
                await subject.close()
                say(wire.Done())
                return
            case other:
                raise RuntimeError(f"expected an open subject, got {type(other).__name__} before it")


def _class(path: str) -> type[Subject]:
    module, _, name = path.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


async def _opened(subject: Subject) -> wire.Reply:
    try:
        await subject.open()
    except NotHere as reason:
        await subject.close()
        return wire.Absent(str(reason))
    return wire.Done()


async def _measure(measure: Coroutine[Any, Any, list[float]], say: Say) -> list[float]:
    task = asyncio.create_task(measure)
    await asyncio.sleep(0)  # its first step: until it waits
    say(wire.Began())
    return await task


def _profiler(asked: wire.Profile | None) -> Profiler | None:
    if asked is None:
        return None
    from bench.harness.profiler import Profiler  # not above: who is not profiled does not carry it

    return Profiler(asked)


async def _main(output: BinaryIO) -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), os.fdopen(0, "rb"))

    def say(reply: wire.Reply) -> None:
        output.write(wire.line(reply))
        output.flush()

    await serve(lines, say)


def main(loop: str) -> int:
    """Run on asyncio's own loop or on uvloop; 1 if the subject raised."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        if loop == "uvloop":
            import uvloop

            uvloop.run(_main(output))
        else:
            asyncio.run(_main(output))
    except Exception:  # noqa: BLE001 - of the subject: the harness shows what stands on standard error
        traceback.print_exc(limit=-FRAMES)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
