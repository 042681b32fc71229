"""Completion as a person meets it: real shells on a terminal, and Tab pressed."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reactive_config._cli.type_paths import type_paths

DEADLINE = 20.0

TABLE = '[tool.reactive-config]\ntype = "settings:App"\nsources = ["config/common"]\n'
SHELLS = {
    "bash": ("--norc", "--noprofile", "-i"),
    "zsh": ("-f", "-i"),
}
LOAD = {
    "bash": 'eval "$(reactive-config completion bash)"',
    "zsh": "autoload -U compinit; compinit -D; source <(reactive-config completion zsh); "
    "compdef _cyclopts_reactive-config reactive-config",
}


class Shell:
    """A shell on a terminal of its own."""

    def __init__(self, leader: int) -> None:
        self._leader = leader
        self.told = ""

    def type(self, text: str) -> None:
        os.write(self._leader, text.encode())

    def wait(self, text: str) -> None:
        """Read until a text stands there; what was read before it is forgotten."""
        end = time.monotonic() + DEADLINE
        while text not in self.told:
            ready, _, _ = select.select([self._leader], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"expected {text!r}, got {self.told!r}"
            self.told += os.read(self._leader, 65536).decode(errors="replace")
        self.told = self.told.partition(text)[2]


def environment(cli: Any) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "LANG") if name in os.environ}
    path = f"{Path(cli.script).parent}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(cli.directory), "TERM": "dumb", "PS1": "", **kept}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, cli: Any, shop: Path) -> Iterator[Shell]:
    """A shell in which the installed command completes."""
    name = request.param
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not installed")
    (shop / "pyproject.toml").write_text(TABLE)
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [program, *SHELLS[name]], cwd=shop, env=environment(cli), stdin=follower, stdout=follower, stderr=follower,
        start_new_session=True,
    ) as process:  # fmt: skip
        os.close(follower)
        shell = Shell(leader)
        try:
            shell.type(f"{LOAD[name]}\necho re''ady\n")
            shell.wait("ready\r\n")
            yield shell
        finally:
            process.kill()
            with contextlib.suppress(OSError):
                os.close(leader)


COMPLETED = [
    ("expl", "ain "),
    ("check --stri", "ct "),
    ("watch --no-pro", "ject "),
    ("check --notifier poll", "ing "),
    ("init --kind wor", "ker "),
    ("completion fi", "sh "),
    ("check settin", "gs.py "),
    ("get refr", "esh "),
    ("get database.pool.mi", "n_size "),
    ("explain database.d", "sn "),
    ("get workers config/com", "mon/"),
]
"""What is typed, and what Tab adds."""


@pytest.mark.parametrize(("typed", "completed"), COMPLETED)
def test_tab_completes(shell: Shell, typed: str, completed: str) -> None:
    shell.type(f"reactive-config {typed}")
    shell.wait(typed)
    shell.type("\t")
    shell.wait(completed)


def test_fish_completes(cli: Any, shop: Path) -> None:
    """By its own engine, without a terminal."""
    program = shutil.which("fish")
    if program is None:
        pytest.skip("fish is not installed")
    (shop / "pyproject.toml").write_text(TABLE)
    asked = "; ".join(f"echo '> {typed}'; complete -C 'reactive-config {typed}'" for typed, _ in COMPLETED)
    done = subprocess.run(
        [program, "--no-config", "-c", f"reactive-config completion fish | source; {asked}"],
        cwd=shop, env=environment(cli), capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    answers = dict(re.findall(r"^> (.*)\n((?:[^>].*\n)*)", done.stdout, re.MULTILINE))
    for typed, completed in COMPLETED:
        words = [line.partition("\t")[0] for line in answers[typed].splitlines()]
        assert typed.split()[-1] + completed.strip() in words, typed


def test_an_unknown_shell_is_a_mistake(cli: Any) -> None:
    result = cli("completion", "tcsh")
    assert (result.code, result.out) == (2, "")
    assert "bash" in result.err


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_a_script_knows_every_command_and_option(cli: Any, shell_name: str) -> None:
    script = cli("completion", shell_name).out
    for word in ("init", "get", "explain", "watch", "check", "schema", "doctor", "completion", "no-project", "mirror"):
        assert word in script


def candidates(cli: Any, *words: str) -> list[str]:
    """What the scripts get when they ask the command."""
    result = cli("__complete", *words)
    assert (result.code, result.err) == (0, "")
    return [line.partition("\t")[0] for line in result.out.splitlines() if line and not line.startswith("\x1f")]


def test_paths_are_those_of_the_type_that_is_named(cli: Any, shop: Path) -> None:
    assert candidates(cli, "get", "") == []
    assert candidates(cli, "get", "--type", "settings:Pool", "") == ["min_size", "max_size"]
    (shop / "pyproject.toml").write_text(TABLE)
    assert candidates(cli, "explain", "data") == [
        "database", "database.dsn", "database.pool", "database.pool.min_size", "database.pool.max_size",
        "log", "refresh", "workers",
    ]  # fmt: skip
    assert candidates(cli, "get", "--no-project", "") == []


def test_what_cannot_be_loaded_completes_to_nothing(cli: Any, shop: Path) -> None:
    """And says nothing: it would stand in the middle of the line."""
    (shop / "pyproject.toml").write_text(TABLE.replace("settings", "nowhere"))
    assert candidates(cli, "get", "") == []
    (shop / "pyproject.toml").write_text("[tool.reactive-config\n")
    assert candidates(cli, "get", "") == []


class Endless(msgspec.Struct):
    """A type inside of itself."""

    name: str
    next: Endless | None = None
    others: dict[str, Endless] = {}


def test_a_type_inside_of_itself_has_some_of_its_paths() -> None:
    paths = type_paths(Endless)
    assert paths[:4] == ["name", "next", "next.name", "next.next"]
    assert len(paths) == 24
    assert max(path.count(".") for path in paths) == 7
