"""Notifiers that fail: what they miss is found, and the notes say who is at work."""

from __future__ import annotations

import asyncio
import errno
import mmap
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from reactive_config._sources.files import poller, reader
from reactive_config._sources.files.notifiers import fallback, libc
from reactive_config._sources.files.notifiers.base import WatchPlan
from reactive_config._sources.files.notifiers.inotify import InotifyNotifier
from reactive_config._sources.files.notifiers.watchfiles import WatchfilesNotifier

ONLY_INOTIFY = pytest.mark.parametrize("notifier", ["inotify"])
ONLY_WATCHFILES = pytest.mark.parametrize("notifier", ["watchfiles"])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "config" / "app.toml"
    file.parent.mkdir()
    file.write_text("n = 0")
    return file


def is_now(file: Path, number: int) -> Callable[[Any], bool]:
    return lambda feed: str(file) in feed.entries and feed.entries[str(file)].value == {"n": number}


@ONLY_INOTIFY
async def test_a_queue_overflow_loses_nothing(follow: Callable[..., Any], file: Path) -> None:
    """More events than the kernel keeps, with a save among those that are lost."""
    events = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text()) + 100
    others = [file.with_name("x.toml"), file.with_name("y.toml")]
    async with follow(file.parent, poll_interval=30.0) as feed:
        for other in others:
            other.write_text("n = 0")
        for number in range(events):  # the loop stands still meanwhile
            os.utime(others[number % 2])  # equal neighbours would be merged
        file.write_text("n = 1")
        (file.parent / "late").mkdir()
        await feed.wait(is_now(file, 1))
        assert feed.counters["overflows"] == 1
        file.write_text("n = 2")
        await feed.wait(is_now(file, 2))


