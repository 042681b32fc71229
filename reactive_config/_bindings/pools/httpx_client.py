"""httpx: a client that follows a live value."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread

from reactive_config._bindings.pools.adapter import Options, adapter, extra
from reactive_config._bindings.pools.closing import close_within
from reactive_config._bindings.pools.known_arguments import KnownArguments, names_of
from reactive_config._bindings.pools.live_pool import LivePool
from reactive_config._bindings.pools.options import Arguments
from reactive_config._bindings.thing import Dispose
from reactive_config._core.runtime.live import Live

if TYPE_CHECKING:
    import httpx

U = TypeVar("U")


def httpx_client(
    live: Live[U],
    *,
    check: Dispose[httpx.AsyncClient] | None = None,
    options: Options[U] | None = None,
    drain: float = 10.0,
    deadline: float = 30.0,
    name: str = "",
) -> LivePool[U, httpx.AsyncClient]:
    """An HTTP client of httpx with its connections, made anew when its value changes; extra `httpx`.

        async with httpx_client(config.select("billing")) as billing:
            async with billing.use() as client:
                await client.get("/invoices")

    The arguments are those of `httpx.AsyncClient`, two of them also as a configuration can say them: `limits` as a
    mapping of `httpx.Limits`, and `timeout` as a mapping of `httpx.Timeout`, where `timeout` inside it stands for those
    that it does not name (httpx's own 5 seconds without it). An old client is closed with all connections; requests
    that outlast the drain fail.

    Args:
        live: `base_url`, `headers`, `limits`, `timeout`, ...
        check: Raises if a new client does not work, as by a request; httpx connects only when asked something.
        options: Makes the arguments from the value; without it they are the value's own fields (`arguments_of`).
        drain: Seconds that users of the old client have to finish.
        deadline: Seconds that the check may take.
        name: For the status.
    """
    with extra("httpx"):
        import httpx

    async def open_client(arguments: Arguments) -> httpx.AsyncClient:
        arguments = dict(arguments)
        if isinstance(limits := arguments.get("limits"), dict):
            arguments["limits"] = httpx.Limits(**limits)
        if isinstance(timeout := arguments.get("timeout"), dict):
            arguments["timeout"] = httpx.Timeout(**{"timeout": 5.0, **timeout})
        # In a thread: reading the system's certificates would hold the event loop for some 20 ms.
        return await anyio.to_thread.run_sync(partial(_client_class(), **arguments))

    async def close(client: httpx.AsyncClient) -> None:
        ours: Any = client
        await close_within(ours.aclose, ours.cut)

    return adapter(
        "httpx_client",
        live,
        open_client,
        close=close,
        users_check=check,
        options=options,
        drain=drain,
        deadline=deadline,
        name=name,
        known=KnownArguments(
            "httpx.AsyncClient",
            names_of(httpx.AsyncClient),
            below={
                "limits": KnownArguments("httpx.Limits", names_of(httpx.Limits)),
                "timeout": KnownArguments("httpx.Timeout", names_of(httpx.Timeout)),
            },
        ),
    )


@cache
def _client_class() -> type[httpx.AsyncClient]:
    import httpx

    class Client(httpx.AsyncClient):
        """Ends the requests under way when it is closed.

        httpx ends those that have a connection; others would wait for one, get a new one of the closed client, and
        nobody would close that.
        """

        def __init__(self, **arguments: Any) -> None:
            super().__init__(**arguments)
            self._sending: set[anyio.CancelScope] = set()
            self._network = _network_of(self)

        async def send(self, request: httpx.Request, **settings: Any) -> httpx.Response:
            with anyio.CancelScope() as scope:
                self._sending.add(scope)
                try:
                    return await super().send(request, **settings)
                finally:
                    self._sending.discard(scope)
            raise httpx.ReadError("the client is closed", request=request)

        async def aclose(self) -> None:
            for scope in self._sending:
                scope.cancel()
            await super().aclose()

        async def cut(self) -> None:
            """Close the connections that are still open after `aclose`: those whose handshake was cut off."""
            for stream in self._network.open_streams():
                await stream.aclose()

    return Client


def _network_of(client: httpx.AsyncClient) -> Any:
    """Notes the connections that a client's own transports open: a cancelled TLS handshake leaves its socket open."""
    import httpcore

    class Network(httpcore.AsyncNetworkBackend):
        def __init__(self) -> None:
            self.inner: httpcore.AsyncNetworkBackend = httpcore.AnyIOBackend()
            self.streams: list[httpcore.AsyncNetworkStream] = []

        async def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
            return self._noted(await self.inner.connect_tcp(*args, **kwargs))

        async def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
            return self._noted(await self.inner.connect_unix_socket(*args, **kwargs))

        async def sleep(self, seconds: float) -> None:
            await self.inner.sleep(seconds)

        def open_streams(self) -> list[httpcore.AsyncNetworkStream]:
            return [stream for stream in self.streams if stream.get_extra_info("socket").fileno() >= 0]

        def _noted(self, stream: httpcore.AsyncNetworkStream) -> httpcore.AsyncNetworkStream:
            self.streams = [*self.open_streams(), stream]
            return stream

    network = Network()
    for transport in (client._transport, *client._mounts.values()):
        pool: Any = getattr(transport, "_pool", None)
        if isinstance(getattr(pool, "_network_backend", None), httpcore.AsyncNetworkBackend):
            network.inner, pool._network_backend = pool._network_backend, network
    return network
