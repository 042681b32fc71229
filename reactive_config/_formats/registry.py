"""The door of this room: a document's bytes and its suffix to a tree, or to a refusal with a position.

Everything here is pure and may run in any thread; what `is_heavy` should.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from contextlib import suppress
from typing import Any

from reactive_config._core.bounds import FREE_OF_THAT, SHORT_NAMES, kind, names_too_long
from reactive_config._core.delta import Bare, Tree
from reactive_config._core.document_looks import IS_TOML, TOML, YAML, looks_like
from reactive_config._core.paths import Path
from reactive_config._formats.common import decode, position, require_content, without_newline
from reactive_config.errors import ParseError

_FORMATS = {".json": "json_", ".yaml": "yaml_", ".yml": "yaml_", ".toml": "toml_", ".env": "dotenv"}

SUFFIXES = frozenset(_FORMATS)
"""The suffixes of files and etcd keys that name a format, in lower case."""

ON_LOOP = {".json": 192 << 10, ".yaml": 20 << 10, ".yml": 20 << 10, ".toml": 5 << 10, ".env": 8 << 10, "": 1 << 20}
"""Bytes that are read in about 2 ms, measured, by suffix; none for a bare text."""

_SLOW = 1 << 10
"""The same where the format's usual parser is missing."""

_JSON_SPACE = " \t\r\n"
_WHY_JSON = 'because the value begins with {, [ or "'


def parse(data: bytes, suffix: str, *, table: bool = True) -> Tree:
    """The tree of a document.

    Args:
        data: The document, UTF-8; a byte order mark is skipped.
        suffix: One of `SUFFIXES`.
        table: Whether the root must be a table. An etcd key with a suffix may hold any value.

    Returns:
        A new tree that nobody else holds: dicts with str keys, lists, str, int of at most 64 bits,
        finite float, bool, None; dates and times from TOML, `Bare` from dotenv.

    Raises:
        ParseError: With line and column, and never a word of the document.
        ValueError: No such suffix; the caller's mistake.
    """
    if suffix not in SUFFIXES:
        raise ValueError(f"expected one of {sorted(SUFFIXES)}, got {suffix!r}")
    text = decode(data)
    require_content(text)
    tree = _parse(text, suffix)
    if suffix != ".env":  # flat: each of its names stands for one value
        _require_short_names(tree, data)
    if table and type(tree) is not dict:
        start = len(text) - len(text.lstrip())
        got = IS_TOML if type(tree) is str and looks_like(text) == TOML else kind(tree)  # YAML reads it as one text
        raise ParseError("a table at the top level", got, *position(text, start))
    return tree


def parse_value(data: bytes, format: str = ".json", *, document: bool = False) -> Tree:  # noqa: A002
    """The tree of an etcd value whose key has no suffix.

    A text that begins with `{`, `[` or `"` must be JSON. White space before it does not count: an
    editor's line break must not turn a table into text. Every other text is `Bare`, as it stands, white space
    included, but for one final newline, which many ways of writing a value add; the empty value is the empty text.

    With another format than JSON, what is JSON stays JSON, what looks like a document of that format (see `looks_like`)
    must be one, and the rest is `Bare`.

    Args:
        data: The value.
        format: The suffix of the format that documents have; in YAML, what begins with `{` or `[` need not be JSON.
        document: Whether the value must be a document of that format, or JSON.

    Raises:
        ParseError: Not UTF-8, or not what its begin promises.
    """
    text = decode(data)
    if format == ".json":
        candidates: tuple[str, ...] = (".json",) if _is_json(text) else ()
    else:
        candidates = _candidates(text, format, document=document)
    if not candidates:
        return Bare(without_newline(text))
    try:
        _, tree = _parse_first(text, candidates)
        _require_short_names(tree, data)
        return tree
    except ParseError as error:
        refused = error
    why = f" ({_WHY_JSON})" if format == ".json" and refused.expected == "valid JSON" else ""
    # Out of the handler, so that it has no context.
    raise ParseError(refused.expected + why, refused.got, refused.line, refused.column)


