"""The pause between two attempts, and which endpoint to begin with."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time

import pytest

from reactive_config._etcd import probe
from reactive_config._etcd.probe import first_speaking, wait_speaking
from reactive_config._etcd.settings import TLS, Settings, parse_endpoint
from reactive_config._testing.etcd_server import free_ports

pytestmark = pytest.mark.half_grid

RNG = random.Random(1)
PLAIN = Settings()
FRAME = b"\0\0\0\4\0\0\0\0\0"


class Listener:
    """Accepts, and says what it is told to; `seen` holds what each connection has said first."""

    def __init__(self, says=b""):
        self.says = says
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.seen = []

    async def __call__(self, reader, writer):
        self.seen.append(await reader.read(1000))
        await self.go_on.wait()
        writer.write(self.says)
        writer.close()


@contextlib.asynccontextmanager
async def listening(listener, port=0):
    server = await asyncio.start_server(listener, "127.0.0.1", port)
    yield parse_endpoint(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    server.close()
    await server.wait_closed()


@pytest.mark.slow
async def test_an_endpoint_that_refused_ends_the_pause_when_it_speaks():
    (port,) = free_ports(1)
    waiting = asyncio.create_task(wait_speaking([parse_endpoint(f"127.0.0.1:{port}")], 30.0, RNG, PLAIN))
    await asyncio.sleep(probe.EVERY + 0.05)  # one probe has been refused by then
    listener = Listener(FRAME)
    async with listening(listener, port), asyncio.timeout(probe.EVERY + probe.SPREAD + 0.5):
        assert await waiting
    assert listener.seen == [probe.HELLO]


@pytest.mark.slow
async def test_a_stopped_server_is_asked_once_and_ends_the_pause_when_it_goes_on():
    """The kernel accepts for a stopped process: only a byte of its own shows that it lives."""
    listener = Listener(FRAME)
    listener.go_on.clear()
    async with listening(listener) as endpoint:
        waiting = asyncio.create_task(wait_speaking([endpoint], 30.0, RNG, PLAIN))
        await asyncio.sleep(probe.EVERY + probe.GRACE)
        assert not waiting.done()
        listener.go_on.set()
        async with asyncio.timeout(probe.SPREAD + 0.5):
            assert await waiting
    assert len(listener.seen) == 1


@pytest.mark.slow
async def test_a_forwarder_that_closes_without_a_word_is_no_server():
    listener = Listener()
    async with listening(listener) as endpoint:
        assert not await wait_speaking([endpoint], 0.6, RNG, PLAIN)
        assert await first_speaking([endpoint], PLAIN, head_start=0.2) is None
        listener.says = FRAME
        async with asyncio.timeout(probe.EVERY + probe.SPREAD + 0.5):
            assert await wait_speaking([endpoint], 30.0, RNG, PLAIN, silent=[endpoint])


async def test_an_endpoint_that_spoke_all_the_time_is_asked_once_and_bounds_the_pause(monkeypatch):
    monkeypatch.setattr(probe, "SPEAKING", 0.3)
    listener = Listener(FRAME)
    async with listening(listener) as endpoint:
        begin = time.monotonic()
        assert not await wait_speaking([endpoint], 30.0, RNG, PLAIN)
        assert time.monotonic() - begin < 1.0
    assert len(listener.seen) == 1


async def test_nobody_to_listen_to_is_a_plain_pause():
    begin = time.monotonic()
    assert not await wait_speaking([], 0.05, RNG, PLAIN)
    assert 0.04 < time.monotonic() - begin < 0.5


@pytest.mark.parametrize("target", ["127.0.0.1:1", "no-such-host.invalid:1", f"{'x' * 70}.example:1", ".example:1"])
async def test_what_cannot_be_reached_is_silent_and_no_error(target):
    endpoint = parse_endpoint(target)
    for settings in (PLAIN, Settings(tls=TLS())):
        assert await first_speaking([endpoint], settings, head_start=0.3) is None


async def test_a_tls_endpoint_is_greeted_in_tls():
    listener = Listener(FRAME)
    async with listening(listener) as endpoint:
        assert await first_speaking([endpoint], Settings(tls=TLS()), head_start=0.5) == endpoint
    record, version = listener.seen[0][0], listener.seen[0][1]
    assert (record, version) == (22, 3)  # a handshake record of TLS
    assert b"h2" in listener.seen[0]


@pytest.mark.slow
async def test_one_that_fails_late_takes_nothing_of_the_next_one_s_head_start():
    late, slow = Listener(), Listener(FRAME)
    late.go_on.clear()
    slow.go_on.clear()
    async with listening(late) as one, listening(slow) as two:
        first = asyncio.create_task(first_speaking([one, two], PLAIN, head_start=0.5))
        while not slow.seen:
            await asyncio.sleep(0.01)
        late.go_on.set()
        await asyncio.wait([first], timeout=0.1)  # what it must not do is end now
        slow.go_on.set()
        assert await first == two


@pytest.mark.slow
async def test_one_that_speaks_late_ends_the_head_start_of_the_next():
    late, silent = Listener(FRAME), Listener(FRAME)
    late.go_on.clear()
    silent.go_on.clear()
    async with listening(late) as one, listening(silent) as two, asyncio.timeout(2.0):
        first = asyncio.create_task(first_speaking([one, two, two], PLAIN, head_start=0.9))
        while not silent.seen:
            await asyncio.sleep(0.01)
        late.go_on.set()
        assert await first == one
        assert len(silent.seen) == 1
        silent.go_on.set()


async def test_the_first_that_speaks_is_first_in_order_unless_it_is_silent():
    dumb, first, second = Listener(FRAME), Listener(FRAME), Listener(FRAME)
    dumb.go_on.clear()
    async with listening(dumb) as silent, listening(first) as one, listening(second) as two:
        assert await first_speaking([one, two], PLAIN, head_start=0.5) == one
        assert not second.seen
        assert await first_speaking([silent, parse_endpoint("127.0.0.1:1"), two], PLAIN, head_start=0.1) == two
        dumb.go_on.set()
