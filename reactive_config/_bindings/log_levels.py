"""Log levels that follow the configuration."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

from msgspec import structs

from reactive_config._bindings.binding import Binding
from reactive_config._bindings.clocks import Clock, LoopClock
from reactive_config._bindings.levels import TemporaryLevel
from reactive_config._bindings.log_rules import ROOT, LevelPlan, RuleReader
from reactive_config._bindings.named_level import NamedLevel
from reactive_config._core.runtime.live import Live, label, logbook_of
from reactive_config._core.status import BindingStatus

M = TypeVar("M", bound=Mapping[str, Any] | None)

_NOTHING = LevelPlan({}, {})


class LogLevels(Binding[M]):
    """The levels of named loggers; made by `log_levels`.

    It writes a logger's level when the rule for it arrives or changes, and at no other time. What it undoes
    (a name removed, a time that ended, the context left) it undoes only where the level is still the one
    that it wrote: what somebody else set meanwhile stays. It does not promise anything for two of these on one
    name that are not left in reverse order.

    A rule that cannot be followed is refused by itself: its name keeps the level before it, all others change, and
    the status and the log name it. The first rules, and those of a member of `together`, are all followed or none.
    """

    self_bounded: ClassVar[bool] = True

    def __init__(self, live: Live[M], clock: Clock, name: str) -> None:
        super().__init__(live, name=label("log_levels", live, name))
        self._clock = clock
        self._named: dict[str, NamedLevel] = {}
        self._reader = RuleReader()
        self._next = _NOTHING
        self._trouble = ""
        self._open = False
        # Replaced as a whole, never changed: filters read it from any thread.
        self._in_force: Mapping[str, int] = MappingProxyType({})

    @property
    def in_force(self) -> Mapping[str, int]:
        """What holds now, by name; a temporary level that ended is not in it."""
        return self._in_force

    def threshold(self, name: str) -> int:
        """The level in force for a name: its own, its nearest ancestor's or the root's; 0 if there is none.

        Readable from any thread; for filters of loggers that are not the standard library's.
        """
        levels = self._in_force
        while name:
            if (level := levels.get(name)) is not None:
                return level
            name = name.rpartition(".")[0]
        return levels.get(ROOT, 0)

    def override(self, name: str, level: TemporaryLevel) -> None:
        """Put a temporary level on top of what the configuration says, by hand: for an operator in this process.

        It ends by itself, on what the configuration says then, otherwise on what was there before. A rule for
        the name that arrives, changes or goes meanwhile ends it too, as does a second override: the newest
        word counts. Changes of other names do not.

        Args:
            name: A logger's; `root` for the root logger.
            level: For how long, from now.

        Raises:
            RuntimeError: The binding is not open.
            ValueError: The name is no logger's: empty, not printable, too long or too deep.
        """
        if not self._open:
            raise RuntimeError(f"{self.name}: expected an open binding: use it inside its `async with`")
        found, _ = self._reader.check(name, level)
        self._level(name, found).override(level)
        self._note()

    def remaining(self, name: str) -> timedelta | None:
        """How long the level in force for exactly this name still lasts; None if it has no end, or there is none."""
        named = self._named.get(name)
        return None if named is None else named.remaining

    def status(self) -> BindingStatus:
        status = super().status()
        if status.error or not self._trouble:
            return status
        return structs.replace(status, error=f"not all rules could be followed: {self._trouble}")

    async def prepare(self, value: M) -> None:
        self._next = self._reader.read(value)
        if self._next.refused and not (self._open and self.alone):
            unfit, self._next = self._next.unfit, _NOTHING
            raise unfit

    def commit(self) -> None:
        taken, refused = self._next
        for name in self._named.keys() - taken.keys() - refused.keys():
            self._named[name].follow(None)
        for name, (found, rule) in taken.items():
            self._level(name, found).follow(rule)
        self._report(self._next.trouble)
        self._next = _NOTHING
        self._open = True
        self._note()

    async def abort(self) -> None:
        self._next = _NOTHING

    async def release(self) -> None:
        self._open, self._trouble = False, ""
        while self._named:
            self._named.popitem()[1].drop()
        self._note()

    def _report(self, trouble: str) -> None:
        if trouble:
            self.failures += 1
            told = f"{self.name}: not all rules could be followed: {trouble}"
            logbook_of(self.live).binding_fails(told, "the others are in force")
        elif self._trouble:
            logbook_of(self.live).bindings.say(logging.INFO, "%s: all rules are in force again", self.name)
        self._trouble = trouble

    def _level(self, name: str, of: logging.Logger) -> NamedLevel:
        if name not in self._named:
            self._named[name] = NamedLevel(of, self._clock, self._note)
        return self._named[name]

    def _note(self) -> None:
        self._named = {name: named for name, named in self._named.items() if not named.idle}
        wanted = {name: named.wanted for name, named in self._named.items()}
        self._in_force = MappingProxyType({name: level for name, level in wanted.items() if level is not None})


def log_levels(live: Live[M], *, clock: Clock | None = None, name: str = "") -> LogLevels[M]:
    """Loggers whose levels follow a live mapping of dotted names.

        class App(msgspec.Struct, frozen=True):
            log: dict[str, LogRule] = {}

        async with log_levels(config.select("log")):
            ...

    Args:
        live: Logger's name (`root` for the root logger) to a `Level`, a number, or a `TemporaryLevel`. None
            beside a name is the same as no such name. With plain texts for levels an unknown one cannot be
            refused when it is decoded: it is refused here, as is a name that no logger can have; the others change.
        clock: What temporary levels are timed by; the loop's unless given.
        name: For the status.
    """
    return LogLevels(live, clock or LoopClock(), name)
