"""What the endpoints are asked and what they answer, without a framework."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from reactive_config import Secret

MAX_BODY = 4096
"""Bytes that a body may have; the longest that is sensible is some sixty."""


class Call(NamedTuple):
    """One request.

    Attributes:
        method: In upper case.
        path: Decoded, below where the endpoints are mounted.
        headers: As they came: names in any case, some more than once.
        body: At least the first `MAX_BODY` + 1 bytes of it.
    """

    method: str
    path: str
    headers: Iterable[tuple[bytes, bytes]] = ()
    body: bytes = b""

    def header(self, name: bytes) -> bytes:
        """All values of a header, comma-separated; empty without one."""
        return b", ".join(value for key, value in self.headers if key.lower() == name)


class Answer(NamedTuple):
    """One response; the body of one to HEAD is there and is not to be sent."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]


class Refused(Exception):
    """A call that is answered with an error.

    Args:
        status: Of HTTP.
        message: `what: expected X, got Y`.
        headers: Besides the usual ones.
        more: Besides the message.
    """

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(message)
        self.answer = as_json({"error": message, **more}, status, headers)


def as_json(tree: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """An answer of anything that msgspec knows. ASCII, as a file's name may hold what UTF-8 cannot."""
    return plain(json.dumps(msgspec.to_builtins(tree)).encode(), "application/json", status, headers)


def plain(body: bytes, content_type: str, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """An answer; nobody is to cache it."""
    usual = {"Content-Type": content_type, "Cache-Control": "no-store"}
    return Answer(status, body, tuple({**usual, **(headers or {})}.items()))


def require(token: Secret[str], call: Call) -> None:
    """Let pass who shows the token as `Authorization: Bearer ...`; compared in constant time.

    Raises:
        Refused: 401.
    """
    scheme, _, shown = call.header(b"authorization").partition(b" ")
    if scheme.lower() != b"bearer":
        got = "another scheme" if scheme else "nothing"
        raise Refused(401, f"Authorization: expected Bearer and a token, got {got}", {"WWW-Authenticate": "Bearer"})
    if not hmac.compare_digest(shown.strip(), token.reveal().encode()):
        challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        raise Refused(401, "Authorization: expected the token that this application was given, got another", challenge)
