"""From when a driver wrote and when a subject saw to figures."""

from __future__ import annotations

from collections.abc import Sequence


def until_visible(written: Sequence[int], seen: Sequence[float]) -> list[float]:
    """Milliseconds from each write to the first document that shows it, or a later one.

    Who skips documents has no figures the fewer for it: those that it skipped were visible when the next one was.

    Args:
        written: When each was written, in order; nanoseconds.
        seen: Pairs of a document's number, from 1, and when it was seen; the numbers rise, up to the last.
    """
    figures: list[float] = []
    for number, at in zip(seen[::2], seen[1::2], strict=True):
        figures += [(at - moment) / 1e6 for moment in written[len(figures) : int(number)]]
    return figures
