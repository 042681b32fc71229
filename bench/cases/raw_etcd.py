"""etcd by hand, over aetcd's stubs: what the rivals share. Nothing of ours is in it.

aetcd is imported in the functions: it is loaded where it is used, and there it counts.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

OPTIONS = [
    ("grpc.keepalive_time_ms", 6000),
    ("grpc.keepalive_timeout_ms", 15000),
    ("grpc.http2.ping_timeout_ms", 15000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.min_reconnect_backoff_ms", 3000),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", 256 * 1024 * 1024),  # else a list of 100,000 keys fails
]
"""Those of our own channels: a test compares them."""

HAS_LEADER = (("hasleader", "true"),)
"""As ours: a member without quorum ends the watch."""


async def open_channel(endpoint: str, stack: AsyncExitStack) -> Any:
    """A channel that is closed with `stack`."""
    from aetcd.rpc import insecure_channel

    return await stack.enter_async_context(insecure_channel(endpoint, options=OPTIONS))


async def open_watch(channel: Any, key: str, *, end: bytes = b"", start: int = 0) -> Any:
    """A Watch call whose watch the server has confirmed.

    Args:
        channel: Of `open_channel`.
        key: The key, or where a range begins.
        end: Where the range ends; empty for one key.
        start: The first revision; 0 for what comes from now on.
    """
    from aetcd.rpc import WatchCreateRequest, WatchRequest, WatchStub

    call = WatchStub(channel).Watch(metadata=HAS_LEADER)
    create = WatchCreateRequest(key=key.encode(), range_end=end, start_revision=start, progress_notify=True)
    await call.write(WatchRequest(create_request=create))
    reply = await call.read()
    if not (hasattr(reply, "created") and reply.created and not reply.canceled):  # the end of a call is no message
        raise ConnectionError(f"{key}: expected a watch, got a refusal")
    return call


async def list_range(channel: Any, key: str, end: bytes) -> Any:
    """The reply of one Range call for everything in a range."""
    from aetcd.rpc import KVStub, RangeRequest

    return await KVStub(channel).Range(RangeRequest(key=key.encode(), range_end=end), metadata=HAS_LEADER)


def prefix_end(prefix: str) -> bytes:
    """Where the range of a prefix that ends in ASCII ends."""
    begin = prefix.encode()
    return begin[:-1] + bytes([begin[-1] + 1])
