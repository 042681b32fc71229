"""What is there at the start, what comes later, and what goes."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reactive_config._core.delta import Patch, Replace
from reactive_config._core.status import SourceState
from reactive_config._sources.files import Files
from reactive_config._testing.recording_feed import RecordingFeed


def values(feed: RecordingFeed) -> dict[str, Any]:
    return {Path(place).name: entry.value for place, entry in feed.entries.items()}


async def test_the_first_delta_is_all_there_is(follow: Callable[..., Any], tmp_path: Path) -> None:
    """One Replace, then SYNCED; layer numbers as the paths were given."""
    common, file = tmp_path / "common", tmp_path / "app.yaml"
    common.mkdir()
    (common / "b.toml").write_text("b = 1")
    (common / "a.json").write_text('{"a": 1}')
    file.write_text("c: 1")
    async with follow(common, file) as feed:
        (first,) = feed.deltas
        assert isinstance(first, Replace)
        assert {i: (e.layer, e.path, e.unit, e.place) for i, e in first.entries.items()} == {
            f"{common}/a.json": (0, (), f"{common}/a.json", f"{common}/a.json"),
            f"{common}/b.toml": (0, (), f"{common}/b.toml", f"{common}/b.toml"),
            str(file): (1, (), str(file), str(file)),
        }
        assert values(feed) == {"a.json": {"a": 1}, "b.toml": {"b": 1}, "app.yaml": {"c": 1}}
        assert feed.states[-1] == (SourceState.SYNCED, "")
        entry = first.entries[str(file)]
        assert entry.locate
        assert entry.locate(entry, ("c",)) == (1, 4)


async def test_nothing_there_is_an_empty_state(follow: Callable[..., Any], tmp_path: Path) -> None:
    """The core judges emptiness; the notes name what is missing."""
    async with follow(tmp_path / "absent", tmp_path / "app.toml") as feed:
        (first,) = feed.deltas
        assert first == Replace({}, absent=first.absent)
        assert [(number, lacks.expected.split()[1], lacks.got) for number, lacks in first.absent.items()] == [
            (0, "directory", f"none at {tmp_path}/absent"),
            (1, "file", f"none at {tmp_path}/app.toml"),
        ]
        assert f"{tmp_path}/absent is not there" in feed.said
        assert f"{tmp_path}/app.toml is not there" in feed.said


async def test_what_appears_later_is_followed(follow: Callable[..., Any], tmp_path: Path) -> None:
    """Even if directories on the way were missing; then it goes and comes again."""
    file = tmp_path / "deep" / "down" / "app.toml"
    layer = tmp_path / "later" / "layer"
    async with follow(file, layer, optional=True) as feed:
        for number in range(3):
            file.parent.mkdir(parents=True)
            file.write_text(f"n = {number}")
            layer.mkdir(parents=True)
            (layer / "x.json").write_text(f'{{"x": {number}}}')
            await feed.wait(lambda f, n=number: values(f) == {"app.toml": {"n": n}, "x.json": {"x": n}})
            shutil.rmtree(tmp_path / "deep")
            (tmp_path / "later").rename(tmp_path / "moved")
            await feed.wait(lambda f: not f.entries)
            shutil.rmtree(tmp_path / "moved")


async def test_a_deleted_file_is_a_deletion_of_its_own_unit(follow: Callable[..., Any], tmp_path: Path) -> None:
    """After it was away for `settle` seconds."""
    keep, drop = tmp_path / "keep.toml", tmp_path / "drop.toml"
    keep.write_text("k = 1")
    drop.write_text("d = 1")
    async with follow(tmp_path) as feed:
        drop.unlink()
        await feed.wait(lambda f: len(f.deltas) > 1)
        assert feed.deltas[1] == Patch({}, {str(drop): str(drop)})


async def test_a_dotdot_path_means_what_the_kernel_makes_of_it(follow: Callable[..., Any], tmp_path: Path) -> None:
    """`link/..` is the parent of the link's target, and the text given stays the id."""
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real/inner")
    (tmp_path / "real" / "app.toml").write_text("n = 1")
    given = f"{tmp_path}/link/../app.toml"
    async with follow(given) as feed:
        assert feed.entries[given].value == {"n": 1}
        (tmp_path / "real" / "app.toml").write_text("n = 2")
        await feed.wait(lambda f: f.entries[given].value == {"n": 2})


@pytest.mark.parametrize("notifier", ["inotify"])
async def test_relative_paths_stay_where_they_were_when_given(
    notifier: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later change of directory moves nothing."""
    (tmp_path / "app.toml").write_text("n = 1")
    monkeypatch.chdir(tmp_path)
    source = Files("app.toml", notifier=notifier)
    monkeypatch.chdir("/")
    feed = RecordingFeed()
    task = asyncio.create_task(source.run(feed))
    await feed.wait(lambda f: f.entries)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert feed.entries["app.toml"].value == {"n": 1}


async def test_a_file_that_also_stands_in_a_directory_layer_is_two_entries(
    follow: Callable[..., Any], tmp_path: Path
) -> None:
    """Ids are unique in a source; place and unit are the file in both."""
    file = tmp_path / "app.toml"
    file.write_text("n = 1")
    async with follow(tmp_path, file) as feed:
        assert sorted((e.layer, e.place, e.unit) for e in feed.entries.values()) == [
            (0, str(file), str(file)),
            (1, str(file), str(file)),
        ]
        file.write_text("n = 2")
        await feed.wait(lambda f: [e.value for e in f.entries.values()] == [{"n": 2}, {"n": 2}])


async def test_a_file_named_dotenv_is_one(follow: Callable[..., Any], tmp_path: Path) -> None:
    """`.env` has the suffix that it is; its names are nested and resolved, and found again."""
    file = tmp_path / ".env"
    file.write_text("DATABASE__POOL__MAX_SIZE=20\nDEBUG=yes\n")
    async with follow(file) as feed:
        entry = feed.entries[str(file)]
        assert entry.value["database"]["pool"]["max_size"].text == "20"
        assert entry.value["debug"].text == "yes"
        assert entry.locate
        assert entry.locate(entry, ("database", "pool", "max_size")) == (1, 26)
        assert entry.locate(entry, ("absent",)) is None


@pytest.mark.parametrize(
    "options",
    [{"notifier": "magic"}, {"max_bytes": 0}, {"poll_interval": 0}, {"settle": -1}, {"settle": 2.0, "max_wait": 1.0}],
    ids=str,
)
def test_arguments_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Files("config", **options)


def test_paths_must_be_given() -> None:
    with pytest.raises(ValueError, match="at least one path"):
        Files()


def test_a_source_names_its_layers() -> None:
    source = Files(Path("config/common"), "config/production", optional=True)
    assert (source.layers, source.name, source.optional) == (("config/common", "config/production"), "files", True)


@pytest.mark.parametrize(
    ("first", "second"), [("x", "x"), ("x", "x/"), ("x", "x//"), ("x/", "./x"), ("x.json", "x.json/"), ("a//x", "a/x")]
)
def test_one_place_spelled_in_two_ways_is_refused(first: str, second: str) -> None:
    """Their files would have the same names, and one would take the other's place."""
    with pytest.raises(ValueError, match=f"each path once, got '{first}' and '{second}'"):
        Files(first, second)


def test_a_way_through_a_parent_is_not_tidied(tmp_path: Path) -> None:
    """`link/..` is where the link leads."""
    Files("x", "link/../x")
