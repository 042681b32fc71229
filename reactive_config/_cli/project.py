"""`[tool.reactive-config]` in a pyproject.toml: sources and type that nobody has to type again.

    [tool.reactive-config]
    type = "app:App"
    sources = ["config/app.toml", "optional:config/app.local.toml", "env:SHOP_"]

The file is looked for in the working directory and then upwards. The first one that has the table is used.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from reactive_config._cli.failures import UsageError
from reactive_config._cli.output import Output, StyledText
from reactive_config._core.bounds import kind as kind_of
from reactive_config._formats.registry import parse
from reactive_config.errors import ParseError

_FILE = "pyproject.toml"
_TOOL = "reactive-config"
_TABLE = f"tool.{_TOOL}"
_KEYS = ("sources", "type", "decoders")


class Project(msgspec.Struct, frozen=True):
    """The table of one pyproject.toml.

    Attributes:
        file: The file's name as seen from the working directory, for messages.
        directory: Where it is. Its relative paths begin there, and its type can be imported from there.
        sources: As on the command line, the lowest layer first; empty if the table names none.
        type: MODULE:CLASS; None if the table names none.
        decoders: MODULE:NAME of functions for types of the program's own; None if the table names none.
    """

    file: str
    directory: Path
    sources: tuple[str, ...] = ()
    type: str | None = None
    decoders: str | None = None

    def place(self, key: str) -> str:
        """Where a key of the table is, for messages."""
        return f"{self.file}: {_TABLE}.{key}"


def find_project(start: Path) -> Project | None:
    """The nearest project at or above a directory.

    A file above `start` counts only if its owner is the user, root, or the owner of `start`: the type that it names
    is imported, and a shared directory such as /tmp may hold a file of somebody else.

    Returns:
        None if no pyproject.toml has the table.

    Raises:
        UsageError: A pyproject.toml on the way cannot be read, or its table is not as it should be.
    """
    for file in _candidates(start):
        name = os.path.relpath(file, start)
        table = _table(name, _read(name, file))
        if table is not None:
            return _project(name, file.parent, table)
    return None


def tell_project(out: Output, project: Project, *, sources: bool, type: bool) -> None:  # noqa: A002 - the key's name
    """Tell a person what comes from the project; nothing if nothing does."""
    used = [f"sources {' '.join(project.sources)}"] if sources and project.sources else []
    used += [f"type {project.type}"] if type and project.type else []
    if used:
        out.note([StyledText(f"using {project.file}: ", "dim"), ", ".join(used)])


def _candidates(start: Path) -> Iterator[Path]:
    here = start / _FILE
    if here.is_file():
        yield here
    for directory in start.parents:
        file = directory / _FILE
        try:
            if file.is_file() and _is_trusted(file, start):
                yield file
        except OSError:
            continue  # a directory that may not be searched


def _is_trusted(file: Path, start: Path) -> bool:
    if not hasattr(os, "getuid"):  # Windows has no owner that could be compared
        return True
    return file.stat().st_uid in (os.getuid(), 0, start.stat().st_uid)


def _read(name: str, file: Path) -> Mapping[str, Any]:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise _unusable(f"{name}: expected a file that can be read, got {error.strerror}") from None
    if not data.strip():
        return {}
    try:
        tree = parse(data, ".toml")
    except ParseError as error:
        raise _unusable(f"{name}: {error}") from None
    assert isinstance(tree, dict)
    return tree


def _unusable(message: str) -> UsageError:
    return UsageError(message, hints=["--no-project ignores it"])


def _table(name: str, tree: Mapping[str, Any]) -> Mapping[str, Any] | None:
    tools = tree.get("tool")
    if not isinstance(tools, dict) or _TOOL not in tools:
        return None
    table = tools[_TOOL]
    if not isinstance(table, dict):
        raise _unusable(f"{name}: {_TABLE}: expected a table, got {kind_of(table)}")
    return table


def _project(name: str, directory: Path, table: Mapping[str, Any]) -> Project:
    project = Project(name, directory)
    for key in table:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, 1)
            hints = [f"did you mean {near[0]}?"] if near else []
            raise UsageError(
                f"{project.place(key)}: expected sources, type or decoders, got an unknown key", hints=hints
            )
    decoders = _name(project, table, "decoders", "app:DECODERS")
    return Project(name, directory, _sources(project, table), _name(project, table, "type", "app:App"), decoders)


def _sources(project: Project, table: Mapping[str, Any]) -> tuple[str, ...]:
    if "sources" not in table:
        return ()
    sources, place = table["sources"], project.place("sources")
    if not isinstance(sources, list):
        raise UsageError(f'{place}: expected a list such as ["config", "env:SHOP_"], got {kind_of(sources)}')
    if not sources:
        raise UsageError(f"{place}: expected at least one source, got an empty list")
    for index, text in enumerate(sources):
        if not isinstance(text, str):
            raise UsageError(f"{place}[{index}]: expected a text, got {kind_of(text)}")
    return tuple(sources)


def _name(project: Project, table: Mapping[str, Any], key: str, example: str) -> str | None:
    text = table.get(key)
    if text is not None and not isinstance(text, str):
        raise UsageError(f'{project.place(key)}: expected a text such as "{example}", got {kind_of(text)}')
    return text
