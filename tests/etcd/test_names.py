"""Names are looked up beside the program: nobody waits for a lookup that hangs, and its executor stays free."""

from __future__ import annotations

import asyncio
import random
import socket
import subprocess
import sys
import threading
import time

import pytest

from reactive_config._etcd import host_names
from reactive_config._etcd.host_names import resolve
from reactive_config._etcd.probe import first_speaking, wait_speaking
from reactive_config._etcd.settings import Settings, parse_endpoint


class Resolver:
    """A `getaddrinfo` that answers once `go_on` is set."""

    def __init__(self):
        self.asked = []
        self.go_on = threading.Event()

    def __call__(self, host, *args, **kwargs):
        self.asked.append(host)
        self.go_on.wait(20)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in ("127.0.0.9", "127.0.0.1")]


@pytest.fixture
def resolver(monkeypatch):
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    yield resolver
    resolver.go_on.set()
    while host_names._WAITING:
        time.sleep(0.001)


async def test_a_lookup_that_hangs_is_one_for_its_name_and_leaves_the_executor_alone(resolver):
    resolver_threads = threading.active_count() + 1
    endpoints = [parse_endpoint("etcd.example:2379")] * 20
    assert not await wait_speaking(endpoints, 0.4, random.Random(1), Settings())
    assert await first_speaking(endpoints[:3], Settings(), head_start=0.05) is None
    assert resolver.asked == ["etcd.example"]
    assert threading.active_count() <= resolver_threads
    assert host_names._WAITING == {"etcd.example": []}
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(5):
        await asyncio.gather(*(loop.run_in_executor(None, bool) for _ in range(40)))


async def test_an_answer_that_comes_late_is_for_all_who_wait(resolver):
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(resolve("etcd.example")) for _ in range(5)]
        await asyncio.sleep(0)
        resolver.go_on.set()
    assert [task.result() for task in waiting] == [["127.0.0.9", "127.0.0.1"]] * 5
    assert len(resolver.asked) == 1
    await resolve("etcd.example")  # an answer is not kept
    assert len(resolver.asked) == 2


async def test_every_address_of_a_name_is_tried(resolver):
    async def speak(reader, writer):
        writer.write(b"x")
        writer.close()

    resolver.go_on.set()
    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    endpoint = parse_endpoint(f"etcd.example:{server.sockets[0].getsockname()[1]}")
    assert await first_speaking([endpoint], Settings(), head_start=2.0) == endpoint
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_an_address_needs_no_lookup(resolver, host):
    assert await resolve(host) == [host]
    assert not resolver.asked


@pytest.mark.parametrize("host", ["no-such-host.invalid", f"{'x' * 70}.example", ".example"])
async def test_a_name_without_an_address_is_an_oserror(host):
    with pytest.raises(OSError, match=r"."):
        await resolve(host)


HANG = """
import asyncio, socket, threading, time
def hang(host, *args, **kwargs):
    threading.Event().wait(30)
socket.getaddrinfo = hang

from reactive_config._sources.etcd import Etcd
from reactive_config._testing.recording_feed import RecordingFeed

async def main():
    source = Etcd("one.invalid:1", "two.invalid:1", prefix="/s/")
    running = asyncio.create_task(source.run(RecordingFeed()))
    await asyncio.wait([running], timeout=1.0)
    running.cancel()
    await asyncio.wait([running])
    print(time.monotonic(), flush=True)

asyncio.run(main())
"""


@pytest.mark.slow
def test_a_process_ends_without_waiting_for_lookups():
    done = subprocess.run([sys.executable, "-c", HANG], capture_output=True, text=True, timeout=20)
    assert time.monotonic() - float(done.stdout) < 2.0
    assert done.stderr == ""
