"""Waiting for a server that is down: a pause that ends when an endpoint begins to speak.

A capped backoff alone finds a server up to its cap after it is back. That a connection is accepted says
little: the kernel accepts for a stopped process, and a forwarder for a dead one. So the probe says what every
gRPC client says first, and waits for the first byte: a stopped server sends it the moment it goes on, a
starting one when it serves. It holds that one connection instead of making new ones, so a stopped server's
queue does not fill up; to a host that refuses, a connect costs one packet.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Iterable

from reactive_config._etcd.host_names import resolve
from reactive_config._etcd.settings import Endpoint, Settings, tls_for
from reactive_config._etcd.waiting import wait_within

EVERY = 0.25
"""Seconds between two probes of one endpoint, at most."""

SPREAD = 0.25
"""Seconds over which a fleet comes back, once there is something to come back to."""

SPEAKING = 1.0
"""Seconds between two attempts, at most, while a server speaks and serves nothing: an election, a full disk."""

CONNECT = 1.0
"""Seconds for a connection; a lost SYN is sent again after as much."""

HOLD = 5.0
"""Seconds until a hello without a word of answer is said anew: what a partition swallowed, TCP repeats ever later."""

GRACE = 0.5
"""Seconds that a server that is well may take for its first byte; after more it was stopped, or behind a black hole."""

HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
"""HTTP/2's preface and empty settings (RFC 9113, 3.4); the server must answer with its own."""


async def wait_speaking(
    endpoints: Iterable[Endpoint],
    pause: float,
    rng: random.Random,
    settings: Settings,
    *,
    silent: Iterable[Endpoint] = (),
) -> bool:
    """Sleep for `pause` seconds, or until an endpoint that was silent speaks.

    Where one spoke all the time, what is wrong there does not show in a hello: the pause then ends after
    some `SPEAKING` seconds at most.

    Args:
        endpoints: All that may come back.
        pause: Seconds.
        rng: Jitter.
        settings: For TLS; no certificate is looked at or shown.
        silent: Those that refused the last attempt, or may have ended a moment ago.

    Returns:
        Whether one came back.
    """
    came_back: list[Endpoint] = []
    known, over = set(silent), asyncio.Event()
    clock = asyncio.get_running_loop().time

    async def listen(endpoint: Endpoint) -> None:
        was_silent = endpoint in known
        await asyncio.sleep(EVERY * rng.random())
        asked = clock()
        while not await _speaks(endpoint, settings):
            was_silent = True
            await asyncio.sleep(EVERY * rng.uniform(0.5, 1.0))
        was_silent |= clock() - asked > GRACE
        await asyncio.sleep((SPREAD if was_silent else SPEAKING) * rng.random())
        came_back.extend([endpoint] if was_silent else [])
        over.set()

    async with asyncio.TaskGroup() as group:
        listeners = [group.create_task(listen(endpoint)) for endpoint in endpoints]
        await wait_within(pause, over.wait())
        for listener in listeners:
            listener.cancel()
    return bool(came_back)


async def first_speaking(endpoints: Iterable[Endpoint], settings: Settings, *, head_start: float) -> Endpoint | None:
    """The endpoint that speaks first, when each gets `head_start` seconds before the next is asked too.

    As RFC 8305 does for addresses: the order is kept while the first one lives, and one that is dead without
    a word costs its head start and not a deadline. None if all have had theirs and nobody spoke.
    """
    spoke: list[Endpoint] = []
    ends: list[asyncio.Event] = []

    async def ask(endpoint: Endpoint, failed: asyncio.Event) -> None:
        if await _speaks(endpoint, settings):
            spoke.append(endpoint)
            ends[-1].set()  # whoever has its head start now, it is over
        failed.set()

    async with asyncio.TaskGroup() as group:
        asked: list[asyncio.Task[None]] = []
        for endpoint in endpoints:
            ends.append(asyncio.Event())
            asked.append(group.create_task(ask(endpoint, ends[-1])))
            await wait_within(head_start, ends[-1].wait())
            if spoke:
                break
        for task in asked:
            task.cancel()
    return spoke[0] if spoke else None


def _hello(endpoint: Endpoint, settings: Settings) -> bytes:
    tls = tls_for(endpoint, settings)
    if tls is None:
        return HELLO
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # nothing is sent after the hello, and nothing that comes is believed
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    said = ssl.MemoryBIO()
    try:
        name = tls.server_name or endpoint.address[0]
        context.wrap_bio(ssl.MemoryBIO(), said, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        pass  # it has written the ClientHello and waits for an answer, as meant
    return said.read()


async def _connect(endpoint: Endpoint) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if endpoint.socket:
        return await asyncio.open_unix_connection(endpoint.socket)
    host, port = endpoint.address
    for address in await resolve(host):
        try:
            return await asyncio.open_connection(address, port)
        except OSError:
            pass  # the next may be reached
    raise OSError("not reached")


async def _speaks(endpoint: Endpoint, settings: Settings) -> bool:
    """Whether a first byte comes; one that closes without a word may be a forwarder before a dead server."""
    try:
        hello = _hello(endpoint, settings)
        async with asyncio.timeout(CONNECT):
            reader, writer = await _connect(endpoint)
    except Exception:  # noqa: BLE001 - not reached in time; or whatever else, which the attempt will say
        return False
    try:
        writer.write(hello)
        async with asyncio.timeout(HOLD):
            return bool(await reader.read(1))
    except Exception:  # noqa: BLE001 - as above
        return False
    finally:
        writer.transport.abort()
