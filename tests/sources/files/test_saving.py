"""Every way of saving, many times over each notifier: nothing torn, nothing lost, nothing made up.

The writers race with the reader from a thread. A save's content carries its number and a checksum of
itself at its end, in a format whose first half parses as well as its whole.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
import zlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from reactive_config._core.delta import Malformed, Patch
from reactive_config._testing.recording_feed import RecordingFeed

pytestmark = pytest.mark.slow

NOTIFIERS = ["inotify", "watchfiles", "polling"]
Following = Callable[..., AbstractAsyncContextManager[RecordingFeed]]
ASYNCIO = ("asyncio", {"use_uvloop": False})
UVLOOP = ("asyncio", {"use_uvloop": True})
SETTLE = 0.03
EMPTY = Malformed("a document", "an empty file")
BREAK = 0.045  # seconds, now and then in a stream, that also a quiet rule finds quiet

# (saves, seconds between them): waited for one by one, in a stream that leaves time to read, in one go
LONG = [(1, 0.0), (1, 0.0), (98, 0.002), (100, 0.0)]
MEDIUM = [(1, 0.0), (1, 0.0), (28, 0.002), (30, 0.0)]
SHORT = [(1, 0.0), (5, 0.0)]

FILLER = "".join(f'filler{i} = "{"x" * 500}"\n' for i in range(8))


def document(number: int) -> bytes:
    text = f"n = {number}\n{FILLER}"
    return f"{text}sum = {zlib.crc32(text.encode())}\n".encode()


def number_of(value: Any) -> int:
    """The number of a whole save; -1 for anything that was never saved so."""
    if isinstance(value, Malformed) or not isinstance(value.get("n"), int):
        return -1
    text = f"n = {value['n']}\n{FILLER}"
    return value["n"] if value.get("sum") == zlib.crc32(text.encode()) and len(value) == 10 else -1


class Writer:
    """Saves a numbered document; subclasses say how.

    Attributes:
        paths: What the source follows.
        file: The file behind the entry.
        slowest: The longest time, in seconds, that a save took.
        pause: The longest time, in seconds, between two writes of one save: what a quiet rule must outlast.
        quiet: Whether even inotify is not told when a save ends, so that quiet must do.
        unheard: Whether no notifier is told at all, so that the reconciler must do.
    """

    quiet = False
    unheard = False

    def __init__(self, home: Path) -> None:
        self.home = home
        self.directory = home / "config"
        self.directory.mkdir()
        self.file = self.directory / "app.toml"
        self.paths = [self.directory]
        self.pause = self.slowest = 0.0
        self.file.write_bytes(document(0))

    def save(self, number: int) -> None:
        raise NotImplementedError

    def write(self, path: Path, number: int, stall: float = 0.0) -> None:
        """In place, in four writes."""
        data = document(number)
        last = time.monotonic()
        with path.open("wb", buffering=0) as file:
            for start in range(0, len(data), len(data) // 3):
                file.write(data[start : start + len(data) // 3])
                if stall and start:
                    time.sleep(stall)
                self.pause, last = max(self.pause, time.monotonic() - last), time.monotonic()

    def judge(self, value: Any) -> int:
        """The number of a state; -1 for anything that was never saved so."""
        return number_of(value)

    def latest(self, feed: RecordingFeed) -> int:
        entry = feed.entries.get(str(self.file))
        return -1 if entry is None else self.judge(entry.value)


class InPlace(Writer):
    def save(self, number: int) -> None:
        self.write(self.file, number)


class Stalled(Writer):
    def save(self, number: int) -> None:
        self.write(self.file, number, stall=0.001)


class Replaced(Writer):
    def save(self, number: int) -> None:
        temporary = self.directory / ".app.toml.tmp"
        temporary.write_bytes(document(number))
        temporary.replace(self.file)


class Backup(Writer):
    def save(self, number: int) -> None:
        self.file.rename(self.directory / "app.toml~")
        self.write(self.file, number)


class Sed(Writer):
    def save(self, number: int) -> None:
        end = document(number).rsplit(b"= ", 1)[1].decode().strip()
        subprocess.run(["sed", "-i", f"s/^n = .*/n = {number}/; s/^sum = .*/sum = {end}/", self.file], check=True)


class Copy(Writer):
    def save(self, number: int) -> None:
        (self.home / "draft").write_bytes(document(number))
        subprocess.run(["cp", self.home / "draft", self.file], check=True)


class Move(Writer):
    """From another file system where there is one: then `mv` writes in place after an unlink."""

    def save(self, number: int) -> None:
        elsewhere = "/dev/shm" if number % 2 and os.access("/dev/shm", os.W_OK) else self.home
        fd, draft = tempfile.mkstemp(dir=elsewhere)
        os.close(fd)
        Path(draft).write_bytes(document(number))
        subprocess.run(["mv", "-f", draft, self.file], check=True)


class Recreate(Writer):
    def save(self, number: int) -> None:
        self.file.unlink()
        self.write(self.file, number)


class Append(Writer):
    """Each save is one more line; half of a line does not parse."""

    def save(self, number: int) -> None:
        with self.file.open("ab", buffering=0) as file:
            if number == 1:
                file.truncate(0)
            file.write(f"line{number} = ".encode())
            file.write(b'"whole"\n')

    def judge(self, value: Any) -> int:
        if super().judge(value) == 0:
            return 0
        whole = not isinstance(value, Malformed) and set(value) == {f"line{i + 1}" for i in range(len(value))}
        return len(value) if whole else -1


class FileLink(Writer):
    def __init__(self, home: Path) -> None:
        super().__init__(home)
        (home / "versions").mkdir()

    def save(self, number: int) -> None:
        target = self.home / "versions" / f"{number}.txt"
        target.write_bytes(document(number))
        link = self.directory / ".link"
        link.symlink_to(target if number % 2 else Path("..", "versions", target.name))
        link.replace(self.file)
        (self.home / "versions" / f"{number - 1}.txt").unlink(missing_ok=True)


class DirectoryLink(Writer):
    def __init__(self, home: Path) -> None:
        super().__init__(home)
        current = home / "current"
        current.symlink_to("config")
        self.paths, self.file = [current], current / "app.toml"

    def save(self, number: int) -> None:
        target = self.home / f"release-{number}"
        target.mkdir()
        (target / "app.toml").write_bytes(document(number))
        link = self.home / "next"
        link.symlink_to(target.name)
        link.replace(self.home / "current")
        shutil.rmtree(self.home / f"release-{number - 1}", ignore_errors=True)


class DataSwap(Writer):
    """As orchestrators mount: names link through `..data`, and only that link is replaced."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.file.unlink()
        self.other = self.directory / "other.toml"
        self.save(0)
        for file in (self.file, self.other):
            file.symlink_to(Path("..data", file.name))

    def save(self, number: int) -> None:
        target = self.directory / f"..set-{number}"
        target.mkdir()
        for file in (self.file, self.other):
            (target / file.name).write_bytes(document(number))
        link = self.directory / "..data_tmp"
        link.symlink_to(target.name)
        link.replace(self.directory / "..data")
        shutil.rmtree(self.directory / f"..set-{number - 1}", ignore_errors=True)


