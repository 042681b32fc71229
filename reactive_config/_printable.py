"""Text from outside, as a message may hold it: keys, file names and values come from anybody.

A terminal obeys the control characters that it is sent, a direction mark turns a line around, and a line break
begins a line of the log that nobody wrote.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

LONGEST = 200
"""Characters of one name, path or place in a message."""

_ENDS = 3 / 4  # of what is shown of a longer text is its beginning, the rest its end


def printable(text: str, longest: int | None = LONGEST, *, keep: str = "") -> str:
    """The text as it may stand in a message.

    Args:
        text: Any text, lone surrogates included.
        longest: Characters that are shown, escapes counted; of what is longer the beginning and the end, and then how
            long it is. None: all of it.
        keep: Characters to leave as they are.

    Returns:
        The text, with all that is not printable (`str.isprintable`) written as JSON does: `\\u001b`.
    """
    if longest is None:
        return text if text.isprintable() else "".join(_escaped(text, keep))
    if len(text) <= longest:
        shown = text if text.isprintable() else "".join(_escaped(text, keep))
        if len(shown) <= longest:
            return shown
    head = int(longest * _ENDS)
    start, end = (
        _first(_escaped(text[:head], keep), head),
        _first(_escaped(text[: -longest - 1 : -1], keep), longest - head),
    )
    return f"{''.join(start)}...{''.join(reversed(end))} ({len(text):,} characters)"


def _escaped(text: str, keep: str) -> Iterator[str]:
    return (c if c in keep or c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _first(pieces: Iterator[str], room: int) -> list[str]:
    """The first pieces that fit."""
    found = []
    for piece in pieces:
        room -= len(piece)
        if room < 0:
            break
        found.append(piece)
    return found


def with_article(name: str) -> str:
    """A type's name as a sentence has it: `an int`, `a dict`, `a UUID`."""
    return f"{'an' if name[:1].lower() in ('a', 'e', 'i', 'o') else 'a'} {name}"
