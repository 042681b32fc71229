"""Every async test runs on asyncio's own loop and on uvloop; those on a real etcd on every one that is installed.

A test whose server is not installed is skipped, and the reason names what to install: nothing in a test asks for that.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import signal
import sys
import traceback
import zlib
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from anyio._backends._asyncio import TestRunner

from reactive_config._testing.etcd_server import EtcdBinary, EtcdServer, etcd_binaries, missing_etcd, running_etcd
from reactive_config._testing.server_process import MissingServer

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As under nohup. The processes that the tests start and interrupt would ignore it, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A change must not fail for an example that the change before it did not meet; `--hypothesis-profile=explore` draws
# new ones.
_BUSY: dict[str, Any] = {  # both are about the machine
    "suppress_health_check": [hypothesis.HealthCheck.too_slow],
    "deadline": None,
}
hypothesis.settings.register_profile("repeatable", derandomize=True, database=None, **_BUSY)
hypothesis.settings.register_profile("explore", derandomize=False, print_blob=True, **_BUSY)
hypothesis.settings.load_profile("repeatable")

_told_by_anyio = TestRunner._exception_handler


def _but_not_of_loops_that_are_closed(
    self: TestRunner, loop: asyncio.AbstractEventLoop, context: dict[str, Any]
) -> None:
    """gRPC has one queue of completions for a process: what a test left there may come out in the next test's loop.

    A program that runs one loop, as programs do, has no later loop in which that could happen.
    """
    error = context.get("exception")
    if isinstance(error, RuntimeError) and any(
        "PollerCompletionQueue" in frame.name for frame in traceback.extract_tb(error.__traceback__)
    ):
        return
    _told_by_anyio(self, loop, context)


TestRunner._exception_handler = _but_not_of_loops_that_are_closed  # type: ignore[method-assign]

pytest.register_assert_rewrite("tests.page_reader")

# asyncio's debug mode says of a busy machine that a step took long. Tests that look at the log mean ours.
logging.getLogger("asyncio").addFilter(lambda record: not record.getMessage().startswith("Executing <"))

SLOW_ROOMS = [
    Path(__file__).parent / room for room in ("bench", "bindings/pools", "cli", "examples", "faults", "service/faults")
]
"""Their tests start processes: all are marked as slow."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(item.path.is_relative_to(room) for room in SLOW_ROOMS):
            item.add_marker(pytest.mark.slow)
        if isinstance(item, pytest.Function) and item.get_closest_marker("half_grid") and in_other_half(item):
            item.add_marker(pytest.mark.storm)


def in_other_half(item: pytest.Function) -> bool:
    """Whether `make test` leaves a test of a grid to `make storms`.

    With the same other parameters every second loop (or etcd) is left out. Which one comes first depends on the name of
    the test and on its other parameters, so that all of one room are not run on one loop.
    """
    params = item.callspec.params if hasattr(item, "callspec") else {}
    for name, values in GRIDS.items():
        if name in params and len(values) > 1:
            rest = item.name
            for shown in values:
                rest = rest.replace(shown, "")
            return (zlib.crc32(rest.encode()) + list(values.values()).index(params[name])) % 2 == 1
    return False


ALL_SERVERS = "REACTIVE_CONFIG_ALL_SERVERS"
"""Set where every server was installed before: one that is missing fails its tests then."""


@contextmanager
def missing_servers_skip() -> Iterator[None]:
    try:
        yield
    except MissingServer as missing:
        reason = str(missing)
    except BaseExceptionGroup as group:  # raised inside of a task group
        found, others = group.split(MissingServer)
        if found is None or others is not None:
            raise
        reason = str(_first(found))
    else:
        return
    if ALL_SERVERS in os.environ:
        pytest.fail(f"{ALL_SERVERS} is set, and {reason}", pytrace=False)
    pytest.skip(reason)


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    with missing_servers_skip():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    with missing_servers_skip():
        return (yield)


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

GRIDS: dict[str, dict[str, object]] = {
    "anyio_backend": {str(loop.id): loop.values[0] for loop in LOOPS},
    "pair": {str(pair.id): pair.values[0] for pair in PAIRS},
    "binary": {binary.version: binary for binary in BINARIES if binary},
}
"""What the mark `half_grid` halves, by the name of the fixture; only where there is more than one."""

Loop = tuple[str, dict[str, bool]]


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> Loop:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
async def eager_tasks() -> AsyncIterator[None]:
    """Tasks begin when they are made."""
    if sys.version_info < (3, 12):
        pytest.skip("eager tasks came with Python 3.12")
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    first = asyncio.sleep(0)
    try:
        await asyncio.create_task(first)
    except TypeError:
        first.close()
        pytest.skip("this uvloop's tasks do not fit this Python's eager factory")  # 0.23 and Python before 3.13.3
    else:
        yield
    finally:
        loop.set_task_factory(None)


@pytest.fixture(scope="session", params=PAIRS)
def pair(request: pytest.FixtureRequest) -> tuple[EtcdBinary | None, Loop]:
    """An etcd and a loop, for the rooms that need a real etcd."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def binary(pair: tuple[EtcdBinary | None, Loop]) -> EtcdBinary:
    if pair[0] is None:
        raise missing_etcd()
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
