"""The token for a user and password.

Only a Range tells an expired token (UNAUTHENTICATED) from a missing permission (PERMISSION_DENIED): on a
watch, 3.5.1 calls both "permission denied". A password costs the server a bcrypt, about 100 ms of a core:
a token is kept across connections, and asked for anew only when a Range says that it is unknown.
"""

from __future__ import annotations

from aetcd.rpc import AuthenticateRequest, AuthStub, Channel

from reactive_config.etcd.errors import AuthOff
from reactive_config.etcd.faults import answer


class Credentials:
    """A user and password, and the newest token for them. Shared by all connections of one source.

    Attributes:
        username: For messages.
        asked: How often etcd was asked for a token.
    """

    def __init__(self, username: str, password: str) -> None:
        self.username = username
        self.asked = 0
        self._password = password
        self._token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.username!r})"

    async def token(self, channel: Channel, subject: str, timeout: float) -> str:
        """The token to send; empty where the cluster has authentication off.

        Raises:
            Refused: Wrong user or password.
            Unavailable: No answer.
        """
        if self._token is None:
            self._token = await self._authenticate(channel, subject, timeout)
        return self._token

    def forget(self, token: str) -> None:
        """This token is not known to etcd any more; the next call asks for a new one."""
        if self._token == token:
            self._token = None

    async def _authenticate(self, channel: Channel, subject: str, timeout: float) -> str:
        self.asked += 1
        request = AuthenticateRequest(name=self.username, password=self._password)
        try:
            reply = await answer(AuthStub(channel).Authenticate(request, timeout=timeout), subject)
        except AuthOff:
            return ""
        return str(reply.token)