class DirectoryRenamed(Writer):
    def save(self, number: int) -> None:
        new = self.home / "new"
        new.mkdir()
        (new / "app.toml").write_bytes(document(number))
        self.directory.rename(self.home / "old")
        new.rename(self.directory)
        shutil.rmtree(self.home / "old")


class DirectoryRecreated(Writer):
    quiet = True

    def save(self, number: int) -> None:
        shutil.rmtree(self.directory)
        self.directory.mkdir()
        self.write(self.file, number)


class FifoBetween(Writer):
    """A FIFO and a directory stand in the file's place for a moment."""

    def save(self, number: int) -> None:
        self.file.unlink()
        os.mkfifo(self.file)
        self.file.unlink()
        self.file.mkdir()
        self.file.rmdir()
        self.write(self.file, number)


class OddSibling(Writer):
    def save(self, number: int) -> None:
        Path(os.fsdecode(os.fsencode(self.directory) + b"/\xff.toml")).write_bytes(document(-1))
        self.write(self.file, number)


class SingleFile(Writer):
    """One file as the layer, in a directory that others write to."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.paths = [self.file]

    def save(self, number: int) -> None:
        (self.directory / "noise.toml").write_bytes(document(number))
        self.write(self.file, number)


class HardLink(Writer):
    """Written under another name elsewhere: no notifier is told."""

    quiet = unheard = True

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        (home / "elsewhere").mkdir()
        os.link(self.file, home / "elsewhere" / "app.toml")

    def save(self, number: int) -> None:
        self.write(self.home / "elsewhere" / "app.toml", number)


STYLES: list[type[Writer]] = [
    InPlace,
    Stalled,
    Replaced,
    Backup,
    Sed,
    Copy,
    Move,
    Recreate,
    Append,
    FileLink,
    DirectoryLink,
    DataSwap,
    DirectoryRenamed,
    DirectoryRecreated,
    FifoBetween,
    OddSibling,
    SingleFile,
    HardLink,
]


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__)
@pytest.mark.parametrize(
    ("anyio_backend", "bursts"),
    [
        pytest.param(ASYNCIO, MEDIUM, id="asyncio-60"),
        pytest.param(UVLOOP, SHORT, id="uvloop-6"),
        pytest.param(ASYNCIO, LONG, id="asyncio-200", marks=pytest.mark.storm),
    ],
)
async def test_saves(
    style: type[Writer], bursts: list[tuple[int, float]], following: Following, tmp_path: Path
) -> None:
    """Every state that comes was saved so, they come in order, and the last save of each burst comes.

    One writer, and a source for each notifier that follows it.
    """
    writer = style(tmp_path)
    number = 0

    def burst(first: int, count: int, gap: float) -> None:
        for n in range(first, first + count):
            start = time.monotonic()
            writer.save(n)
            writer.slowest = max(writer.slowest, time.monotonic() - start)
            if gap:  # time to read, and now and then as much as a quiet rule needs
                time.sleep(BREAK if n % 14 == 0 else gap)

    def seen(last: int, feed: RecordingFeed) -> bool:
        return writer.latest(feed) == last

    async with contextlib.AsyncExitStack() as stack:
        feeds = {n: await stack.enter_async_context(following(*writer.paths, **options(n, style))) for n in NOTIFIERS}
        for count, gap in bursts:
            await anyio.to_thread.run_sync(burst, number + 1, count, gap)
            number += count
            for feed in feeds.values():
                await feed.wait(partial(seen, number))
    for notifier, feed in feeds.items():
        judge(writer, notifier, feed, number)


def options(notifier: str, style: type[Writer]) -> dict[str, Any]:
    """Where a notifier is at work, it is alone: a reconciler every half a minute would not save the test."""
    polled = notifier == "polling" or style.unheard or (notifier == "watchfiles" and style is OddSibling)
    return {"notifier": notifier, "settle": SETTLE, "poll_interval": 0.02 if polled else 30.0}


def judge(writer: Writer, notifier: str, feed: RecordingFeed, saves: int) -> None:
    patches = [d for d in feed.deltas if isinstance(d, Patch)]
    place = str(writer.file)
    states = [writer.judge(p.set[place].value) for p in patches if place in p.set]
    torn = [p.set[place].value for p in patches if place in p.set and writer.judge(p.set[place].value) == -1]
    title = f"{type(writer).__name__} over {notifier}"
    print(f"{title}: {saves} saves, {len(states)} seen, {len(torn)} torn")
    # A writer that the machine put aside for longer than the quiet is the stated limit: without a close half a save
    # may be seen, and right after a truncation, before its event, the file is empty for longer than a moment.
    if writer.slowest > SETTLE / 2:
        torn = [value for value in torn if value != EMPTY]
    if (notifier == "inotify" and not writer.quiet) or writer.pause < SETTLE / 2:
        assert not torn, title
    whole = [n for n in states if n >= 0]
    assert whole == sorted(set(whole)), f"{title}: an older state after a newer one, or one twice"
    gone = any(place in p.deleted for p in patches)
    assert not gone or writer.slowest > SETTLE / 2, f"{title}: away for a moment is not deleted"
    if isinstance(writer, DataSwap):
        both = {place, str(writer.other)}
        assert all(p.set.keys() == both for p in patches), f"{title}: half of a swap"
        assert all(len({(e.unit, number_of(e.value)) for e in p.set.values()}) == 1 for p in patches)
