"""One connection to one member: calls with a deadline, a token and clear errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from reactive_config._etcd.auth import HAS_LEADER, Credentials, Metadata, is_ahead
from reactive_config._etcd.channel import open_channel
from reactive_config._etcd.errors import (
    NEEDS_USER,
    NO_CA,
    UNKNOWN_CA,
    DeadlinePassed,
    EtcdError,
    RequestRefused,
    TLSTrouble,
    Unauthenticated,
    Unavailable,
)
from reactive_config._etcd.grpc_errors import answer
from reactive_config._etcd.rpc import Channel, ClusterStub, KVStub, WatchStub
from reactive_config._etcd.settings import Endpoint, Settings, tls_for
from reactive_config._etcd.waiting import wait_within


class Link:
    """Calls over one channel. Made by `open_link`; unusable after an `Unavailable` of a watch.

    Attributes:
        endpoint: Whom it speaks to.
        kv: aetcd's stub for `call`.
    """

    def __init__(
        self, channel: Channel, endpoint: Endpoint, settings: Settings, credentials: Credentials | None, purpose: str
    ) -> None:
        self.endpoint = endpoint
        self.settings = settings
        self.kv = KVStub(channel)
        self._channel = channel
        self._credentials = credentials
        self._purpose = purpose
        self._answered = False

    @property
    def cluster(self) -> Any:
        """aetcd's stub of what is asked about the cluster, for `call`."""
        return ClusterStub(self._channel)

    async def call(self, method: Any, request: Any, timeout: float | None = None, *, again: float | None = None) -> Any:
        """Make one unary call and return its reply. A token that this etcd does not know is replaced once.

        Args:
            method: A method of `kv` or `cluster`.
            request: Its message.
            timeout: Seconds; the settings' when None. A token ahead of the store hangs a call: there is always one.
                A login is not part of it (`auth.DEADLINE`).
            again: Seconds without an answer after which the call is made once more beside the first, and so on.

        Raises:
            Unavailable, Refused, Compacted, FutureRevision: See `errors`.
        """
        timeout = self.settings.timeout if timeout is None else timeout
        try:
            return await self._call(method, request, timeout, again)
        except RequestRefused as refused:
            raise self._blamed(refused) from None

    async def _call(self, method: Any, request: Any, timeout: float, again: float | None) -> Any:
        try:
            return await self._call_once(method, request, timeout, again)
        except Unauthenticated:
            if self._credentials is None:
                raise RequestRefused(f"{self.endpoint}: {NEEDS_USER}") from None
        try:
            return await self._call_once(method, request, timeout, again)
        except Unauthenticated:
            raise Unavailable(f"{self.endpoint}: does not know the token that it has just given") from None

    async def _call_once(self, method: Any, request: Any, timeout: float, again: float | None) -> Any:
        token = await self._token()

        async def ask() -> Any:
            return await answer(method(request, timeout=timeout, metadata=_metadata(token)), str(self.endpoint))

        try:
            reply = await (ask() if again is None else _first_end(ask, again))
        except Unauthenticated:
            self._forget(token)
            raise
        except DeadlinePassed:
            if not await self._waits_for_ever(token):
                raise
            self._forget(token)
            raise Unauthenticated(f"{self.endpoint}: its store is older than the token") from None
        self._answered = True
        return reply

    def _forget(self, token: str) -> None:
        if self._credentials:
            self._credentials.forget(token)

    async def _waits_for_ever(self, token: str) -> bool:
        """Whether no call with this token is answered here, because the store was restored. Asked until one was."""
        if not token or self._answered:
            return False
        return await is_ahead(token, self._channel, str(self.endpoint), self.settings.connect_timeout)

    def _blamed(self, refused: RequestRefused) -> RequestRefused:
        text = str(refused)
        if text.endswith(UNKNOWN_CA):
            tls = tls_for(self.endpoint, self.settings)
            return refused if tls is not None and tls.ca else TLSTrouble(text.removesuffix(UNKNOWN_CA) + NO_CA)
        if not text.endswith("permission denied"):
            return refused
        who = f"user {self._credentials.username!r}" if self._credentials else "the user of our certificate"
        return RequestRefused(f"{self.endpoint}: {who} has no permission {self._purpose}".rstrip())

    async def _token(self) -> str:
        """Empty where there is none to send."""
        if self._credentials is None:
            return ""
        tls = tls_for(self.endpoint, self.settings)
        return await self._credentials.token(self._channel, self.endpoint, tls)

    async def stream(self) -> Any:
        """A new, empty Watch call; a member that loses its leader ends it in about 4 s."""
        return WatchStub(self._channel).Watch(metadata=_metadata(await self._token()))


def _metadata(token: str) -> Metadata:
    return (("token", token), *HAS_LEADER) if token else HAS_LEADER


async def _first_end(ask: Callable[[], Awaitable[Any]], every: float) -> Any:
    """The first answer or error of calls of which a new one begins every so many seconds."""
    ends: list[tuple[Any, EtcdError | None]] = []
    ended = asyncio.Event()

    async def run() -> None:
        try:
            end: tuple[Any, EtcdError | None] = await ask(), None
        except EtcdError as error:
            end = None, error
        if not ends:
            ends.append(end)
        ended.set()

    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(run())]
        while not await wait_within(every, ended.wait()):
            calls.append(group.create_task(run()))
        for call in calls:
            call.cancel()
    answer, error = ends.pop()
    try:
        if error is not None:
            raise error
        return answer
    finally:
        del error  # else it would refer to this frame, and the frame to it


@asynccontextmanager
async def open_link(
    endpoint: Endpoint, settings: Settings, credentials: Credentials | None = None, purpose: str = ""
) -> AsyncIterator[Link]:
    """A connection on a channel of its own, closed at the end within `channel.CLOSE_WITHIN` seconds.

    Args:
        endpoint: Whom to speak to.
        settings: How.
        credentials: Whose; None for nobody's.
        purpose: What it is for, after "has no permission": "to read ...".
    """
    async with open_channel(endpoint, settings) as channel:
        yield Link(channel, endpoint, settings, credentials, purpose)
