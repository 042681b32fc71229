"""Saves that add to a file in two writes. Between them half a save is in the file, and no event may tell of it yet."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from reactive_config._core.delta import Malformed, Patch
from reactive_config._sources.files import reader
from reactive_config._sources.files.notifiers.base import WriteEvent
from reactive_config._sources.files.notifiers.inotify import InotifyNotifier
from reactive_config._testing.recording_feed import RecordingFeed

SCRIPT = Path(__file__).with_name("appending.py")
COUNT = int(os.environ.get("APPENDS", "50000"))
"""Saves of each of the four storms: some 15 s each."""

FORMATS = {"append": (".yaml", "k0: whole\n"), "patch": (".json", '{"k0":"whole"}')}
EMPTY = Malformed("a document", "an empty file")


def values_of(feed: RecordingFeed, file: Path) -> list[Any]:
    return [d.set[str(file)].value for d in feed.deltas if isinstance(d, Patch) and str(file) in d.set]


def whole(value: Any) -> bool:
    """Whether it was saved so."""
    return isinstance(value, dict) and value == {f"k{key}": "whole" for key in range(len(value))}


class Appender:
    """Stops a save where it is in the file, its open is told, and its write is not yet.

    The file has a second name in a directory that nobody watches: what is written under that name is not told.
    """

    def __init__(self, home: Path) -> None:
        (home / "config").mkdir()
        (home / "elsewhere").mkdir()
        self.file = home / "config" / "app.yaml"
        self._untold = home / "elsewhere" / "app.yaml"
        self._untold.write_text("k0: whole\n")
        self._fd = -1

    async def appear(self, feed: RecordingFeed) -> None:
        """Moved into place, a file is read at once, however young it is."""
        first = self._untold.with_name("first.yaml")
        os.link(self._untold, first)
        first.rename(self.file)
        await feed.wait(lambda f: values_of(f, self.file) == [{"k0": "whole"}])

    def save(self) -> None:
        with self.file.open("ab", buffering=0) as file:
            file.write(b"k1: whole\n")

    def begin(self) -> None:
        self._fd = os.open(self.file, os.O_WRONLY | os.O_APPEND)
        with self._untold.open("ab", buffering=0) as file:
            file.write(b"k2: who")

    def finish(self) -> None:
        os.write(self._fd, b"le\n")
        os.close(self._fd)


@pytest.fixture
def appender(tmp_path: Path) -> Appender:
    return Appender(tmp_path)


def call_once(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any], when: str) -> asyncio.Event:
    """Calls `act` in the look that follows a finished save: before the stat, or after it and before the read."""
    called = asyncio.Event()

    def once() -> None:
        if not called.is_set():
            called.set()
            act()

    ask, read = InotifyNotifier.writes, reader.read_whole

    def writes(notifier: InotifyNotifier) -> Mapping[str, WriteEvent]:
        known = ask(notifier)
        if any(not write.open for write in known.values()):
            once()
        return known

    def read_whole(path: str, most: int) -> Any:
        once()
        return read(path, most)

    if when == "before the stat":
        monkeypatch.setattr(InotifyNotifier, "writes", writes)
    else:
        monkeypatch.setattr(reader, "read_whole", read_whole)
    return called


@pytest.mark.parametrize("when", ["before the stat", "before the read"])
async def test_half_a_save_is_not_read_although_only_its_open_is_told(
    when: str, following: Callable[..., Any], appender: Appender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor at a later look. In the second case the kernel tells the writer's open and the reader's as one."""
    file = appender.file
    async with following(file.parent, notifier="inotify", settle=5.0, poll_interval=30.0) as feed:
        await appender.appear(feed)
        begun = call_once(monkeypatch, appender.begin, when)
        appender.save()
        await begun.wait()
        other = file.with_name("other.yaml")
        other.write_text("n: 1")
        await feed.wait(lambda f: str(other) in f.entries)
        assert len(values_of(feed, file)) == 1
        appender.finish()
        await feed.wait(lambda f: len(values_of(f, file)) > 1)
    assert values_of(feed, file)[1:] == [{"k0": "whole", "k1": "whole", "k2": "whole"}]


