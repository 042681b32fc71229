"""What is compared with what."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType

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


@dataclass(frozen=True)
class Found:
    """What is in `bench.cases`.

    Attributes:
        cases: By name.
        broken: Module to the error, for those that cannot be imported.
    """

    cases: Mapping[str, Case]
    broken: Mapping[str, str]


def find_cases(package: ModuleType = bench.cases) -> Found:
    """Every case in a module of a package that has `CASES`.

    Raises:
        ValueError: Two have one name.
    """
    found: dict[str, Case] = {}
    broken: dict[str, str] = {}
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        try:
            cases: Iterable[Case] = getattr(importlib.import_module(module.name), "CASES", ())
        except Exception as error:  # noqa: BLE001 - a case author's code; the other cases still run
            broken[module.name] = f"{type(error).__name__}: {error}"
            continue
        for case in cases:
            if case.name in found:
                raise ValueError(f"{module.name}: expected a new name for each case, got {case.name} again")
            found[case.name] = case
    return Found(found, broken)


def choose_cases(names: Sequence[str], found: Found) -> list[Case]:
    """The cases of these names, in the grid's order; all where there are none.

    Raises:
        ValueError: There is no such case, or a module is broken and nobody asked for less than all.
    """
    broken = "".join(f"\n{module} cannot be imported: {error}" for module, error in found.broken.items())
    for name in names:
        if name not in found.cases:
            raise ValueError(f"expected a case of {', '.join(found.cases)}, got {name}{broken}")
    if broken and not names:
        raise ValueError(f"expected every case to be there (--only runs those that are){broken}")
    return [case for name, case in found.cases.items() if not names or name in names]
