"""`reactive-config serve`: the service on one address, over one store, until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import itertools
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from reactive_config._core.runtime.operator_log import logger
from reactive_config._releases.access_tokens import AccessTokens
from reactive_config._releases.idempotency import forget_regularly
from reactive_config._releases.key_store import NotWritten, StoreAway, StoreError
from reactive_config._releases.opening_store import NOBODY, EtcdLogin, check_store, open_store
from reactive_config._releases.releases import Releases
from reactive_config._releases.replica import Replica
from reactive_config._releases.retention import Retention
from reactive_config._service.service_app import service_app

LISTEN = "127.0.0.1:8470"
STORE = "sqlite:reactive-config.db"
TOKEN_FILE = "admin-token"  # noqa: S105 - a file's name

READ_WITHIN = 30.0
"""Seconds that the store may take to be read first."""

LOCAL_WITHIN = 10.0
"""The same for a command, beside which a person waits."""

GOODBYE = 10
"""Seconds that requests under way have to end."""


class OpenService:
    """A running service without its server.

    Attributes:
        app: The ASGI application.
        tokens: Who may use it.
        releases: What it serves.
    """

    def __init__(self, app: ASGIApp, tokens: AccessTokens, releases: Releases) -> None:
        self.app: ASGIApp = app
        self.tokens: AccessTokens = tokens
        self.releases: Releases = releases


@contextlib.asynccontextmanager
async def open_service(
    store: str = STORE,
    retention: Retention | None = None,
    *,
    login: EtcdLogin = NOBODY,
    local: str = "",
    create: bool = True,
) -> AsyncIterator[OpenService]:
    """The service over a store, ready to be served by any ASGI server.

    Args:
        store: `sqlite:PATH` or `etcd://HOST:PORT/PREFIX/`.
        retention: How long histories are.
        login: For a store in etcd.
        local: Whose requests these are, without a token; for a service that nobody else reaches.
        create: Make the file of SQLite, if there is none.

    Raises:
        StoreError: The store cannot be read.
    """
    async with open_store(store, login, create=create) as keys:
        replica = Replica(keys)
        running = [
            asyncio.create_task(replica.run(), name="reactive_config store"),
            asyncio.create_task(forget_regularly(keys), name="reactive_config old answers"),
        ]
        try:
            await _first_reading(replica, LOCAL_WITHIN if local else READ_WITHIN)
            releases, tokens = Releases(keys, replica, retention), AccessTokens(keys, replica)
            yield OpenService(service_app(releases, tokens, local), tokens, releases)
        finally:
            for task in running:
                task.cancel()
            await asyncio.wait(running)


async def _first_reading(replica: Replica, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await replica.listed.wait()
    except TimeoutError:
        raise StoreAway(replica.away or f"the store was not read within {seconds:g} s") from None


def check_address(listen: str, *, insecure: bool) -> tuple[str, int]:
    """Host and port of an address to listen on.

    Raises:
        ValueError: It is none, or one that others reach while nothing is encrypted.
    """
    host, colon, port = listen.rpartition(":")
    host = host.strip("[]")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"--listen: expected HOST:PORT, got {listen!r}")
    if not insecure and not _is_loopback(host):
        raise ValueError(
            f"--listen: expected a loopback address, as {LISTEN}, got {listen!r}: tokens and configuration would pass "
            "unencrypted; put a proxy with TLS before it, or say --insecure"
        )
    return host, int(port)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def serve(
    store: str,
    listen: str,
    *,
    insecure: bool = False,
    retention: Retention | None = None,
    login: EtcdLogin = NOBODY,
) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ValueError: An address that it must not listen on.
        StoreError: The store cannot be read.
        OSError: The address is taken.
    """
    host, port = check_address(listen, insecure=insecure)
    check_store(store, login)
    with listening(host, port) as taken:
        async with open_service(store, retention, login=login) as service:
            await _tell_first_token(service.tokens)
            address = taken.getsockname()
            logger.info(
                "serving %s on http://%s:%d", store_name(store), f"[{host}]" if ":" in host else host, address[1]
            )
            config = uvicorn.Config(
                service.app,
                log_config=None,
                log_level="error",  # it speaks of handshakes and of what strangers send
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=GOODBYE,
                h11_max_incomplete_event_size=64 << 10,
                server_header=False,
            )
            await _Server(config).serve([taken])


class _Server(uvicorn.Server):
    """Ends at SIGTERM and SIGINT by itself, with exit code 0; at the second one it waits for nobody."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Uvicorn's own raises the signal again at the end, which looks like a crash to who started the process."""
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM)
        try:
            for number in numbers:
                loop.add_signal_handler(number, self._end)
        except NotImplementedError:  # Windows
            with super().capture_signals():
                yield
            return
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    def _end(self) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True


def store_name(store: str) -> str:
    """What is told of a store: never a password."""
    return store if "@" not in store else store.partition("://")[0] + "://..." + store.rpartition("@")[2]


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """The socket, before the store is opened: two services over one file would otherwise differ only by an error."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=1024) as taken:
        # Connections inherit it. asyncio sets it only where a socket names its protocol, and without it an answer
        # waits up to 40 ms for the client's acknowledgement.
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield taken


async def _tell_first_token(tokens: AccessTokens) -> None:
    """Make the first token, and show it to whoever sits there, or leave it in a file that only they may read.

    The file is written first: a token that nobody can read would lock everybody out.
    """
    shown = sys.stderr.isatty()
    written: list[Path] = []
    token = None
    try:
        token = await tokens.create_first(datetime.now(UTC), None if shown else lambda one: written.append(_leave(one)))
    except StoreAway as error:
        if not isinstance(error, NotWritten) and written:
            logger.warning("nobody knows yet whether the access token in %s was made: %s", written.pop(), error)
        else:
            logger.warning("no access token was made: %s", error)
    except StoreError as error:
        logger.warning("no access token was made: %s", error)
    except OSError as error:
        logger.warning("no access token was made: %s: %s", Path.cwd() / TOKEN_FILE, error.strerror)
    if token is None:
        for path in written:  # another process made one
            path.unlink(missing_ok=True)
    elif shown:
        print(f"The token of admin, shown this once: {token}", file=sys.stderr)
    else:
        logger.warning("the token of admin is in %s; keep it elsewhere and delete the file", written[0])


def _leave(token: str) -> Path:
    """Write a token into a new file of the working directory. Another service's may be there, which stays.

    Raises:
        OSError: It cannot be written; nothing is left.
    """
    wanted = Path.cwd() / TOKEN_FILE
    for number in itertools.count():
        path = wanted.with_name(f"{TOKEN_FILE}-{number}") if number else wanted
        with contextlib.suppress(FileExistsError):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            break
    try:
        with os.fdopen(handle, "w") as file:
            file.write(f"{token}\n")
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return path
