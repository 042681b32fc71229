"""docs/tutorial.md is followed word by word: every command, every file, every line that it shows."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import time
from pathlib import Path

import pytest

from reactive_config._testing.etcd_installed import free_ports
from reactive_config.testing import postgres_server
from tests.page_reader import PageReader

ROOT = Path(__file__).parent.parent
MAIN, LAST = (ROOT / "docs/tutorial.md").read_text().split("## A pool of PostgreSQL")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bash") is None or sys.platform == "win32", reason="it is written for bash"),
]


class Reader(PageReader):
    """Somebody who follows the page in an empty folder, with a clone elsewhere."""

    def __init__(self, home: Path) -> None:
        words = {"path/to/clone": str(clone(home / "a clone"))}
        words |= {port: str(free) for port, free in zip(("8000", "8001"), free_ports(2), strict=True)}
        super().__init__(home, home / "shop", environment(home), words)
        self.has_read_the_main_part = False

    def follow_the_main_part(self) -> None:
        if not self.has_read_the_main_part:
            self.follow(MAIN)
            self.has_read_the_main_part = True

    def _sh(self, text: str, notes: dict[str, str]) -> None:
        """What belongs into somebody's CI: the same commands are run elsewhere on the page."""
        assert all(f"$ {line}\n" in MAIN for line in text.splitlines())


def clone(path: Path) -> Path:
    """What a build takes of a clone."""
    path.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, path)
    shutil.copytree(ROOT / "reactive_config", path / "reactive_config", ignore=shutil.ignore_patterns("__pycache__"))
    return path


def environment(home: Path) -> dict[str, str]:
    """An environment with nothing of ours in it but a Python.

    The index is not what is tested. So pip builds and installs the clone alone, and a new virtual environment is lent
    the packages of this one, behind its own. One of them, pytest-asyncio, is a plugin that would speak up uninvited.
    """
    (home / "bin").mkdir()
    python = home / "bin/python3"
    site = Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    python.write_text(
        f'#!/bin/sh\n[ "$2" = venv ] || exec "{sys.executable}" "$@"\n"{sys.executable}" "$@" || exit\n'
        f'echo "{sysconfig.get_path("purelib")}" > "$3/{site}/lent.pth"\n'
    )
    python.chmod(0o755)
    return {
        "HOME": str(home), "PATH": f"{home}/bin:{os.defpath}:/usr/local/bin", "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1", "PYTEST_ADDOPTS": "-p no:asyncio",
        "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }  # fmt: skip


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    for package in ("hatchling", "httpx", "cyclopts", "anyio"):
        pytest.importorskip(package)
    reader = Reader(tmp_path_factory.mktemp("reader"))
    yield reader
    reader.close()


@pytest.mark.timeout(600)
def test_the_tutorial_leads_from_an_empty_folder_to_a_live_client(reader, capsys, record_property):
    began = time.monotonic()
    reader.follow_the_main_part()
    seconds = round(time.monotonic() - began, 1)
    record_property("seconds", seconds)
    with capsys.disabled():
        print(f"\nthe tutorial, without its last step, takes a machine {seconds} s")
    used = reader.terminal.run('python -c "import reactive_config; print(reactive_config.__file__)"', 0)
    assert used[0].startswith(f"{reader.terminal.run('pwd', 0)[0]}/.venv/")


@pytest.mark.timeout(600)
def test_its_last_step_leads_to_a_live_pool_of_postgresql(reader):
    pytest.importorskip("asyncpg")
    with postgres_server() as server:
        reader.follow_the_main_part()
        reader.follow(LAST, **{"postgresql://shop@localhost/shop": server.dsn})
