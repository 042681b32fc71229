"""From a file's bytes to the value of its entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio
import anyio.to_thread

from reactive_config._core.delta import Bare, Entry, Locate, Malformed, Tree
from reactive_config._core.paths import KeyPath, Path
from reactive_config._formats import registry
from reactive_config._formats.common import other_bytes, without_newline
from reactive_config._sources.json_tables import ShapeAt, may_be_table, read_table
from reactive_config._sources.nested_names import SEPARATOR, joined, nest, split
from reactive_config.errors import ParseError

Resolve = Callable[[Path], Path]


class DotenvDocument(Entry, frozen=True):
    """An entry of which each value is a variable."""

    def variable(self, path: Path) -> str:
        return joined(path)


_LOCATABLE = 256 << 10
"""Bytes in which a line is looked for: it parses again, on the loop, at some 0.15 s a MiB. Paths are named always."""


class FileDocuments:
    """Reads documents; one long one at a time.

    Args:
        resolve: As `Feed.resolve`, for the names of dotenv files. Called on the loop only.
        shape: As `Feed.shape`, for texts that may spell a table in JSON. Called on the loop only.
        named: As `Feed.named_variables`, for dotenv files too.

    Attributes:
        limiter: Holds the one thread that the source takes for long files.
    """

    def __init__(self, resolve: Resolve, shape: ShapeAt, named: Sequence[tuple[str, Path]] = ()) -> None:
        paths = {tuple(variable.split(SEPARATOR)): path for variable, path in named}
        self._resolve: Resolve = (lambda names: paths.get(names) or resolve(names)) if paths else resolve
        self._shape = shape
        self.limiter = anyio.CapacityLimiter(1)

    async def value(self, data: bytes, suffix: str, mount: Path = ()) -> Tree | Malformed:
        """The tree of a document, or where it went wrong. With JSON in dotenv or in a bare value it may nest too deep.

        Cancelling waits for the parser, which `max_bytes` bounds.

        Args:
            data: All of it.
            suffix: Of the file; empty for a bare value.
            mount: Where it stands in its layer.
        """
        try:
            if registry.is_heavy(suffix, len(data)):
                tree = await anyio.to_thread.run_sync(_parse, data, suffix, limiter=self.limiter)
            else:
                tree = _parse(data, suffix)
            if suffix == ".env":
                return nest(tree, self._resolve, self._shape, lambda name: _line(data, name))
            if suffix or not may_be_table(tree, mount, self._shape):
                return tree
            if registry.is_heavy(".json", len(data)):
                return await anyio.to_thread.run_sync(read_table, tree, limiter=self.limiter)
            return read_table(tree)
        except ParseError as error:
            return Malformed(error.expected, error.got, error.line, error.column)

    def locate(self, data: bytes, suffix: str) -> Locate | None:
        """Finds places in a document that was read, and keeps its bytes alive for it; None for a long one."""
        if len(data) > _LOCATABLE:
            return None
        if suffix == ".env":
            return lambda _, path: _locate_name(data, path, self._resolve)
        if not suffix:
            return lambda entry, path: _locate_value(data, entry, path)
        return lambda _, path: registry.locate(data, suffix, path)


def _parse(data: bytes, suffix: str) -> Tree:
    return registry.parse(data, suffix) if suffix else _bare(data)


def _bare(data: bytes) -> Bare:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line, column = data.count(b"\n", 0, error.start) + 1, error.start - data.rfind(b"\n", 0, error.start)
        raise ParseError("UTF-8", other_bytes(data), line, column) from None
    return Bare(without_newline(text))


def _locate_value(data: bytes, entry: Entry, path: Path) -> tuple[int, int] | None:
    if type(entry.value) is dict:  # spelt in JSON
        return registry.locate(data, "", path)
    return None if path else (1, 1)


def _locate_name(data: bytes, path: Path, resolve: Resolve) -> tuple[int, int] | None:
    """The deepest name that stands at a path, or above it with a table in JSON."""
    names = {resolve(split(name)): name for name in registry.parse(data, ".env")}
    for length in range(len(path), 0, -1):
        if path[:length] in names:
            name = (names[path[:length]],)
            return registry.locate(data, ".env", KeyPath(name) if isinstance(path, KeyPath) else name)
    return None


def _line(data: bytes, name: str) -> tuple[int, int]:
    return (registry.locate(data, ".env", (name,)) if len(data) <= _LOCATABLE else None) or (0, 0)
