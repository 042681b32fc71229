"""gRPC, and aetcd's stubs over it. The other modules take both from here: this is the only import of either.

gRPC writes every refused connection, bad certificate and GOAWAY to standard error, some twenty lines a second while
a server is away. The status says the same once, so gRPC is made silent, unless the user has set GRPC_VERBOSITY or
GRPC_TRACE, or has imported grpc before. gRPC reads these variables when it is imported and never again.
"""

from __future__ import annotations

import os

_VERBOSITY = "GRPC_VERBOSITY"
_silence = not {_VERBOSITY, "GRPC_TRACE"} & os.environ.keys()
if _silence:
    os.environ[_VERBOSITY] = "NONE"
try:
    import grpc
    from aetcd.rpc import (
        AioRpcError,
        AuthenticateRequest,
        AuthStub,
        Channel,
        ClusterStub,
        CompactionRequest,
        Compare,
        DeleteRangeRequest,
        Event,
        KVStub,
        MaintenanceStub,
        MemberListRequest,
        PutRequest,
        RangeRequest,
        RequestOp,
        StatusRequest,
        TxnRequest,
        WatchCreateRequest,
        WatchRequest,
        WatchStub,
        insecure_channel,
        secure_channel,
    )
finally:
    if _silence:
        del os.environ[_VERBOSITY]  # not for the processes that the program starts

__all__ = [
    "AioRpcError",
    "AuthStub",
    "AuthenticateRequest",
    "Channel",
    "ClusterStub",
    "CompactionRequest",
    "Compare",
    "DeleteRangeRequest",
    "Event",
    "KVStub",
    "MaintenanceStub",
    "MemberListRequest",
    "PutRequest",
    "RangeRequest",
    "RequestOp",
    "StatusRequest",
    "TxnRequest",
    "WatchCreateRequest",
    "WatchRequest",
    "WatchStub",
    "grpc",
    "insecure_channel",
    "secure_channel",
]
