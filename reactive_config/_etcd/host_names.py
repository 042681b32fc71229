"""Host names to addresses, in threads of this module's own.

asyncio resolves in the loop's default executor. That is the program's: a few lookups that hang (a DNS server behind a
black hole answers after 10 to 30 s) take all its threads, and an interpreter that ends waits for them. The threads
here are daemons, for which nobody waits, and there is one for each name at most. gRPC resolves by itself.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable

Tell = Callable[[list[str] | OSError], None]

_LOCK = threading.Lock()
_WAITING: dict[str, list[Tell]] = {}
"""By name, those who wait for the lookup that runs. Module state, because a lookup cannot be cancelled: it outlives
whoever began it, and the next who asks for its name, in any loop, must not begin another."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_WAITING.clear)  # a child has none of the threads


async def resolve(host: str) -> list[str]:
    """The addresses of a host, in the system's order; an address is its own. Cancelling leaves the lookup running.

    Raises:
        OSError: There is none, or the name can be none.
    """
    if _is_address(host):
        return [host]
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str] | OSError] = loop.create_future()

    def resolve(found: list[str] | OSError) -> None:
        if not answer.done():
            answer.set_result(found)

    def tell(found: list[str] | OSError) -> None:
        try:
            loop.call_soon_threadsafe(resolve, found)
        except RuntimeError:
            pass  # that loop is closed

    _join(host, tell)
    try:
        found = await answer
    finally:
        _leave(host, tell)
    if isinstance(found, OSError):
        raise found
    return found


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return True
    return False


def _join(host: str, tell: Tell) -> None:
    with _LOCK:
        runs = host in _WAITING
        _WAITING.setdefault(host, []).append(tell)
    if not runs:
        threading.Thread(target=_look_up, args=(host,), name=f"resolve {host}", daemon=True).start()


def _leave(host: str, tell: Tell) -> None:
    with _LOCK:
        if tell in (waiting := _WAITING.get(host, [])):
            waiting.remove(tell)


def _look_up(host: str) -> None:
    found: list[str] | OSError
    try:
        infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        found = [str(address[0]) for _, _, _, _, address in infos]
    except OSError as error:
        found = OSError(error.strerror)
    except UnicodeError:
        found = OSError("no host can have this name")
    with _LOCK:
        waiting = _WAITING.pop(host, [])
    for tell in waiting:
        tell(found)
