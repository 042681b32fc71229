"""What the endpoints are asked and what they answer, without a framework."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

MAX_BODY = 4096
"""Bytes that a body may have; the longest that is sensible is some sixty."""


class Call(NamedTuple):
    """One request.

    Attributes:
        method: In upper case.
        path: Decoded, below where the endpoints are mounted.
        headers: As they came: names in any case, some more than once.
        body: At least the first `MAX_BODY` + 1 bytes of it; None if it is not read yet.
    """

    method: str
    path: str
    headers: Iterable[tuple[bytes, bytes]] = ()
    body: bytes | None = b""

    def header(self, name: bytes) -> bytes:
        """All values of a header, comma-separated; empty without one."""
        return b", ".join(value for key, value in self.headers if key.lower() == name)


class Answer(NamedTuple):
    """One response; the body of one to HEAD is there and is not to be sent."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]


class BodyNotRead(Exception):
    """The answer depends on the body: it is to be read, and the call is to be made again. Raised for no other calls, so
    that nobody who may not do anything has a body read, however slowly it comes."""


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
