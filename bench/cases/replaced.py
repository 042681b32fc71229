"""A stage that replaces a file, and its followers by hand: inotify, watchdog, watchfiles."""

from __future__ import annotations

import asyncio
import ctypes
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.cases.texts import Texts
from bench.cases.visible import until_visible
from bench.harness import NotHere, Params, Round, Stage


class Replaced(Stage):
    """Replaces `place["file"]`, a numbered document in `params["format"]`, by `os.replace` at the round's rate.

    Subjects say pairs of a document's number and when it was seen (nanoseconds of `time.monotonic_ns`); the figures
    are milliseconds since the call of `os.replace`, see `until_visible`.
    """

    async def open(self) -> None:
        self._texts = Texts(str(self.params["format"]), int(self.params["size"]))
        self._home = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))

    async def place(self, subject: str) -> Params:
        directory = self._home / subject.replace(" ", "-")
        directory.mkdir()
        file = directory / f"document.{self.params['format']}"
        self._replace(file, Round(0, 0), 0)
        return {"file": str(file)}

    async def drive(self, place: Params, work: Round) -> list[int]:
        begin = time.monotonic()
        moments = []
        for number in range(1, work.samples + 1):
            await asyncio.sleep(begin + number / work.rate - time.monotonic())
            moments.append(self._replace(Path(str(place["file"])), work, number))
        return moments

    def samples(self, driven: list[int], seen: list[float]) -> list[float]:
        return until_visible(driven, seen)

    def _replace(self, file: Path, work: Round, number: int) -> int:
        """Write the next document beside the file and move it there; when it was moved."""
        new = file.with_name(".new")  # hidden, so that nobody takes it for another file
        new.write_text(self._texts.text(round=work.number, number=number, of=work.samples))
        moment = time.monotonic_ns()
        new.replace(file)
        return moment


class Inotify:
    """Reads inotify on the event loop.

    What it does not do: it is deaf once the directory is replaced, or reached through another link; it does not
    know of a queue that overflowed; it takes every event for one of a whole file.

    Args:
        file: Which is replaced, never written in place.
        moved: Called after each replace that the loop has heard of.

    Raises:
        NotHere: This system has no inotify.
    """

    _MOVED_TO = 0x80
    _HEADER = 16
    """Bytes of an event before its name: watch, mask, cookie and the length of the name, 32 bits each."""

    def __init__(self, file: Path, moved: Callable[[], None]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(libc, "inotify_init1"):
            raise NotHere("this system has no inotify")
        self._fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if libc.inotify_add_watch(self._fd, os.fsencode(file.parent), self._MOVED_TO) < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")
        self._name, self._moved = os.fsencode(file.name), moved
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def _read(self) -> None:
        events = os.read(self._fd, 1 << 16)
        while events:
            end = self._HEADER + int.from_bytes(events[12:16], "little")
            if events[self._HEADER : end].rstrip(b"\0") == self._name:
                self._moved()
            events = events[end:]

    def close(self) -> None:
        """Hear no more."""
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)


def watchdog(file: Path, moved: Callable[[], None]) -> Callable[[], None]:
    """Let watchdog's thread call `moved` in the event loop, once for each replace; gives what ends it.

    Raises:
        NotHere: watchdog is not installed.
    """
    try:
        from watchdog.events import FileMovedEvent, FileSystemEventHandler
        from watchdog.observers import Observer
    except ModuleNotFoundError as missing:
        raise NotHere(f"{missing.name} is not installed") from None

    loop = asyncio.get_running_loop()

    class Handler(FileSystemEventHandler):
        def on_moved(self, event: Any) -> None:
            if isinstance(event, FileMovedEvent) and event.dest_path == str(file):
                loop.call_soon_threadsafe(moved)

    observer = Observer()
    observer.schedule(Handler(), str(file.parent))
    observer.start()

    def stop() -> None:
        observer.stop()
        observer.join()

    return stop
