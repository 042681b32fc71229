"""What a run leaves behind: one JSON document, `result.json`, of the type `Result`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from bench.harness.estimates import Estimate
from bench.harness.machine import Machine
from bench.harness.settings import Aim, Figure
from bench.harness.subject import Params


class SubjectResult(msgspec.Struct, frozen=True):
    """One subject at one point.

    Attributes:
        label: As in the case.
        rounds: Figures of each measured round, in the case's unit.
        figures: Figure to estimate; empty where it could not take part.
        absent: Why it could not.
    """

    label: str
    rounds: list[list[float]] = []
    figures: dict[Figure, Estimate] = {}
    absent: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """One aim at one point; `estimate` is None where there was nothing to hold against it."""

    aim: Aim
    estimate: Estimate | None

    @property
    def met(self) -> bool | None:
        """Whether the aim is reached; None where that was not measured."""
        return None if self.estimate is None else self.aim.met(self.estimate.value)

    @property
    def close(self) -> bool:
        """Whether the limit lies inside the spread, so that another run may say the opposite."""
        return self.estimate is not None and self.estimate.low <= self.aim.limit <= self.estimate.high


class PointResult(msgspec.Struct, frozen=True):
    """One combination of a case's params.

    Attributes:
        subjects: Ours first.
        ratios: Rival to figure to ours divided by theirs.
        verdicts: One for each aim that speaks of this point.
    """

    params: Params
    subjects: list[SubjectResult]
    ratios: dict[str, dict[Figure, Estimate]]
    verdicts: list[Verdict]


class CaseResult(msgspec.Struct, frozen=True):
    """One case; `failure` says what ended it early, `points` are those before that; it took `seconds`."""

    name: str
    title: str
    unit: str
    points: list[PointResult]
    failure: str = ""
    seconds: float = 0.0


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One run.

    Attributes:
        format: Of this document; another one when old files cannot be read any more.
        grid: Whose settings.
        began: When, with the time zone.
        seconds: It took.
        machine: Where.
        versions: Name to version of what was compared.
        cases: In the order in which they ran.
        unmeasured: Names of those that have not been run to their end, as the run was interrupted.
    """

    format: Literal[1] = 1
    grid: str
    began: datetime
    seconds: float
    machine: Machine
    versions: dict[str, str]
    cases: list[CaseResult]
    unmeasured: list[str] = []


def save(result: Result, path: Path) -> None:
    """Write a result; who is killed meanwhile leaves the one before."""
    new = path.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(result) + b"\n")
    new.replace(path)


def load(path: Path) -> Result:
    """Read a result.

    Raises:
        ValueError: The file holds something else.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Result)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: expected a result of `python -m bench run`, got something else: {error}") from None
