"""A canary goes through every command, and comes out of none."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
CANARY = "CANARY"

CONTENT = """\
database: {dsn: postgres://shop:CANARY@db/shop, pool: {max_size: 10}}
"""
UNTYPED = """\
database: {dsn: CANARY, password: CANARY, nested: {api_key: CANARY}}
tokens: [CANARY, {a: CANARY}]
users: [{name: a, password: CANARY}]
secret: {deep: {er: CANARY}}
"""
LISTS = """\
from typing import Any
import msgspec
from reactive_config import Secret
class Db(msgspec.Struct):
    dsn: Secret[str]
class App(msgspec.Struct):
    many: list[Db]
    free: list[dict[str, Any]]
    either: int | dict[str, Any]
    pairs: dict[str, Secret[str]]
"""
LISTED = """\
many: [{dsn: CANARY}]
free: [{password: CANARY}]
either: {token: CANARY}
pairs: {a: CANARY}
"""

CASES = [(CONTENT, "settings:App"), (CONTENT, None), (UNTYPED, None), (LISTED, "lists:App")]


# One test reads its file many times: a file that was just written is only read after a moment of quiet.
@pytest.mark.parametrize(("content", "kind"), CASES)
def test_no_command_prints_a_secret(quick: Run, shop: Path, content: str, kind: str | None) -> None:
    (shop / "config/common/app.yaml").write_text(content)
    (shop / "lists.py").write_text(LISTS)
    typed = ("--type", kind) if kind else ()
    for command in (("get", "."), ("explain", "."), ("check",), ("doctor",)):
        for form in ((), ("--json",)):
            result = quick(*command, "config/common", *typed, *form)
            assert result.code == 0, result
            assert CANARY not in result.out + result.err


def test_asking_for_the_secret_itself_shows_stars(quick: Run, shop: Path) -> None:
    (shop / "config/common/app.yaml").write_text(UNTYPED)
    for path in ("database.dsn", "database.nested.api_key", "tokens", "secret.deep.er", "secret"):
        for command in ("get", "explain"):
            result = quick(command, path, "config/common")
            assert result.code == 0
            assert CANARY not in result.out
            assert "***" in result.out


@pytest.mark.parametrize(
    "content",
    [
        "database: CANARY\n",
        "database: {dsn: [CANARY]}\n",
        "database: {dsn: a, pool: {max_size: CANARY}}\nCANARY2: 1\n".replace("max_size: CANARY", "max_size: true"),
        "database: {dsn: CANARY\n",
        "database: {dsn: 'CANARY}\n",
        "CANARY\n",
    ],
)
def test_no_error_quotes_a_secret(quick: Run, shop: Path, content: str) -> None:
    (shop / "config/common/app.yaml").write_text(content)
    for command in (("check",), ("get", ".", "--json")):
        result = quick(*command, "config/common/app.yaml", "--type", "settings:App")
        assert CANARY not in (result.out + result.err).replace("CANARY2", "")


def test_watch_prints_neither_the_old_nor_the_new_secret(cli: Any, shop: Path) -> None:
    seen = []
    with cli.start("watch", "config/common", "--type", "settings:App") as running:
        seen.append(running.wait_line("generation 1"))
        (shop / "config/common/app.yaml").write_text(CONTENT.replace("CANARY", "CANARY2"))
        running.wait_line("generation 2")
        seen.append(running.wait_line("database.dsn"))
        assert "*** -> ***" in seen[-1]
        (shop / "config/common/app.yaml").write_text("database: {dsn: [CANARY3]}\n")
        running.wait_line("HELD")
        seen.append(running.wait_line("database.dsn"))
        assert running.end() == (0, "")
    assert CANARY not in "".join(seen)


def test_a_password_never_comes_from_the_command_line_and_never_shows(quick: Run, shop: Path) -> None:
    (shop / "pw").write_text("CANARY\n")
    arguments = ("doctor", "etcd://127.0.0.1:1/x/", "--username", "u", "--password-file", "pw", "--timeout", "0.3")
    result = quick(*arguments)
    assert result.code == 1
    assert CANARY not in result.out + result.err


RAISING = {
    "def connect():\n    raise RuntimeError('postgres://u:CANARY@h/db')\nconnect()": "RuntimeError ({}:2)",
    "import pydantic\nclass S(pydantic.BaseModel):\n    n: int\nS(n='CANARY')": "ValidationError ({}:4)",
    "raise SyntaxError('CANARY')": "SyntaxError ({}:1)",
    "import ast\nast.literal_eval('CANARY CANARY')": "SyntaxError ({}:2)",
    "raise ModuleNotFoundError('CANARY')": "ModuleNotFoundError ({}:1)",
    "raise ImportError('CANARY')": "ImportError ({}:1)",
    "import json\nfrom json import nothing": "ImportError ({}:2): cannot import name 'nothing' from 'json'",
    "App = (": "SyntaxError ({}:1): '(' was never closed",
    "class M(type):\n    def __getattr__(c, n): raise KeyError('CANARY')\nclass App(metaclass=M): 0": "KeyError ({}:2)",
}


@pytest.mark.parametrize(("code", "words"), RAISING.items())
def test_what_the_types_module_raises_is_told_by_its_type_and_line(
    quick: Run, shop: Path, code: str, words: str
) -> None:
    (shop / "raising.py").write_text(code)
    sys.modules.pop("raising", None)
    importlib.invalidate_caches()
    result = quick("check", "config/common", "--type", "raising:App.inner")
    assert (result.code, result.out) == (2, "")
    assert words.format(shop / "raising.py") in result.err
    assert CANARY not in result.err


def test_of_what_the_types_module_imports_its_own_line_is_told(quick: Run, shop: Path) -> None:
    (shop / "inner_raising.py").write_text("\n\nraise ValueError('CANARY')")
    (shop / "outer_raising.py").write_text("\nimport inner_raising")
    importlib.invalidate_caches()
    result = quick("check", "config/common", "--type", "outer_raising:App")
    assert f"ValueError ({shop / 'outer_raising.py'}:2)" in result.err
    assert CANARY not in result.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("get", ".", "x", "--password=CANARY"), "Did you mean --password-file?"),
        (("get", ".", "x", "--PASSWORD=CANARY"), "--PASSWORD=..."),
        (("get", ".", "x", "--password='CANARY\\'"), "--password=..."),
        (("get", ".", "x", "--passwordCANARY"), "--password..."),
        (("get", ".", "x", "-pCANARY"), "-p..."),
        (("get", ".", "x", "-p=CANARY"), "-p..."),
        (("get", ".", "x", "--user=u:CANARY"), "--user=..."),
        (("get", ".", "etcd://h/x/", "--username", "u:CANARY"), "--username: expected a name"),
        (("--password=CANARY", "get"), "--password=..."),
        (("etcd://u:CANARY@h/",), "get, explain, watch"),
        (("schema", "etcd://u:CANARY@h/"), "Unused Tokens"),
        (("get", "etcd://u:CANARY@h/s/", "x"), "expected PATH"),
        (("get", "u:CANARY@h", "x"), "expected PATH"),
        (("explain", "x://u:CANARY@h", "x"), "expected PATH"),
        (("get", "env:A_", "etcd://u:CANARY@h/s/"), "expected PATH before the sources, got env:A_"),
    ],
)
def test_a_mistyped_argument_with_a_password_is_not_quoted(quick: Run, arguments: tuple[str, ...], words: str) -> None:
    for form in ((), ("--json",)):
        result = quick(*arguments, *form)
        assert result.code == 2
        assert words in result.out + result.err
        assert CANARY not in result.out + result.err
