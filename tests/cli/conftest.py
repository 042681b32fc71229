"""The installed command as a person runs it: piped, on a terminal, and left running."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import queue
import re
import select
import signal
import struct
import subprocess
import sysconfig
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from reactive_config._cli.app import run as run_app
from reactive_config._testing.etcd_server import EtcdServer, running_etcd

VARIABLES = ("REACTIVE_CONFIG_TARGET", "REACTIVE_CONFIG_TOKEN", "REACTIVE_CONFIG_TYPE")

SCRIPT = Path(sysconfig.get_path("scripts")) / "reactive-config"
DEADLINE = 15.0

SETTINGS = """
from __future__ import annotations
from datetime import timedelta
from typing import Annotated
import msgspec
from msgspec import Meta
from reactive_config import Secret

class Pool(msgspec.Struct, frozen=True):
    min_size: Annotated[int, Meta(ge=0)] = 1
    max_size: Annotated[int, Meta(ge=1, le=500)] = 10

class Database(msgspec.Struct, frozen=True):
    dsn: Secret[str]
    pool: Pool = Pool()

class App(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    database: Database
    log: dict[str, str] = {}
    refresh: timedelta = timedelta(seconds=30)
    workers: int = 4
"""

COMMON = """\
database:
  dsn: postgres://shop:CANARY@db/shop
  pool:
    max_size: 10
log:
  root: INFO
  sqlalchemy.engine: WARNING
refresh: 1m30s
"""


class Result(NamedTuple):
    """What a finished command left behind."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


class Running:
    """A command that is still running; its lines are waited for, never slept for."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._pump, daemon=True).start()

    def _pump(self) -> None:
        assert self.process.stdout is not None
        with contextlib.suppress(ValueError):  # closed, as the test is over
            for line in self.process.stdout:
                self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def wait_line(self, pattern: str) -> str:
        """The next line that a pattern is found in; those before it are skipped."""
        seen: list[str] = []
        end = time.monotonic() + DEADLINE
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line with {pattern!r} in {seen}") from None
            assert line is not None, f"ended without a line with {pattern!r}: {seen}"
            if re.search(pattern, line):
                return line
            seen.append(line)

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Signal it; returns the exit code and the standard error."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> tuple[int, str]:
        assert self.process.stderr is not None
        code = self.process.wait(DEADLINE)
        return code, self.process.stderr.read()


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("REACTIVE_CONFIG") and k != "NO_COLOR"}
    return {**kept, "TERM": "xterm-256color", "COLUMNS": "100", **extra}


class Cli:
    """Runs commands in one directory."""

    script = str(SCRIPT)

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(self, *arguments: str, **environment: str) -> Result:
        """The installed script, piped."""
        done = subprocess.run(
            [SCRIPT, *arguments],
            cwd=self.directory,
            env=_environment(environment),
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    @contextlib.contextmanager
    def start(self, *arguments: str, **environment: str) -> Iterator[Running]:
        """The installed script, left running."""
        with self.start_any(self.script, *arguments, **environment) as running:
            yield running

    @contextlib.contextmanager
    def start_any(self, *command: str, **environment: str) -> Iterator[Running]:
        """Any command, left running."""
        process = subprocess.Popen(
            command,
            cwd=self.directory,
            env=_environment(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                yield Running(process)
            finally:
                process.kill()

    def on_terminal(self, *arguments: str, columns: int = 100, **environment: str) -> Result:
        """The installed script on a terminal of its own; what it wrote to either stream."""
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        env = _environment({**environment, "COLUMNS": str(columns)})
        process = subprocess.Popen(
            [SCRIPT, *arguments], cwd=self.directory, env=env, stdin=follower, stdout=follower, stderr=follower
        )
        os.close(follower)
        with process:
            try:
                text = _read_all(leader)
                return Result(process.wait(DEADLINE), text, "")
            finally:
                process.kill()
                os.close(leader)


def _read_all(descriptor: int) -> str:
    """Everything until nobody has the other end any more."""
    chunks, end = [], time.monotonic() + DEADLINE
    while time.monotonic() < end:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))
        try:
            chunk = os.read(descriptor, 65536) if ready else b""
        except OSError:  # Linux says so instead of an end
            break
        if not chunk:
            break
        chunks.append(chunk)
    return b"".join(chunks).decode().replace("\r\n", "\n")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A directory with two layers of files and a type."""
    (tmp_path / "config/common").mkdir(parents=True)
    (tmp_path / "config/production").mkdir()
    (tmp_path / "config/common/app.yaml").write_text(COMMON)
    (tmp_path / "config/production/10.toml").write_text("[database.pool]\nmax_size = 50\n")
    (tmp_path / "settings.py").write_text(SETTINGS)
    return tmp_path


@pytest.fixture
def cli(shop: Path) -> Cli:
    return Cli(shop)


Quick = Callable[..., Result]


@pytest.fixture
def quick(shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Quick:
    """The same command line inside this process: as piped, and ten times as fast."""
    monkeypatch.chdir(shop)
    for name in ("REACTIVE_CONFIG_SOURCES", "REACTIVE_CONFIG_TYPE", "REACTIVE_CONFIG_PASSWORD"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> Result:
        import sys

        sys.modules.pop("settings", None)
        try:
            code = run_app(arguments)
        finally:
            while str(shop) in sys.path:
                sys.path.remove(str(shop))
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def etcd() -> Iterator[EtcdServer]:
    with running_etcd() as server:
        yield server


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What whoever runs the tests has set is no part of them."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
