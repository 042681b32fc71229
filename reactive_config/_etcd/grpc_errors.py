"""gRPC's errors in this room's words. The texts are those of etcd 3.4.23 and 3.5.1 and grpcio 1.85."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from typing import TypeVar

import anyio.lowlevel

from reactive_config._etcd.errors import (
    NEEDS_USER,
    UNKNOWN_CA,
    AuthOff,
    BadLogin,
    Compacted,
    DeadlinePassed,
    EtcdError,
    FutureRevision,
    RequestRefused,
    TLSTrouble,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unreachable,
)
from reactive_config._etcd.rpc import AioRpcError, grpc

T = TypeVar("T")

_WRAPPING = re.compile(r"^failed to connect to all addresses; last error: [A-Z]+: (?:ipv[46]:\S+: )?")

_TLS = (
    ("CERTIFICATE_VERIFY_FAILED: certificate has expired", "its certificate has expired"),
    ("CERTIFICATE_VERIFY_FAILED: certificate is not yet valid", "its certificate is not valid yet"),
    ("CERTIFICATE_VERIFY_FAILED", UNKNOWN_CA),
    ("Hostname Verification Check failed", "its certificate is for another host name (server_name= names it)"),
    ("WRONG_VERSION_NUMBER", "it does not speak TLS"),
    ("SSLV3_ALERT", "it refused our certificate (or that we show none)"),
    ("TLSV1_ALERT", "it refused our certificate (or that we show none)"),
    ("TLSV13_ALERT", "it refused our certificate (or that we show none)"),
    ("TSI_DATA_CORRUPTED", "it refused our certificate (or that we show none)"),
    ("KEY_VALUES_MISMATCH", "the private key does not belong to the certificate"),
)

_CUT = {
    # A dying server or a proxy without a backend says the same, so these stay a matter of time.
    "Handshake read failed (Socket closed)": "it closed the TLS handshake (does it speak TLS?)",
    "Socket closed": "it closed the connection (does it want TLS?)",
}


# Code ("" for any), a part of the details, what it is, and a reason better than the details.
_ANSWERS: tuple[tuple[str, str, type[EtcdError], str], ...] = (
    ("OUT_OF_RANGE", "future revision", FutureRevision, ""),
    ("OUT_OF_RANGE", "compacted", Compacted, ""),
    ("UNAUTHENTICATED", "", Unauthenticated, ""),
    ("", "revision of auth store is old", Unauthenticated, ""),
    ("PERMISSION_DENIED", "", RequestRefused, ""),
    ("INVALID_ARGUMENT", "user name is empty", Unauthenticated, NEEDS_USER),
    ("INVALID_ARGUMENT", "authentication failed", BadLogin, "wrong user or password"),
    ("FAILED_PRECONDITION", "authentication is not enabled", AuthOff, ""),
    ("RESOURCE_EXHAUSTED", "larger than max", TooLarge, ""),
    ("INVALID_ARGUMENT", "too many operations", TooLarge, ""),
    ("DEADLINE_EXCEEDED", "", DeadlinePassed, "no answer in time"),
)


def translate(error: AioRpcError, subject: str) -> EtcdError:
    """The error of this room that says what must be done about a failed call.

    Args:
        error: What gRPC raised.
        subject: What was spoken to, for the message: the endpoint.
    """
    code: str = error.code().name
    details = _WRAPPING.sub("", error.details() or "").strip()
    if code == "UNAVAILABLE":
        return _unreachable(details, subject)
    for its_code, mark, kind, reason in _ANSWERS:
        if its_code in ("", code) and mark in details:
            return kind(f"{subject}: {reason or details}")
    return Unavailable(f"{subject}: {code}: {details}")


def _unreachable(details: str, subject: str) -> EtcdError:
    for mark, reason in _TLS:
        if mark in details:
            return TLSTrouble(f"{subject}: TLS: {reason}")
    if "ping timeout" in details:
        return DeadlinePassed(f"{subject}: no answer to a ping")
    kind = Unreachable if "Failed to connect to remote host" in details else Unavailable
    return kind(f"{subject}: {_CUT.get(details, details)}")


async def answer(pending: Awaitable[T], subject: str) -> T:
    """Await something of gRPC's; what goes wrong is raised in this room's words.

    A channel that closes gives its callers a bare CancelledError although nobody cancelled their task;
    passed on, it would end a task group without a reason. And a real cancellation comes out of gRPC as
    another exception than went in, which a cancel scope of anyio would not know as its own.

    What is raised refers to none of gRPC's frames, which refer to the call: a call keeps its connection open, also
    after its channel was closed, and an exception may be part of a cycle (asyncio's TaskGroup makes some).

    Args:
        pending: A call, or a read or write of one.
        subject: What was spoken to, for messages.
    """
    try:
        return await pending
    except AioRpcError as error:
        trouble: BaseException = translate(error, subject)
    except asyncio.CancelledError as error:
        trouble = error.with_traceback(None)
        trouble.__context__ = None
    except (grpc.aio.UsageError, asyncio.InvalidStateError):
        trouble = Unavailable(f"{subject}: the connection is closed")
    try:
        if isinstance(trouble, asyncio.CancelledError):
            task = asyncio.current_task()
            if task is not None and not task.cancelling():
                trouble = Unavailable(f"{subject}: the connection was closed")
            await anyio.lowlevel.checkpoint_if_cancelled()  # raises the scope's own
        raise trouble
    finally:
        del trouble, pending
