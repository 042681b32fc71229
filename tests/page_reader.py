"""Follows a page of the docs word by word: every command, every file, every line that it shows.

The page is read as a person reads it. Comments that a reader does not see say what a person knows without words:

- `file: NAME`: the next block is saved under this name.
- `edit: NAME`: the next block says what is replaced in this file.
- `runs on`: the last command of the next block does not end by itself.
- `terminal: NAME`: from here on commands and outputs belong to this terminal.
- `exits with N`: so does the last command of the next block.
- `Ctrl-C`, `Ctrl-C everywhere`: is pressed in this terminal, or in all of them.
- `not followed`: the next block is only to be read.
"""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

STEP = re.compile(
    r"(?P<notes>(?:^<!-- [^>]+ -->\n)*)^```(?P<kind>\w+)\n(?P<text>.*?)^```$|^<!-- (?P<key>Ctrl-C[^>]*) -->$",
    re.DOTALL | re.MULTILINE,
)
PATIENCE = 60.0  # seconds for a line, on a busy machine


def masked(line: str) -> str:
    """A line without how long something took, and when it was."""
    line = re.sub(r"\b(in|after) (?:\d+m)?[\d.]+m?s\b", r"\1 SECONDS", line.rstrip())
    return re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:,\d+|\.\d+Z)?", "TIME", line)


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


class PageReader:
    """Somebody who follows a page in an empty folder.

    Args:
        home: Their home.
        folder: Where files are saved; made by the page itself if it is not there.
        environ: The environment of each terminal.
        words: Words of the page, and those that hold here instead.
    """

    def __init__(self, home: Path, folder: Path, environ: Mapping[str, str], words: Mapping[str, str]) -> None:
        self._home = home
        self._folder = folder
        self._words = dict(words)
        self._environ = dict(environ)
        self._terminals: dict[str, Terminal] = {}
        self._terminal = "first"

    @property
    def terminal(self) -> Terminal:
        if self._terminal not in self._terminals:
            self._terminals[self._terminal] = Terminal(self._home, dict(self._environ))
        return self._terminals[self._terminal]

    def follow(self, text: str, **words: str) -> None:
        """Do what the text says, with some of its words replaced by those that hold here."""
        for word, instead in (self._words | words).items():
            text = text.replace(word, instead)
        for step in STEP.finditer(text):
            if step["key"]:
                self._press(step["key"])
            else:
                notes = dict(re.findall(r"<!-- (runs on|not followed|\w+(?: with)?):? ?(.*?) -->", step["notes"]))
                if "not followed" in notes:
                    continue
                self._terminal = notes.get("terminal", self._terminal)
                getattr(self, f"_{step['kind']}", self._save)(step["text"], notes)

    def _press(self, key: str) -> None:
        everywhere = key.endswith("everywhere")
        for terminal in self._terminals.values() if everywhere else [self.terminal]:
            if terminal.is_busy:
                terminal.press_ctrl_c()
        self._terminal = "first" if everywhere else self._terminal

    def _save(self, text: str, notes: dict[str, str]) -> None:
        (self._folder / notes["file"]).write_text(text)

    def _diff(self, text: str, notes: dict[str, str]) -> None:
        path = self._folder / notes["edit"]
        old, new = ("".join(re.findall(rf"^[{sign}](.*\n)", text, re.MULTILINE)) for sign in "-+")
        assert path.read_text().count(old) == 1, old
        path.write_text(path.read_text().replace(old, new))

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
