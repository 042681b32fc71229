"""A run: every case, every point, one result."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from bench.harness.case import Case
from bench.harness.judging import Measured, judge
from bench.harness.machine import this_machine, versions
from bench.harness.process import SubjectFailed
from bench.harness.progress import Bar
from bench.harness.results import CaseResult, Result
from bench.harness.rounds import Point
from bench.harness.rows import shown
from bench.harness.settings import Settings
from reactive_config import Config


class Run:
    """All of it; a case that fails is told of in the result and does not end the run.

    Args:
        grid: Its name, for the result.
        cases: What to run, in this order.
        config: The settings, live.
        bar: Told of the progress.
    """

    def __init__(self, grid: str, cases: Sequence[Case], config: Config[Settings], bar: Bar) -> None:
        self._grid = grid
        self._cases = cases
        self._config = config
        self._bar = bar
        self._versions = versions()

    async def result(self) -> Result:
        """Run."""
        began, start, machine = datetime.now(UTC), time.monotonic(), this_machine()
        results = []
        for case in self._cases:
            results.append(await self._case(case))
            self._bar.case()
        return Result(
            grid=self._grid,
            began=began,
            seconds=round(time.monotonic() - start, 1),
            machine=machine,
            versions=self._versions,
            cases=results,
        )

    async def _case(self, case: Case) -> CaseResult:
        measured: list[Measured] = []
        failure = ""
        try:
            await self._points(case, measured)
        except (SubjectFailed, ValueError) as error:
            failure = str(error)
        except Exception:  # noqa: BLE001 - a stage is a case author's code; the other cases still run
            failure = traceback.format_exc()
        aims = self._config.current.case(case.name).aims
        return CaseResult(case.name, case.title, case.unit, judge(case, measured, aims), failure)

    async def _points(self, case: Case, measured: list[Measured]) -> None:
        settings = self._config.current.case(case.name)
        _check_aims(case, [aim.against for aim in settings.aims if aim.against])
        points = settings.points()
        for number, params in enumerate(points, start=1):
            self._bar.point(f"{case.name} {shown(params)}".rstrip(), number, len(points))
            point = Point(case, params, self._config, self._bar.round)
            await point.run()
            measured.append(Measured(params, point.samples, point.absent))
            self._versions |= point.versions


def _check_aims(case: Case, rivals: Sequence[str]) -> None:
    for rival in rivals:
        if rival not in case.rivals:
            known = ", ".join(case.rivals) or "none, as it has no rival"
            raise ValueError(f"cases.{case.name}.aims: expected a rival of {known}, got {rival!r}")


def failed(result: Result) -> Mapping[str, str]:
    """Case to what ended it early."""
    return {case.name: case.failure for case in result.cases if case.failure}
