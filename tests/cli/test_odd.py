"""Odd names, files, terminals, types and ends of the output: one message, the right exit code, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reactive_config._cli import app

Run = Callable[..., Any]
LONG = "x" * 300


def told(result: Any, code: int) -> str:
    assert result.code == code, result
    assert "Traceback" not in result.err + result.out
    return str(result.err + result.out)


@pytest.mark.parametrize("source", [LONG, f"values:{LONG}", f"{LONG}/app.json", "x/" * 3000 + "app.json"])
@pytest.mark.parametrize("command", [("check",), ("get", "."), ("doctor",)])
def test_a_name_that_is_too_long_is_told(quick: Run, command: tuple[str, ...], source: str) -> None:
    assert "File name too long" in told(quick(*command, source, "--timeout", "2"), 1)


@pytest.mark.parametrize("source", ["a\0b", "values:a\0b", "a\0b/c.json"])
@pytest.mark.parametrize("command", [("check",), ("get", "."), ("doctor",)])
def test_a_name_with_nul_is_told(quick: Run, command: tuple[str, ...], source: str) -> None:
    assert "a\\u0000b" in told(quick(*command, source, "--timeout", "2"), 2)


@pytest.mark.parametrize("name", ["loop.json", "gone.json"])
def test_a_link_that_leads_nowhere_is_told(quick: Run, shop: Path, name: str) -> None:
    (shop / name).symlink_to({"loop.json": "loop.json", "gone.json": "nowhere"}[name])
    assert f"{name} is a link to nothing, or to itself" in told(quick("check", name), 1)


ODD_FILES: list[tuple[str, bytes | None, str]] = [
    ("empty.json", b"", "expected a document, got an empty file"),
    ("empty.yaml", b"", "expected a document, got an empty file"),
    ("comment.json", b"// nothing", "expected valid JSON"),
    ("dashes.yaml", b"---\n", "expected a document, got an empty one"),
    ("u16.json", '{"a": 1}'.encode("utf-16"), "expected UTF-8 text, got UTF-16 (save it as UTF-8)"),
    ("latin.yaml", "a: é".encode("latin-1"), "expected UTF-8 text, got other bytes (save it as UTF-8)"),
    ("nul.json", b'{"a": "x\0y"}', "expected valid JSON"),
    ("nul.yaml", b"a: x\0y", "expected text without control characters, got one"),
    ("two.yaml", b"a: 1\n---\nb: 2\n", "expected one document, got a second one"),
    ("list.json", b"[]", "expected a table at the top level, got a list"),
    ("directory.json", None, "expected a regular file, got a directory"),
    ("fifo.json", None, "expected a regular file, got a FIFO"),
    ("zero.json", None, "expected a regular file, got a device"),
    ("zero.yaml", None, "expected a regular file, got a device"),
]


@pytest.mark.parametrize(("name", "content", "words"), ODD_FILES, ids=[name for name, _, _ in ODD_FILES])
def test_a_file_of_an_odd_kind_is_told_by_its_name(
    quick: Run, shop: Path, name: str, content: bytes | None, words: str
) -> None:
    path = shop / name
    if content is not None:
        path.write_bytes(content)
    elif name.startswith("directory"):
        path.mkdir()
    elif name.startswith("fifo"):
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    text = told(quick("check", name), 1)
    assert name in text
    assert words in text
    (*_, result) = quick("check", name, "--json").records
    assert (result["event"], result["ok"]) == ("result", False)


@pytest.mark.parametrize("content", [b'\xef\xbb\xbf{"a": 1}', b'{"a": 1}'])
def test_a_byte_order_mark_is_skipped(quick: Run, shop: Path, content: bytes) -> None:
    (shop / "bom.json").write_bytes(content)
    assert "ok: 1 value from 1 source" in told(quick("check", "bom.json"), 0)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_told(quick: Run, shop: Path) -> None:
    (shop / "closed").mkdir(mode=0o000)
    assert "Permission denied" in told(quick("check", "closed", "--timeout", "2"), 1)


MODULES = {
    "raise SystemExit(3)": "SystemExit",
    "raise RecursionError": "RecursionError",
    "import asyncio; raise asyncio.CancelledError": "CancelledError",
    "raise GeneratorExit": "GeneratorExit",
    "raise MemoryError": "MemoryError",
    "raise BaseExceptionGroup('g', [SystemExit(1)])": "BaseExceptionGroup",
    "class E(Exception):\n    def __str__(self): raise SystemExit\nraise E": "E",
    "a b": "SyntaxError",
    "def __getattr__(name): raise SystemExit(4)": "SystemExit",
    "class M(type):\n    def __getattr__(c, n): raise SystemExit(4)\nclass App(metaclass=M): pass": "SystemExit",
}


@pytest.mark.parametrize("number", range(len(MODULES)), ids=list(MODULES.values()))
@pytest.mark.parametrize("command", [("check", "config/common"), ("schema",)])
def test_whatever_a_types_module_raises_is_told(quick: Run, shop: Path, command: tuple[str, ...], number: int) -> None:
    name = f"odd_module_{number}"
    (shop / f"{name}.py").write_text(list(MODULES)[number])
    text = told(quick(*command, "--type", f"{name}:App"), 2)
    assert text.startswith("error: --type")
    assert name in text
    assert list(MODULES.values())[number] in text


@pytest.mark.parametrize(
    "run",
    [
        "asyncio.run(main())",
        "asyncio.new_event_loop().run_until_complete(main())",
        "anyio.run(main)",
        "asyncio.Runner().run(main())",
    ],
)
def test_a_types_module_that_runs_its_program_is_told_what_to_write(cli: Run, shop: Path, run: str) -> None:
    (shop / "unguarded.py").write_text(f"import anyio, asyncio\nasync def main(): pass\n{run}\n")
    result = cli("check", "config/common", "--type", "unguarded:App")
    assert result.code == 2
    assert "error: --type: unguarded cannot be imported: RuntimeError" in result.err
    assert "unguarded.py:3" in result.err
    assert 'put that under `if __name__ == "__main__":`' in result.err


def test_ctrl_c_while_a_types_module_is_imported_is_ctrl_c(quick: Run, shop: Path) -> None:
    (shop / "interrupted.py").write_text("raise KeyboardInterrupt")
    assert told(quick("schema", "--type", "interrupted:App"), 130) == ""


def test_what_a_types_module_prints_is_not_among_the_json_lines(quick: Run, shop: Path) -> None:
    (shop / "talking.py").write_text("print('hello')\nfrom settings import App")
    result = quick("check", "config/common", "--type", "talking:App", "--json")
    assert [record["event"] for record in result.records] == ["result"]
    assert result.err == "hello\n"


def test_an_error_that_nobody_expected_is_told_without_its_text(quick: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*sources: str) -> int:
        raise ZeroDivisionError("canary")

    monkeypatch.setitem(app._COMMANDS, "check", (fail, "SOURCE..."))
    text = told(quick("check", "config/common"), 1)
    assert text.startswith("error: expected to go on, got ZeroDivisionError at ")
    assert "canary" not in text


@pytest.mark.parametrize("name", [LONG, "config", "/dev/zero"])
def test_a_password_file_that_is_none_is_told(quick: Run, name: str) -> None:
    result = quick("get", ".", "etcd://127.0.0.1:1/x/", "--username", "u", "--password-file", name)
    assert told(result, 2).startswith("error: --password-file")


COMMANDS = [
    ("get", ".", "config/common"),
    ("explain", ".", "config/common"),
    ("check", "config/common"),
    ("schema", "--type", "settings:App"),
    ("doctor", "config/common"),
    ("watch", "config/common"),
    ("--help",),
    ("get", "--help"),
    ("--version",),
]


@pytest.mark.parametrize("arguments", [*COMMANDS, ("get", ".", "config/common", "--json")], ids=" ".join)
def test_a_full_disk_is_told_on_the_other_stream(cli: Any, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run_to(cli, full, *arguments)
    assert done.returncode == 1
    assert done.stderr == "error: the standard output: expected to write, got ENOSPC (No space left on device)\n"


def test_a_full_disk_for_messages_does_not_change_the_exit_code(cli: Any) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([cli.script, "nope"], stdout=subprocess.PIPE, stderr=full, timeout=15, check=False)
    assert (done.returncode, done.stdout) == (2, b"")


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_reader_that_has_gone_is_no_error(cli: Any, arguments: tuple[str, ...]) -> None:
    done = run_to_nobody(cli, *arguments)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_has_gone_does_not_make_bad_content_good(cli: Any) -> None:
    (cli.directory / "bad.json").write_text("{")
    for more in ((), ("--json",)):
        done = run_to_nobody(cli, "check", "bad.json", *more)
        assert (done.returncode, done.stderr) == (1, "")


def run_to(cli: Any, stdout: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [cli.script, *arguments],
        cwd=cli.directory,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=15,
        check=False,
    )


def run_to_nobody(cli: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return run_to(cli, writer, *arguments)
    finally:
        os.close(writer)


ASCII = [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0", "LC_ALL": "C"},
    {"PYTHONUTF8": "0", "LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0"},
]


@pytest.mark.parametrize(
    "environment", [ASCII[0], *(pytest.param(one, marks=pytest.mark.storm) for one in ASCII[1:])], ids=str
)
def test_json_is_json_in_an_encoding_that_lacks_a_character(cli: Any, environment: dict[str, str]) -> None:
    text = "h\u00e9llo \u2603 \U0001f600"
    (cli.directory / "odd.json").write_text(json.dumps({"a": text}), encoding="utf-8")
    for arguments in (("get", "."), ("get", ".", "--json"), ("explain", "a", "--json")):
        result = cli(*arguments[:2], "odd.json", *arguments[2:], **environment)
        told(result, 0)
        value = json.loads(result.out)
        assert text in str(value)
    assert "\\u2603" in told(cli("explain", "a", "odd.json", **environment), 0)


@pytest.mark.parametrize("columns", [0, 1])
@pytest.mark.parametrize("arguments", [COMMANDS[1], COMMANDS[4], COMMANDS[6]], ids=" ".join)
def test_a_terminal_of_no_width_gets_an_answer(cli: Any, arguments: tuple[str, ...], columns: int) -> None:
    result = cli.on_terminal(*arguments, columns=columns)
    assert len(told(result, 0)) > 3
