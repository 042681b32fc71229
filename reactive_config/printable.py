"""Text from outside, as a message may hold it: keys, file names and values come from anybody.

A terminal obeys the control characters that it is sent, a direction mark turns a line around, and a line break
begins a line of the log that nobody wrote.
"""

from __future__ import annotations

import json

LONGEST = 200
"""Characters of one name, path or place in a message."""

_ENDS = 3 / 4  # of what is shown of a longer text is its beginning, the rest its end


def printable(text: str, longest: int | None = LONGEST, *, keep: str = "") -> str:
    """The text as it may stand in a message.

    Args:
        text: Any text, lone surrogates included.
        longest: Characters of it that are shown; of a longer one the beginning and the end, and how long it is.
            None: all of it. What is escaped gets longer, by at most 11 characters each.
        keep: Characters to leave as they are.

    Returns:
        The text, with all that is not printable (`str.isprintable`) written as JSON does: `\\u001b`.
    """
    if longest is not None and len(text) > longest:
        head = int(longest * _ENDS)
        text = f"{text[:head]}...{text[head - longest :]} ({len(text):,} characters)"
    if text.isprintable():
        return text
    return "".join(c if c in keep or c.isprintable() else json.dumps(c)[1:-1] for c in text)
