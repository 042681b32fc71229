"""What the verbs that change something are given: assignments, paths, numbers of releases.

An argument that is none of these is not quoted: it may be a password that was typed in the wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from reactive_config._cli.failures import UsageError
from reactive_config._cli.typed_values import TypedValues
from reactive_config._core.bounds import MAX_DEPTH
from reactive_config._core.paths import Path, format_path, parse_path
from reactive_config._formats import registry
from reactive_config._printable import printable
from reactive_config.errors import InvalidPath, ParseError

_NUMBER = re.compile(r"\s*-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?\s*")

_LONGEST_NUMBER = 12
"""Digits of a release's number."""


def numbered(arguments: tuple[str, ...], texts: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What messages call each argument after TARGET, and the argument.

    Args:
        arguments: All of them.
        texts: Those after TARGET, which may come from the environment.
    """
    for number, text in enumerate(texts, len(arguments) - len(texts) + 1):
        yield f"argument {number}", text


def check_text(place: str, text: str) -> None:
    """Refuse what is no text, as bytes of the command line that are not UTF-8.

    Raises:
        UsageError: It is none.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{place}: expected UTF-8 text, got other bytes") from None


def read_assignment(place: str, text: str, typed: TypedValues) -> tuple[Path, Any]:
    """Path and value of PATH=VALUE.

    Args:
        place: What messages call the argument.
        text: The argument.
        typed: Reads the value.

    Raises:
        UsageError: It is none.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"{place}: expected PATH=VALUE, got a text without an equals sign")
    path = read_release_path(place, name)
    check_text(place, value)
    return path, typed.fitting(path, value, read_argument(path, value, typed))


def read_argument(path: Path, text: str, typed: TypedValues) -> Any:
    """A value: JSON, by the rules of JSON documents, or text.

    Raises:
        UsageError: It begins like JSON and is none, or is a number that JSON documents may not have.
    """
    try:
        return _json(text)
    except ParseError as error:
        problem = error
    if typed.wants_text(path, text):
        return text
    if text.lstrip().startswith(("{", "[", '"')):
        expected = f'{problem.expected} (because the value begins with {{, [ or ")'
    elif _NUMBER.fullmatch(text) and typed.is_open(path):
        expected = "a number of at most 64 bits, and a finite one"
    else:
        return text
    where = f"{printable(format_path(path))}: line {problem.line}, column {problem.column}"
    raise UsageError(f"{where}: expected {expected}, got {problem.got}", hints=[_quoting(path)])


def _quoting(path: Path) -> str:
    return f"a text is written in quotes: {printable(format_path(path))}='\"...\"'"


def read_paths(wanted: Iterable[tuple[Path, Any]]) -> dict[Path, Any]:
    """Paths and what is to happen there, each path once and none inside of another.

    Raises:
        UsageError: One path is there twice, or inside of another; which of the two would count?
    """
    found: dict[Path, Any] = {}
    for path, value in wanted:
        name = printable(format_path(path))
        if path in found:
            raise UsageError(f"expected every path once, got {name} twice")
        found[path] = value
    for path in found:
        for length in range(1, len(path)):
            if path[:length] in found:
                outer, inner = printable(format_path(path[:length])), printable(format_path(path))
                raise UsageError(f"expected paths beside each other, got {outer}, and {inner} inside of it")
    return found


def json_or_text(text: str) -> Any:
    """The JSON of a text; the text itself if it is none."""
    try:
        return _json(text)
    except ParseError:
        return text


def _json(text: str) -> Any:
    return registry.parse(text.encode(errors="surrogateescape"), ".json", table=False)


def read_release_path(place: str, text: str) -> Path:
    """A dotted path that is not empty.

    Args:
        place: What messages call the argument.
        text: The path.

    Raises:
        UsageError: It is none.
    """
    check_text(place, text)
    try:
        path = parse_path(text)
    except InvalidPath:
        raise UsageError(f'{place}: expected a dotted path such as log."a.b".level, got none') from None
    if not path:
        raise UsageError(f"{place}: expected PATH, got an empty one")
    if len(path) > MAX_DEPTH:
        raise UsageError(f"{place}: expected a path of at most {MAX_DEPTH} names, got {len(path):,}")
    for name in path:
        check_text(place, name)  # JSON's escapes can spell what is no text
    return path


def read_numbers(arguments: tuple[str, ...], texts: tuple[str, ...], most: int = 1) -> list[int]:
    """The numbers of releases: one, or up to so many.

    Raises:
        UsageError: There are more or none, or one is no number.
    """
    if not 1 <= len(texts) <= most:
        wanted = "the number of a release" if most == 1 else "the number of one release or of two"
        raise UsageError(f"expected {wanted}, got {len(texts) or 'none'}")
    return [_read_number(place, text) for place, text in numbered(arguments, texts)]


def _read_number(place: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > _LONGEST_NUMBER:
        raise UsageError(f"{place}: expected the number of a release, got other text")
    return int(text)


def count_leaves(tree: Any) -> int:
    """How many values a tree has that are no tables."""
    return sum(map(count_leaves, tree.values())) if type(tree) is dict else 1


def pointer(path: Path) -> str:
    """A JSON Pointer."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in path)
