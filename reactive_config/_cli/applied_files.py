"""What `apply` is given: a file, or a directory of files, read as the Files source reads them.

One difference: a file that cannot be read ends the command. With `--prune` its names would be deleted.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import orjson

from reactive_config._cli.change_arguments import json_or_text
from reactive_config._cli.failures import Failure, UsageError
from reactive_config._cli.typed_values import TypedValues
from reactive_config._core.bounds import MAX_DEPTH, NESTING, too_deep
from reactive_config._core.delta import Bare, Malformed
from reactive_config._core.paths import Path
from reactive_config._core.trees import overlay
from reactive_config._formats import registry
from reactive_config._printable import printable
from reactive_config._sources.files import os_paths
from reactive_config._sources.files.read_whole import ChangedWhileRead, read_whole
from reactive_config._sources.files.scan import FoundFile, GivenPath, scan
from reactive_config._sources.nested_names import nest
from reactive_config.errors import ParseError, Problem

_MOST_BYTES = 8 << 20
"""Of one file, as `Files` has it unless told otherwise."""

_TRIES = 5
"""Reads of a file that changes while it is read."""

_MOST_TOLD = 10
"""Files that a message names; the rest is counted."""

_KNOWN = ", ".join(sorted(registry.SUFFIXES))


def read_tree(
    place: str, typed: TypedValues, reading: Callable[[str], object], note: Callable[[str], object]
) -> dict[str, Any]:
    """What a file says, or all files of a directory together, as JSON can say it.

    Args:
        place: The file or the directory.
        typed: Reads the bare values of dotenv, and checks all others.
        reading: Called before each file, with what is done.
        note: Told of each name in the directory that is skipped.

    Raises:
        UsageError: There is no such file, or no file in the directory.
        Failure: A file cannot be read, or a value does not fit the type.
    """
    files, skipped = _files(place)
    if not files:
        raise UsageError(f"{os_paths.shown(place)}: expected files of {_KNOWN}, got none")
    _tell(skipped, note)
    tree: Any = {}
    troubles: dict[str, str] = {}
    for number, file in enumerate(files, 1):
        reading(f"reading file {number:,} of {len(files):,}")
        read = _read(file, typed)
        if isinstance(read, Malformed):
            troubles[printable(os_paths.shown(file.place))] = str(
                ParseError(read.expected, read.got, read.line, read.column)
            )
        else:
            tree = overlay(tree, read)
    if troubles:
        raise _unreadable(troubles)
    problems: list[Problem] = []
    plain: dict[str, Any] = orjson.loads(orjson.dumps(_without_bare(tree, (), typed, problems)))
    problems += typed.problems(plain, {problem.path for problem in problems})
    if problems:
        raise Failure("the files do not fit the type; nothing was sent", problems=problems)
    return plain


def _files(place: str) -> tuple[list[FoundFile], list[str]]:
    """The files in the order in which they merge, and sentences about names that are skipped.

    Raises:
        UsageError: There is nothing, or a file whose suffix nobody reads.
    """
    if not place.strip():
        raise UsageError("expected a FILE or a DIRECTORY, got an empty name (is a variable of the shell empty?)")
    absolute = os_paths.absolute(place)
    directory = os_paths.is_directory(absolute)
    if not directory and not os.path.lexists(absolute):
        raise UsageError(f"{os_paths.shown(place)}: there is no such file or directory")
    suffix = "" if directory else os_paths.suffix(place)
    if not directory and suffix not in registry.SUFFIXES:
        raise UsageError(f"{os_paths.shown(place)}: expected a directory, or a file that ends in one of {_KNOWN}")
    known = registry.SUFFIXES.__contains__
    given = GivenPath(0, place, absolute, suffix, False, known, place, 0)
    # What has a known suffix and is a directory is refused, not skipped.
    seen = scan([given], lambda name: known(os_paths.suffix(name)))
    if not directory and not seen.files:
        raise UsageError(f"{os_paths.shown(place)}: there is no such file or directory")
    listing = seen.listings.get(seen.homes[0], 0)
    names = [] if isinstance(listing, int) else sorted(filter(given.wants, listing))
    return _with_lost(given, seen.files, names), seen.skipped


def _with_lost(given: GivenPath, found: dict[str, FoundFile], names: list[str]) -> list[FoundFile]:
    """The files that were found, and a file in trouble for each link that leads nowhere."""
    ids = [os_paths.join(given.text, name) for name in names]
    nowhere = Malformed("a file", "a link that leads nowhere")
    lost = [FoundFile(id, id, 0, 0, (), "", "", None, nowhere, None) for id in ids if id not in found]  # noqa: A001
    return [*found.values(), *lost]


def _tell(skipped: list[str], note: Callable[[str], object]) -> None:
    for sentence in skipped[:_MOST_TOLD]:
        note(sentence)
    if len(skipped) > _MOST_TOLD:
        note(f"{len(skipped) - _MOST_TOLD:,} more are skipped")


def _read(file: FoundFile, typed: TypedValues) -> Any:
    """The tree of a file; `Malformed` if it cannot be read."""
    data = file.trouble or _content(file.real)
    if isinstance(data, Malformed):
        return data
    try:
        tree = registry.parse(data, file.suffix)
        if file.suffix == ".env":
            tree = nest(tree, typed.resolve, typed.shape)
    except ParseError as error:
        return Malformed(error.expected, error.got, error.line, error.column)
    return Malformed(NESTING, "deeper nesting") if too_deep(tree, MAX_DEPTH) else tree


def _content(real: str) -> bytes | Malformed:
    for _ in range(_TRIES):
        try:
            return read_whole(real, _MOST_BYTES).data
        except ChangedWhileRead:
            continue
    return Malformed("a file that nobody writes", "one that changes while it is read")


def _unreadable(troubles: dict[str, str]) -> Failure:
    if len(troubles) == 1:
        ((place, why),) = troubles.items()
        return Failure(f"{place}: {why}", hints=["nothing was applied"])
    told = dict(list(troubles.items())[:_MOST_TOLD])
    return Failure(f"{len(troubles):,} files cannot be read, so nothing was applied", troubles=told)


def _without_bare(tree: Any, path: Path, typed: TypedValues, problems: list[Problem]) -> Any:
    """A tree with the values of dotenv as they fit the type; what does not is added to the problems."""
    if type(tree) is dict:
        return {name: _without_bare(value, (*path, name), typed, problems) for name, value in tree.items()}
    if type(tree) is not Bare:
        return tree
    value, found = typed.read(path, tree.text, json_or_text(tree.text))
    problems += found
    return value
