"""Where values stand: the entries that say something at a path, and their places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reactive_config.core.accounts import Account, origin_of
from reactive_config.core.delta import Entry
from reactive_config.core.layers import Layer
from reactive_config.core.paths import Path
from reactive_config.errors import Origin


def origin(accounts: Sequence[Account], path: Path, *, locate: bool = True) -> Origin | None:
    """Where the value at a path stands; where none does, the document that holds the table around it.

    Args:
        accounts: Lowest first.
        path: Of the configuration.
        locate: Whether to find line and column too.
    """
    for depth in range(len(path), -1, -1):
        for account, layer in _downwards(accounts):
            found = [(i, e) for i, e in layer.entries_at(path[:depth]) if depth == len(path) or len(e.path) <= depth]
            if found:
                return origin_of(account, *found[-1], path[:depth], locate=locate)
    return None


def explain(accounts: Sequence[Account], path: Path) -> list[tuple[Origin, Path, Entry]]:
    """Every entry that says something at a path, the strongest first, with the path inside it."""
    return [
        (origin_of(account, entry_id, entry, path), path[len(entry.path) :], entry)
        for account, layer in _downwards(accounts)
        for entry_id, entry in reversed(list(layer.entries_at(path)))
    ]


def _downwards(accounts: Sequence[Account]) -> Iterator[tuple[Account, Layer]]:
    for account in reversed(accounts):
        for layer in reversed(account.layers):
            yield account, layer
