"""The demo as a person meets it, on a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

MAIN = Path(__file__).parents[2] / "examples/follow/main.py"


class Demo:
    """The demo on a terminal of its own."""

    def __init__(self, **environment):
        self._leader, follower = pty.openpty()
        kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        self.process = subprocess.Popen(
            [sys.executable, MAIN], env={**kept, "TERM": "xterm", **environment},
            stdin=follower, stdout=follower, stderr=follower,
        )  # fmt: skip
        os.close(follower)
        self.told = ""

    def until(self, pattern):
        """Everything that is told up to a text that fits; what follows is kept."""
        end = time.monotonic() + 20
        while (found := re.search(pattern, self.told)) is None:
            ready, _, _ = select.select([self._leader], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"expected {pattern!r}, got {self.told!r}"
            self.told += os.read(self._leader, 65536).decode()
        before, self.told = self.told[: found.end()], self.told[found.end() :]
        return before

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self._leader)


@pytest.fixture
def demo():
    started = []

    def demo(**environment):
        started.append(Demo(**environment))
        return started[-1]

    yield demo
    for one in started:
        one.close()


def test_it_tells_what_to_try_and_what_comes_of_it(demo):
    running = demo()
    invitation = running.until(r"\d\d:\d\d:\d\d  ")
    file = Path(re.search(r"^  (/\S+/config/production/app.yaml) ", invitation, re.MULTILINE)[1])
    for tried in ("max_size: 60", "max_size: 9000", "max_size: 80", "min_size: 5", "max_sise: 80"):
        assert f"\r\n  {tried} " in invitation
    running.until(r"the program has: pool 1 to 40.*\x1b\[0m")
    text = file.read_text()
    file.write_text(text.replace("40", "60"))
    running.until(r"\d\d:\d\d:\d\d  \x1b\[1mthe program has: pool 1 to 60")
    file.write_text(text.replace("40", "9000"))
    held = running.until(r"\x1b\[33mheld .*got 9000 \(files config/production/app.yaml:4:15\)\x1b\[0m")
    file.write_text(text.replace("40", "80"))
    mended = running.until(r"pool 1 to 80")
    assert "\x1b[32mno longer held: config/production/app.yaml of files" in mended
    assert str(file.parent) not in held + mended  # the paths are told once
    file.write_text(text.replace("40", "80\n    min_size: 5"))
    running.until("pool 5 to 80")
    file.write_text(text.replace("max_size: 40", "max_sise: 80"))
    running.until("max_sise: unknown key, ignored; did you mean max_size")
    running.process.send_signal(signal.SIGINT)
    running.until("ended; the two files are gone with it")
    assert running.process.wait(20) == 0
    assert not file.exists()


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_refused(demo, environment):
    assert "\x1b" not in demo(**environment).until("the program has: pool 1 to 40.*\n")
