"""Trees to JSON, YAML, TOML, dotenv and Java's properties. What a format cannot say is refused, with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from typing import Any

import orjson

from reactive_config._core.delta import Bare, Tree
from reactive_config._core.paths import Path, format_path
from reactive_config._core.trees import same
from reactive_config._formats import registry
from reactive_config._printable import printable
from reactive_config.errors import ParseError, ReactiveConfigError


class Inexpressible(ReactiveConfigError, ValueError):
    """A format has no way to say something.

    Attributes:
        path: Where it stands.
        what: Its kind: `null`, `a date`.
    """

    def __init__(self, path: Path, what: str, wanted: str) -> None:
        self.path = path
        self.what = what
        super().__init__(f"{printable(format_path(path)) or '(root)'}: {wanted} has no {what}")


class WriterMissing(ReactiveConfigError, ImportError):
    """The package that writes a format is not installed."""


def write_document(tree: Tree, suffix: str) -> bytes:
    """A document that says the tree. A bare value becomes text.

    Args:
        tree: Of the types that formats give.
        suffix: `.json`, `.yaml`, `.yml`, `.toml`, `.env` or `.properties`; the last three take tables only.

    Raises:
        Inexpressible: The format cannot say it.
        WriterMissing: What writes it is not installed.
    """
    return _WRITERS[suffix](tree)


def plain(tree: Tree, refused: Callable[[object], str | None], wanted: str) -> Any:
    """A copy whose bare values are texts.

    Args:
        tree: Of the types that formats give.
        refused: Tells what a value is that cannot be said; None for one that can.
        wanted: What it is written as, for the error.

    Raises:
        Inexpressible: At the first value that is refused.
    """

    def walk(value: Tree, path: Path) -> Any:
        if type(value) is dict:
            return {name: walk(inner, (*path, name)) for name, inner in value.items()}
        if type(value) is list:
            return [walk(inner, (*path, str(index))) for index, inner in enumerate(value)]
        if type(value) is Bare:
            return value.text
        what = refused(value)
        if what is not None:
            raise Inexpressible(path, what, wanted)
        return value

    return walk(tree, ())


def _moment(value: object) -> str | None:
    return "date or time" if isinstance(value, (date, time)) else None


def _null(value: object) -> str | None:
    return "null" if value is None else None


def _json(tree: Tree) -> bytes:
    try:
        return orjson.dumps(tree, _text, orjson.OPT_PASSTHROUGH_DATETIME)
    except TypeError:  # a walk tells which value it is
        return orjson.dumps(plain(tree, _moment, "JSON"))


def _text(value: object) -> str:
    """What is written of a value that is none of JSON's."""
    if isinstance(value, Bare):
        return value.text
    raise TypeError


def _yaml(tree: Tree) -> bytes:
    ready = plain(tree, _moment, "YAML")
    try:
        import ryaml
    except ImportError:
        raise _missing("ryaml") from None
    text = ryaml.dumps(ready)
    return _checked(text.encode(), ".yaml", ready, "YAML")


def _toml(tree: Tree) -> bytes:
    _require_table(tree, "TOML")
    ready = plain(tree, _null, "TOML")
    try:
        import tomli_w
    except ImportError:
        raise _missing("tomli-w") from None
    text = tomli_w.dumps(ready)
    return _checked(text.encode(), ".toml", ready, "TOML")


def _checked(raw: bytes, suffix: str, tree: Tree, wanted: str) -> bytes:
    """The document, if it is read as what was written: a writer may follow other rules than our reader."""
    try:
        read = registry.parse(raw, suffix, table=False)
    except ParseError:
        read = None
    if not same(read, tree):
        raise Inexpressible((), "such content", wanted)
    return raw


def _dotenv(tree: Tree) -> bytes:
    _require_table(tree, "dotenv")
    lines = []
    for path, text in _flat(tree, "dotenv"):
        if any(not _VARIABLE.fullmatch(name) or "__" in name for name in path):
            raise Inexpressible(path, "such a name", "dotenv")
        lines.append(f"{'__'.join(path).upper()}={_quoted(text)}\n")
    return "".join(lines).encode()


_VARIABLE = re.compile(r"[a-z][a-z0-9_]*")


def _quoted(text: str) -> str:
    if re.fullmatch(r"[\w./:@%+,-]*", text, re.ASCII):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return '"' + escaped.replace("$", "\\$") + '"'


def _properties(tree: Tree) -> bytes:
    _require_table(tree, "properties")
    return "".join(
        f"{'.'.join(_escaped(name, ' :=#!.') for name in path)}={_escaped(text, '', lead=True)}\n"
        for path, text in _flat(tree, "properties")
    ).encode("ascii")


def _escaped(text: str, special: str, *, lead: bool = False) -> str:
    """As java.util.Properties reads it: ISO 8859-1 with `\\uXXXX` for the rest."""
    out = []
    for index, character in enumerate(text):
        if character in _CONTROLS:
            out.append(_CONTROLS[character])
        elif character == "\\" or character in special or (lead and index == 0 and character == " "):
            out.append("\\" + character)
        elif " " <= character <= "~":
            out.append(character)
        else:
            units = character.encode("utf-16-be", "surrogatepass")
            out += [f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2)]
    return "".join(out)


_CONTROLS = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"}


def _flat(tree: Tree, wanted: str) -> Iterator[tuple[Path, str]]:
    """Every value that is no table, as text: lists and empty tables as JSON."""

    def walk(value: Tree, path: Path) -> Iterator[tuple[Path, str]]:
        if type(value) is dict and value:
            for name, inner in value.items():
                yield from walk(inner, (*path, name))
        elif type(value) is str:
            yield path, value
        elif type(value) is Bare:
            yield path, value.text
        elif value is None:
            raise Inexpressible(path, "null", wanted)
        elif isinstance(value, (date, datetime, time)):
            yield path, value.isoformat()
        elif path:
            yield path, orjson.dumps(plain(value, _moment, wanted)).decode()

    yield from walk(tree, ())


def _require_table(tree: Tree, wanted: str) -> None:
    if type(tree) is not dict:
        raise Inexpressible((), "document that is a single value", wanted)


def _missing(package: str) -> WriterMissing:
    return WriterMissing(f"to write this format, install {package}: pip install {package}")


_WRITERS: dict[str, Callable[[Tree], bytes]] = {
    ".json": _json,
    ".yaml": _yaml,
    ".yml": _yaml,
    ".toml": _toml,
    ".env": _dotenv,
    ".properties": _properties,
}
