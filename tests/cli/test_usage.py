"""The user's mistakes: one clear message, exit code 2, never a traceback."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("wach", "config"), "Did you mean"),
        (("watch", "config", "--jsn"), "--json"),
        (("watch", "config", "--count", "0"), "--count"),
        (("watch", "config", "--count", "many"), "--count"),
        (("watch", "config", "--notifier", "magic"), "inotify"),
        (("watch",), "at least one source"),
        (("explain",), "PATH"),
        (("schema",), "--type"),
        (("check", "config/common", "--type", "settings"), "MODULE:CLASS"),
        (("check", "config/common", "--type", "setings:App"), "did you mean settings?"),
        (("check", "config/common", "--type", "settings:Ap"), "did you mean App?"),
        (("check", "config/common", "--type", "settings:SETTINGS.x"), "has no SETTINGS"),
        (("check", "config/common", "--type", "broken:App"), "broken.py:1"),
        (("check", "config/common", "--type", "needs:App"), "needs imports nowhere_to_be_found"),
        (("check", "config/common", "--type", "odd:App"), "odd:App"),
        (("check", "config/common", "--timeout", "soon"), "--timeout"),
        (("get", "config/common/", "config/production"), "expected PATH before the sources"),
        (("check", "config/common", "--reveal"), "--reveal"),
        (("check", "config/common", "--password", "CANARY"), "--password"),
    ],
)
def test_a_mistake_is_one_clear_message(quick: Run, shop: Path, arguments: tuple[str, ...], words: str) -> None:
    (shop / "broken.py").write_text("App = (\n")
    (shop / "needs.py").write_text("import nowhere_to_be_found\n")
    (shop / "odd.py").write_text("App = 3\n")
    result = quick(*arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")
    assert words in result.err
    assert "CANARY" not in result.err
    (record,) = quick(*arguments, "--json").records
    assert (record["event"], record["error"]) == ("error", "usage")
    assert words in str(record)


def test_the_script_exits_with_the_code(cli: Run) -> None:
    result = cli("watch", "--nope")
    assert (result.code, result.out) == (2, "")
    assert "Traceback" not in result.err
    assert cli("--version").code == 0


def test_python_dash_m_is_the_command() -> None:
    asked = [sys.executable, "-m", "reactive_config"]
    version = subprocess.run([*asked, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout == f"{importlib.metadata.version('reactive-config')}\n"
    assert subprocess.run([*asked, "get"], capture_output=True, check=False).returncode == 2
