"""What the verbs that change something are given: assignments, paths, numbers of releases."""

from __future__ import annotations

from typing import Any

from reactive_config._cli.failures import UsageError
from reactive_config._cli.typed_values import TypedValues
from reactive_config._core.paths import Path, parse_path
from reactive_config._formats import registry
from reactive_config._printable import printable
from reactive_config.errors import InvalidPath, ParseError


def read_assignment(text: str, typed: TypedValues) -> tuple[Path, Any]:
    """Path and value of PATH=VALUE.

    Raises:
        UsageError: It is none.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"expected PATH=VALUE, got {printable(text)}")
    path = read_release_path(name)
    return path, typed.fitting(path, value, read_argument(value))


def read_argument(text: str) -> Any:
    """A value: JSON, by the rules of JSON documents, or text.

    Raises:
        UsageError: It begins like JSON, and is none.
    """
    value = json_or_text(text)
    if value is text and text.lstrip().startswith(("{", "[", '"')):
        raise UsageError("expected a value that is JSON where it begins like JSON, got other text")
    return value


def json_or_text(text: str) -> Any:
    """The JSON of a text; the text itself if it is none."""
    try:
        return registry.parse(text.encode(errors="surrogateescape"), ".json", table=False)
    except ParseError:
        return text


def read_release_path(text: str) -> Path:
    """A dotted path that is not empty.

    Raises:
        UsageError: It is none.
    """
    try:
        path = parse_path(text)
    except InvalidPath as error:
        raise UsageError(str(error)) from None
    if not path:
        raise UsageError("expected PATH, got an empty one")
    return path


def read_number(texts: tuple[str, ...]) -> int:
    """The number of a release.

    Raises:
        UsageError: It is none.
    """
    if len(texts) != 1 or not texts[0].isascii() or not texts[0].isdigit() or len(texts[0]) > 12:
        raise UsageError(f"expected the number of a release, got {printable(' '.join(texts)) or 'none'}")
    return int(texts[0])


def count_leaves(tree: Any) -> int:
    """How many values a tree has that are no tables."""
    return sum(map(count_leaves, tree.values())) if type(tree) is dict else 1


def pointer(path: Path) -> str:
    """A JSON Pointer."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in path)
