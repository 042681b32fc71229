"""Two results: what got worse, what got better, beyond the spread of both.

Where a case has rivals their ratios are compared, because a slower machine is slower for all; otherwise the
figure itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from bench.harness.estimates import Estimate
from bench.harness.results import CaseResult, PointResult, Result, load
from bench.harness.rows import place, spread
from bench.harness.settings import Figure

COMPARED: tuple[Figure, ...] = ("p50", "p99")

Kind = Literal["worse", "worse, within the threshold", "better", "same", "gone", "failed"]


class Change(msgspec.Struct, frozen=True):
    """What became of one figure.

    Attributes:
        where: Case, point, figure, and what it is divided by.
        kind: The verdict. `gone`: NEW does not have it.
        old, new: None where there is none.
    """

    where: str
    kind: Kind
    old: Estimate | None = None
    new: Estimate | None = None

    def __str__(self) -> str:
        if self.old is None or self.new is None:
            return f"{self.kind}: {self.where}"
        change = f" ({self.new.value / self.old.value - 1:+.0%})" if self.old.value else ""
        return f"{self.kind}: {self.where}: {spread(self.old)} became {spread(self.new)}{change}"


def compare(old: Result, new: Result, threshold: float) -> list[Change]:
    """Every figure of OLD that NEW should have, and how it changed.

    Args:
        old, new: The results.
        threshold: How much larger a figure may become, as a share: 0.1 is a tenth.
    """
    newer = {case.name: case for case in new.cases}
    changes: list[Change] = []
    for case in old.cases:
        found = newer.get(case.name)
        if found is None:
            changes.append(Change(case.name, "gone"))
            continue
        if found.failure and not case.failure:
            changes.append(Change(f"{case.name}: {found.failure.splitlines()[0]}", "failed"))
        changes += _case(case, found, threshold)
    return changes


def is_bad(change: Change) -> bool:
    """Whether it makes the comparison fail."""
    return change.kind in ("worse", "failed")


def _case(old: CaseResult, new: CaseResult, threshold: float) -> Iterator[Change]:
    newer = {frozenset(point.params.items()): point for point in new.points}
    for point in old.points:
        found = newer.get(frozenset(point.params.items()))
        name = f"{old.name} {place(old, point)}".rstrip()
        now = {} if found is None else dict(_estimates(found))
        for what, estimate in _estimates(point):
            yield _change(f"{name} {what}", estimate, now.get(what), threshold)


def _estimates(point: PointResult) -> Iterator[tuple[str, Estimate]]:
    if not point.ratios:
        for figure in COMPARED:
            yield figure, point.subjects[0].figures[figure]
    for rival, ratios in point.ratios.items():
        for figure in COMPARED:
            if figure in ratios:
                yield f"{figure} / {rival}", ratios[figure]


def _change(where: str, old: Estimate, new: Estimate | None, threshold: float) -> Change:
    if new is None:
        return Change(where, "gone", old)
    if new.low > old.high:
        kind: Kind = "worse" if new.value > old.value * (1 + threshold) else "worse, within the threshold"
        return Change(where, kind, old, new)
    return Change(where, "better" if new.high < old.low else "same", old, new)


def compare_files(old: Path, new: Path, threshold: float) -> int:
    """Print what changed between two results; 1 if something is bad."""
    try:
        changes = compare(load(old), load(new), threshold)
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from None
    for change in changes:
        if change.kind != "same":
            print(change)
    same = sum(change.kind == "same" for change in changes)
    print(f"{same} of {len(changes)} figures are the same, as far as the spread can tell")
    return 1 if any(map(is_bad, changes)) else 0
