"""What the verbs that change something are given: assignments, paths, numbers of releases, files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Any

import orjson

from reactive_config._cli.failures import UsageError
from reactive_config._cli.typed_values import TypedValues
from reactive_config._core.delta import Bare
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


def read_tree(place: FilePath, typed: TypedValues, reading: Callable[[str], object]) -> dict[str, Any]:
    """What a file says, or all files of a directory together, as JSON can say it.

    Args:
        place: The file or the directory.
        typed: Reads the bare values of dotenv.
        reading: Called before each file, with what is done.

    Raises:
        UsageError: It cannot be read.
    """
    from reactive_config._core.trees import overlay

    if place.is_dir():
        files = sorted(file for file in place.iterdir() if _suffix(file) in registry.SUFFIXES and file.is_file())
        if not files:
            raise UsageError(
                f"{printable(str(place))}: expected files of {', '.join(sorted(registry.SUFFIXES))}, got none"
            )
    else:
        files = [place]
    tree: Any = {}
    for number, file in enumerate(files, 1):
        reading(f"reading file {number:,} of {len(files):,}")
        tree = overlay(tree, _read(file, typed))
    plain: dict[str, Any] = orjson.loads(orjson.dumps(_without_bare(tree, (), typed)))
    return plain


def _suffix(file: FilePath) -> str:
    return ".env" if file.name == ".env" else file.suffix.lower()


def _read(file: FilePath, typed: TypedValues) -> Any:
    from reactive_config._sources.nested_names import nest

    suffix = _suffix(file)
    if suffix not in registry.SUFFIXES:
        raise UsageError(f"{printable(str(file))}: expected one of {', '.join(sorted(registry.SUFFIXES))}")
    try:
        tree = registry.parse(file.read_bytes(), suffix)
        return nest(tree, typed.resolve, typed.shape) if suffix == ".env" else tree
    except ParseError as error:
        raise UsageError(f"{printable(str(file))}: {error}") from None
    except OSError as error:
        raise UsageError(f"{printable(str(file))}: {error.strerror}") from None


def _without_bare(tree: Any, path: Path, typed: TypedValues) -> Any:
    if type(tree) is dict:
        return {name: _without_bare(value, (*path, name), typed) for name, value in tree.items()}
    return typed.fitting(path, tree.text, json_or_text(tree.text)) if type(tree) is Bare else tree


def count_leaves(tree: Any) -> int:
    """How many values a tree has that are no tables."""
    return sum(map(count_leaves, tree.values())) if type(tree) is dict else 1


def pointer(path: Path) -> str:
    """A JSON Pointer."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in path)
