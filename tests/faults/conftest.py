"""Every etcd of this machine, and the harness of the checkout."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reactive_config._testing.etcd_server import EtcdBinary, etcd_binaries, missing_etcd

# Last, so that `bench` is found and `reactive_config` is still the installed one.
sys.path.append(str(Path(__file__).parents[2]))


@pytest.fixture(
    scope="session", params=[pytest.param(b, id=b.version if b else "none") for b in etcd_binaries() or [None]]
)
def binary(request: pytest.FixtureRequest) -> EtcdBinary:
    if request.param is None:
        raise missing_etcd()
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """One loop: the faults are the servers', and each test takes seconds."""
    return "asyncio", {"use_uvloop": False}
