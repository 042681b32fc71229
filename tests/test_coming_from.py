"""The programs of docs/coming-from.md run, ours and theirs, on the files that the page shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from reactive_config.testing import running_etcd

PAGE = (Path(__file__).parent.parent / "docs/coming-from.md").read_text()
PARTS = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")[1:]}
ENDPOINT = re.compile(r'"127\.0\.0\.1(?::2379"|", 2379)')

pytestmark = pytest.mark.slow


def programs(*titles: str):
    """The programs of parts of the page, with the packages that they need."""
    for title in titles:
        found = re.findall(r"<!-- program of: ([^>]+) -->\n```python\n(.*?)```", PARTS[title], re.DOTALL)
        for number, (packages, text) in enumerate(found, 1):
            yield pytest.param(title, packages.split(", "), text, id=f"{title}-{number}-{packages}")


def lay_out_files(title: str, directory: Path) -> None:
    for name, text in re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", PARTS[title], re.DOTALL):
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("SHOP_")}


@pytest.mark.parametrize(("title", "packages", "program"), list(programs("dynaconf", "pydantic-settings")))
def test_a_program_of_the_page_runs(title, packages, program, tmp_path):
    for package in packages:
        pytest.importorskip(package)
    lay_out_files(title, tmp_path)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("title", "packages", "program"), list(programs("A watch of etcd written by hand")))
@pytest.mark.etcd
def test_a_program_of_the_page_follows_a_key_in_etcd(title, packages, program, tmp_path):
    for package in packages:
        pytest.importorskip(package)
    with running_etcd() as server:
        host, _, port = server.endpoint.rpartition(":")
        program, count = ENDPOINT.subn(lambda m: f'"{host}", {port}' if ", " in m[0] else f'"{host}:{port}"', program)
        assert count == 1
        server.ctl("put", "/shop/pool", '{"max_size": 10}')
        with subprocess.Popen(
            [sys.executable, "-u", "-c", program],
            cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        ) as running:  # fmt: skip
            try:
                assert running.stdout is not None
                assert running.stdout.readline() == "a pool of 10\n"
                server.ctl("put", "/shop/pool", '{"max_size": 20}')
                assert running.stdout.readline() == "a pool of 20\n"
                server.ctl("del", "/shop/pool")
                if packages == ["reactive_config"]:
                    lines = [running.stdout.readline() for _ in range(2)]
                    assert "a pool of 10\n" in lines  # the other one says that the last key is gone
                else:
                    assert "JSONDecodeError" in running.communicate(timeout=60)[0]
            finally:
                running.kill()


def test_each_part_has_a_program_of_theirs_and_one_of_ours():
    for title in PARTS:
        packages = [param.values[1][0] for param in programs(title)]
        assert {"reactive_config"} < set(packages), title
