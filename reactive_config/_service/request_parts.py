"""What a request says: its path as it was sent, its query, its preconditions, and its body within bounds."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

import anyio.to_thread
from starlette.requests import ClientDisconnect, Request

from reactive_config._core.bounds import MAX_DEPTH, MAX_NAMES
from reactive_config._core.paths import Path
from reactive_config._formats import registry
from reactive_config._releases.path_edits import name_trouble
from reactive_config._service.problems import ProblemError
from reactive_config.errors import ParseError

MOST_BODY = 2 << 20
"""Bytes of a request's body."""

MOST_DRAINED = 64 << 20
"""Bytes of a body that is too large which are read all the same: else its sender sees a reset, not the answer."""

BODY_SECONDS = 30.0
"""How long a body may take to arrive."""

LARGEST_NUMBER = 10**18 - 1
"""Of the query."""

_LONGEST_PATH = 12 * MAX_NAMES + 1_000
"""Bytes of a path before it is decoded: a character is four bytes of UTF-8 at most, and `%` and two digits each."""

_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def config_path(request: Request) -> Path:
    """The names after `/config` or `/blame`, decoded one by one: an encoded slash is a part of a name.

    Raises:
        ProblemError: 404 for a path that no configuration can have.
    """
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    raw = raw.partition(b"?")[0]
    # /v1/NAMESPACE/ENVIRONMENT/config/...
    parts = raw.split(b"/")[5:]
    if not parts:
        return ()
    path = tuple(map(_name, parts)) if len(parts) <= MAX_DEPTH and len(raw) <= _LONGEST_PATH else None
    if path is None or sum(map(len, path)) > MAX_NAMES:
        raise _no_path(f"expected at most {MAX_DEPTH} names and {MAX_NAMES:,} characters")
    return path


def _name(part: bytes) -> str:
    if _PERCENT.search(part):
        raise _no_path("expected `%` to be followed by two hexadecimal digits")
    try:
        name = unquote_to_bytes(part).decode()
    except UnicodeDecodeError:
        raise _no_path("expected names in UTF-8") from None
    trouble = name_trouble(name)
    if trouble:
        raise _no_path(trouble)
    return name


def _no_path(reason: str) -> ProblemError:
    return ProblemError(404, "no-such-path", reason)


def query_number(request: Request, name: str, *, most: int = LARGEST_NUMBER) -> int | None:
    """A number of the query; None where it is not given.

    Raises:
        ProblemError: 400, it is none.
    """
    text = query_text(request, name)
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) > most:
        raise ProblemError(400, "bad-query", f"{name}: expected a number from 0 to {most:,}", expected="a number")
    return int(text)


def query_text(request: Request, name: str, *, longest: int = 10_000) -> str | None:
    """A text of the query; None where it is not given.

    Raises:
        ProblemError: 400, it is given twice, is too long, or has characters that are not printed.
    """
    values = request.query_params.getlist(name)
    if not values:
        return None
    if len(values) > 1:
        raise ProblemError(400, "bad-query", f"{name}: expected it once")
    if len(values[0]) > longest or not values[0].replace("\n", "").isprintable():
        raise ProblemError(400, "bad-query", f"{name}: expected at most {longest:,} printable characters")
    return values[0]


def query_flag(request: Request, name: str) -> bool:
    """Whether a flag of the query is set.

    Raises:
        ProblemError: 400, it is neither true nor false.
    """
    text = query_text(request, name)
    if text in (None, "false"):
        return False
    if text != "true":
        raise ProblemError(400, "bad-query", f"{name}: expected true or false")
    return True


def check_query(request: Request, *known: str) -> None:
    """Refuse what the endpoint does not know: a misspelt `dry_run` must not write.

    Raises:
        ProblemError: 400.
    """
    unknown = sorted(set(request.query_params) - set(known))
    if unknown:
        names = ", ".join(known) or "none"
        raise ProblemError(400, "bad-query", f"expected these parameters: {names}", expected=names)


async def read_body(request: Request) -> bytes:
    """The whole body.

    Raises:
        ProblemError: 413 if it is too large, 408 if it takes too long, 400 if it ends early.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= MOST_BODY:
                    chunks.append(chunk)
                elif size > MOST_DRAINED:
                    break
    except TimeoutError:
        raise ProblemError(408, "too-slow", f"expected the body within {BODY_SECONDS:g} s") from None
    except ClientDisconnect:
        raise ProblemError(400, "body-cut-off", "the body ended early") from None
    if size > MOST_BODY:
        headers = {"Connection": "close"}
        raise ProblemError(413, "too-large", f"expected a body of at most {MOST_BODY:,} bytes", headers=headers)
    return b"".join(chunks)


_SUFFIXES = {
    "application/json": ".json",
    "application/merge-patch+json": ".json",
    "application/json-patch+json": ".json",
    "application/yaml": ".yaml",
    "application/toml": ".toml",
}


def media_type(request: Request) -> str:
    """The type of the body, in lower case and without parameters; JSON where none is given."""
    return request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()


async def read_document(request: Request, *types: str) -> Any:
    """The body as a tree, by its media type.

    Raises:
        ProblemError: 415 for another type than these; 400 with line and column for what cannot be read.
    """
    kind = media_type(request)
    if kind not in types:
        raise ProblemError(415, "unsupported-media-type", f"expected {' or '.join(types)}", expected=list(types))
    raw = await read_body(request)
    suffix = _SUFFIXES[kind]
    try:
        if registry.is_heavy(suffix, len(raw)):
            return await anyio.to_thread.run_sync(lambda: registry.parse(raw, suffix, table=False))
        return registry.parse(raw, suffix, table=False)
    except ParseError as error:
        problem = ProblemError(
            400,
            "unreadable-body",
            str(error),
            expected=error.expected,
            got=error.got,
            line=error.line,
            column=error.column,
        )
    raise problem


def matches(header: str | None, tag: str) -> bool:
    """Whether an `If-Match` or `If-None-Match` names a tag. The part of a tag that names a format does not count."""
    if header is None:
        return False
    if header.strip() == "*":
        return True
    return any(_core(one) == _core(tag) for one in _TAG.findall(header))


def matches_exactly(header: str | None, tag: str, is_there: Callable[[], bool]) -> bool:
    """The same, by the whole tag; `*` matches what is there."""
    if header is None:
        return False
    return is_there() if header.strip() == "*" else tag in _TAG.findall(header)


_TAG = re.compile(r'"[\x21\x23-\x7e]*"')


def _core(tag: str) -> str:
    return tag.strip('"').rpartition(".")[0]
