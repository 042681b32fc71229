"""A profile of calls as a table: where the time goes, by room and by function."""

from __future__ import annotations

import pstats
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bench.harness.rooms import room_of, room_of_builtin, where

Function = tuple[str, int, str]
"""File, line, name; the file is `~` where there is no Python code."""

WAITING = ("<method 'poll' of 'select.epoll' objects>", "<method 'control' of 'select.kqueue' objects>")

LEAST = 0.005
"""Share of the time below which a room is one of the others."""


class Spent(NamedTuple):
    """What one function cost, in seconds: alone, and with everything that it called. `by` has its own by caller."""

    calls: int
    own: float
    total: float
    by: Mapping[Function, float]


def read_calls(files: Iterable[Path]) -> dict[Function, Spent]:
    """The sum of profiles that were written down."""
    stats: Any = pstats.Stats(*map(str, files))
    return {
        function: Spent(calls, own, total, {caller: numbers[2] for caller, numbers in callers.items()})
        for function, (_, calls, own, total, callers) in stats.stats.items()
    }


def table_of_calls(spent: Mapping[Function, Spent], samples: int, top: int) -> Iterator[str]:
    """Lines.

    Args:
        spent: What functions cost.
        samples: Figures that were measured meanwhile, or changes that were made.
        top: How many functions, those first that take the most themselves.
    """
    waited = sum(one.own for (_, _, name), one in spent.items() if name in WAITING)
    busy = {function: one for function, one in spent.items() if function[2] not in WAITING}
    seconds = sum(one.own for one in busy.values())
    yield f"{seconds:.2f} s in calls, {seconds / samples * 1e6:,.0f} us a sample; {waited:.2f} s waited beside"
    yield ""
    yield " share  room"
    yield from (f"{share:6.1%}  {room}" for room, share in shares(rooms(busy)))
    yield ""
    yield "   own   with  calls/sample  where"
    for function, one in sorted(busy.items(), key=lambda item: -item[1].own)[:top]:
        own, total = one.own / seconds, min(1.0, one.total / seconds)  # what began before has no end
        yield f"{own:6.1%} {total:6.1%} {one.calls / samples:13,.2f}  {where(*function)}"


def rooms(spent: Mapping[Function, Spent]) -> dict[str, float]:
    """Seconds by room; what has no room of its own belongs to who called it."""
    found: dict[str, float] = defaultdict(float)
    for (file, _, name), one in spent.items():
        room = room_of(file) if file != "~" else room_of_builtin(name)
        if room is not None:
            found[room] += one.own
            continue
        for (calling, _, caller), own in one.by.items():
            found[room_of(calling) if calling != "~" else room_of_builtin(caller) or "builtins"] += own
        found["builtins"] += one.own - sum(one.by.values())
    return found


def shares(amounts: Mapping[str, float]) -> list[tuple[str, float]]:
    """The shares, greatest first; small ones together at the end."""
    whole = sum(amounts.values()) or 1.0
    parts = sorted(((name, amount / whole) for name, amount in amounts.items()), key=lambda part: -part[1])
    shown = [part for part in parts if part[1] >= LEAST]
    return [*shown, ("others", max(0.0, 1.0 - sum(share for _, share in shown)))]
