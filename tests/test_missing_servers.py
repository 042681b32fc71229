"""On a machine without a server the tests that need it are skipped, and say what to install."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.slow

REDIS = "there is no redis-server here; Debian: apt-get install redis-server"


@pytest.mark.parametrize(
    ("variables", "code", "outcome"),
    [
        ({}, 0, f"4 skipped, |SKIPPED [4] tests/conftest.py|: {REDIS}"),
        ({"REACTIVE_CONFIG_ALL_SERVERS": "1"}, 1, f"REACTIVE_CONFIG_ALL_SERVERS is set, and {REDIS}"),
    ],
    ids=["skipped", "all servers are expected"],
)
def test_a_test_whose_server_is_not_installed(tmp_path, variables, code, outcome):
    """One server of the session and one of the test's own, on each loop."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "REACTIVE"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/bindings/limits/test_redis.py",
         "-k", "two_processes_share or redis_that_hangs"],
        cwd=ROOT, env=environment | {"PATH": str(tmp_path)} | variables, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == code, done.stdout
    assert all(part in done.stdout for part in outcome.split("|")), done.stdout
