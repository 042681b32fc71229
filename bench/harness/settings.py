"""What steers a run: rounds, rates, sizes and aims, read live from `bench/config`."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from bench.harness.subject import Param, Params, Round
from reactive_config import Env, Files, Memory, open_config

CONFIG = Path(__file__).parents[1] / "config"

GRIDS = ("small", "full")

Figure = Literal["p50", "p99", "max"]


class Aim(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a figure of ours should be: a ratio where it is held against something, otherwise in the case's unit.

    Attributes:
        figure: Which one.
        at_most, below: The limit; exactly one of them.
        against: A rival's label: the ratio to the same figure of it.
        base: Params of another point: the ratio to our own figure there, the other params being equal.
        where: Only for points with these params.
    """

    figure: Figure = "p50"
    at_most: float | None = None
    below: float | None = None
    against: str = ""
    base: Params = {}
    where: Params = {}

    def __post_init__(self) -> None:
        if (self.at_most is None) == (self.below is None):
            raise ValueError("expected an aim with one of at_most and below")
        if self.against and self.base:
            raise ValueError("expected an aim with against or base, got both")

    @property
    def limit(self) -> float:
        """The number itself."""
        limit = self.below if self.at_most is None else self.at_most
        assert limit is not None
        return limit

    @property
    def is_ratio(self) -> bool:
        """Whether the figure is divided by another one."""
        return bool(self.against or self.base)

    def met(self, value: float) -> bool:
        """Whether a figure is good enough."""
        return value < self.limit if self.at_most is None else value <= self.limit

    def applies(self, params: Params) -> bool:
        """Whether it speaks of a point; a point is not held against itself."""
        here = all(params.get(name) == value for name, value in self.where.items())
        return here and not (self.base and all(params.get(name) == value for name, value in self.base.items()))


class CaseSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One case.

    Attributes:
        rounds, deadline: Instead of the common ones.
        samples: In one round.
        rate: Changes a second; 0 for as fast as it goes.
        axes: Param to its values; every combination is a point. `loop` (asyncio, uvloop) is the harness's own.
            Read when the case begins; everything else before every round.
        aims: What our figures are held against.
    """

    rounds: Annotated[int, Meta(ge=1)] | None = None
    deadline: timedelta | None = None
    samples: Annotated[int, Meta(ge=1)] = 1
    rate: Annotated[float, Meta(ge=0)] = 0.0
    axes: dict[str, Annotated[list[Param], Meta(min_length=1)]] = {}
    aims: list[Aim] = []

    def points(self) -> list[Params]:
        """Every combination of the axes' values."""
        values = itertools.product(*self.axes.values())
        return [dict(zip(self.axes, combination, strict=True)) for combination in values]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of `bench/config`.

    Attributes:
        rounds: Measured ones of every subject.
        warmup: Rounds before them that are not counted.
        deadline: Of one round, set-up not included.
        cases: By name.
    """

    rounds: Annotated[int, Meta(ge=1)] = 10
    warmup: Annotated[int, Meta(ge=0)] = 1
    deadline: timedelta = timedelta(seconds=60)
    cases: dict[str, CaseSettings] = {}

    def case(self, name: str) -> CaseSettings:
        """One case's; the defaults where the files say nothing."""
        return self.cases.get(name, CaseSettings())

    def rounds_of(self, name: str) -> int:
        """Measured rounds of a case."""
        return self.case(name).rounds or self.rounds

    def deadline_of(self, name: str) -> float:
        """Seconds that one round of a case may take."""
        return (self.case(name).deadline or self.deadline).total_seconds()

    def round(self, name: str, number: int) -> Round:
        """What the next round of a case asks."""
        case = self.case(name)
        return Round(number, case.samples, case.rate)


def open_settings(grid: str, *, home: Path = CONFIG, rounds: dict[str, int] | None = None) -> open_config[Settings]:
    """The settings of a grid, live: `common`, the grid's own files above it, `BENCH_...` above them.

    Args:
        grid: A directory below `home`.
        home: Holds `common` and the grids.
        rounds: By case, from the command line: above everything else.
    """
    asked = Memory({"cases": {name: {"rounds": count} for name, count in (rounds or {}).items()}}, name="command line")
    return open_config(Settings, Files(home / "common", home / grid), Env("BENCH_"), asked)
