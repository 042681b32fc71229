"""What is compared with what."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import bench.cases
from bench.harness.stage import Stage
from bench.harness.subject import Subject


@dataclass(frozen=True, kw_only=True)
class Case:
    """One line of the grid. Its rounds, samples, rate, axes and aims stand in `bench/config`, at `cases.NAME`.

    Attributes:
        name: As in the settings and on the command line.
        title: For tables and pictures.
        unit: Of every figure; a lower figure is better.
        subjects: Label to class, ours first.
        stage: What they share; None where each needs nothing but itself.
        fresh: Every round in a new process: for memory and starts.
    """

    name: str
    title: str
    unit: str
    subjects: Mapping[str, type[Subject]]
    stage: type[Stage] = field(default=Stage)
    fresh: bool = False

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"case: expected a name of letters, digits and _, got {self.name!r}")
        if not self.subjects:
            raise ValueError(f"case {self.name}: expected one subject or more, ours first, got none")

    @property
    def ours(self) -> str:
        """The label of the first subject: what the others are rivals of."""
        return next(iter(self.subjects))

    @property
    def rivals(self) -> tuple[str, ...]:
        """The labels of all others."""
        return tuple(self.subjects)[1:]


def find_cases() -> dict[str, Case]:
    """Every case in a module of `bench.cases` that has `CASES`, by name.

    Raises:
        ValueError: Two have one name.
    """
    found: dict[str, Case] = {}
    for module in pkgutil.iter_modules(bench.cases.__path__, "bench.cases."):
        cases: Iterable[Case] = getattr(importlib.import_module(module.name), "CASES", ())
        for case in cases:
            if case.name in found:
                raise ValueError(f"{module.name}: expected a new name for each case, got {case.name} again")
            found[case.name] = case
    return found
