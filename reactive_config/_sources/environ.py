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
from reactive_config._sources.nested_names import split
from reactive_config.errors import ParseError


class Env(Source):
    """A layer of the environment's variables with a prefix.

    `SHOP_DATABASE__POOL__MAX_SIZE=20` stands at `database.pool.max_size`: `__` separates, fields match
    without case, other names are lower-cased. Values are bare: they keep their text until the type says
    what they are. Only one that begins with `{`, at a path that a table fits, is read as JSON at once: deeper variables
    are then laid over that table, and the table over those of lower layers. A name that the type does not know is left
    out, and noted in the status: an orchestrator sets variables for services of whatever name.

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
        entries: dict[str, Entry] = {}
        unknown: dict[Path, str] = {}
        taken: dict[Path, str] = {}
        for variable, text in sorted(self._environ.items()):
            if variable.startswith(self._prefix) and variable != self._prefix:
                entry = self._entry(variable, text, feed)
                if entry.path and not feed.knows(entry.path):
                    said = set_by_kubernetes(variable, text)
                    unknown[entry.path] = f"{variable}, {said}" if said else variable
                    continue
                first = taken.setdefault(entry.path, variable)
                if first != variable and entry.path:
                    bad = Malformed(f"one variable for {format_path(entry.path)}", f"{first} and {variable}")
                    entry = Entry(entry.path, bad, variable, place=variable)
                entries[variable] = entry
        feed.leave_out(unknown)
        beside = beside_others(taken)
        return {variable: _with_table(entry, beside, feed) for variable, entry in entries.items()}

    def _entry(self, variable: str, text: str, feed: Feed) -> Entry:
        try:
            path = feed.resolve(split(variable.removeprefix(self._prefix)))
        except ParseError as error:
            return Entry((), Malformed(error.expected, error.got), variable, place=variable)
        try:
            (variable + text).encode()  # what the system holds need not be text
        except UnicodeEncodeError:
            return Entry(path, Malformed("UTF-8 text", "other bytes"), variable, place=variable)
        return Entry(path, Bare(text), variable, place=variable, depth=0)


def _with_table(entry: Entry, beside: Collection[Path], feed: Feed) -> Entry:
    """The entry with the table that its text spells in JSON, if a table may be meant."""
    if not may_be_table(entry.value, entry.path, feed.shape, beside=entry.path in beside):
        return entry
    try:
        value = read_table(entry.value)
    except ParseError as error:
        value = Malformed(error.expected, error.got, error.line, error.column)
    return msgspec.structs.replace(entry, value=value, depth=-1)
