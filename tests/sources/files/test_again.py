"""A scan brought up to date is what a new scan would be, or refuses; and it asks each thing once."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reactive_config._sources.files import Files, os_paths
from reactive_config._sources.files.scan import GivenPath, Scan, again, again_where, scan
from reactive_config._sources.files.symlinks import SWAP

NAMES = ["a.toml", "b.toml", ".hidden", "odd.txt", "below"]
Act = Callable[[Path], None]


def write(name: str) -> Act:
    def act(home: Path) -> None:
        (home / name).write_text("n = 1")

    return act


def replace(name: str) -> Act:
    def act(home: Path) -> None:
        (home / ".new").write_text("n = 2")
        (home / ".new").replace(home / name)

    return act


def remove(name: str) -> Act:
    def act(home: Path) -> None:
        path = home / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    return act


def make_directory(name: str) -> Act:
    def act(home: Path) -> None:
        remove(name)(home)
        (home / name).mkdir()

    return act


def link(name: str, target: str) -> Act:
    def act(home: Path) -> None:
        remove(name)(home)
        (home / name).symlink_to(target)

    return act


def recreate(home: Path) -> None:
    """The old one is kept, so that the new one has another number."""
    home.rename(tempfile.mkdtemp(dir=home.parent))
    home.mkdir()
    (home / "a.toml").write_text("n = 3")


ACTS = st.sampled_from(
    [
        *(make(name) for make in (write, replace, remove, make_directory) for name in [*NAMES, "below/c.toml"]),
        *(link(name, target) for name in ("a.toml", SWAP) for target in ("b.toml", "below", "none", "a.toml")),
        link("b.toml", f"{SWAP}/c.toml"),
        recreate,
    ]
)


def do(act: Act, home: Path) -> None:
    with contextlib.suppress(OSError):  # a directory is in the way, or a link leads nowhere: then nothing happens
        act(home)


def told(seen: Scan) -> dict[str, object]:
    """All that a look takes from a scan."""
    plan = seen.plan
    return {
        "files": seen.files,
        "names": plan.names,
        "wants": {directory: len(wants) for directory, wants in plan.wants.items()},
        "watched": (plan.files, plan.identities),
        "notes": seen.skipped,
        "rest": (seen.blind, seen.swaps, seen.unfinished, {layer: seen.home(layer) for layer in seen.homes}),
    }


def single(home: Path) -> tuple[GivenPath, ...]:
    return Files(home / "a.toml", home / "below" / "c.toml")._layers


def directory(home: Path) -> tuple[GivenPath, ...]:
    return Files(home)._layers


def values(home: Path) -> tuple[GivenPath, ...]:
    return Files(home, values=True)._layers


@pytest.mark.parametrize("layers", [single, directory, values])
@settings(deadline=None)  # a busy disk is no fault
@given(before=st.lists(ACTS, max_size=6), after=st.lists(ACTS, max_size=3))
def test_it_is_what_a_new_scan_would_be(
    before: list[Act], after: list[Act], layers: Callable[[Path], tuple[GivenPath, ...]]
) -> None:
    """Whatever happened in between: then it is equal to it, or there is none."""
    with TemporaryDirectory() as given_home:
        home = Path(given_home, "home")
        home.mkdir()
        for act in before:
            do(act, home)
        seen = scan(layers(home), lambda _: True)
        for act in after:
            do(act, home)
        renewed = again(seen)
        assert renewed is None or told(renewed) == told(scan(layers(home), lambda _: True))


def test_stats_of_files_alone_need_no_new_scan(tmp_path: Path) -> None:
    """The usual save; and what it did not touch is the same object, so that nobody has to compare it."""
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text("n = 1")
    seen = scan(Files(tmp_path)._layers, lambda _: False)
    replace("a.toml")(tmp_path)
    renewed = again(seen)
    assert renewed is not None
    assert renewed.plan is seen.plan
    changed, kept = str(tmp_path / "a.toml"), str(tmp_path / "b.toml")
    assert renewed.files[changed] != seen.files[changed]
    assert renewed.files[kept] is seen.files[kept]


@pytest.mark.parametrize(
    "act",
    [
        write("a.toml"),
        remove("b.toml"),
        make_directory("b.toml"),
        link("b.toml", "a.toml"),
        link("link.toml", "a.toml"),
        recreate,
    ],
)
@pytest.mark.parametrize("names", [["."], ["a.toml", "b.toml", "link.toml"]], ids=["directory", "single"])
def test_other_names_kinds_links_and_directories_need_one(act: Act, names: list[str], tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    write("b.toml")(home)
    link("link.toml", "b.toml")(home)
    seen = scan(Files(*(home / name for name in names))._layers, lambda _: False)
    act(home)
    assert again(seen) is None


def test_it_asks_for_each_name_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that all paths see one state of every link."""
    (tmp_path / "set-1").mkdir()
    (tmp_path / "set-1" / "a.toml").write_text("n = 1")
    (tmp_path / SWAP).symlink_to("set-1")
    (tmp_path / "a.toml").symlink_to(f"{SWAP}/a.toml")
    asked: list[str] = []
    seen = scan(Files(tmp_path)._layers, lambda _: False)
    lstat, target = os.lstat, os_paths.target
    monkeypatch.setattr(os, "lstat", lambda path: asked.append(path) or lstat(path))
    monkeypatch.setattr(os_paths, "target", lambda path: asked.append(f"link {path}") or target(path))
    assert again(seen) is not None
    assert len(asked) == len(set(asked))
    assert f"link {tmp_path / SWAP}" in asked


def two_files(home: Path) -> Scan:
    for name in ("a.toml", "b.toml"):
        write(name)(home)
    link("link.toml", "a.toml")(home)
    return scan(Files(home, home / "link.toml")._layers, lambda _: False)


def test_what_was_touched_is_all_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every entry behind it is brought up to date, and the others stay the same objects."""
    seen, path = two_files(tmp_path), str(tmp_path / "a.toml")
    replace("a.toml")(tmp_path)
    asked: list[str] = []
    lstat = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: asked.append(path) or lstat(path))
    renewed = again_where(seen, {path})
    monkeypatch.undo()
    assert asked == [path]
    whole = again(seen)
    assert renewed is not None
    assert whole is not None
    assert renewed.files == whole.files
    assert renewed.fresh == {id: found for id, found in whole.files.items() if found.real == path}  # noqa: A001
    assert len(renewed.fresh) == 3
    assert renewed.files[str(tmp_path / "b.toml")] is seen.files[str(tmp_path / "b.toml")]


@pytest.mark.parametrize("name", ["", "link.toml", "none.toml", "..data"])
def test_another_name_than_a_files_may_lead_anywhere(name: str, tmp_path: Path) -> None:
    """A directory, a link and what is not there are not looked at alone."""
    seen = two_files(tmp_path)
    assert again_where(seen, {str(tmp_path / "a.toml"), str(tmp_path / name) if name else str(tmp_path)}) is None


@pytest.mark.parametrize("act", [remove("a.toml"), make_directory("a.toml"), link("a.toml", "b.toml")])
def test_a_file_that_is_none_any_more_is_not_looked_at_alone(act: Act, tmp_path: Path) -> None:
    seen = two_files(tmp_path)
    act(tmp_path)
    assert again_where(seen, {str(tmp_path / "a.toml")}) is None
