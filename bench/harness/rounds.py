"""One point of a case: its subjects in turn, round after round."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

from bench.harness.case import Case
from bench.harness.process import SubjectFailed, SubjectProcess
from bench.harness.settings import Settings
from bench.harness.subject import NotHere, Params, Round
from bench.harness.wire import Profile
from reactive_config import Config

Told = Callable[[int, int], None]
"""Told of every measured round: how many there were, how many there will be."""

Samples = dict[str, list[list[float]]]
"""Label to rounds to figures."""


class Point:
    """One combination of a case's params.

    Every subject has a process and a place. They take turns, A B A B, so that a drift of the machine hits all
    alike. The settings are read before every turn of all: a change counts from the next one on.

    Args:
        case: What is compared.
        params: The point's.
        config: The settings, live.
        told: Of the progress.
        profile: What the subjects are to write down of themselves, if anything.

    Attributes:
        samples: What was measured, warm-up not included.
        absent: Label to reason, for those who cannot take part.
        versions: Of what the stage started.
    """

    def __init__(
        self, case: Case, params: Params, config: Config[Settings], told: Told, profile: Profile | None = None
    ) -> None:
        self.samples: Samples = {}
        self.absent: dict[str, str] = {}
        self.versions: dict[str, str] = {}
        self._case = case
        self._params = params
        self._config = config
        self._told = told
        self._profile = profile
        self._stage = case.stage(params)
        self._places: dict[str, Params] = {}

    async def run(self) -> None:
        """Measure every round.

        Raises:
            SubjectFailed: A subject raised, died, hung or gave no figures.
        """
        try:
            await self._stage.open()
            self.versions = self._stage.versions
            for label in self._case.subjects:
                self._places[label] = await self._stage.place(label)
            if self._case.fresh:
                await self._turns(self._one_fresh, list(self._case.subjects))
            else:
                async with AsyncExitStack() as stack:
                    await self._together(stack)
        finally:
            await self._stage.close()

    async def _together(self, stack: AsyncExitStack) -> None:
        """All subjects open from the first round to the last."""
        processes: dict[str, SubjectProcess] = {}
        for label in self._case.subjects:
            process = await stack.enter_async_context(self._process(label))
            if await self._opened(process):
                await process.pause()
                processes[label] = process

        async def one(label: str, work: Round) -> list[float]:
            await processes[label].resume()
            figures = await self._measure(processes[label], work)
            await processes[label].pause()
            return figures

        await self._turns(one, list(processes))
        for process in processes.values():
            await process.close()

    async def _one_fresh(self, label: str, work: Round) -> list[float]:
        """A round in a process of its own; no figures where the subject cannot take part."""
        async with self._process(label) as process:
            if not await self._opened(process):
                return []
            figures = await self._measure(process, work)
            await process.close()
            return figures

    def _process(self, label: str) -> SubjectProcess:
        params = {**self._params, **self._places[label]}
        return SubjectProcess(label, self._case.subjects[label], params, self._profile)

    async def _opened(self, process: SubjectProcess) -> bool:
        try:
            await process.open()
        except NotHere as reason:
            if process.label == self._case.ours:
                raise SubjectFailed(f"{process.label}: cannot take part: {reason}") from None
            self.absent[process.label] = str(reason)
            return False
        return True

    async def _turns(self, one: Callable[[str, Round], Coroutine[None, None, list[float]]], labels: list[str]) -> None:
        number = 0
        name = self._case.name
        while number < (settings := self._config.current).warmup + settings.rounds_of(name):
            number += 1
            work = settings.round(name, number)
            for label in labels:
                if label in self.absent:
                    continue
                figures = await one(label, work)
                if number > settings.warmup and figures:
                    self.samples.setdefault(label, []).append(figures)
            self._told(max(0, number - settings.warmup), settings.rounds_of(name))

    async def _measure(self, process: SubjectProcess, work: Round) -> list[float]:
        """The subject listens, the stage makes the load, the subject says what it saw; all within the deadline."""
        deadline = self._config.current.deadline_of(self._case.name)
        await process.begin(work, deadline)
        try:
            async with asyncio.TaskGroup() as group:
                driving = group.create_task(self._drive(process.label, work, deadline))
                seen = await process.end(deadline)
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        return self._stage.samples(driving.result(), seen)

    async def _drive(self, label: str, work: Round, deadline: float) -> Any:
        try:
            async with asyncio.timeout(deadline):
                return await self._stage.drive(self._places[label], work)
        except TimeoutError:
            raise SubjectFailed(f"{label}: expected the load of a round in {deadline:g} s, got no end of it") from None
