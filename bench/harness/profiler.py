"""What a subject's process writes down while it is profiled: calls with their times, or who holds which memory."""

from __future__ import annotations

import cProfile
import os
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from bench.harness.wire import Profile


class Recorder(Protocol):
    """One way to write down."""

    def begin(self) -> None:
        """Write down what happens from here on, beside what was before."""

    def end(self) -> None:
        """No more."""

    def forget(self) -> None:
        """Drop what was written down so far, and go on."""

    def dump(self, file: Path) -> None:
        """Leave it in a file."""


class Calls:
    """Every call on the event loop's thread, by the clock: it also sees how long the loop waits."""

    def __init__(self) -> None:
        self._profile = cProfile.Profile()

    def begin(self) -> None:
        self._profile.enable()

    def end(self) -> None:
        self._profile.disable()

    def forget(self) -> None:
        self._profile.disable()
        self._profile.clear()
        self._profile.enable()

    def dump(self, file: Path) -> None:
        self._profile.dump_stats(file)


class Memory:
    """What lives at the end, by the line that allocated it. Python's own memory only."""

    def begin(self) -> None:
        if not tracemalloc.is_tracing():
            tracemalloc.start()

    def end(self) -> None:
        self._snapshot = tracemalloc.take_snapshot()

    def forget(self) -> None:
        tracemalloc.clear_traces()

    def dump(self, file: Path) -> None:
        self._snapshot.dump(str(file))


RECORDERS: dict[str, type[Recorder]] = {"calls": Calls, "memory": Memory}


class Profiler:
    """Writes down what of a subject is measured.

    Args:
        asked: What is wanted.
    """

    def __init__(self, asked: Profile) -> None:
        self._asked = asked
        self._recorder = RECORDERS[asked.kind]()
        self._active = False

    def forget(self) -> None:
        """What came until now is not measured."""
        if self._active:
            self._recorder.forget()

    @contextmanager
    def opening(self) -> Iterator[None]:
        """The subject is made and opened inside."""
        with self._recording(self._asked.opening):
            yield

    @contextmanager
    def round(self, number: int) -> Iterator[None]:
        """A round is measured inside."""
        with self._recording(number > self._asked.after):
            yield

    @contextmanager
    def _recording(self, wanted: bool) -> Iterator[None]:
        if not wanted:
            yield
            return
        self._active = True
        self._recorder.begin()
        try:
            yield
        finally:
            self._recorder.end()
            self._active = False

    def dump(self) -> None:
        """Leave everything in the folder that was asked for, in a file of this process."""
        self._recorder.dump(Path(self._asked.folder) / str(os.getpid()))
