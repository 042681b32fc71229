"""aiohttp: a client session that follows a live value."""

from __future__ import annotations

import asyncio
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

import anyio

from reactive_config._bindings.pools.adapter import Options, adapter, extra
from reactive_config._bindings.pools.closing import close_within
from reactive_config._bindings.pools.known_arguments import KnownArguments, names_of
from reactive_config._bindings.pools.live_pool import LivePool
from reactive_config._bindings.pools.options import Arguments
from reactive_config._bindings.thing import Dispose
from reactive_config._core.runtime.live import Live

if TYPE_CHECKING:
    import aiohttp

U = TypeVar("U")


def aiohttp_session(
    live: Live[U],
    *,
    check: Dispose[aiohttp.ClientSession] | None = None,
    options: Options[U] | None = None,
    drain: float = 10.0,
    deadline: float = 30.0,
    name: str = "",
) -> LivePool[U, aiohttp.ClientSession]:
    """An HTTP session of aiohttp with its connections, made anew when its value changes; extra `aiohttp`.

        async with aiohttp_session(config.select("billing")) as billing:
            async with billing.use() as session, session.get("/invoices") as response:
                await response.json()

    The arguments are those of `aiohttp.ClientSession`, two of them also as a configuration can say them: `connector`
    as a mapping of `aiohttp.TCPConnector` (`limit`, `limit_per_host`, ...), and `timeout` as a mapping of
    `aiohttp.ClientTimeout` or a number, the total. An old session is closed with all connections; requests that
    outlast the drain fail. Cookies stay with the session that got them.

    Args:
        live: `base_url`, `headers`, `connector`, `timeout`, ...
        check: Raises if a new session does not work, as by a request; aiohttp connects only when asked something.
        options: Makes the arguments from the value; without it they are the value's own fields (`arguments_of`).
        drain: Seconds that users of the old session have to finish.
        deadline: Seconds that the check may take.
        name: For the status.
    """
    with extra("aiohttp"):
        import aiohttp

    async def open_session(arguments: Arguments) -> aiohttp.ClientSession:
        arguments = dict(arguments)
        timeout = arguments.get("timeout")
        if isinstance(timeout, dict):
            arguments["timeout"] = aiohttp.ClientTimeout(**timeout)
        elif isinstance(timeout, (int, float)):
            arguments["timeout"] = aiohttp.ClientTimeout(total=timeout)
        if isinstance(connector := arguments.get("connector", {}), dict):
            connector = _connector_class()(**connector)
        try:
            return aiohttp.ClientSession(**{**arguments, "connector": connector})
        except BaseException:
            await connector.close()
            raise

    async def close(session: aiohttp.ClientSession) -> None:
        connector: Any = session.connector

        async def polite() -> None:
            if isinstance(connector, _connector_class()):
                await connector.end()

        await close_within(polite, session.close)

    return adapter(
        "aiohttp_session",
        live,
        open_session,
        close=close,
        users_check=check,
        options=options,
        drain=drain,
        deadline=deadline,
        name=name,
        known=KnownArguments(
            "aiohttp.ClientSession",
            names_of(aiohttp.ClientSession),
            below={
                "connector": KnownArguments("aiohttp.TCPConnector", names_of(aiohttp.TCPConnector)),
                "timeout": KnownArguments("aiohttp.ClientTimeout", names_of(aiohttp.ClientTimeout)),
            },
        ),
    )


@cache
def _connector_class() -> type[Any]:
    import aiohttp

    class Connector(aiohttp.TCPConnector):
        """Once it is closed, an error for whoever uses it, connects, waits for a connection, or asks for one again.

        aiohttp tells nothing to those who read a body, lets those who connect go on, cancels those who wait for a
        connection as if they were to end, and lets those who ask again wait for ever.
        """

        def __init__(self, **arguments: Any) -> None:
            super().__init__(**arguments)
            self._lent: WeakSet[Any] = WeakSet()
            self._connecting: set[anyio.CancelScope] = set()
            self._ending = False

        async def connect(self, *args: Any, **kwargs: Any) -> Any:
            if not (self._ending or self.closed):
                with anyio.CancelScope() as scope:
                    self._connecting.add(scope)
                    try:
                        connection = await super().connect(*args, **kwargs)
                        self._lent.add(connection)
                        return connection
                    finally:
                        self._connecting.discard(scope)
            raise aiohttp.ClientConnectionError("the session is closed")

        async def end(self) -> None:
            """End the connections, and wait until those who use them are told.

            Nothing waits to be sent on an idle one; saying goodbye by TLS would take as long as the peer likes.
            """
            self._ending = True
            for scope in list(self._connecting):
                scope.cancel()
            for idle in [kept[0] for kept in chain.from_iterable(self._conns.values())]:
                idle.abort()
            used = [connection for connection in self._lent if connection.transport is not None]
            for connection in used:
                connection.transport.abort()
            while any(connection.transport is not None for connection in used):  # noqa: ASYNC110 - there is no event
                await asyncio.sleep(0)

    return Connector
