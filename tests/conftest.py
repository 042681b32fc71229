"""Every async test runs on asyncio's own loop and on uvloop; those on a real etcd on every one that is installed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from reactive_config.testing.etcd_server import EtcdBinary, EtcdServer, etcd_binaries, running_etcd

LOOPS = [pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio")]
try:
    import uvloop  # noqa: F401
except ImportError:
    pass
else:
    LOOPS.append(pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"))

BINARIES = etcd_binaries() or (None,)
PAIRS = [
    pytest.param((binary, loop.values[0]), id=f"{binary.version if binary else 'none'}-{loop.id}")
    for binary, loop in zip(itertools.cycle(BINARIES), LOOPS * (len(BINARIES) + 1 >> 1), strict=False)
]
"""Every etcd and every loop, but not every etcd on every loop: that would double the time for little."""

Loop = tuple[str, dict[str, bool]]


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> Loop:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="session", params=PAIRS)
def pair(request: pytest.FixtureRequest) -> tuple[EtcdBinary | None, Loop]:
    """An etcd and a loop, for the rooms that need a real etcd."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def binary(pair: tuple[EtcdBinary | None, Loop]) -> EtcdBinary:
    if pair[0] is None:
        pytest.skip("there is no etcd here")
    return pair[0]


@pytest.fixture(scope="session")
def server(binary: EtcdBinary) -> Iterator[EtcdServer]:
    """A server that all tests share: each takes a prefix of its own and leaves the server as it is."""
    with running_etcd(binary) as server:
        yield server


_NUMBERS = itertools.count(1)


@pytest.fixture
def prefix() -> str:
    """A prefix in etcd that no other test has."""
    return f"/t{next(_NUMBERS)}/"
