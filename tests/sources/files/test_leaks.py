"""Nothing is left behind: no descriptor, no thread, no watch, and soon."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
import time
from pathlib import Path

import pytest

from reactive_config._sources.files import Files
from reactive_config._testing.recording_feed import RecordingFeed


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def native_threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


async def follow_for_a_while(directory: Path, notifier: str) -> float:
    """Start, see a change in a long document, lose the directory, end. Returns the seconds that the end took."""
    feed = RecordingFeed()
    # Optional: a required directory that is gone keeps its files in force.
    source = Files(directory, optional=True, notifier=notifier, settle=0.02, poll_interval=0.02)  # type: ignore[arg-type]
    task = asyncio.create_task(source.run(feed))
    await feed.wait(lambda f: f.deltas)
    filler = "".join(f"k{i} = {i}\n" for i in range(2000))
    (directory / "a.toml").write_text(filler)
    await feed.wait(lambda f: any(isinstance(e.value, dict) and len(e.value) == 2000 for e in f.entries.values()))
    shutil.rmtree(directory)
    await feed.wait(lambda f: not f.entries)
    directory.mkdir()
    (directory / "a.toml").write_text("n = 1")
    await feed.wait(lambda f: f.entries)
    start = time.monotonic()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return time.monotonic() - start


@pytest.mark.slow
def test_nothing_is_left(notifier: str, tmp_path: Path) -> None:
    """The same count of descriptors and of threads, the library's own ones included, five runs later."""
    directory = tmp_path / "config"
    directory.mkdir()
    asyncio.run(follow_for_a_while(directory, notifier))  # what is loaded late is loaded now
    files, threads, ours = open_files(), native_threads(), threading.active_count()
    for _ in range(5):
        assert asyncio.run(follow_for_a_while(directory, notifier)) < 1.0
    deadline = time.monotonic() + 5

    def more() -> bool:
        return native_threads() > threads or open_files() > files or threading.active_count() > ours

    while more() and time.monotonic() < deadline:
        time.sleep(0.001)  # a thread ends a moment after its owner
    assert open_files() <= files
    assert native_threads() <= threads
    assert threading.active_count() <= ours


async def test_cancelled_while_it_parses(notifier: str, tmp_path: Path) -> None:
    """It ends when the parser does; nothing is sent after that."""
    (tmp_path / "a.toml").write_text("".join(f"k{i} = {i}\n" for i in range(5000)))
    feed = RecordingFeed()
    source = Files(tmp_path, notifier=notifier, settle=0.0)  # type: ignore[arg-type]
    task = asyncio.create_task(source.run(feed))
    await feed.wait(lambda f: f.counters["reads"])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not feed.deltas
