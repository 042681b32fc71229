"""The README's program runs as written, and so does the demo."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import reactive_config
from reactive_config.testing import running_etcd

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def files_of_readme(into: Path) -> None:
    """Lay out every block that the README names as a file."""
    blocks = re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", README.split("## Change it while")[0], re.DOTALL)
    assert {name for name, _ in blocks} == {"config/common/app.toml", "config/production/app.yaml", "app.py"}
    for name, text in blocks:
        path = into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_the_readme_s_program_follows_its_files_and_refuses_what_does_not_fit(tmp_path):
    files_of_readme(tmp_path)
    production = tmp_path / "config/production/app.yaml"
    text = production.read_text()
    refused = re.search(r"```text\n(.*?)\n```", README, re.DOTALL)
    assert refused is not None
    with subprocess.Popen(
        [sys.executable, "-u", "app.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == "starting with 40\n"
            assert program.stdout.readline() == "pool is now 1 to 40\n"
            production.write_text(text.replace("40", "60"))
            assert program.stdout.readline() == "pool is now 1 to 60\n"
            production.write_text(text.replace("40", "lots"))
            assert refused.group(1) in program.stdout.readline()
            production.write_text(text.replace("max_size", "max_sise"))
            assert "database.pool.max_sise: expected one of the names" in program.stdout.readline()
            production.write_text(text.replace("40", "80"))
            assert program.stdout.readline() == "pool is now 1 to 80\n"
        finally:
            program.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="asyncio has no signal handlers on Windows")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_docs_program_for_signals_closes_its_bindings_and_exits_with_0(number, tmp_path):
    """The program of docs/bindings.md, with real signals: one in its work, and one while it closes."""
    page = (ROOT / "docs/bindings.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    text = next(text for text in blocks if "add_signal_handler" in text)
    for pattern, instead in (
        (r" *signal\.raise_signal\(.*\n", ""),
        (r'( *)(print\("closed".*\n)', r'\1print("closing")\n\1await asyncio.to_thread(sys.stdin.readline)\n\1\2'),
    ):
        text, count = re.subn(pattern, instead, text)
        assert count == 1, pattern
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-u", "-c", text], cwd=tmp_path, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as program:  # fmt: skip
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == "working with a connection to db1\n"
            program.send_signal(number)
            assert program.stdout.readline() == "closing\n"
            program.send_signal(number)
            assert program.communicate("go on\n", timeout=20)[0] == "closed a connection to db1\n"
            assert program.returncode == 0
        finally:
            program.kill()


def test_the_readme_s_etcd_line_is_a_source():
    line = next(line for line in README.splitlines() if line.startswith("Etcd("))
    source = eval(line, {name: getattr(reactive_config, name) for name in reactive_config.__all__})
    assert source.layers


@pytest.mark.slow
@pytest.mark.parametrize("form", ["path/to/clone", "git+https://host/path/to/repository.git"])
def test_the_readme_s_ways_to_install_find_the_project(form, tmp_path):
    """Without what it depends on: the index is not what is tested."""
    pytest.importorskip("hatchling")
    argument = re.search(rf'^\$ pip install "(.*{re.escape(form)}.*)"$', README, re.MULTILINE)[1]
    clone = tmp_path / "clone"
    clone.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone)
    shutil.copytree(ROOT / "reactive_config", clone / "reactive_config", ignore=shutil.ignore_patterns("__pycache__"))
    if form.startswith("git"):
        if shutil.which("git") is None:
            pytest.skip("git is not installed")
        me = ["-c", "user.name=me", "-c", "user.email=me@localhost"]
        for command in (["init", "-q"], ["add", "."], [*me, "commit", "-q", "-m", "all"]):
            subprocess.run(["git", *command], cwd=clone, check=True)
    # With the host, because pip 23.2 takes git+file:///path for a path.
    argument = argument.replace(form, f"git+file://localhost{clone}" if form.startswith("git") else str(clone))
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--no-build-isolation", argument]
    done = subprocess.run(
        [*command, "--target", tmp_path / "there"], cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "there/reactive_config/py.typed").exists()


def test_every_page_that_the_readme_names_is_there():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_demo_makes_its_edits_and_ends():
    done = subprocess.run(
        [sys.executable, ROOT / "examples/follow/main.py"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    held = (
        "held config/production/app.yaml of files: database.pool.max_size: expected int <= 500, got 9000 (files config"
    )
    assert f"{held}/production/app.yaml:4:15)" in done.stdout
    assert "the program still has: Pool(min_size=1, max_size=60)" in done.stdout
    assert re.search(r"\d\d:\d\d:\d\d  no longer held: config/production/app.yaml", done.stdout)
    assert re.search(r"80 from files .*app.yaml:4:15  <- in force\n    10 from files .*app.toml:9:12", done.stdout)
    assert re.findall(r"^[\d:]{8}  generation (\d+)", done.stdout, re.MULTILINE) == ["1", "2", "3"]
    assert "\x1b" not in done.stdout


@pytest.mark.etcd
def test_the_demo_follows_an_etcd_that_is_named():
    with running_etcd() as server:
        server.ctl("put", "/shop/log/demo", "TRACE")
        server.ctl("put", "/shop/database/pool/max_size", "77")
        done = subprocess.run(
            [sys.executable, ROOT / "examples/follow/main.py", "--etcd", server.endpoint],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"pool 1 to 77, .*'demo': 'TRACE'", done.stdout)
    assert "77 from etcd /shop/database/pool/max_size, revision 3  <- in force" in done.stdout


def test_the_wheel_is_what_is_tested():
    """Where the test command says that it installed one."""
    inside = Path(reactive_config.__file__).is_relative_to(ROOT / "reactive_config")
    assert inside == ("REACTIVE_CONFIG_WHEEL" not in os.environ)
