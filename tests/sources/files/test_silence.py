"""What changes nothing is not sent. Silence is proved by a save after it, which is waited for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from reactive_config._core.delta import Patch


def touch(file: Path, number: int) -> None:
    os.utime(file, (number, number))


def touch_now(file: Path, number: int) -> None:
    file.touch()


def chmod(file: Path, number: int) -> None:
    file.chmod(0o600 if number % 2 else 0o644)


def rewrite(file: Path, number: int) -> None:
    file.write_bytes(file.read_bytes())


def replace_by_equal(file: Path, number: int) -> None:
    twin = file.with_name(".twin")
    twin.write_bytes(file.read_bytes())
    twin.replace(file)


def hide_and_show(file: Path, number: int) -> None:
    file.rename(file.with_name("away"))
    file.with_name("away").rename(file)


def noise_beside(file: Path, number: int) -> None:
    file.with_name(f".hidden{number}.toml").write_text("n = 1")
    file.with_name("backup.toml~").write_text("n = 2")


@pytest.mark.parametrize(
    "act", [touch, touch_now, chmod, rewrite, replace_by_equal, hide_and_show, noise_beside], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": False})])
@pytest.mark.parametrize("times", [60, pytest.param(200, marks=pytest.mark.storm)])
@pytest.mark.slow
async def test_many_times_nothing(
    act: Callable[[Path, int], None], times: int, follow: Callable[..., Any], tmp_path: Path
) -> None:
    """No delta comes before the one of the save that ends it.

    On a busy disk a truncation waits for the journal: the file was seen empty for 0.55 s before any event came. Two
    renames may be as far apart. What lasts for `settle` is said, so these acts get more of it.
    """
    file = tmp_path / "app.toml"
    file.write_text("n = 0")

    def acts() -> None:
        for number in range(times):
            act(file, number)

    patience = {"settle": 1.0} if act in (rewrite, hide_and_show) else {}
    async with follow(tmp_path, **patience) as feed:
        await anyio.to_thread.run_sync(acts)
        (tmp_path / ".end").write_text("n = 99")
        (tmp_path / ".end").replace(file)
        await feed.wait(lambda f: len(f.deltas) > 1)
        last = feed.deltas[1]
        assert isinstance(last, Patch)
        assert last.set[str(file)].value == {"n": 99}
        assert not last.deleted
        assert last.set.keys() == {str(file)}


async def test_a_second_write_inside_one_tick_of_the_clock_is_found(follow: Callable[..., Any], tmp_path: Path) -> None:
    """Two saves of equal length, the second right behind the first, where a stat may not tell them apart."""
    file = tmp_path / "app.toml"
    file.write_text("n = 0")
    async with follow(tmp_path) as feed:
        for number in range(1, 8, 2):
            file.write_text(f"n = {number}")
            file.write_text(f"n = {number + 1}")
            await feed.wait(lambda f, n=number + 1: f.entries[str(file)].value == {"n": n})
