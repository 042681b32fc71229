"""Many logins at once: etcd checks one password after the other, and nobody may make that queue longer by asking twice.

With ETCD_TIMES set and `pytest -s` it prints the figures of docs/etcd.md.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import asynccontextmanager

import pytest

from reactive_config._testing.etcd_server import etcd_server

pytestmark = [pytest.mark.etcd, pytest.mark.slow, pytest.mark.half_grid]

# Every source of one process prints each state with the time of a clock that all processes share.
FOLLOW = """
import asyncio, sys, time
import reactive_config._sources.etcd.session_loop
from reactive_config._sources.etcd import Etcd
from reactive_config._testing.recording_feed import RecordingFeed

endpoint, count, keepalive, *login = sys.argv[1:]

class Printing(RecordingFeed):
    def state(self, state, reason="", **more):
        print(id(self), state.name, time.monotonic(), flush=True)

async def main():
    options = {"prefix": "/app/", "keepalive": float(keepalive), **dict(zip(("username", "password"), login))}
    async with asyncio.TaskGroup() as group:
        for _ in range(int(count)):
            group.create_task(Etcd(endpoint, **options).run(Printing()))

print("ready", flush=True)
sys.stdin.readline()
asyncio.run(main())
"""


class Crowd:
    """Sources in processes of their own; `states` has the newest state of each, and since when."""

    def __init__(self):
        self.states = {}
        self.processes = []
        self._changed = asyncio.Event()

    async def join(self, *arguments):
        """Start one process."""
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", FOLLOW, *arguments, stdin=-1, stdout=-1)
        self.processes.append(process)
        assert await process.stdout.readline() == b"ready\n"

    def go(self):
        """Let all begin to follow, at once."""
        for process in self.processes:
            process.stdin.write(b"\n")

    async def read(self, process):
        while line := await process.stdout.readline():
            source, state, at = line.decode().split()
            self.states[process.pid, source] = state, float(at)
            self._changed.set()

    async def wait(self, count, state):
        """Wait until so many are in this state; since when each is, sorted."""
        while len(found := [at for name, at in self.states.values() if name == state]) < count:
            self._changed.clear()
            await self._changed.wait()
        return sorted(found)


@asynccontextmanager
async def crowd(server, processes, sources, keepalive, login):
    """Processes that have loaded what they need; `go` starts their sources."""
    members = Crowd()
    arguments = (server.endpoint, str(sources), str(keepalive), *(["app", "app-password"] if login else []))
    try:
        for first in range(0, processes, 4):  # two cores load more at once no faster
            await asyncio.gather(*(members.join(*arguments) for _ in range(first, min(first + 4, processes))))
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(members.read(process)) for process in members.processes]
            yield members
            for reader in readers:
                reader.cancel()
    finally:
        for process in members.processes:
            process.kill()
        await asyncio.gather(*(process.communicate() for process in members.processes))


def logins(server):
    """How often this etcd was asked to check a password."""
    begun = 'grpc_server_started_total{grpc_method="Authenticate"'
    return sum(value for name, value in server.metrics().items() if name.startswith(begun))


def show(what, server, count, times, begin, asked):
    if "ETCD_TIMES" in os.environ:
        took = f"median {times[count // 2] - begin:.2f} s, slowest {times[-1] - begin:.2f} s"
        print(f"\netcd {server.binary.version}: {what}: {count} in force, {took}, {asked:.0f} Authenticate")


@asynccontextmanager
async def serving(binary, login, ttl):
    auth = {"app": ("app-password", ["/app/"])} if login else None
    async with etcd_server(binary, auth=auth, flags=["--auth-token-ttl", str(ttl)]) as server:
        await server.put("/app/a", "1")
        yield server


STORM = pytest.mark.storm


@pytest.mark.parametrize(
    ("processes", "login"), [(4, True), pytest.param(70, True, marks=STORM), pytest.param(70, False, marks=STORM)]
)
async def test_processes_that_start_at_once_ask_once_each(binary, processes, login):
    async with serving(binary, login, 300) as server, crowd(server, processes, 1, 10, login) as members:
        begin, before = time.monotonic(), logins(server)
        members.go()
        async with asyncio.timeout(40):
            times = await members.wait(processes, "SYNCED")
        asked = logins(server) - before
        show(f"{processes} processes start", server, processes, times, begin, asked)
        assert asked == (processes if login else 0)


@pytest.mark.parametrize(
    ("processes", "sources", "stop", "keepalive", "login"),
    [
        (1, 6, 3, 2.0, True),
        pytest.param(1, 40, 14, 10.0, True, marks=STORM),
        pytest.param(1, 40, 14, 10.0, False, marks=STORM),
        pytest.param(40, 1, 14, 10.0, True, marks=STORM),
        pytest.param(40, 1, 14, 10.0, False, marks=STORM),
    ],
)
async def test_sources_come_back_after_a_stop_in_which_their_tokens_expire(
    binary, processes, sources, stop, keepalive, login
):
    """Each process asks for a new token once at most.

    An etcd that was stopped may take an old one before it notices its age.
    """
    count = processes * sources
    async with (
        serving(binary, login, int(0.6 * stop)) as server,
        crowd(server, processes, sources, keepalive, login) as members,
    ):
        members.go()
        async with asyncio.timeout(40):
            await members.wait(count, "SYNCED")
        before = logins(server)
        server.stop()
        begin = time.monotonic()
        async with asyncio.timeout(stop + 40):  # forty processes on two cores take their time
            await members.wait(count, "STALE")
            await asyncio.sleep(max(0.0, stop - (time.monotonic() - begin)))
        server.cont()
        begin = time.monotonic()
        async with asyncio.timeout(40):
            times = await members.wait(count, "SYNCED")
        asked = logins(server) - before
        what = f"{processes} x {sources} sources come back after {stop} s"
        show(what, server, count, times, begin, asked)
        assert asked <= (processes if login else 0)
