"""docs/tutorial.md is followed word by word: every command, every file, every line that it shows.

The page is read as a person reads it. Comments that a reader does not see say what a person knows without words:

- `file: NAME`: the next block is saved under this name.
- `edit: NAME`: the next block says what is replaced in this file.
- `runs on`: the last command of the next block does not end by itself.
- `terminal: NAME`: from here on commands and outputs belong to this terminal.
- `exits with N`: so does the last command of the next block.
- `Ctrl-C`, `Ctrl-C everywhere`: is pressed in this terminal, or in all of them.
"""

from __future__ import annotations

import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

import pytest

from reactive_config._testing.etcd_installed import free_ports
from reactive_config.testing import postgres_server

ROOT = Path(__file__).parent.parent
MAIN, LAST = (ROOT / "docs/tutorial.md").read_text().split("## A pool of PostgreSQL")
STEP = re.compile(
    r"(?P<notes>(?:^<!-- [^>]+ -->\n)*)^```(?P<kind>\w+)\n(?P<text>.*?)^```$|^<!-- (?P<key>Ctrl-C[^>]*) -->$",
    re.DOTALL | re.MULTILINE,
)
PATIENCE = 60.0  # seconds for a line, on a busy machine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bash") is None or sys.platform == "win32", reason="it is written for bash"),
]


def masked(line: str) -> str:
    """A line without how long something took."""
    return re.sub(r"\b(in|after) (?:\d+m)?[\d.]+m?s\b", r"\1 SECONDS", line.rstrip())


class Terminal:
    """A bash in which one command follows the other, and the last one may be running."""

    def __init__(self, home: Path, environ: dict[str, str]) -> None:
        self._home, self._directory, self._environ = home, home, environ
        self._running: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str] = queue.Queue()
        self._seen: set[str] = set()

    def run(self, command: str, code: int) -> list[str]:
        """Run a command to its end; the variables and the directory that it leaves are those of the next one."""
        state = self._home / "state"
        script = f"{command}\ncode=$?\n{{ pwd; env -0; }} > '{state}'\nexit $code"
        done = self._start(script)
        output, _ = done.communicate(timeout=10 * PATIENCE)
        assert done.returncode == code, f"$ {command}\n{output}"
        directory, _, variables = state.read_text().partition("\n")
        self._directory = Path(directory)
        self._environ = dict(one.split("=", 1) for one in variables.split("\0") if one)
        return output.splitlines()

    def leave_running(self, command: str) -> None:
        assert self._running is None, "the tutorial starts a program while another one runs in this terminal"
        self._running = self._start(f"exec {command}")
        self._seen = set()
        self._lines = queue.Queue()
        threading.Thread(target=self._read, args=(self._running, self._lines), daemon=True).start()

    def expect(self, wanted: list[str]) -> None:
        """The running program says these lines, and meanwhile nothing but what it has said before."""
        for line in map(masked, wanted):
            said = None
            while said != line:
                try:
                    said = masked(self._lines.get(timeout=PATIENCE))
                except queue.Empty:
                    raise AssertionError(f"expected {line!r}, got nothing") from None
                assert said == line or said in self._seen, f"expected {line!r}, got {said!r}"
            self._seen.add(line)

    def press_ctrl_c(self) -> None:
        assert self._running is not None
        os.killpg(self._running.pid, signal.SIGINT)
        assert self._running.wait(PATIENCE) == 0
        self._running = None

    @property
    def is_busy(self) -> bool:
        return self._running is not None

    def close(self) -> None:
        if self._running is not None:
            os.killpg(self._running.pid, signal.SIGKILL)
            self._running.wait()

    def _start(self, script: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", "-c", script], cwd=self._directory, env=self._environ, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    @staticmethod
    def _read(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                lines.put(line)


class Reader:
    """Somebody who follows the page in an empty folder, with a clone elsewhere."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._words = {"path/to/clone": str(clone(home / "a clone"))}
        self._words |= {port: str(free) for port, free in zip(("8000", "8001"), free_ports(2), strict=True)}
        self._environ = environment(home)
        self._terminals: dict[str, Terminal] = {}
        self._terminal = "first"
        self.has_read_the_main_part = False

    @property
    def terminal(self) -> Terminal:
        if self._terminal not in self._terminals:
            self._terminals[self._terminal] = Terminal(self._home, dict(self._environ))
        return self._terminals[self._terminal]

    def follow_the_main_part(self) -> None:
        if not self.has_read_the_main_part:
            self.follow(MAIN)
            self.has_read_the_main_part = True

    def follow(self, text: str, **words: str) -> None:
        """Do what the text says, with some of its words replaced by those that hold here."""
        for word, instead in (self._words | words).items():
            text = text.replace(word, instead)
        for step in STEP.finditer(text):
            if step["key"]:
                self._press(step["key"])
            else:
                notes = dict(re.findall(r"<!-- (runs on|\w+(?: with)?):? ?(.*?) -->", step["notes"]))
                self._terminal = notes.get("terminal", self._terminal)
                getattr(self, f"_{step['kind']}", self._save)(step["text"], notes)

    def _press(self, key: str) -> None:
        everywhere = key.endswith("everywhere")
        for terminal in self._terminals.values() if everywhere else [self.terminal]:
            if terminal.is_busy:
                terminal.press_ctrl_c()
        self._terminal = "first" if everywhere else self._terminal

    def _save(self, text: str, notes: dict[str, str]) -> None:
        (self._home / "shop" / notes["file"]).write_text(text)

    def _diff(self, text: str, notes: dict[str, str]) -> None:
        path = self._home / "shop" / notes["edit"]
        old, new = ("".join(re.findall(rf"^[{sign}](.*\n)", text, re.MULTILINE)) for sign in "-+")
        assert path.read_text().count(old) == 1, old
        path.write_text(path.read_text().replace(old, new))

    def _sh(self, text: str, notes: dict[str, str]) -> None:
        """What belongs into somebody's CI: the same commands are run elsewhere on the page."""
        assert all(f"$ {line}\n" in MAIN for line in text.splitlines())

    def _text(self, text: str, notes: dict[str, str]) -> None:
        self.terminal.expect(text.splitlines())

    def _console(self, text: str, notes: dict[str, str]) -> None:
        commands = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE)
        stays = commands.pop() if "runs on" in notes else None
        for number, (command, output) in enumerate(commands, 1):
            code = int(notes.get("exits with", 0)) if number == len(commands) else 0
            said = self.terminal.run(command, code)
            if output:
                assert list(map(masked, said)) == list(map(masked, output.splitlines())), command
        if stays is not None:
            self.terminal.leave_running(stays[0])
            self.terminal.expect(stays[1].splitlines())

    def close(self) -> None:
        for terminal in self._terminals.values():
            terminal.close()


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
