"""Channels: a new one for every attempt, because a reused one inherits gRPC's own backoff.

A reused channel reconnected 13.5 s after a 60 s outage, a new one in 0.2 s.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import anyio
import anyio.to_thread

from reactive_config.etcd.certificates import channel_credentials
from reactive_config.etcd.rpc import AioRpcError, Channel, grpc, insecure_channel, secure_channel
from reactive_config.etcd.settings import TLS, Endpoint, Settings, tls_for

MAX_MESSAGE = 256 * 1024 * 1024
"""Bytes of one answer. gRPC's default of 4 MiB fails a large list or backlog, again at every retry."""

CLOSE_WITHIN = 2.0


def channel_options(settings: Settings, tls: TLS | None) -> list[tuple[str, int | str]]:
    """gRPC channel arguments (https://grpc.github.io/grpc/core/group__grpc__arg__keys.html).

    Pings go out every 6 s or more: etcd's minimum is 5 s, more of them end in GOAWAY too_many_pings. They keep the
    connection in the tables of routers. A dead one is found by deadlines and heartbeats, long before a ping tells.
    """
    pause = max(6.0, settings.keepalive * 0.6)
    patience = int(1000 * settings.ping_timeout)
    options: list[tuple[str, int | str]] = [
        ("grpc.keepalive_time_ms", int(1000 * pause)),
        ("grpc.keepalive_timeout_ms", patience),
        ("grpc.http2.ping_timeout_ms", patience),  # the one that counts: gRPC measures with pings while data comes
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.enable_http_proxy", 0),  # gRPC would obey http_proxy
        ("grpc.min_reconnect_backoff_ms", int(1000 * settings.connect_timeout)),  # of connecting; else 20 s
        ("grpc.enable_retries", 0),  # retries are ours, with a new channel
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_receive_message_length", MAX_MESSAGE),
    ]
    if tls and tls.server_name:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    return options


@asynccontextmanager
async def open_channel(endpoint: Endpoint, settings: Settings) -> AsyncIterator[Channel]:
    """A channel to one endpoint; nothing is connected before the first call.

    Raises:
        TLSTrouble: A certificate or key file cannot be used.
        SourceError: The endpoint's scheme and tls= contradict each other.
    """
    tls = tls_for(endpoint, settings)
    options = channel_options(settings, tls)
    if tls is None:
        channel = insecure_channel(_target(endpoint), options=options)
    else:
        credentials = await anyio.to_thread.run_sync(channel_credentials, tls)
        channel = secure_channel(_target(endpoint), credentials, options=options)
    try:
        yield channel
    finally:
        with anyio.move_on_after(CLOSE_WITHIN, shield=True):
            await _settle(channel)
            await channel.close()


def _target(endpoint: Endpoint) -> str:
    """As gRPC wants it: a path is part of a URI."""
    return f"unix:{quote(endpoint.socket)}" if endpoint.socket else endpoint.target


async def _settle(channel: Channel) -> None:
    """Wait until gRPC has told the end of every cancelled call.

    It has one queue of completions for the whole process, and what is left there when an event loop ends
    is raised in the next one as "Event loop is closed". The queue keeps its order, so a call that is over
    before it begins comes out after all that were cancelled before.
    """
    try:
        await channel.unary_unary("/reactive_config/nothing")(b"", timeout=0)
    except (AioRpcError, grpc.aio.UsageError):
        pass  # its deadline has passed, as meant; or the channel is closed already
