"""A directory that is gone, or that has no file left: its files stay in force together, whatever comes back first."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reactive_config import Files, open_config
from reactive_config._core.delta import Malformed, Patch
from reactive_config._testing.recording_feed import RecordingFeed

GONE = Malformed("a directory (the source is not optional)", "nothing")
EMPTY = Malformed("a file that can be used (the source is not optional)", "a directory without one")
pytestmark = pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": False})])

NAMES = ["a.json", "b.json", "c.json"]


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """A directory of three files, each with one value at its own name."""
    directory = tmp_path / "v"
    directory.mkdir()
    for number, name in enumerate(NAMES):
        (directory / name).write_text(f'{{"{name[0]}": {number}}}')
    return directory


def values(feed: RecordingFeed) -> dict[str, Any]:
    return {Path(place).name: entry.value for place, entry in feed.entries.items()}


def deleted(feed: RecordingFeed) -> list[str]:
    return [Path(i).name for delta in feed.deltas if isinstance(delta, Patch) for i in delta.deleted]


def move_away(layer: Path) -> None:
    layer.rename(layer.with_name("away"))


def empty(layer: Path) -> None:
    for name in NAMES:
        (layer / name).unlink()


@pytest.mark.parametrize(
    ("vanish", "said"), [(move_away, GONE), (shutil.rmtree, GONE), (empty, EMPTY)], ids=["moved", "removed", "emptied"]
)
async def test_its_files_are_kept_and_the_directory_is_at_fault(
    vanish: Callable[[Path], None], said: Malformed, follow: Callable[..., Any], layer: Path
) -> None:
    """One entry that nobody can take, at the directory's own path; nothing is deleted."""
    async with follow(layer) as feed:
        vanish(layer)
        await feed.wait(lambda f: values(f).get("v") == said)
        assert not deleted(feed)
        assert list(values(feed)) == [*NAMES, "v"]


async def test_what_is_back_as_it_was_changes_nothing(follow: Callable[..., Any], layer: Path) -> None:
    async with follow(layer) as feed:
        move_away(layer)
        await feed.wait(lambda f: "v" in values(f))
        layer.with_name("away").rename(layer)
        await feed.wait(lambda f: "v" not in values(f))
        assert deleted(feed) == ["v"]
        assert sum(len(delta.set) for delta in feed.deltas if isinstance(delta, Patch)) == 1


async def test_files_that_come_back_one_by_one_are_waited_for(follow: Callable[..., Any], layer: Path) -> None:
    """The absence of the others counts from the last change of the directory: a copy takes its time."""
    async with follow(layer, settle=0.3, poll_interval=0.02) as feed:
        shutil.rmtree(layer)
        await feed.wait(lambda f: "v" in values(f))
        layer.mkdir()
        for name in NAMES:
            (layer / name).write_text('{"new": 1}')
            await asyncio.sleep(0.03)
        await feed.wait(lambda f: values(f) == {name: {"new": 1} for name in NAMES})
        assert deleted(feed) == ["v"]


async def test_what_does_not_come_back_is_deleted_then(follow: Callable[..., Any], layer: Path) -> None:
    async with follow(layer) as feed:
        move_away(layer)
        await feed.wait(lambda f: "v" in values(f))
        layer.mkdir()
        (layer / "d.json").write_text('{"d": 3}')
        await feed.wait(lambda f: values(f) == {"d.json": {"d": 3}})


async def test_one_file_after_the_other_is_a_deletion_except_for_the_last(
    follow: Callable[..., Any], layer: Path
) -> None:
    async with follow(layer) as feed:
        for name in NAMES[:2]:
            (layer / name).unlink()
            await feed.wait(lambda f, n=name: n not in values(f))
        (layer / NAMES[2]).unlink()
        await feed.wait(lambda f: values(f).get("v") == EMPTY)
        assert deleted(feed) == NAMES[:2]
        assert values(feed)[NAMES[2]] == {"c": 2}


async def test_an_optional_one_loses_all_of_them_at_once(follow: Callable[..., Any], layer: Path) -> None:
    async with follow(layer, optional=True) as feed:
        move_away(layer)
        await feed.wait(lambda f: not f.entries)
        assert [sorted(map(str, delta.deleted)) for delta in feed.deltas if isinstance(delta, Patch)] == [
            [str(layer / name) for name in NAMES]
        ]


async def test_all_of_it_stays_in_force_and_the_status_names_the_directory(layer: Path) -> None:
    """A regression: all but one of its files were lost."""
    async with open_config(dict, Files(layer, settle=0.05, poll_interval=0.05)) as config:
        before = config.snapshot
        shutil.rmtree(layer)
        while not (source := config.status().sources[0]).held:
            await asyncio.sleep(0.01)
        assert [str(problem) for held in source.held for problem in held.problems] == [
            f"(root): expected a directory (the source is not optional), got nothing (files {layer})"
        ]
        assert config.snapshot is before
