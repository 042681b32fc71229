"""Environment variables, read once: they do not change under a running program."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Mapping

import msgspec

from reactive_config._core.delta import Bare, Entry, Malformed, Replace
from reactive_config._core.kubernetes import set_by_kubernetes
from reactive_config._core.paths import Path, format_path
from reactive_config._core.source import Feed, Source
from reactive_config._core.status import SourceState
from reactive_config._sources.json_tables import beside_others, may_be_table, read_table
from reactive_config._sources.nested_names import joined, split
from reactive_config.errors import ParseError


class Env(Source):
    """A layer of the environment's variables with a prefix.

    `SHOP_DATABASE__POOL__MAX_SIZE=20` stands at `database.pool.max_size`: `__` separates, fields match
    without case, other names are lower-cased. Values are bare: they keep their text until the type says
    what they are. Only one that begins with `{`, at a path that a table fits, is read as JSON at once: deeper variables
    are then laid over that table, and the table over those of lower layers. A name that the type does not know is left
    out, and noted in the status: an orchestrator sets variables for services of whatever name.

    A field with an `EnvName` is also read from the variable that this names, whatever its prefix. The variable with the
    prefix wins, so one program may be given another value than those that share the other one.

    Args:
        prefix: `SHOP_`; the names' beginning, removed from them. Exact in case.
        environ: Where to look; the process's environment unless given.
        name: In the status.
    """

    def __init__(self, prefix: str, *, environ: Mapping[str, str] | None = None, name: str = "environment") -> None:
        if not prefix:
            raise ValueError("Env: expected a prefix such as SHOP_, got an empty text: it would take every variable")
        self.name = name
        self.layers: tuple[str, ...] = (f"{prefix}*",)
        self.optional = True
        self._prefix = prefix
        self._environ = os.environ if environ is None else environ

    async def run(self, feed: Feed) -> None:
        feed.send(Replace(self._entries(feed)))
        feed.state(SourceState.SYNCED)
        await asyncio.Event().wait()

    def _entries(self, feed: Feed) -> dict[str, Entry]:
        entries = self._named(feed)
        entries |= self._prefixed(feed, {entry.place for entry in entries.values()})
        beside = beside_others({entry.path for entry in entries.values()})
        return {entry_id: _with_table(entry, beside, feed) for entry_id, entry in entries.items()}

    def _named(self, feed: Feed) -> dict[str, Entry]:
        """The variables that fields name."""
        entries: dict[str, Entry] = {}
        for number, (variable, path) in enumerate(feed.named_variables()):
            if (text := self._environ.get(variable)) is not None:
                # No name of a variable sorts before such an id, so what the prefix selects is laid over it.
                entries[f"\0{number:06} {variable}"] = _entry(variable, text, path)
        return entries

    def _prefixed(self, feed: Feed, named: Collection[str]) -> dict[str, Entry]:
        """The other variables with the prefix."""
        entries: dict[str, Entry] = {}
        unknown: dict[Path, str] = {}
        taken: dict[Path, str] = {}
        for variable, text in sorted(self._environ.items()):
            if not variable.startswith(self._prefix) or variable == self._prefix or variable in named:
                continue
            try:
                path = feed.resolve(split(variable.removeprefix(self._prefix)))
            except ParseError as error:
                entries[variable] = _refused((), variable, error.expected, error.got)
                continue
            if not feed.knows(path):
                said = set_by_kubernetes(variable, text)
                unknown[path] = f"{variable}, {said}" if said else variable
                continue
            first = taken.setdefault(path, variable)
            if first == variable:
                entries[variable] = _entry(variable, text, path)
            else:
                one = f"one variable for {format_path(path)}"
                entries[variable] = _refused(path, variable, one, f"{first} and {variable}")
        if self._lacks_underscore(unknown, entries):
            wanted = f'; the prefix lacks its underscore: Env("{self._prefix}_")'
            feed.leave_out({path: place + wanted for path, place in unknown.items()})
        else:
            feed.leave_out(unknown, lambda path: self._prefix + joined(path))
        return entries

    def _lacks_underscore(self, unknown: Collection[Path], entries: Collection[str]) -> bool:
        """Whether most names go on with an underscore where the prefix ends, so that the type knows none of them."""
        begun = sum(path[0].startswith("_") for path in unknown)
        return not self._prefix.endswith("_") and 2 * begun > len(unknown) + len(entries)


def _entry(variable: str, text: str, path: Path) -> Entry:
    try:
        (variable + text).encode()  # what the system holds need not be text
    except UnicodeEncodeError:
        return _refused(path, variable, "UTF-8 text", "other bytes")
    return Entry(path, Bare(text), variable, place=variable, depth=0)


def _refused(path: Path, variable: str, expected: str, got: str) -> Entry:
    return Entry(path, Malformed(expected, got), variable, place=variable)


def _with_table(entry: Entry, beside: Collection[Path], feed: Feed) -> Entry:
    """The entry with the table that its text spells in JSON, if a table may be meant."""
    if not may_be_table(entry.value, entry.path, feed.shape, beside=entry.path in beside):
        return entry
    try:
        value = read_table(entry.value)
    except ParseError as error:
        value = Malformed(error.expected, error.got, error.line, error.column)
    return msgspec.structs.replace(entry, value=value, depth=-1)