@ONLY_INOTIFY
@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOSPC], ids=errno.errorcode.get)
async def test_inotify_exhausted_means_polling_until_it_is_not(
    number: int, follow: Callable[..., Any], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No instance, or no watch left: the notes say so, and it is tried again."""
    full = True

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    original = libc.Inotify.__init__ if number == errno.EMFILE else libc.Inotify.add

    def maybe(*args: Any) -> Any:
        return refuse() if full else original(*args)

    monkeypatch.setattr(libc.Inotify, "__init__" if number == errno.EMFILE else "add", maybe)
    monkeypatch.setattr(fallback, "RETRY", 0.2)
    async with follow(file.parent, poll_interval=0.02) as feed:
        assert feed.said[0] == "notifier: polling"
        assert os.strerror(number) in feed.said[1]
        file.write_text("n = 1")
        await feed.wait(is_now(file, 1))
        full = False
        await feed.wait(lambda f: f.said == ("notifier: inotify",))
        file.write_text("n = 2")
        await feed.wait(is_now(file, 2))


@ONLY_WATCHFILES
async def test_a_name_that_is_not_utf8_ends_watchfiles(
    follow: Callable[..., Any], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Polling takes over and says so; later watchfiles is tried again."""
    monkeypatch.setattr(fallback, "RETRY", 0.2)
    async with follow(file.parent, poll_interval=0.02) as feed:
        assert feed.said == ("notifier: watchfiles",)
        odd = Path(os.fsdecode(os.fsencode(file.parent) + b"/\xff"))
        odd.write_text("")
        await feed.wait(lambda f: "notifier: polling" in f.said and any("UTF-8" in note for note in f.said))
        file.write_text("n = 1")
        await feed.wait(is_now(file, 1))
        await feed.wait(lambda f: f.said[0] == "notifier: watchfiles")
        file.write_text("n = 2")
        await feed.wait(is_now(file, 2))


@ONLY_WATCHFILES
@pytest.mark.parametrize("value", ["0", "1"])
async def test_the_environment_does_not_change_how_watchfiles_watches(
    value: str, follow: Callable[..., Any], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own polling misses saves within one second; two of them in a row are found here."""
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", value)
    async with follow(file.parent, poll_interval=30.0) as feed:
        for number in (1, 2):
            file.write_text(f"n = {number}")
            await feed.wait(is_now(file, number))


async def test_a_directory_that_was_moved_is_not_followed_any_more(follow: Callable[..., Any], file: Path) -> None:
    """Watches belong to paths here: the old directory under its new name says nothing."""
    async with follow(file.parent) as feed:
        old = file.parent.with_name("old")
        file.parent.rename(old)
        file.parent.mkdir()
        file.write_text("n = 1")
        await feed.wait(is_now(file, 1))
        (old / file.name).write_text("n = 99")
        shutil.rmtree(old)
        file.write_text("n = 2")
        await feed.wait(is_now(file, 2))
        assert all(e.value != {"n": 99} for d in feed.deltas for e in getattr(d, "set", {}).values())


async def test_what_no_notifier_tells_is_found_by_the_reconciler(follow: Callable[..., Any], file: Path) -> None:
    """Writes through memory, and under another name elsewhere."""
    (file.parent.parent / "twin").hardlink_to(file)
    async with follow(file.parent, poll_interval=0.05) as feed:
        with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 0) as memory:
            memory[4:5] = b"1"
            memory.flush()
            await feed.wait(is_now(file, 1))
        (file.parent.parent / "twin").write_text("n = 2")
        await feed.wait(is_now(file, 2))


@ONLY_INOTIFY
async def test_two_ways_to_one_directory(follow: Callable[..., Any], file: Path) -> None:
    """One watch serves both, and both layers follow."""
    link = file.parent.with_name("link")
    link.symlink_to(file.parent.name)
    async with follow(file.parent, link, poll_interval=30.0) as feed:
        file.write_text("n = 1")
        await feed.wait(is_now(file, 1))
        await feed.wait(is_now(link / file.name, 1))


@ONLY_INOTIFY
async def test_a_file_made_while_its_directory_is_being_watched(
    follow: Callable[..., Any], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the scan and before the watch, where no event tells: whoever makes a new watch looks again."""
    original = libc.Inotify.add
    late = file.with_name("late.toml")

    def add(inotify: libc.Inotify, directory: str, mask: int) -> int:
        if directory == str(file.parent) and not late.exists():
            late.write_text("n = 1")
        return original(inotify, directory, mask)

    file.unlink()  # nothing else that would call for another look
    monkeypatch.setattr(libc.Inotify, "add", add)
    async with follow(file.parent, poll_interval=30.0) as feed:
        await feed.wait(is_now(late, 1))


async def test_watchfiles_watches_a_directory_made_anew_with_the_same_inode(tmp_path: Path) -> None:
    """Nothing but the event of the directory itself tells then that its watch is dead."""
    directory = str(tmp_path / "layer")
    plan = WatchPlan()
    plan.watch_all(str(tmp_path), lambda _: True)
    plan.watch_all(directory, lambda _: True)
    (tmp_path / "layer").mkdir()
    poked = asyncio.Event()
    async with anyio.create_task_group() as group:
        notifier = WatchfilesNotifier(poked.set, lambda _: None, group)
        assert notifier.arm(plan)
        assert not notifier.arm(plan)
        (tmp_path / "layer").rmdir()
        (tmp_path / "layer").mkdir()
        async with asyncio.timeout(5):
            await poked.wait()
        assert notifier.arm(plan)
        notifier.close()


@ONLY_INOTIFY
async def test_a_writer_that_is_lost_with_its_directory_is_not_waited_for(
    follow: Callable[..., Any], file: Path
) -> None:
    """A regression: its close came on a watch that had ended, and the new file was held as long as `hold`."""
    async with follow(file.parent, poll_interval=30.0) as feed:
        events = feed.counters["events"]
        with file.open("wb", buffering=0) as out:
            out.write(b"n = 1")
            await feed.wait(lambda f: f.counters["events"] > events)
            old = file.parent.rename(file.parent.with_name("old"))
            file.parent.mkdir()
            file.write_text("n = 2")
            await feed.wait(is_now(file, 2), timeout=5)
        assert (old / file.name).read_text() == "n = 1"


@ONLY_INOTIFY
async def test_a_writer_in_a_file_that_was_replaced_is_not_waited_for(follow: Callable[..., Any], file: Path) -> None:
    """It has no name any more; what it writes says nothing of the file that has."""
    async with follow(file.parent, poll_interval=30.0) as feed:
        with file.open("ab", buffering=0) as out:
            new = file.with_name(".new")
            new.write_text("n = 1")
            new.replace(file)
            out.write(b"# into nowhere")
            await feed.wait(is_now(file, 1), timeout=5)


@ONLY_INOTIFY
async def test_watches_are_not_made_again_for_every_save(
    follow: Callable[..., Any], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where a directory on the way may have become another one."""
    added: list[str] = []
    original = libc.Inotify.add

    def add(inotify: libc.Inotify, directory: str, mask: int) -> int:
        added.append(directory)
        return original(inotify, directory, mask)

    monkeypatch.setattr(libc.Inotify, "add", add)
    async with follow(file.parent, poll_interval=30.0) as feed:
        before = len(added)
        for number in (1, 2):
            file.write_text(f"n = {number}")
            await feed.wait(is_now(file, number))
        assert len(added) == before
        shutil.rmtree(file.parent)
        file.parent.mkdir()  # with the inode of the old one, on many file systems
        file.write_text("n = 3")
        await feed.wait(is_now(file, 3))
        assert len(added) > before
        file.write_text("n = 4")
        await feed.wait(is_now(file, 4))


@ONLY_INOTIFY
async def test_scans_and_watches_are_made_anew_now_and_then(
    follow: Callable[..., Any], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watch that died without a word, in a directory that looks as before, is found so."""
    monkeypatch.setattr(poller, "_TRUST", 0.0)
    inotify: list[libc.Inotify] = []
    watches: list[int] = []
    original = libc.Inotify.add

    def add(self: libc.Inotify, directory: str, mask: int) -> int:
        inotify.append(self)
        watches.append(original(self, directory, mask))
        return watches[-1]

    monkeypatch.setattr(libc.Inotify, "add", add)
    async with follow(file.parent, poll_interval=0.05) as feed:
        rearms = feed.counters["rearms"]
        last = max(watches)
        monkeypatch.setattr(InotifyNotifier, "_take_loud", lambda *_: False)
        inotify[0].remove(last)
        await feed.wait(lambda f: f.counters["rearms"] > rearms)
        assert max(watches) > last


@ONLY_INOTIFY
@pytest.mark.slow
async def test_a_file_that_inotify_told_of_is_not_read_twice(
    follow: Callable[..., Any], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second write within one tick of the clock would be told of, too; the reconciler reads it again in its time."""
    times: list[float] = []
    original = reader.read_whole

    def read(path: str, most: int) -> Any:
        times.append(time.monotonic())
        return original(path, most)

    monkeypatch.setattr(reader, "YOUNG", 0.2)  # a slow machine reads it young, too
    async with follow(file.parent, poll_interval=1.0, settle=0.0) as feed:
        monkeypatch.setattr(reader, "read_whole", read)
        new = file.with_name(".new")
        new.write_text("n = 1")
        new.replace(file)
        await feed.wait(is_now(file, 1))
        await feed.wait(lambda f: len(times) > 1)
        assert times[1] - times[0] > 0.4


@ONLY_INOTIFY
async def test_saves_without_a_pause_do_not_keep_the_reconciler_from_its_work(
    follow: Callable[..., Any], file: Path
) -> None:
    """What no notifier tells of is found meanwhile, in a file beside the one that is saved all the time."""
    other = file.with_name("other.toml")
    other.write_text("m = 0")
    (file.parent.parent / "twin").hardlink_to(other)
    new = file.with_name(".new")
    async with follow(file.parent, poll_interval=0.1) as feed:
        (file.parent.parent / "twin").write_text("m = 1")
        number = 0
        async with asyncio.timeout(5):
            while feed.entries[str(other)].value != {"m": 1}:
                number += 1
                new.write_text(f"n = {number}")
                new.replace(file)
                await feed.wait(is_now(file, number))


@ONLY_INOTIFY
async def test_while_a_file_is_waited_for_every_look_sees_it(
    follow: Callable[..., Any], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is waited for is judged by its stat: by an old one it would look quiet when it is not."""
    other, new = file.with_name("other.toml"), file.with_name(".new")
    other.write_text("m = 0")
    alone: list[set[str]] = []
    original = poller.again_where

    def where(seen: Any, touched: set[str]) -> Any:
        alone.append(touched)
        return original(seen, touched)

    async def save(number: int) -> None:
        new.write_text(f"n = {number}")
        new.replace(file)
        await feed.wait(is_now(file, number))

    monkeypatch.setattr(poller, "again_where", where)
    async with follow(file.parent, poll_interval=30.0) as feed:
        number = 0
        async with asyncio.timeout(5):
            while not alone:  # at the start files are young, and waited for themselves
                number += 1
                await save(number)
        with other.open("ab", buffering=0) as out:
            out.write(b"# more follows")
            await save(number + 1)
            await save(number + 2)
            alone.clear()
            await save(number + 3)
            assert alone == []
