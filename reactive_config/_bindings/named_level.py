"""The level of one logger: what the configuration wants, what an operator wants, and what was there before."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from reactive_config._bindings.clocks import Clock, Wakeup
from reactive_config._bindings.levels import TemporaryLevel, level_number

_MICROSECOND = timedelta(microseconds=1)

Rule = TemporaryLevel | int | str


class _Running(NamedTuple):
    """A temporary level whose time has not ended."""

    level: int
    until: int  # of the clock
    alarm: Wakeup


class NamedLevel:
    """One logger under a rule, under an override, or under both; the override is on top.

    Args:
        logger: Its handlers, filters and `disabled` are never touched.
        clock: What temporary levels are timed by.
        ended: Called when a temporary level ended.
    """

    def __init__(self, logger: logging.Logger, clock: Clock, ended: Callable[[], None]) -> None:
        self._logger = logger
        self._clock = clock
        self._ended = ended
        self._rule: Rule | None = None
        self._lasting: int | None = None  # of the last rule without an end
        self._temporary: _Running | None = None
        self._override: _Running | None = None
        # What we wrote last; any other level on the logger is somebody else's, and is what there was before.
        self._ours: int | None = None
        self._before = logger.level

    @property
    def wanted(self) -> int | None:
        """What rule and override want now; None if nothing."""
        running = self._running
        return self._lasting if running is None else running.level

    @property
    def remaining(self) -> timedelta | None:
        """How long the level that is wanted still lasts; None if it has no end."""
        running = self._running
        return None if running is None else timedelta(microseconds=max(0, running.until - self._clock.now()) // 1000)

    @property
    def idle(self) -> bool:
        """Whether there is neither rule nor override."""
        return self._rule is None and self._override is None

    def follow(self, rule: Rule | None) -> None:
        """Put a rule in force, or with None bring back what was there before.

        One that is in force already goes on, with its time running and with the override on top of it. Any
        other is the newest word, and ends an override.
        """
        if self._rule == rule:
            return
        self._forget_alarms()
        self._rule = rule
        if rule is None:
            self._lasting = None
            self._go_back()
            return
        if isinstance(rule, TemporaryLevel):
            self._temporary = self._run(rule, self._end)
        else:
            self._lasting = level_number(rule)
        self._write()

    def override(self, level: TemporaryLevel) -> None:
        """Put a level on top of the rule, in place of the override before it."""
        if self._override is not None:
            self._override.alarm.cancel()
        self._override = self._run(level, self._end_override)
        self._write()

    def drop(self) -> None:
        """Bring back what was there before, whoever wanted something else."""
        self._forget_alarms()
        self._lasting = None
        self._go_back()

    @property
    def _running(self) -> _Running | None:
        return self._override or self._temporary

    def _run(self, level: TemporaryLevel, end: Callable[[], None]) -> _Running:
        number = level_number(level.level)
        until = self._clock.now() + level.duration // _MICROSECOND * 1000
        return _Running(number, until, self._clock.call_at(until, end))

    def _end(self) -> None:
        self._temporary = None
        if self._override is None:
            self._go_back()
        self._ended()

    def _end_override(self) -> None:
        self._override = None
        self._go_back()
        self._ended()

    def _write(self) -> None:
        wanted = self.wanted
        assert wanted is not None
        if self._logger.level != self._ours:
            self._before = self._logger.level
        self._set(wanted)
        self._ours = wanted

    def _go_back(self) -> None:
        """Go to what is still wanted or to the level before, unless somebody else set another one meanwhile."""
        if self._logger.level != self._ours:
            self._ours = None
            return
        wanted = self.wanted
        self._set(self._before if wanted is None else wanted)
        self._ours = wanted

    def _set(self, level: int) -> None:
        # Setting clears the caches of all loggers, so an equal level is not set again.
        if self._logger.level != level:
            self._logger.setLevel(level)

    def _forget_alarms(self) -> None:
        for running in (self._temporary, self._override):
            if running is not None:
                running.alarm.cancel()
        self._temporary = self._override = None
