"""gRPC (grpc.aio): a channel that follows a live value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from reactive_config._bindings.pools.adapter import Options, adapter, extra
from reactive_config._bindings.pools.known_arguments import KnownArguments, names_of
from reactive_config._bindings.pools.live_pool import LivePool
from reactive_config._bindings.pools.options import Arguments
from reactive_config._core.runtime.live import Live

if TYPE_CHECKING:
    import grpc.aio

U = TypeVar("U")

_PEM = ("root_certificates", "private_key", "certificate_chain")


def grpc_channel(
    live: Live[U],
    *,
    options: Options[U] | None = None,
    drain: float = 10.0,
    deadline: float = 30.0,
    name: str = "",
) -> LivePool[U, grpc.aio.Channel]:
    """A gRPC channel, opened anew when its value changes; extra `grpc`.

        async with grpc_channel(config.select("inventory")) as inventory:
            async with inventory.use() as channel:
                await InventoryStub(channel).Count(request)

    The arguments are those of `grpc.aio.secure_channel`, two of them also as a configuration can say them:
    `credentials` as a mapping of `root_certificates`, `private_key`, `certificate_chain` (PEM, text or bytes; an empty
    mapping is TLS by the system's roots; without `credentials` there is no TLS), and the channel's `options` as a
    mapping. A new channel is ready before it is used, and shares no connection with another one. Calls that outlast
    the drain are cancelled: gRPC raises CancelledError for those who wait for them.

    Args:
        live: `target`, and what else is needed.
        options: Makes the arguments from the value; without it they are the value's own fields (`arguments_of`).
        drain: Seconds that users of the old channel have to finish.
        deadline: Seconds that a new channel may take to become ready.
        name: For the status.
    """
    with extra("grpc"):
        import grpc.aio

    async def open_channel(arguments: Arguments) -> grpc.aio.Channel:
        arguments = dict(arguments)
        settings = dict(arguments.pop("options", ()))
        # Else a channel to the same target would take over the old one's connection, and its trouble.
        settings.setdefault("grpc.use_local_subchannel_pool", 1)
        arguments["options"] = list(settings.items())
        credentials = _credentials(arguments.pop("credentials", None))
        if credentials is None:
            return grpc.aio.insecure_channel(**arguments)
        return grpc.aio.secure_channel(credentials=credentials, **arguments)

    async def close(channel: grpc.aio.Channel) -> None:
        await channel.close()

    async def check(channel: grpc.aio.Channel) -> None:
        await channel.channel_ready()

    return adapter(
        "grpc_channel",
        live,
        open_channel,
        close=close,
        check=check,
        options=options,
        drain=drain,
        deadline=deadline,
        name=name,
        known=KnownArguments(
            "grpc.aio.secure_channel",
            names_of(grpc.aio.secure_channel),
            required=("target",),
            below={"credentials": KnownArguments("the credentials", _PEM)},
        ),
    )


def _credentials(given: Any) -> grpc.ChannelCredentials | None:
    import grpc

    if not isinstance(given, dict):
        return given
    pem = {name: text.encode() if isinstance(text, str) else text for name, text in given.items()}
    return grpc.ssl_channel_credentials(**pem)
