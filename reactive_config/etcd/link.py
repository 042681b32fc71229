"""One connection to one member: calls with a deadline, a token and clear errors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aetcd.rpc import Channel, KVStub, WatchStub

from reactive_config.etcd.auth import Credentials
from reactive_config.etcd.channel import open_channel
from reactive_config.etcd.errors import Refused, Unauthenticated, Unavailable
from reactive_config.etcd.faults import answer
from reactive_config.etcd.settings import Endpoint, Settings

Metadata = tuple[tuple[str, str], ...]

HAS_LEADER: Metadata = (("hasleader", "true"),)
"""A member without a leader then refuses at once: else it lets a call wait, and keeps a watch open in silence."""


class Link:
    """Calls over one channel. Made by `open_link`; unusable after an `Unavailable` of a watch.

    Attributes:
        endpoint: Whom it speaks to.
        kv: aetcd's stub for `call`.
    """

    def __init__(
        self, channel: Channel, endpoint: Endpoint, settings: Settings, credentials: Credentials | None
    ) -> None:
        self.endpoint = endpoint
        self.settings = settings
        self.kv = KVStub(channel)
        self._channel = channel
        self._credentials = credentials

    async def call(self, method: Any, request: Any, timeout: float | None = None) -> Any:
        """Make one unary call and return its reply. An unknown token is replaced once.

        Args:
            method: A method of `kv`.
            request: Its message.
            timeout: Seconds; the settings' when None. A token ahead of the store hangs a call: there is always one.

        Raises:
            Unavailable, Refused, Compacted, FutureRevision: See `errors`.
        """
        timeout = self.settings.timeout if timeout is None else timeout
        try:
            return await self._call_once(method, request, timeout)
        except Unauthenticated:
            if self._credentials is None:
                raise Refused(f"{self.endpoint}: authentication is on; username= and password= are needed") from None
        try:
            return await self._call_once(method, request, timeout)
        except Unauthenticated:
            raise Unavailable(f"{self.endpoint}: does not know the token that it has just given") from None

    async def _call_once(self, method: Any, request: Any, timeout: float) -> Any:
        metadata = await self._metadata(timeout)
        try:
            call = method(request, timeout=timeout, metadata=(*metadata, *HAS_LEADER))
            return await answer(call, str(self.endpoint))
        except Unauthenticated:
            if self._credentials and metadata:
                self._credentials.forget(metadata[0][1])
            raise
        except Refused as refused:
            raise self._blamed(refused) from None

    def _blamed(self, refused: Refused) -> Refused:
        if self._credentials is None or not str(refused).endswith("permission denied"):
            return refused
        return Refused(f"{self.endpoint}: user {self._credentials.username!r} has no permission")

    async def _metadata(self, timeout: float) -> Metadata:
        if self._credentials is None:
            return ()
        token = await self._credentials.token(self._channel, str(self.endpoint), timeout)
        return (("token", token),) if token else ()

    async def stream(self) -> Any:
        """A new, empty Watch call; a member that loses its leader ends it in about 4 s."""
        metadata = await self._metadata(self.settings.timeout)
        return WatchStub(self._channel).Watch(metadata=(*metadata, *HAS_LEADER))


@asynccontextmanager
async def open_link(
    endpoint: Endpoint, settings: Settings, credentials: Credentials | None = None
) -> AsyncIterator[Link]:
    """A connection on a channel of its own, closed at the end within `channel.CLOSE_WITHIN` seconds."""
    async with open_channel(endpoint, settings) as channel:
        yield Link(channel, endpoint, settings, credentials)
