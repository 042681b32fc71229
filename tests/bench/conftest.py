"""The harness of the checkout, on settings of the test's own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# Last, so that `bench` is found and `reactive_config` is still the installed one.
sys.path.append(str(Path(__file__).parents[2]))


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """One loop: the subjects have processes and loops of their own."""
    return "asyncio", {"use_uvloop": False}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Settings: two quick rounds, no warm-up."""
    for name in ("common", "small"):
        (tmp_path / "config" / name).mkdir(parents=True)
    (tmp_path / "config/common/harness.toml").write_text("rounds = 2\nwarmup = 0\n")
    (tmp_path / "config/small/harness.toml").write_text("# nothing of its own\n")
    return tmp_path / "config"
