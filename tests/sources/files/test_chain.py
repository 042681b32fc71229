"""How a path resolves, and which lookups on the way could lead elsewhere."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from reactive_config._sources.files.symlinks import LinkSwap, PathLookups, SymlinkChain


def names(chain: SymlinkChain, home: Path) -> list[str]:
    """The steps below a directory, as `directory:name`."""
    start = os.path.realpath(home)
    return [f"{d[len(start) + 1 :]}:{n}" for d, n in chain.steps if d.startswith(start)]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "real" / "deep" / "file").write_text("x")
    (tmp_path / "relative").symlink_to("real/deep")
    (tmp_path / "absolute").symlink_to(tmp_path / "relative")
    (tmp_path / "real" / "up").symlink_to("../relative/file")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "real" / "..data").symlink_to("deep")
    return tmp_path


@pytest.mark.parametrize(
    ("given", "steps"),
    [
        ("real/deep/file", [":real", "real:deep", "real/deep:file"]),
        ("real//./deep/file", [":real", "real:deep", "real/deep:file"]),
        ("relative/file", [":relative", ":real", "real:deep", "real/deep:file"]),
        ("absolute/file", [":absolute", ":relative", ":real", "real:deep", "real/deep:file"]),
        ("real/up", [":real", "real:up", ":relative", ":real", "real:deep", "real/deep:file"]),
        ("relative/../deep/file", [":relative", ":real", "real:deep", "real:deep", "real/deep:file"]),
    ],
)
def test_every_lookup_is_a_step(given: str, steps: list[str], home: Path) -> None:
    """In the kernel's order, links followed, and the end is the file that the kernel finds."""
    chain = PathLookups().resolve(f"{home}/{given}")
    assert names(chain, home) == steps
    assert chain.real == os.path.realpath(home / given)
    assert chain.status is not None
    assert chain.status.st_ino == (home / given).stat().st_ino


@pytest.mark.parametrize(
    ("given", "error", "last"),
    [
        ("real/absent/below", errno.ENOENT, "real:absent"),
        ("real/deep/file/below", errno.ENOTDIR, "real/deep:file"),
        ("loop/x", errno.ELOOP, ":loop"),
    ],
)
def test_where_a_lookup_ends(given: str, error: int, last: str, home: Path) -> None:
    """The last step is where something may appear."""
    chain = PathLookups().resolve(f"{home}/{given}")
    assert (chain.real, chain.status, chain.error) == (None, None, error)
    assert names(chain, home)[-1] == last


def test_a_swap_on_the_way_is_noted(home: Path) -> None:
    chain = PathLookups().resolve(f"{home}/real/..data/file")
    assert chain.swap == LinkSwap(os.path.realpath(home / "real"), "deep")
    assert str(chain.swap).endswith("/real/..data -> deep")


def test_one_set_of_lookups_sees_one_state(home: Path) -> None:
    """A link that moves between two paths is seen in one place by both."""
    lookups = PathLookups()
    before = lookups.resolve(f"{home}/relative/file")
    (home / "relative").unlink()
    assert lookups.resolve(f"{home}/absolute/file").real == before.real


def test_the_root_resolves() -> None:
    assert PathLookups().resolve("/").real == "/"
