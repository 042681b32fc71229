"""What counts in a directory: documents, values, mounts that swap."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reactive_config._core.delta import Bare, Malformed, Patch
from reactive_config._sources.files import reader
from reactive_config._sources.files.read_whole import ChangedWhileRead, FileContent, read_whole
from reactive_config._sources.files.symlinks import PathLookups


async def test_which_files_count(follow: Callable[..., Any], tmp_path: Path) -> None:
    """Known suffixes in any case; hidden names and backups silently not; the rest is in the notes."""
    for name in ("a.toml", "B.TOML", ".hidden.toml", "c.toml~", "README"):
        (tmp_path / name).write_text("n = 1")
    (tmp_path / "sub.toml").mkdir()
    odd = os.fsencode(tmp_path) + b"/\xff.toml"
    Path(os.fsdecode(odd)).write_text("n = 1")
    async with follow(tmp_path) as feed:
        assert list(feed.entries) == [f"{tmp_path}/B.TOML", f"{tmp_path}/a.toml"], "in byte order"
        assert [note.removeprefix(f"{tmp_path}/") for note in feed.said[1:] if "polling" not in note] == [
            "README is skipped: no known suffix",
            "sub.toml is skipped: a directory",
            "\\xff.toml is skipped: its name is not UTF-8",
        ]


async def test_values(follow: Callable[..., Any], tmp_path: Path) -> None:
    """Each file at its name, dots and all; one final line break less; a line break alone is the empty text."""
    contents = {"password": b"a b\n", "db.user": b"x\r\n", "two": b"1\n\n", "nothing": b"\n", "bad": b"\xff"}
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "sub").mkdir()
    async with follow(tmp_path, values=True) as feed:
        assert {e.path: e.value for e in feed.entries.values()} == {
            ("password",): Bare("a b"),
            ("db.user",): Bare("x"),
            ("two",): Bare("1\n"),
            ("nothing",): Bare(""),
            ("bad",): Malformed("UTF-8", "other bytes (save it as UTF-8)", 1, 1),
        }
        assert f"{tmp_path}/sub is skipped: a directory" in feed.said


def mount(directory: Path, number: int, contents: dict[str, str], pause: float = 0.0) -> threading.Thread:
    """Publish a set of values as orchestrators do: new set, swap, then links made and removed."""
    target = directory / f"..set-{number}"
    target.mkdir(parents=True)
    for name, text in contents.items():
        (target / name).write_text(text)
    (directory / "..data_tmp").symlink_to(target.name)
    (directory / "..data_tmp").replace(directory / "..data")

    def links() -> None:
        time.sleep(pause)
        for name in contents:
            if not (directory / name).is_symlink():
                (directory / name).symlink_to(Path("..data", name))
        for link in directory.iterdir():
            if not link.name.startswith("..") and link.name not in contents:
                link.unlink()

    thread = threading.Thread(target=links)
    thread.start()
    if not pause:
        thread.join()
    return thread


async def test_a_swap_is_one_unit_and_one_delta(follow: Callable[..., Any], tmp_path: Path) -> None:
    """Changed, new and removed values together; a value that stayed keeps its unit."""
    layer = tmp_path / "secrets"
    mount(layer, 1, {"same": "0", "user": "a", "password": "1", "old": "x"})
    async with follow(layer, values=True) as feed:
        assert len({e.unit for e in feed.entries.values()}) == 1
        mount(layer, 2, {"same": "0", "user": "b", "password": "2", "new": "y"})
        await feed.wait(lambda f: len(f.deltas) > 1)
        patch = feed.deltas[1]
        assert isinstance(patch, Patch)
        unit = f"{layer}/..data -> ..set-2"
        assert {Path(i).name: (e.value, e.unit) for i, e in patch.set.items()} == {
            "user": (Bare("b"), unit),
            "password": (Bare("2"), unit),
            "new": (Bare("y"), unit),
        }
        assert patch.deleted == {f"{layer}/old": unit}
        assert feed.entries[f"{layer}/same"].unit != unit
        assert len(feed.deltas) == 2


async def test_a_swap_to_something_unusable_comes_whole(follow: Callable[..., Any], tmp_path: Path) -> None:
    """Both files of it, the good and the empty one, in one unit: the core holds them together."""
    layer = tmp_path / "config"
    mount(layer, 1, {"a.toml": "a = 1", "b.toml": "b = 1"})
    async with follow(layer) as feed:
        mount(layer, 2, {"a.toml": "a = 2", "b.toml": ""})
        await feed.wait(lambda f: len(f.deltas) > 1)
        patch = feed.deltas[1]
        assert isinstance(patch, Patch)
        assert {Path(i).name: e.value for i, e in patch.set.items()} == {
            "a.toml": {"a": 2},
            "b.toml": Malformed("a document", "an empty file"),
        }
        assert len({e.unit for e in patch.set.values()}) == 1


async def test_links_that_come_after_the_swap_belong_to_it(follow: Callable[..., Any], tmp_path: Path) -> None:
    """Their orchestrator makes them one by one, with a pause on purpose here."""
    layer = tmp_path / "config"
    mount(layer, 1, {"a.toml": "a = 1"})
    async with follow(layer, settle=0.3, poll_interval=0.02) as feed:
        thread = mount(layer, 2, {"a.toml": "a = 2", "b.toml": "b = 2"}, pause=0.1)
        await feed.wait(lambda f: len(f.deltas) > 1)
        assert len({e.unit for e in feed.entries.values()}) == 1
        assert [len(d.set) for d in feed.deltas if isinstance(d, Patch)] == [2]
    thread.join()


async def test_a_swap_waits_for_a_file_that_cannot_be_read_yet(
    follow: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it or nothing, even if one file takes a second attempt."""
    layer = tmp_path / "config"
    mount(layer, 1, {"a.toml": "a = 1", "b.toml": "b = 1"})
    failures: list[str] = []

    def reluctant(path: str, max_bytes: int) -> FileContent:
        if path.endswith("..set-2/b.toml") and len(failures) < 3:
            failures.append(path)
            raise ChangedWhileRead
        return read_whole(path, max_bytes)

    monkeypatch.setattr(reader, "read_whole", reluctant)
    async with follow(layer) as feed:
        mount(layer, 2, {"a.toml": "a = 2", "b.toml": "b = 2"})
        await feed.wait(lambda f: len(f.deltas) > 1)
        assert [len(d.set) for d in feed.deltas if isinstance(d, Patch)] == [2]
        assert len(failures) == 3


