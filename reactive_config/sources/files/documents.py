"""From a file's bytes to the value of its entry."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import anyio.to_thread

from reactive_config.core.delta import Bare, Locate, Malformed, Tree
from reactive_config.core.paths import Path
from reactive_config.errors import ParseError
from reactive_config.formats import registry
from reactive_config.sources.names import nest, split

Resolve = Callable[[Path], Path]

_ON_LOOP = {".json": 192 << 10, ".yaml": 20 << 10, ".yml": 20 << 10, ".toml": 5 << 10, ".env": 8 << 10, "": 1 << 20}
"""Bytes that parse in about 2 ms, measured; what is longer goes to a thread and must not hold the loop."""

_SLOW = 1 << 10
"""The same where the format's usual parser is missing."""

_LOCATABLE = 256 << 10
"""Bytes in which a line is looked for: it parses again, on the loop, at some 0.15 s a MiB. Paths are named always."""


class Documents:
    """Reads documents; one long one at a time.

    Args:
        resolve: As `Feed.resolve`, for the names of dotenv files. Called on the loop only.

    Attributes:
        limiter: Holds the one thread that the source takes for long files.
    """

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self.limiter = anyio.CapacityLimiter(1)

    async def value(self, data: bytes, suffix: str) -> Tree | Malformed:
        """The tree of a document, or where it went wrong.

        Cancelling waits for the parser, which `max_bytes` bounds.

        Args:
            data: All of it.
            suffix: Of the file; empty for a bare value.
        """
        try:
            if len(data) <= (_SLOW if registry.is_slow(suffix) else _ON_LOOP[suffix]):
                tree = _parse(data, suffix)
            else:
                tree = await anyio.to_thread.run_sync(_parse, data, suffix, limiter=self.limiter)
            return nest(tree, self._resolve) if suffix == ".env" else tree
        except ParseError as error:
            return Malformed(error.expected, error.got, error.line, error.column)

    def locate(self, data: bytes, suffix: str) -> Locate | None:
        """Finds places in a document that was read, and keeps its bytes alive for it; None for a long one."""
        if len(data) > _LOCATABLE:
            return None
        if suffix == ".env":
            return lambda _, path: _locate_name(data, path, self._resolve)
        if not suffix:
            return lambda _, path: None if path else (1, 1)
        return lambda _, path: registry.locate(data, suffix, path)


def _parse(data: bytes, suffix: str) -> Tree:
    return registry.parse(data, suffix) if suffix else _bare(data)


def _bare(data: bytes) -> Bare:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ParseError("UTF-8", "other bytes", line, error.start - data.rfind(b"\n", 0, error.start)) from None
    if text.endswith("\n"):
        text = text[: -2 if text.endswith("\r\n") else -1]
    return Bare(text)


def _locate_name(data: bytes, path: Path, resolve: Resolve) -> tuple[int, int] | None:
    for name in registry.parse(data, ".env"):
        if resolve(split(name)) == path:
            return registry.locate(data, ".env", (name,))
    return None
