"""What a person sees: colours on a terminal only, help that fits, and nothing that steers the terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reactive_config._extras import EXTRAS

FILES = ("config/common", "config/production")


def test_colours_are_for_terminals(cli: Any) -> None:
    colourful = cli.on_terminal("explain", "database.pool.max_size", *FILES)
    assert colourful.code == 0
    assert "\x1b[1;32m" in colourful.out
    assert "▶" in colourful.out
    assert "\x1b" not in cli("explain", "database.pool.max_size", *FILES).out


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_refused(cli: Any, environment: dict[str, str]) -> None:
    assert "\x1b" not in cli.on_terminal("explain", "database.pool.max_size", *FILES, **environment).out


def test_tables_fit_the_terminal(cli: Any, shop: Path) -> None:
    (shop / "config/common/app.yaml").write_text("text: " + "long words " * 40)
    lines = cli.on_terminal("explain", "text", "config/common", NO_COLOR="1").out.splitlines()
    assert len(lines) > 3
    assert max(map(len, lines)) <= 100


def test_content_cannot_steer_the_terminal(cli: Any, shop: Path) -> None:
    (shop / "config/common/app.yaml").write_text('title: "a\\e]0;owned\\ab\\u009b31m"\n"k\\e[2J": 1\n')
    for command in (("get", "title"), ("explain", ".")):
        told = cli.on_terminal(*command, "config/common", NO_COLOR="1").out
        assert not set(told) & {"\x1b", "\x07", "\x9b"}, command
    told = cli.on_terminal("get", "title", "config/common", "--json").out
    assert not set(told) & {"\x1b", "\x9b"}
    assert json.loads(told)["value"] == "a\x1b]0;owned\x07b\x9b31m"


def test_help_names_every_command_and_fits(cli: Any) -> None:
    result = cli("--help", COLUMNS="80")
    assert result.code == 0
    for word in (
        "init", "get", "explain", "watch", "check", "schema", "doctor", "completion", "etcd://HOST:PORT/shop/",
        "pyproject.toml", "Examples", "http://HOST:PORT/NAMESPACE/ENVIRONMENT", "REACTIVE_CONFIG_TARGET",
        "3 somebody else has changed", "and change it",
    ):  # fmt: skip
        assert word in result.out
    assert max(map(len, result.out.splitlines())) <= 80


@pytest.mark.parametrize("verb", ["set", "unset", "apply", "export", "history", "show", "diff", "blame", "rollback"])
def test_help_of_a_verb_says_what_a_target_is(quick: Any, verb: str) -> None:
    told = quick(verb, "--help").out
    for word in ("sqlite:FILE/NAMESPACE/ENVIRONMENT", "REACTIVE_CONFIG_TARGET", f"reactive-config {verb} [TARGET]"):
        assert word in told
    assert "ARGUMENT" not in told


def test_help_loads_no_source() -> None:
    """It stays quick: neither grpc nor watchfiles nor a YAML parser is needed to say how to call it."""
    heavy = {"grpc", "aetcd", "watchfiles", "ryaml", "yaml", "pydantic", "hypothesis"}
    code = "import sys; from reactive_config._cli.app import make_app; make_app(); print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20).stdout
    assert not heavy & set(told.split())


def test_without_the_extra_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['cyclopts'] = None; from reactive_config._cli import main; main(['--help'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 2
    install = f'install the extra "cli" of reactive-config, or: pip install {EXTRAS["cli"]}'
    assert done.stderr == f"reactive-config needs cyclopts: {install}\n"