@pytest.mark.slow
@pytest.mark.half_grid
async def test_a_long_document_and_a_short_one_keep_their_order(follow: Callable[..., Any], tmp_path: Path) -> None:
    """A long one is parsed in a thread; a short one saved meanwhile does not overtake it."""
    file = tmp_path / "app.toml"
    file.write_text("n = 0")
    filler = "".join(f"key{i} = {i}\n" for i in range(3000))
    async with follow(tmp_path) as feed:
        for number in range(1, 21):
            (tmp_path / ".new").write_text(f"n = {number}\n{filler if number % 2 else ''}")
            (tmp_path / ".new").replace(file)
            reads = feed.counters["reads"]
            if number % 2:
                await feed.wait(lambda f, r=reads: f.counters["reads"] > r)
        await feed.wait(lambda f: f.entries[str(file)].value == {"n": 20})
    values: list[Any] = [d.set[str(file)].value for d in feed.deltas if isinstance(d, Patch)]
    numbers = [value["n"] for value in values]
    assert numbers == sorted(set(numbers))


async def test_a_set_that_is_removed_under_a_look_deletes_nothing(
    follow: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link is seen to lead to a set, and before its last file is looked up the next set is in its place.

    Pins a phantom deletion that the storm of swaps showed one time in three on a loaded machine.
    """
    layer = tmp_path / "secrets"
    mount(layer, 1, {"password": "1", "user": "a"})
    real = PathLookups.status

    def overtaken(self: PathLookups, full: str) -> Any:
        if full.endswith("..set-2/user") and (layer / "..set-2").exists():
            mount(layer, 3, {"password": "3", "user": "c"})
            shutil.rmtree(layer / "..set-2")
        return real(self, full)

    async with follow(layer, values=True) as feed:
        monkeypatch.setattr(PathLookups, "status", overtaken)
        mount(layer, 2, {"password": "2", "user": "b"})
        await feed.wait(lambda f: f.entries.get(f"{layer}/user") and f.entries[f"{layer}/user"].value == Bare("c"))
        assert not (layer / "..set-2").exists()
        patches = [delta for delta in feed.deltas if isinstance(delta, Patch)]
        assert [patch.deleted for patch in patches] == [{}]
        assert {Path(i).name: e.value for i, e in patches[0].set.items()} == {"password": Bare("3"), "user": Bare("c")}
