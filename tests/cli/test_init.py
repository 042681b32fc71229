"""`init` writes a project that runs: its program, its tests, its linters and this command, in a clean directory."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reactive_config._cli.scaffold import (
    PACKAGES,
    TEST_PACKAGES,
    contents,
    project_name,
    variable_prefix,
    write_project,
)
from reactive_config._testing.etcd_installed import free_ports

Quick = Callable[..., Any]

KINDS = ("worker", "web")
PATHS = {
    ".gitignore",
    "README.md",
    "app.py",
    "config/app.local.toml",
    "config/app.toml",
    "pyproject.toml",
    "tests/conftest.py",
    "tests/test_app.py",
}


def written(directory: Path) -> set[str]:
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}


def run(directory: Path, *command: str, timeout: float = 100) -> subprocess.CompletedProcess[str]:
    """A command with this Python, in a project, with what is installed and nothing of this checkout."""
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=directory, env=_environment(), capture_output=True, text=True,
        timeout=timeout, check=False,
    )  # fmt: skip


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "REACTIVE_CONFIG"))}


@pytest.fixture(params=KINDS)
def project(request: pytest.FixtureRequest, cli: Any) -> Path:
    """A new project of each kind, made by the installed command."""
    result = cli("init", "new shop", "--kind", request.param)
    assert (result.code, result.err) == (0, "")
    return Path(cli.directory / "new shop")


def test_it_writes_these_files_and_says_what_to_do_next(cli: Any, shop: Path) -> None:
    result = cli("init", "deep/new shop", "--kind", "worker")
    assert written(shop / "deep/new shop") == PATHS
    assert all(re.search(rf"^  {re.escape(path)}  ", result.out, re.MULTILINE) for path in PATHS)
    assert "  cd 'deep/new shop'\n  python app.py " in result.out
    text = "".join((shop / "deep/new shop" / path).read_text() for path in PATHS)
    assert re.findall(r"@\w+@", text) == []
    assert len((shop / "deep/new shop/README.md").read_text().splitlines()) <= 12


def test_the_program_follows_an_edit_and_refuses_a_mistake(cli: Any, shop: Path) -> None:
    assert cli("init", "new", "--kind", "worker").code == 0
    cli.directory = shop / "new"
    config = shop / "new/config/app.toml"
    text = config.read_text().replace("2s", "50ms")
    config.write_text(text)
    with cli.start_any("sh", "-c", f"exec {sys.executable} -W error app.py 2>&1") as program:
        program.wait_line(r"INFO reactive_config: generation 1 from files \(config/app.toml\), local .*NEW_")
        program.wait_line("INFO new: job 1: hello$")
        config.write_text(text.replace('"hello"', '"good day"'))
        program.wait_line(r"INFO reactive_config: generation 2: greeting \(files config/app.toml\)")
        program.wait_line("INFO new: job .*: good day$")
        config.write_text(text.replace("workers = 2", "workers = 900"))
        program.wait_line(r"WARNING .*: workers: expected int <= 64, got 900 \(files config/app.toml:4:11\)")
        config.write_text(text.replace('"hello"', '"good day"'))
        program.wait_line("INFO reactive_config: no longer held")
        (shop / "new/config/app.local.toml").write_text('greeting = "mine"\n')
        program.wait_line(r"INFO reactive_config: generation 3: greeting \(local config/app.local.toml\)")
        program.wait_line("INFO new: job .*: mine$")
        program.process.terminate()
        program.wait_line("INFO new: ended")
        assert program.wait()[0] == 0


def test_the_web_application_answers_with_what_was_saved(cli: Any, shop: Path) -> None:
    pytest.importorskip("fastapi")
    assert cli("init", "new", "--kind", "web").code == 0
    cli.directory = shop / "new"
    config = shop / "new/config/app.toml"
    port = str(free_ports(1)[0])

    def answer(path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
            return str(response.read().decode())

    with cli.start_any("sh", "-c", f"exec {sys.executable} app.py 2>&1", PORT=port) as program:
        program.wait_line("running on")
        assert answer("/") == '{"text":"hello, world"}'
        config.write_text(config.read_text().replace('"hello"', '"good day"'))
        program.wait_line(r"INFO reactive_config: generation 2: greeting \(files config/app.toml\)")
        assert answer("/?name=you") == '{"text":"good day, you"}'
        assert '"ready": true' in answer("/ops/readyz")
        program.process.terminate()
        program.wait_line("Application shutdown complete")


def test_its_tests_pass(project: Path) -> None:
    if "FastAPI" in (project / "app.py").read_text():
        pytest.importorskip("fastapi")
    done = run(project, "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:asyncio")
    assert done.returncode == 0, done.stdout + done.stderr
    (project / "config/app.toml").write_text("greting = 'hello'\n")
    assert "greting" in run(project, "pytest", "-q", "-p", "no:cacheprovider").stdout


@pytest.mark.storm  # mypy without a cache takes a third of a minute
def test_its_code_passes_strict_tools(project: Path) -> None:
    """Of a user who has no settings of their own."""
    if "FastAPI" in (project / "app.py").read_text():
        pytest.importorskip("fastapi")
    for command in (
        ("ruff", "check", "--isolated", "--no-cache", "--select", "A,ARG,ASYNC,B,C4,E,F,I,N,PT,RET,RUF,SIM,UP,W", "."),
        ("ruff", "format", "--isolated", "--no-cache", "--check", "."),
        ("mypy", "--strict", "--cache-dir", os.devnull, "."),
    ):
        pytest.importorskip(command[0])
        done = run(project, *command)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_command_needs_no_arguments_in_it(cli: Any, project: Path) -> None:
    if "FastAPI" in (project / "app.py").read_text():
        pytest.importorskip("fastapi")
    cli.directory = project
    assert cli("check", "--strict").out.endswith(" values from 3 sources fit app:App\n")
    cli.directory = project / "tests"
    assert cli("get", "greeting", NEW_SHOP_GREETING="hi").out == "hi\n"


def test_pyproject_names_what_has_to_be_installed(project: Path) -> None:
    table = tomllib.loads((project / "pyproject.toml").read_text())
    kind = "web" if "fastapi" in table["project"]["dependencies"] else "worker"
    assert table["project"]["name"] == "new-shop"
    assert table["project"]["dependencies"] == list(PACKAGES[kind])
    assert table["dependency-groups"]["dev"] == list(TEST_PACKAGES[kind])


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_ignores_what_is_one_s_own(project: Path) -> None:
    subprocess.run(["git", "init", "-q", project], check=True)
    (project / "config/app.local.toml").write_text("greeting = 'mine'\n")
    done = subprocess.run(
        ["git", "status", "--short", "-uall"], cwd=project, capture_output=True, text=True, check=True
    )
    assert {line[3:] for line in done.stdout.splitlines()} == PATHS - {"config/app.local.toml"}


@pytest.mark.parametrize("taken", ["app.py", "tests/test_app.py", ".gitignore"])
def test_nothing_is_overwritten(quick: Quick, shop: Path, taken: str) -> None:
    (shop / "new" / taken).parent.mkdir(parents=True, exist_ok=True)
    (shop / "new" / taken).write_text("mine\n")
    before = sorted((shop / "new").rglob("*"))
    result = quick("init", "new", "--kind", "worker")
    assert (result.code, result.out) == (1, "")
    assert f"new: expected no file where a new one goes, got {taken}; nothing was written" in result.err
    assert sorted((shop / "new").rglob("*")) == before
    assert (shop / "new" / taken).read_text() == "mine\n"


def test_a_file_where_a_directory_goes_and_a_broken_link_are_in_the_way(quick: Quick, shop: Path) -> None:
    (shop / "new").mkdir()
    (shop / "new/tests").write_text("")
    (shop / "new/README.md").symlink_to(shop / "nowhere")
    assert "got tests, README.md; nothing" in quick("init", "new", "--kind", "web").err
    (shop / "file").write_text("")
    assert "file: expected no file" in quick("init", "file", "--kind", "web").err
    assert (shop / "file").read_text() == ""


def test_an_existing_directory_keeps_what_else_is_in_it(quick: Quick, shop: Path, monkeypatch: Any) -> None:
    (shop / "new/docs").mkdir(parents=True)
    (shop / "new/LICENSE").write_text("mine\n")
    monkeypatch.chdir(shop / "new")
    result = quick("init", "--kind", "worker")
    assert result.out.startswith("made a worker here\n")
    assert "cd " not in result.out
    assert written(shop / "new") == PATHS | {"LICENSE"}


def test_a_failure_halfway_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        write_project(tmp_path / "a/b", {"one": "1", "sub/two": "2", "x" * 5000: "3"})
    assert list(tmp_path.iterdir()) == []


def test_json_lines_tell_programs(quick: Quick, shop: Path) -> None:
    (record,) = quick("init", "new", "--kind", "worker", "--json").records
    assert (record["event"], record["directory"], record["kind"]) == ("init", "new", "worker")
    assert set(record["files"]) == PATHS
    assert record["next"][:2] == ["cd new", "python app.py"]
    (record,) = quick("init", "other", "--json").records
    assert (record["event"], record["error"]) == ("error", "usage")


def test_without_a_terminal_the_kind_has_to_be_given(quick: Quick, shop: Path) -> None:
    result = quick("init", "new")
    assert (result.code, result.err.splitlines()[0]) == (2, "error: --kind: expected worker or web, got none")
    assert not (shop / "new").exists()


@pytest.mark.parametrize(
    ("typed", "code", "made"), [("web\n", 0, True), ("neither\n WORKER \n", 0, True), ("\x04", 2, False)]
)
def test_on_a_terminal_it_asks(cli: Any, shop: Path, typed: str, code: int, made: bool) -> None:
    leader, follower = pty.openpty()
    os.write(leader, typed.encode())
    with subprocess.Popen(
        [cli.script, "init", "new"], cwd=shop, env=_environment(), stdin=follower, stdout=follower, stderr=follower
    ) as process:
        try:
            assert process.wait(30) == code
        finally:
            process.kill()
    told = os.read(leader, 65536).decode()
    os.close(follower)
    os.close(leader)
    assert told.count("A worker or a web application? [worker/web] ") == typed.count("\n") + (typed == "\x04")
    assert (shop / "new/app.py").exists() == made


@pytest.mark.parametrize(
    ("directory", "name", "prefix"),
    [
        ("shop", "shop", "SHOP"),
        ("My Shop!", "my-shop", "MY_SHOP"),
        ("2024", "2024", "APP"),
        ("???", "app", "APP"),
        ("reactive_config", "reactive-config", "APP"),
        ('a"b\\n', "a-b-n", "A_B_N"),
    ],
)
def test_any_directory_gives_a_name(directory: str, name: str, prefix: str) -> None:
    assert project_name(Path("/somewhere") / directory) == name
    assert variable_prefix(name) == prefix
    for kind in KINDS:
        for path, text in contents(kind, name).items():
            if path.endswith(".toml"):
                tomllib.loads(text)
            elif path.endswith(".py"):
                compile(text, path, "exec")
