"""A profile of memory as a table: who holds it, by room and by file."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench.harness.calls import shares
from bench.harness.rooms import room_of, where

KIB = 1024


def table_of_memory(file: Path, top: int) -> Iterator[str]:
    """Lines.

    Args:
        file: A snapshot that was written down.
        top: How many files and how many lines of code, those first that hold the most.
    """
    snapshot = tracemalloc.Snapshot.load(str(file))
    files = [statistic for statistic in snapshot.statistics("filename") if "tracemalloc" not in _file(statistic)]
    whole = sum(statistic.size for statistic in files)
    by_room: Counter[str] = Counter()
    for statistic in files:
        by_room[room_of(_file(statistic))] += statistic.size
    yield f"{whole / KIB:,.0f} KiB of Python objects, by who allocated them; what C libraries hold is not in it"
    yield ""
    yield " share  room"
    yield from (f"{share:6.1%}  {room}" for room, share in shares(by_room))
    for title, statistics in (("file", files), ("line", snapshot.statistics("lineno"))):
        yield ""
        yield f" share       KiB     blocks  {title}"
        for statistic in statistics[:top]:
            place = where(_file(statistic), statistic.traceback[0].lineno, "")
            place = place.rpartition(":")[0] if title == "file" else place
            yield f"{statistic.size / whole:6.1%} {statistic.size / KIB:9,.0f} {statistic.count:10,}  {place}".rstrip()


def _file(statistic: tracemalloc.Statistic) -> str:
    return statistic.traceback[0].filename
