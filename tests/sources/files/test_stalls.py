"""Writers that stall, never close, or never pause: where each notifier waits, and where its promise ends."""

from __future__ import annotations

import os
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from reactive_config._core.delta import Bare, Malformed, Patch
from reactive_config._testing.recording_feed import RecordingFeed

pytestmark = pytest.mark.slow

ONLY_INOTIFY = pytest.mark.parametrize("notifier", ["inotify"])
WITHOUT_CLOSE = pytest.mark.parametrize("notifier", ["watchfiles", "polling"])
SETTLE = 0.05


def text_of(feed: RecordingFeed, file: Path) -> str | None:
    entry = feed.entries.get(str(file))
    return entry.value.text if entry and isinstance(entry.value, Bare) else None


def seen(feed: RecordingFeed, file: Path) -> list[Any]:
    return [d.set[str(file)].value for d in feed.deltas if isinstance(d, Patch) and str(file) in d.set]


def stalled_save(file: Path, stall: float) -> None:
    with file.open("wb", buffering=0) as out:
        out.write(b"first half, ")
        time.sleep(stall)
        out.write(b"second half")


@ONLY_INOTIFY
async def test_a_writer_that_stalls_is_waited_for(follow: Callable[..., Any], tmp_path: Path) -> None:
    """Whatever the quiet rule: who has not closed has not finished."""
    file = tmp_path / "value"
    file.write_text("old")
    async with follow(tmp_path, values=True, settle=SETTLE) as feed:
        await anyio.to_thread.run_sync(stalled_save, file, 6 * SETTLE)
        await feed.wait(lambda f: text_of(f, file) == "first half, second half")
    assert seen(feed, file) == [Bare("first half, second half")]


@WITHOUT_CLOSE
async def test_limit_a_writer_that_stalls_longer_than_the_quiet_is_seen_half_done(
    follow: Callable[..., Any], tmp_path: Path
) -> None:
    """The limit that the docstring of Files states: without a close there is only quiet to go by."""
    file = tmp_path / "value"
    file.write_text("old")
    async with follow(tmp_path, values=True, settle=SETTLE) as feed:
        await anyio.to_thread.run_sync(stalled_save, file, 10 * SETTLE)
        await feed.wait(lambda f: text_of(f, file) == "first half, second half")
    assert seen(feed, file) == [Bare("first half, "), Bare("first half, second half")]


@ONLY_INOTIFY
@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": False})])
async def test_a_writer_that_never_closes_is_waited_for_until_hold(follow: Callable[..., Any], tmp_path: Path) -> None:
    """After `hold` seconds it is taken as it is; the notes say why that took so long; the next write waits anew."""
    file = tmp_path / "value"
    file.write_text("old")
    async with follow(tmp_path, values=True, settle=SETTLE, max_wait=1.5, poll_interval=0.1) as feed:
        with file.open("ab", buffering=0) as out:
            start = time.monotonic()
            out.write(b" and open")
            await feed.wait(lambda f: any("holds it open" in note for note in f.said))
            assert seen(feed, file) == []
            await feed.wait(lambda f: text_of(f, file) == "old and open")
            assert time.monotonic() - start >= 1.5
            out.write(b", still")
            start = time.monotonic()
        await feed.wait(lambda f: text_of(f, file) == "old and open, still")
        assert time.monotonic() - start < 1.0
        await feed.wait(lambda f: not any("holds it open" in note for note in f.said))


@ONLY_INOTIFY
async def test_a_file_being_written_at_the_start_is_waited_for(follow: Callable[..., Any], tmp_path: Path) -> None:
    """The first delta has the whole file, even if its writer began before us."""
    file = tmp_path / "value"
    thread = threading.Thread(target=stalled_save, args=(file, 0.4))
    thread.start()
    await anyio.to_thread.run_sync(_until, file.exists)
    async with follow(tmp_path, values=True, settle=0.6) as feed:
        assert text_of(feed, file) == "first half, second half"
        assert len(feed.deltas) == 1
        assert [s.name for s, _ in feed.states] == ["CONNECTING", "SYNCED"]
    thread.join()


def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.001)


@ONLY_INOTIFY
@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": False})])
async def test_large_saves_in_place_are_never_torn(follow: Callable[..., Any], tmp_path: Path) -> None:
    """100 KiB, written in pieces, 400 times, where every beginning of the content is valid too."""
    file = tmp_path / "value"
    file.write_text("old")

    def save(number: int) -> None:
        body = f"{number} " + "y" * 100 * 1024
        data = f"{body} {zlib.crc32(body.encode())}".encode()
        with file.open("wb", buffering=0) as out:
            for start in range(0, len(data), 16384):
                out.write(data[start : start + 16384])

    def saves() -> None:
        for number in range(400):
            save(number)
            time.sleep(0.001 * (number % 4))

    def whole(value: Any) -> bool:
        body, _, checksum = value.text.rpartition(" ")
        return bool(body) and zlib.crc32(body.encode()) == int(checksum)

    async with follow(tmp_path, values=True) as feed:
        await anyio.to_thread.run_sync(saves)
        await feed.wait(lambda f: (text_of(f, file) or "").startswith("399 "))
    values = seen(feed, file)
    print(f"100 KiB in place: 400 saves, {len(values)} seen, {feed.counters['retries']} reads thrown away")
    assert all(whole(value) for value in values)
    numbers = [int(value.text.split(" ")[0]) for value in values]
    assert numbers == sorted(set(numbers))
    assert len(numbers) > 20


@pytest.mark.half_grid
async def test_saves_without_a_pause_do_not_keep_a_file_from_being_read(
    follow: Callable[..., Any], notifier: str, tmp_path: Path
) -> None:
    """A quiet rule alone would starve; `hold` ends its patience."""
    file = tmp_path / "value"
    file.write_text("old")
    done = threading.Event()

    def saves() -> None:
        number = 0
        while not done.wait(0.01):
            number += 1
            (tmp_path / ".new").write_text(str(number))
            (tmp_path / ".new").replace(file)

    async with follow(tmp_path, values=True, settle=0.2, max_wait=0.4) as feed, anyio.create_task_group() as group:
        group.start_soon(anyio.to_thread.run_sync, saves)
        await feed.wait(lambda f: len(seen(f, file)) >= 2)
        done.set()


async def test_a_fifo_never_blocks_and_an_empty_file_is_never_taken(follow: Callable[..., Any], tmp_path: Path) -> None:
    """What stands there for a moment is not said; what stays is."""
    file = tmp_path / "value"
    file.write_text("old")
    async with follow(tmp_path, values=True, settle=SETTLE) as feed:
        file.write_bytes(b"")
        await feed.wait(lambda f: isinstance(f.entries[str(file)].value, Malformed))
        assert feed.entries[str(file)].value == Malformed("a document", "an empty file")
        file.unlink()
        os.mkfifo(file)
        await feed.wait(lambda f: f.entries[str(file)].value == Malformed("a regular file", "a FIFO"))
        file.unlink()
        file.write_text("new")
        await feed.wait(lambda f: text_of(f, file) == "new")
    assert not any(isinstance(d, Patch) and d.deleted for d in feed.deltas)
