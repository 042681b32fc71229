"""Waiting for a server that is down: a pause that ends when an endpoint accepts connections again.

A capped backoff alone finds a server up to its cap after it is back. A bare TCP connect every half second
costs a refusing host one packet; it is not repeated to an endpoint that accepts, so a stopped server's
queue does not fill up.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable

import anyio

from reactive_config.etcd.settings import Endpoint

EVERY = 0.5
"""Seconds between two probes of one endpoint, at most."""

SPREAD = 0.3
"""Seconds over which a fleet comes back, once there is something to come back to."""


async def wait_reachable(
    endpoints: Iterable[Endpoint], pause: float, rng: random.Random, *, refused: Iterable[Endpoint] = ()
) -> bool:
    """Sleep for `pause` seconds, or until an endpoint that refused connections accepts them.

    Args:
        endpoints: All that may come back.
        pause: Seconds.
        rng: Jitter.
        refused: Those that are known to have refused the last attempt.

    Returns:
        Whether one came back.
    """
    watched = list(endpoints)
    down = set(refused)
    with anyio.move_on_after(pause):
        while True:
            await anyio.sleep(EVERY * rng.uniform(0.5, 1.0))
            for endpoint in list(watched):
                if not await _accepts(endpoint):
                    down.add(endpoint)
                elif endpoint in down:
                    await anyio.sleep(SPREAD * rng.random())
                    return True
                else:
                    watched.remove(endpoint)  # whatever is wrong there, a connect does not show it
    return False


async def _accepts(endpoint: Endpoint) -> bool:
    host, port = endpoint.target.rsplit(":", 1)
    with anyio.move_on_after(EVERY):
        try:
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except OSError:
            return False
        writer.transport.abort()
        return True
    return False