@pytest.mark.slow
@pytest.mark.half_grid
@pytest.mark.parametrize("notifier", ["watchfiles", "polling"])
async def test_a_save_that_begins_between_the_stat_and_the_read_is_not_read(
    notifier: str, following: Callable[..., Any], appender: Appender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without events the quiet rule judges the stat: what is read must be of that stat."""
    file = appender.file
    async with following(file.parent, notifier=notifier, settle=0.5, poll_interval=0.02) as feed:
        await appender.appear(feed)
        begun = call_once(monkeypatch, appender.begin, "before the read")
        appender.save()
        await begun.wait()
        await feed.wait(lambda f: f.counters["retries"] > 0)
        appender.finish()
        await feed.wait(lambda f: len(values_of(f, file)) > 1)
    assert values_of(feed, file)[1:] == [{"k0": "whole", "k1": "whole", "k2": "whole"}]


@pytest.mark.parametrize("closes", [True, False], ids=["closes", "stays"])
async def test_another_reader_delays_a_save_until_it_closes_or_for_settle(
    closes: bool, following: Callable[..., Any], appender: Appender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its open looks like a writer's. Other processes that follow the same file read it at the same moment."""
    file, opened = appender.file, []
    settle = 5.0 if closes else 0.2
    async with following(file.parent, notifier="inotify", settle=settle, poll_interval=30.0) as feed:
        await appender.appear(feed)
        begun = call_once(monkeypatch, lambda: opened.append(os.open(file, os.O_RDONLY)), "before the stat")
        start = time.monotonic()
        appender.save()
        await begun.wait()
        assert len(values_of(feed, file)) == 1
        if closes:
            os.close(opened.pop())
        await feed.wait(lambda f: len(values_of(f, file)) > 1)
        assert closes == (time.monotonic() - start < settle / 2)
    for fd in opened:
        os.close(fd)


async def test_a_file_that_is_never_left_alone_is_read_at_hold(
    following: Callable[..., Any], appender: Appender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody opens it between every stat and every read."""
    file = appender.file
    async with following(file.parent, notifier="inotify", settle=0.05, max_wait=0.4, poll_interval=30.0) as feed:
        await appender.appear(feed)
        monkeypatch.setattr(InotifyNotifier, "begin_read", lambda *_: False)
        start = time.monotonic()
        appender.save()
        await feed.wait(lambda f: len(values_of(f, file)) > 1)
        assert time.monotonic() - start > 0.3
        assert feed.counters["retries"] > 0


async def test_limit_what_is_written_after_a_rename_is_a_save_of_its_own(
    following: Callable[..., Any], tmp_path: Path
) -> None:
    """A rename says that the file is finished; that its writer has it open still is not looked for."""
    file, new = tmp_path / "app.yaml", tmp_path / ".new"
    async with following(tmp_path, notifier="inotify", settle=5.0, poll_interval=30.0) as feed:
        with new.open("wb", buffering=0) as out:
            out.write(b"k0: who")
            new.rename(file)
            await feed.wait(lambda f: len(values_of(f, file)) == 1)
            out.write(b"le")
        await feed.wait(lambda f: len(values_of(f, file)) == 2)
    assert values_of(feed, file) == [{"k0": "who"}, {"k0": "whole"}]


async def test_limit_the_first_of_two_writers_to_close_ends_both(
    following: Callable[..., Any], appender: Appender
) -> None:
    """Which of them wrote what is not told."""
    file = appender.file
    async with following(file.parent, notifier="inotify", settle=5.0, poll_interval=30.0) as feed:
        await appender.appear(feed)
        with file.open("ab", buffering=0) as second:
            with file.open("ab", buffering=0):
                second.write(b"k1: who")
            await feed.wait(lambda f: len(values_of(f, file)) == 2)
            second.write(b"le")
        await feed.wait(lambda f: len(values_of(f, file)) == 3)
    assert [whole(value) for value in values_of(feed, file)] == [True, False, True]


async def test_a_file_of_two_layers_is_read_twice_at_once(following: Callable[..., Any], appender: Appender) -> None:
    """The first read's open is our own and no reason to wait."""
    file = appender.file
    layers = (file.parent, file)
    async with following(*layers, notifier="inotify", settle=5.0, poll_interval=30.0) as feed:
        await appender.appear(feed)
        start = time.monotonic()
        appender.save()
        await feed.wait(lambda f: len(f.deltas) > 2)
        assert time.monotonic() - start < 2.5
        assert isinstance(feed.deltas[2], Patch)
        assert len(feed.deltas[2].set) == 2


@contextlib.asynccontextmanager
async def process(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    child = await asyncio.create_subprocess_exec(sys.executable, *arguments)
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": False})])
@pytest.mark.parametrize("load", [False, True], ids=["alone", "under-load"])
@pytest.mark.parametrize("style", FORMATS)
@pytest.mark.parametrize(
    "count", [pytest.param(2000, marks=pytest.mark.slow), pytest.param(COUNT, marks=pytest.mark.storm)]
)
async def test_none_is_torn(count: int, style: str, load: bool, following: Callable[..., Any], tmp_path: Path) -> None:
    """Another process saves as fast as it can, every second time with a pause of up to 0.2 ms.

    When a read and a write met between the write and its event, 18 of 200,000 were torn.
    """
    suffix, start = FORMATS[style]
    file = tmp_path / f"app{suffix}"
    file.write_text(start)
    async with contextlib.AsyncExitStack() as stack:
        feed = await stack.enter_async_context(following(file, notifier="inotify"))
        for _ in range(2 if load else 0):
            await stack.enter_async_context(process("-c", "while True: pass"))
        writer = await stack.enter_async_context(process(str(SCRIPT), str(file), str(count), style))
        assert await writer.wait() == 0
        last = (count - 1) % 50 + 1
        await feed.wait(lambda f: len(values_of(f, file)[-1]) == last)
    values = values_of(feed, file)
    torn = [value for value in values if not whole(value)]
    print(f"{style}, {count} saves: {len(values)} seen, {feed.counters['retries']} reads thrown away, {len(torn)} torn")
    assert not torn
    assert len(values) > count / 1000
