"""What an error of redis-py means to a limiter: Redis is away, or there is too much to do, or this call is wrong."""

from __future__ import annotations

import re

_CANNOT_COUNT = re.compile(
    r"\b(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MISCONF|NOREPLICAS|BUSY|OOM|NOAUTH|WRONGPASS|NOPERM)\b"
)
"""The codes of answers by which a server counts for nobody, or for nobody of this process. An error inside a script
has the code in the middle of its text where Redis is older than 7."""

_FULL = {"Too many connections", "No connection available."}
"""What pools of redis-py raise when all their connections are in use; a class of its own has this only since 6.3."""


def is_pool_full(error: Exception) -> bool:
    """Whether all connections of the client's pool are in use."""
    return type(error).__name__ == "MaxConnectionsError" or str(error) in _FULL


def is_server_full(error: Exception) -> bool:
    """Whether the server has as many clients as it may have (`maxclients`)."""
    return "max number of clients" in str(error)


def is_outage(error: Exception) -> bool:
    """Whether Redis counts for nobody of this process now: it is away, or takes no writes, or none of ours.

    What is wrong with one call alone (WRONGTYPE) is none, nor is a command that the server does not know.
    """
    from redis import exceptions

    if isinstance(error, exceptions.ResponseError):
        return any(_CANNOT_COUNT.search(text) for text in (_code_of(error), str(error)))
    return not isinstance(error, exceptions.DataError)


def _code_of(error: Exception) -> str:
    """The code that redis-py turned into a class and took out of the text."""
    from redis import exceptions

    codes = {
        "ReadOnlyError": "READONLY",
        "OutOfMemoryError": "OOM",
        "NoPermissionError": "NOPERM",
        "AuthenticationWrongNumberOfArgsError": "NOAUTH",
        "ClusterDownError": "CLUSTERDOWN",
        "MasterDownError": "MASTERDOWN",
        "TryAgainError": "TRYAGAIN",
    }
    kinds = {getattr(exceptions, name, None): code for name, code in codes.items()}
    return kinds.get(type(error), "")
