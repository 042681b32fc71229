"""Which entries of a scripted layer others replace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reactive_config.core.delta import Entry


def overwritten(old: Mapping[str, Entry], come: Iterable[Entry]) -> list[str]:
    """The ids of entries that make no sense beside new ones: a scalar above, or whatever stood below a new scalar."""
    above = {entry.path[:depth] for entry in come for depth in range(len(entry.path))}
    ends = {entry.path for entry in come if not _is_table(entry)}
    return [
        entry_id
        for entry_id, entry in old.items()
        if (entry.path in above and not _is_table(entry)) or any(entry.path[:n] in ends for n in range(len(entry.path)))
    ]


def _is_table(entry: Entry) -> bool:
    # Content that cannot be read is no table: what is set below it takes its place.
    return type(entry.value) is dict