def locate(data: bytes, suffix: str, path: Path, format: str = ".json") -> tuple[int, int] | None:  # noqa: A002
    """Line and column of the value at a path inside a document, both from 1, in characters.

    A table or a list stands where its key or header does, and so does anything if the path is a `KeyPath`. List items
    go by their number, `("routes", "0")`, and stand where they begin.
    It reads the document again, so ask only when a person does. It never raises.

    Args:
        data: A document that `parse` accepted.
        suffix: One of `SUFFIXES`, or the empty text for what `parse_value` accepted.
        path: Inside the document; () is its root.
        format: As `parse_value` was given it.

    Returns:
        None when it cannot tell.
    """
    try:
        return _locate(decode(data), suffix, path, format)
    except Exception:  # noqa: BLE001  # a person waits for an explanation: better without a line than none
        return None


@functools.cache
def is_slow(suffix: str) -> bool:
    """Whether documents of this format take about 1 ms a KiB: YAML where there is no ryaml. Loads nothing."""
    try:
        return _FORMATS.get(suffix) == "yaml_" and importlib.util.find_spec("ryaml") is None
    except ValueError:  # it was made impossible to import
        return True


def is_heavy(suffix: str, size: int) -> bool:
    """Whether a document takes so long to read that it belongs into a thread, so that it does not hold the event loop.

    Args:
        suffix: One of `SUFFIXES`, or the empty text for a bare text.
        size: Its bytes.
    """
    return size > _SLOW and (is_slow(suffix) or size > ON_LOOP[suffix])


def _parse(text: str, suffix: str) -> Tree:
    try:
        module = _format(suffix)
    except (ImportError, OSError):  # a process that has given up its rights since it began, for one
        raise ParseError("a format whose parser can be loaded", f"{suffix}, and no access to it") from None
    try:
        return module.parse(text)
    except MemoryError:
        pass
    raise ParseError("a document that fits into memory", "a larger one")


def _require_short_names(tree: Tree, data: bytes) -> None:
    if len(data) > FREE_OF_THAT and names_too_long(tree):
        raise ParseError(SHORT_NAMES, "longer ones")


@functools.cache
def _format(suffix: str) -> Any:
    """The module of a format, loaded at the first document: a process seldom reads more than one or two of them.

    Each has `parse(text)`, and `locate(text, path)`, which gives an offset or line and column.
    """
    return importlib.import_module(f"reactive_config._formats.{_FORMATS[suffix]}")


def _locate(text: str, suffix: str, path: Path, format: str) -> tuple[int, int] | None:  # noqa: A002
    if not suffix:
        candidates = _candidates(text, format)
        if not candidates and (not path or format == ".json"):
            return None if path else (1, 1)
        candidates = candidates or (format,)
        suffix = candidates[0] if len(candidates) == 1 else _parse_first(text, candidates)[0]
    found = _format(suffix).locate(text, path)
    return position(text, found) if isinstance(found, int) else found


def _candidates(text: str, format: str, *, document: bool = False) -> tuple[str, ...]:  # noqa: A002
    """The formats that a value without a suffix may have, the first that fits counts; none for a bare text."""
    if document:
        require_content(text)
    if not _is_json(text):
        return (format,) if document or looks_like(text) == format else ()
    flows = format == YAML and not text.lstrip(_JSON_SPACE).startswith('"')
    return (".json", format) if document or flows or looks_like(text) == format else (".json",)


def _parse_first(text: str, candidates: tuple[str, ...]) -> tuple[str, Tree]:
    """The first format as which a text can be read, and its tree.

    Raises:
        ParseError: There is none. It tells what is wrong with the text as the last one.
    """
    for suffix in candidates[:-1]:
        with suppress(ParseError):
            return suffix, _parse(text, suffix)
    return candidates[-1], _parse(text, candidates[-1])


def _is_json(text: str) -> bool:
    return text.lstrip(_JSON_SPACE).startswith(("{", "[", '"'))
