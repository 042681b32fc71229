"""The token for a user and password.

Only a Range tells an expired token (UNAUTHENTICATED) from a missing permission (PERMISSION_DENIED): on a
watch, 3.5.1 calls both "permission denied". A password costs the server a bcrypt, 60 to 100 ms of a core: a
token is kept across connections, and asked for anew only when a Range says that it is unknown.

etcd checks one password after the other, and also those whose clients have given up meanwhile. So giving up and
asking again only makes the queue longer: in one event loop a user logs in once at a time at an endpoint, everybody
else waits for the result, and nobody gives up while the connection lives.

A token ends in the raft index of its login (`KZpqYVdX.1234`), and a member lets every call with it wait until it has
applied that entry. A store that was restored or wiped may never have it: the server's own index tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from weakref import WeakValueDictionary

from reactive_config._etcd.errors import AuthOff, BadLogin, EtcdError
from reactive_config._etcd.grpc_errors import answer
from reactive_config._etcd.passwords import Password, read_password
from reactive_config._etcd.rpc import AuthenticateRequest, AuthStub, Channel, MaintenanceStub, StatusRequest, grpc
from reactive_config._etcd.settings import TLS, Endpoint

Metadata = tuple[tuple[str, str], ...]

HAS_LEADER: Metadata = (("hasleader", "true"),)
"""A member without a leader then refuses at once: else it lets a call wait, and keeps a watch open in silence."""

DEADLINE = 300.0
"""Seconds for one Authenticate: 3,000 clients may be before us. Keepalive finds a dead connection long before."""

LONG = 2.0
"""Seconds after which a person is told that etcd's answer is waited for."""


_DIGITS = 20
"""More than a raft index has."""


class Credentials:
    """A user and password, and the newest token for them. Shared by all connections of one source.

    Args:
        username: For messages, too.
        password: Where it comes from, read anew for every login. Never shown.
        tell_waiting: Called with the reason when a login takes long, and with "" once it has come to a good end.

    Attributes:
        asked: How often these credentials asked etcd for a token; 0 if others of this loop always had one.
    """

    def __init__(self, username: str, password: Password, tell_waiting: Callable[[str], None] | None = None) -> None:
        self.username = username
        self.asked = 0
        self._password = password
        self._tell_waiting = tell_waiting
        self._told = False
        self._token: str | None = None
        self._login: _Login | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.username!r})"

    async def token(self, channel: Channel, endpoint: Endpoint, tls: TLS | None) -> str:
        """The token to send; empty if the cluster has authentication off.

        Args:
            channel: Where to ask, if nobody else is asking.
            endpoint: Whom it leads to.
            tls: How; a password that one trusts to a server is no business of one who does not.

        Raises:
            Refused: Wrong user or password.
            Unavailable: No answer.
        """
        if self._token is None:
            password = await read_password(self._password, str(endpoint))
            self._login = _shared_login(endpoint, tls, self.username, password)
            telling = asyncio.get_running_loop().call_later(LONG, self._tell, endpoint)
            try:
                self._token = await self._login.wait_token(
                    partial(self._authenticate, channel, str(endpoint), password)
                )
            except BadLogin as refused:
                raise BadLogin(f"{refused}: {self._whose}") from None
            finally:
                telling.cancel()
            if self._told and self._tell_waiting is not None:
                self._told = False
                self._tell_waiting("")
        return self._token

    def forget(self, token: str) -> None:
        """This token is not known to etcd any more (or, if empty, authentication is on now)."""
        if self._token == token:
            self._token = None
        if self._login is not None and self._login.token == token:
            self._login.token = None

    @property
    def _whose(self) -> str:
        """The user, and the file that holds the password, for a message."""
        file = f", password_file= {self._password}" if isinstance(self._password, Path) else ""
        return f"user {self.username!r}{file}"

    def _tell(self, endpoint: Endpoint) -> None:
        self._told = True
        if self._tell_waiting is not None:
            self._tell_waiting(
                f"{endpoint}: etcd has been checking the password of user {self.username!r} for {LONG:g} s or more "
                "(it checks one after the other)"
            )

    async def _authenticate(self, channel: Channel, subject: str, password: str) -> str:
        self.asked += 1
        request = AuthenticateRequest(name=self.username, password=password)
        authenticate = AuthStub(channel).Authenticate
        try:
            # No variable for the call: this frame may be part of a cycle, and a call keeps its connection open.
            reply = await answer(authenticate(request, timeout=DEADLINE, metadata=HAS_LEADER), subject)
        except AuthOff:
            return ""
        return str(reply.token)


async def is_ahead(token: str, channel: Channel, subject: str, timeout: float) -> bool:
    """Whether a call with this token got no answer because the store is older than the token.

    A server that does not answer this question either is slow or dead. That says nothing about the token, and a new
    login would be one more in its queue.

    Args:
        token: What the call was made with.
        channel: Over which it was made.
        subject: Whom that leads to.
        timeout: Seconds for the question, which needs no user and costs etcd nothing.
    """
    index = token.rpartition(".")[2]
    if not (index.isdecimal() and len(index) < _DIGITS):
        return False  # a JWT, for which nothing waits
    if channel.get_state() is not grpc.ChannelConnectivity.READY:
        return False
    try:
        status = await answer(
            MaintenanceStub(channel).Status(StatusRequest(), timeout=timeout, metadata=HAS_LEADER), subject
        )
    except EtcdError:
        return False
    applied = int(status.raftAppliedIndex or status.raftIndex)  # the first since 3.4
    return 0 < applied < int(index)


class _Login:
    """One user at one endpoint, for everybody of one event loop.

    Attributes:
        token: The newest; None before the first, or after it was forgotten.
    """

    def __init__(self) -> None:
        self.token: str | None = None
        self._running: asyncio.Future[tuple[type[EtcdError], str] | None] | None = None

    async def wait_token(self, authenticate: Callable[[], Awaitable[str]]) -> str:
        """The token; asks for one, or waits for whoever is asking and shares what comes of it.

        Raises:
            EtcdError: What `authenticate` raised, here or for the one who asked.
        """
        while self.token is None:
            if self._running is None:
                await self._ask(authenticate)
            elif (trouble := await asyncio.shield(self._running)) is not None:
                kind, text = trouble
                raise kind(text)
        return self.token

    async def _ask(self, authenticate: Callable[[], Awaitable[str]]) -> None:
        running = self._running = asyncio.get_running_loop().create_future()
        trouble: tuple[type[EtcdError], str] | None = None
        try:
            self.token = await authenticate()
        except EtcdError as error:
            trouble = type(error), str(error)
            raise
        finally:
            self._running = None
            running.set_result(trouble)  # if we were cancelled, the first who wakes asks


_LOGINS: WeakValueDictionary[tuple[object, ...], _Login] = WeakValueDictionary()
"""By event loop, endpoint, TLS, user and password; gone with the last who uses it. Module state, because sources of
one process know nothing of each other."""


def _shared_login(endpoint: Endpoint, tls: TLS | None, username: str, password: str) -> _Login:
    key = (asyncio.get_running_loop(), endpoint.target, tls, username, password)
    login = _LOGINS.get(key)
    if login is None:
        login = _LOGINS[key] = _Login()
    return login
