"""What psycopg says when there is no connection, without what it quotes."""

from __future__ import annotations

import re

_SAID = re.compile(r"port \d+ failed: (FATAL: .*|[^\"'\n]*)$", re.MULTILINE)
"""What the server, or the operating system, answers. Before it stands the host, which for a URL with a stray @ is a
part of the password; in quotes stands what else the arguments say."""


def unconnected(error: BaseException | None) -> ConnectionError:
    """The error to raise in place of psycopg's own, which may quote an argument.

    Args:
        error: psycopg's OperationalError, raised by connecting.
    """
    said = _SAID.search(str(error))
    return ConnectionError(said[1] if said else "no connection: check host and port")
