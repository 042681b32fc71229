"""A run: every case, every point, one result."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

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

Kept = Callable[[Result], None]
"""Given the result so far after every case, so that whatever ends the run leaves the cases before it."""

INTERRUPTED = "interrupted"


class Run:
    """All of it; a case that fails is told of in the result and does not end the run.

    Args:
        grid: Its name, for the result.
        cases: What to run, in this order.
        config: The settings, live.
        bar: Told of the progress.
        kept: Told of the result after every case.
    """

    def __init__(self, grid: str, cases: Sequence[Case], config: Config[Settings], bar: Bar, kept: Kept) -> None:
        self._grid = grid
        self._cases = cases
        self._config = config
        self._bar = bar
        self._kept = kept
        self._versions = versions()

    async def result(self) -> Result:
        """Run. Cancelled, which is what Ctrl-C does, it ends at once with the points that were measured."""
        began, start, machine = datetime.now(UTC), time.monotonic(), this_machine()
        result = Result(
            grid=self._grid,
            began=began,
            seconds=0.0,
            machine=machine,
            versions=self._versions,
            cases=[],
            unmeasured=[case.name for case in self._cases],
        )
        for case in self._cases:
            found = await self._case(case)
            interrupted = found.failure == INTERRUPTED
            result = msgspec.structs.replace(
                result,
                seconds=round(time.monotonic() - start, 1),
                versions=self._versions,
                cases=[*result.cases, found],
                unmeasured=result.unmeasured if interrupted else result.unmeasured[1:],
            )
            self._kept(result)
            if interrupted:
                break
        return result

    async def _case(self, case: Case) -> CaseResult:
        measured: list[Measured] = []
        failure = ""
        try:
            await self._points(case, measured)
        except asyncio.CancelledError:
            failure = INTERRUPTED
            _stay()
        except (SubjectFailed, ValueError) as error:
            failure = str(error)
        except Exception:  # noqa: BLE001 - a stage is a case author's code; the other cases still run
            failure = traceback.format_exc()
        aims = self._config.current.case(case.name).aims
        points = judge(case, measured, aims)
        return CaseResult(case.name, case.title, case.unit, points, failure, round(self._bar.case(), 1))

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


def _stay() -> None:
    """What asked this task to end has been obeyed: it may wait again."""
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()


def _check_aims(case: Case, rivals: Sequence[str]) -> None:
    for rival in rivals:
        if rival not in case.rivals:
            known = ", ".join(case.rivals) or "none, as it has no rival"
            raise ValueError(f"cases.{case.name}.aims: expected a rival of {known}, got {rival!r}")


def failed(result: Result) -> Mapping[str, str]:
    """Case to what ended it early."""
    return {case.name: case.failure for case in result.cases if case.failure}
