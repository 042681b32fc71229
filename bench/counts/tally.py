"""What one step does, in numbers that are the same on every machine."""

from __future__ import annotations

import asyncio
import gc
import selectors
import sys
import threading
import tracemalloc
from collections.abc import Awaitable, Callable
from types import BuiltinFunctionType, CodeType, FrameType
from typing import Any, Self

import anyio
import msgspec

import bench
from reactive_config import Snapshot
from reactive_config._core.runtime.inbox import Inbox

Step = Callable[[], Awaitable[None]]

_WARM = 3
"""Steps before the counted ones: caches fill, imports happen."""

_REPEATED = 5
"""Counted steps, of which the least is taken: a timer that comes in between only ever adds."""

_UNCOUNTED = (
    *(f"{package.__path__[0]}/" for package in (asyncio, anyio, bench)),
    selectors.__file__,
)  # event loops take as many turns as the system's timing has it; the bench itself is not what is guarded

_DECODES = {"convert", "decode", "loads"}
_DECODERS = ("msgspec", "orjson", "ryaml")


class Counts(msgspec.Struct, frozen=True):
    """What one step did.

    Attributes:
        instructions: Of Python's bytecode, outside of the event loop's own code; inlining, caching and adaptive
            specialisation do not change them.
        c_calls: Calls of functions written in C.
        decodes: Those of them that parse or convert.
        deltas: Sent by sources.
        generations: Published.
        kilobytes: 1000 bytes; the most that was allocated at one time beyond what there was before. This is where
            copies made in C show.
    """

    instructions: int
    c_calls: int
    decodes: int
    deltas: int
    generations: int
    kilobytes: int


_TOOL = 3
"""A number that `sys.monitoring` leaves free for others than debuggers, coverage and profilers."""


class _Tally:
    """Hooks into the interpreter while a step runs, in this thread."""

    def __init__(self) -> None:
        self.instructions = self.c_calls = self.decodes = 0
        self.entered: dict[CodeType, int] = {Inbox.send.__code__: 0, Snapshot.__init__.__code__: 0}
        self._counted: dict[CodeType, bool] = {}
        self._thread = threading.get_ident()

    def __enter__(self) -> Self:
        self._before = sys.getprofile(), sys.gettrace()  # a debugger's, or coverage's
        sys.setprofile(self._profile)
        if sys.version_info >= (3, 12):
            self._monitor()
        else:
            sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        profile, trace = self._before
        if sys.version_info >= (3, 12):
            sys.monitoring.set_events(_TOOL, 0)
            sys.monitoring.free_tool_id(_TOOL)
        sys.settrace(trace)
        sys.setprofile(profile)

    if sys.version_info >= (3, 12):
        # There a trace function misses the instructions of code that began to run before it asked for them.

        def _monitor(self) -> None:
            events = sys.monitoring.events
            sys.monitoring.use_tool_id(_TOOL, "bench counts")
            sys.monitoring.restart_events()
            sys.monitoring.register_callback(_TOOL, events.PY_START, self._start)
            sys.monitoring.register_callback(_TOOL, events.INSTRUCTION, self._run)
            sys.monitoring.set_events(_TOOL, events.PY_START | events.INSTRUCTION)

        def _start(self, code: CodeType, offset: int) -> Any:
            if code not in self.entered:
                return sys.monitoring.DISABLE
            self.entered[code] += threading.get_ident() == self._thread
            return None

        def _run(self, code: CodeType, offset: int) -> Any:
            if not self._counts(code):
                return sys.monitoring.DISABLE
            self.instructions += threading.get_ident() == self._thread
            return None

    def _counts(self, code: CodeType) -> bool:
        if code not in self._counted:
            self._counted[code] = not code.co_filename.startswith(_UNCOUNTED)
        return self._counted[code]

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        if code in self.entered:
            self.entered[code] += 1
        if not self._counts(code):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._instruction

    def _instruction(self, frame: FrameType, event: str, argument: Any) -> Any:
        self.instructions += event == "opcode"
        return self._instruction

    def _profile(self, frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call" and self._counts(frame.f_code):
            self.c_calls += 1
            self.decodes += _is_decode(function)


def _is_decode(function: BuiltinFunctionType) -> bool:
    module = function.__module__ or type(function.__self__).__module__
    return function.__name__ in _DECODES and module.startswith(_DECODERS)


async def count(step: Step) -> Counts:
    """What a step does once everything is warm; takes it several times."""
    for _ in range(_WARM):
        await step()
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()  # it would come at any time, and runs finalizers
    try:
        several = [await _tallied(step) for _ in range(_REPEATED)]
        kilobytes = min([await _allocated(step) for _ in range(_REPEATED)])
    finally:
        if collecting:
            gc.enable()
    instructions, c_calls, decodes, deltas, generations = (min(values) for values in zip(*several, strict=True))
    return Counts(instructions, c_calls, decodes, deltas, generations, kilobytes)


async def _tallied(step: Step) -> tuple[int, ...]:
    with _Tally() as tally:
        await step()
    return (tally.instructions, tally.c_calls, tally.decodes, *tally.entered.values())


async def _allocated(step: Step) -> int:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        await step()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return round((peak - before) / 1000)
