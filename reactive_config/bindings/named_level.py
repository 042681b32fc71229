"""The level of one logger: what the configuration wants, and what was there before."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from reactive_config.bindings.clocks import Clock, Wakeup
from reactive_config.bindings.levels import TemporaryLevel, level_number

_MICROSECOND = timedelta(microseconds=1)


class NamedLevel:
    """One logger under a rule.

    Args:
        logger: Its handlers, filters and `disabled` are never touched.
        ended: Called when a temporary level ended.

    Attributes:
        wanted: What the rule says now; None once it ended and nothing lasting was there before it.
    """

    def __init__(self, logger: logging.Logger, ended: Callable[[], None]) -> None:
        self._logger = logger
        self._ended = ended
        self.wanted: int | None = None
        self._lasting: int | None = None  # of the last rule without an end
        self._rule: object = None
        self._alarm: Wakeup | None = None
        # What we wrote last; any other level on the logger is somebody else's, and is what there was before.
        self._ours: int | None = None
        self._before = logger.level

    def follow(self, rule: TemporaryLevel | int | str, clock: Clock) -> None:
        """Put a rule in force; one that is in force already goes on, with its time running."""
        if self._rule == rule:
            return
        self._forget_alarm()
        self._rule = rule
        if isinstance(rule, TemporaryLevel):
            self._alarm = clock.call_at(clock.now() + rule.duration // _MICROSECOND * 1000, self._end)
            self._write(level_number(rule.level))
        else:
            self._lasting = level_number(rule)
            self._write(self._lasting)

    def drop(self) -> None:
        """Bring back what was there before."""
        self._forget_alarm()
        self._undo(None)

    def _end(self) -> None:
        self._alarm = None
        self._undo(self._lasting)
        self._ended()

    def _write(self, level: int) -> None:
        if self._logger.level != self._ours:
            self._before = self._logger.level
        self._set(level)
        self.wanted = self._ours = level

    def _undo(self, lasting: int | None) -> None:
        """Go back to a lasting level or to the one before, unless somebody else set another one meanwhile."""
        self.wanted = lasting
        if self._logger.level != self._ours:
            self._ours = None
            return
        self._set(self._before if lasting is None else lasting)
        self._ours = lasting

    def _set(self, level: int) -> None:
        # Setting clears the caches of all loggers, so an equal level is not set again.
        if self._logger.level != level:
            self._logger.setLevel(level)

    def _forget_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
