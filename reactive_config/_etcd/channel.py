"""Channels: a new one for every attempt, because a reused one inherits gRPC's own backoff.

Certificate and key files are checked before gRPC sees them.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import anyio
import anyio.to_thread

from reactive_config._etcd.errors import TLSTrouble
from reactive_config._etcd.rpc import AioRpcError, Channel, grpc, insecure_channel, secure_channel
from reactive_config._etcd.settings import TLS, Endpoint, Settings, tls_for

_BLOCK = re.compile(rb"^-----BEGIN ([A-Z0-9 ]+)-----", re.MULTILINE)


def channel_credentials(tls: TLS) -> grpc.ChannelCredentials:
    """What gRPC needs for a TLS connection. Reads files, so it belongs into a thread.

    Raises:
        TLSTrouble: A file cannot be read or used, or the key is not the certificate's. Names the file and what is
            wrong with it, never anything of its content.
    """
    ca, cert, key = _read(tls.ca, "CA file"), _read(tls.cert, "certificate"), _read(tls.key, "private key")
    if ca is not None:
        _check_ca(tls.ca, ca)
    if cert is not None and key is not None:
        _check_pair(tls, cert, key)
    return grpc.ssl_channel_credentials(ca, key, cert)


def _read(path: str, what: str) -> bytes | None:
    if not path:
        return None
    from pathlib import Path  # only TLS needs it, and it costs a start 5 ms

    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise TLSTrouble(f"the {what} {path} cannot be read: {error.strerror}") from None


def _check_block(path: str, what: str, pem: bytes, label: str) -> None:
    labels = [found.decode() for found in _BLOCK.findall(pem)]
    if not labels:
        raise TLSTrouble(f"the {what} {path} holds no PEM block")
    if not any(found.endswith(label) for found in labels):
        raise TLSTrouble(f"the {what} {path}: expected a PEM block {label}, got {', '.join(sorted(set(labels)))}")


def _check_ca(path: str, pem: bytes) -> None:
    _check_block(path, "CA file", pem, "CERTIFICATE")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        raise TLSTrouble(f"the CA file {path} holds a certificate that cannot be read") from None


def _check_pair(tls: TLS, cert: bytes, key: bytes) -> None:
    _check_block(tls.cert, "certificate", cert, "CERTIFICATE")
    _check_block(tls.key, "private key", key, "PRIVATE KEY")
    if b"ENCRYPTED" in key:
        raise TLSTrouble(f"the private key {tls.key} is encrypted: expected one without a passphrase")
    try:
        # With a password of its own: OpenSSL would ask for one at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(tls.cert, tls.key, password=b"")
    except ssl.SSLError as error:
        reason = error.reason or ""
        if "MISMATCH" in reason:
            raise TLSTrouble(f"the private key {tls.key} does not belong to the certificate {tls.cert}") from None
        if "TOO_" not in reason:  # too small or too weak for this Python's OpenSSL may be enough for the server
            raise TLSTrouble(f"the certificate {tls.cert} or the private key {tls.key} cannot be read") from None
    except OSError as error:
        raise TLSTrouble(f"the certificate {tls.cert} cannot be read: {error.strerror}") from None


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
            await _wait_told(channel)
            await channel.close()


def _target(endpoint: Endpoint) -> str:
    """As gRPC wants it: a path is part of a URI."""
    return f"unix:{quote(os.fsencode(endpoint.socket))}" if endpoint.socket else endpoint.target


async def _wait_told(channel: Channel) -> None:
    """Wait until gRPC has told the end of every cancelled call.

    It has one queue of completions for the whole process, and what is left there when an event loop ends
    is raised in the next one as "Event loop is closed". The queue keeps its order, so a call that is over
    before it begins comes out after all that were cancelled before.
    """
    try:
        await channel.unary_unary("/reactive_config/nothing")(b"", timeout=0)
    except (AioRpcError, grpc.aio.UsageError):
        pass  # its deadline has passed, as meant; or the channel is closed already
