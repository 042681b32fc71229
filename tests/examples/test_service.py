"""The web service of the examples, as a person runs it: beside a real PostgreSQL, asked over HTTP, its file edited."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import httpx
import pytest

from reactive_config._testing.postgres_server import postgres_server

ROOT = Path(__file__).parents[2] / "examples" / "service"


@pytest.fixture(scope="module")
def postgres():
    with postgres_server() as server:
        yield server


@pytest.fixture
def service(postgres, tmp_path):
    """A copy of the example that runs; `service.edit` replaces a text in its file."""
    home = tmp_path / "service"
    shutil.copytree(ROOT, home)
    with _Service(home, postgres.dsn) as service:
        yield service


class _Service:
    def __init__(self, home, dsn):
        self.file = home / "config" / "app.toml"
        self._home = home
        self._dsn = dsn

    def __enter__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", self._home / "main.py"],
            env=os.environ | {"SHOP_DATABASE__DSN": self._dsn, "PORT": "0"},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        self.said = []
        url = self.wait_said(r"running on (http://\S+)").group(1)
        self.client = httpx.Client(base_url=url, timeout=20)
        return self

    def __exit__(self, *exception):
        self.client.close()
        self.process.kill()
        self.process.communicate()

    def wait_said(self, pattern):
        """Read its lines until one matches; the test's own timeout is the bound."""
        for line in self.process.stderr:
            self.said.append(line)
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"it ended: {''.join(self.said)}")

    def edit(self, old, new):
        text = self.file.read_text()
        assert old in text
        new_file = self.file.with_suffix(".new")
        new_file.write_text(text.replace(old, new))
        new_file.replace(self.file)

    def binding(self, name):
        return next(one for one in self.client.get("/ops/readyz").json()["bindings"] if one["name"] == name)

    def wait_changes(self, name, number):
        while self.binding(name)["changes"] < number:
            pass  # each look is a request


def test_the_page_size_follows_the_file(service):
    for what in ("tea", "milk", "bread"):
        assert service.client.post(f"/orders/{what}").status_code == 201
    assert len(service.client.get("/orders").json()) == 3
    service.edit("page_size = 20", "page_size = 2")
    while len(service.client.get("/orders").json()) != 2:
        pass  # each look is a request


def test_the_pool_changes_under_requests_without_one_failing(service):
    stop, statuses = Event(), []

    def ask():
        while not stop.is_set():
            statuses.append(service.client.get("/orders").status_code)

    with ThreadPoolExecutor() as pool:
        askers = [pool.submit(ask) for _ in range(8)]
        try:
            for size in range(2, 12):
                service.edit(f"max_size = {size - 1 if size > 2 else 10}", f"max_size = {size}")
                service.wait_changes("database", size)
        finally:
            stop.set()
    assert [asker.exception() for asker in askers] == [None] * 8
    assert set(statuses) == {200}
    assert service.binding("database")["forced"] == 0


def test_a_pool_that_cannot_be_made_leaves_the_old_one_and_the_status_says_so(service):
    service.edit("min_size = 1\nmax_size = 10", "min_size = 9\nmax_size = 5")  # asyncpg refuses that
    while not service.binding("database")["failures"]:
        pass  # each look is a request
    assert service.client.get("/orders").status_code == 200
    service.edit("min_size = 9", "min_size = 2")
    service.wait_changes("database", 2)


def test_levels_follow_the_file_and_the_end_is_clean(service):
    service.edit('service = "INFO"', 'service = "DEBUG"')
    while service.client.get("/ops/loggers/service").json()["effective"] != "DEBUG":
        pass  # each look is a request
    service.client.get("/orders")
    service.wait_said("DEBUG service: ")
    service.process.send_signal(signal.SIGTERM)
    service.said += service.process.stderr.readlines()
    assert service.process.wait(timeout=20) in (0, -signal.SIGTERM)
    assert not [line for line in service.said if "Traceback" in line or "WARNING" in line]
