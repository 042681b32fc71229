"""What an operator reads in the log about one configuration, and how many lines of it there may be.

Every line names what it is about and where that stands, and none shows a value. A level that is off costs one question.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from reactive_config._core.paths import Path, format_path
from reactive_config._core.runtime.operator_log import logger
from reactive_config._core.status import HeldUnit, SourceState
from reactive_config._core.trees import ABSENT, get
from reactive_config._core.types.wording import duration_text
from reactive_config._printable import printable

if TYPE_CHECKING:
    from reactive_config._core.acceptance.acceptance import Acceptance, FreedUnit
    from reactive_config._core.acceptance.source_records import SourceRecord
    from reactive_config._core.runtime.cells import Hub


NAMED = 4
"""Paths, sources or units that one line names; it counts the others."""

LINES, SECONDS = 10, 1.0
"""Lines of one kind, and in how many seconds. Each kind has its own, so that a flood of one hides no other."""

HELD_LINES, HELD_SECONDS = 100, 10.0
"""Lines about units that are held: a push of many mistakes is told whole, and a flood of them is bounded."""

FIRST_WORD, NEXT_WORD = 2.5, 10.0
"""Seconds until a start that waits says so, and until it says so again while the reason is the same.

A mirror starts a program after 2 s, which is told; a start that is about to succeed so has nothing to say.
"""


class LineBudget:
    """So many lines in so many seconds. What is too much is counted, and the count told once the seconds are over.

    Args:
        lines: How many may be written in `seconds`.
        seconds: They begin with the first line.
        count: How the number of the others is told.
        loop: Whose clock counts.
    """

    _end: float = 0.0
    _left: int = 0
    _left_out: int = 0
    _level: int = 0
    _timer: asyncio.TimerHandle | None = None
    _closed: bool = False

    def __init__(self, lines: int, seconds: float, count: str, loop: asyncio.AbstractEventLoop) -> None:
        self._lines, self._seconds, self._count, self._loop = lines, seconds, count, loop

    def say(self, level: int, text: str, *arguments: object) -> None:
        """Write a line, or count it."""
        if self.takes(level):
            logger.log(level, text, *arguments)

    def takes(self, level: int, left: int = 1) -> bool:
        """Whether a line is to be written; if there are too many, it is counted. For lines that cost something.

        Args:
            level: The line's.
            left: How many things nobody is told of without it.
        """
        if not logger.isEnabledFor(level):
            return False
        if self._has_room():
            return True
        self._left_out += left
        self._level = max(self._level, level)
        return False

    def _has_room(self) -> bool:
        if self._closed:
            return True
        now = self._loop.time()
        if now >= self._end:
            self.tell_count()
            self._end, self._left = now + self._seconds, self._lines
        if self._left:
            self._left -= 1
            return True
        if self._timer is None:  # only while something is left out
            self._timer = self._loop.call_at(self._end, self.tell_count)
        return False

    def tell_count(self) -> int:
        """Say how many lines were left out since this was said last, if any were; returns how many."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        left_out, self._left_out = self._left_out, 0
        if left_out:
            logger.log(self._level, self._count, left_out)
            self._level = 0
        return left_out

    def close(self) -> None:
        """Tell what is left to tell; no timer stays."""
        self.tell_count()
        self._closed = True


class Logbook:
    """The lines about one configuration. Used from its loop only.

    Attributes:
        changes: For what comes into force.
        freed: For what is held no longer.
        sources: For where sources stand.
        bindings: For where bindings stand, and functions that are selected by.
        callbacks: For where callbacks stand.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.changes: LineBudget = LineBudget(LINES, SECONDS, "%d more lines about changes were left out", loop)
        self.freed: LineBudget = LineBudget(
            LINES, SECONDS, "%d more lines about what is no longer held were left out", loop
        )
        self.sources: LineBudget = LineBudget(
            LINES, SECONDS, "%d more lines about sources were left out; config.status() shows how they stand", loop
        )
        self.bindings: LineBudget = LineBudget(
            LINES, SECONDS, "%d more lines about bindings were left out; config.status() shows how they stand", loop
        )
        self.callbacks: LineBudget = LineBudget(
            LINES, SECONDS, "%d more lines about callbacks were left out; config.status() shows how they stand", loop
        )
        self._unknown = LineBudget(
            HELD_LINES, HELD_SECONDS, "%d more unknown keys are ignored; config.status() has the first", loop
        )
        self._held = LineBudget(HELD_LINES, HELD_SECONDS, "held %d more units; config.status() has them", loop)
        self._count_again = 0.0
        self._loop = loop

    def close(self) -> None:
        """Tell what is left to tell."""
        budgets = (self.changes, self.freed, self.sources, self.bindings, self.callbacks, self._unknown, self._held)
        for budget in budgets:
            budget.close()

    # -- what is in force, and what is held ------------------------------------------------------

    def generation(self, number: int, changed: Sequence[Path], acceptance: Acceptance) -> None:
        """A generation came into force."""
        if not self.changes.takes(logging.INFO):
            return
        if number == 1:
            said = [record for record in acceptance.records if record.revision is not None]
            sources = [_where(record.name, record.places, _what_runs(record)) for record in said]
            logger.info("generation 1 from %s", _listed(sources, len(sources)))
            return
        by_origin: dict[str, list[str]] = {}
        for path in sorted(changed[:NAMED]):
            where = str(acceptance.origin(path, locate=False))
            if get(acceptance.stack.tree, path) is ABSENT:
                where = "not set any more"
            by_origin.setdefault(where, []).append(printable(format_path(path)) or "all of it")
        told = [f"{', '.join(paths)} ({where})" for where, paths in by_origin.items()]
        more = f" and {len(changed) - NAMED:,} more" if len(changed) > NAMED else ""
        logger.info("generation %d: %s%s", number, ", ".join(told), more)

    def held(self, found: Iterable[tuple[str, HeldUnit]]) -> None:
        """Units are held that were not, or for another reason."""
        for source, unit in found:
            if self._held.takes(logging.WARNING):
                logger.warning("held %s of %s: %s", unit.unit, printable(source), "; ".join(unit.lines(5)))
        # A push of very many is told to its end at once; of a flood the count comes now and then.
        if (now := self._loop.time()) >= self._count_again and self._held.tell_count():
            self._count_again = now + HELD_SECONDS

    def no_longer_held(self, freed: Iterable[FreedUnit]) -> None:
        """Units wait no more."""
        by_reason: dict[str, list[FreedUnit]] = {}
        for unit in freed:
            by_reason.setdefault(unit.why, []).append(unit)
        for why, found in by_reason.items():
            units = [f"{unit.unit} of {printable(unit.source)}" for unit in found]
            age = lasted(max(unit.age for unit in found)) + " at most" * (len(found) > 1)
            self.freed.say(logging.INFO, "no longer held: %s (%s, after %s)", _listed(units, len(units)), why, age)

    def unknown_keys(self, lines: Iterable[str], count: int) -> None:
        """Keys appeared that the type does not know.

        Args:
            lines: Of the first of them; each costs something, and is asked for only if it is written.
            count: How many there are.
        """
        left, remaining = count, iter(lines)
        while left and self._unknown.takes(logging.WARNING, left):
            line = next(remaining, None)
            if line is None:
                logger.warning("%s", more_unknown_keys(left))
                return
            logger.warning("%s", line)
            left -= 1

    # -- where sources and bindings stand --------------------------------------------------------

    def source_away(self, name: str, state: SourceState, reason: str, meanwhile: str) -> None:
        """A source cannot be followed at the moment."""
        self.sources.say(
            logging.WARNING, "%s is %s: %s%s", printable(name), state.name, reason or "no answer yet", meanwhile
        )

    def source_back(self, name: str, away: float) -> None:
        """A source is followed again."""
        self.sources.say(logging.INFO, "%s is SYNCED, after %s away", printable(name), lasted(away))

    def starts_from_last_good(self, names: Collection[str]) -> None:
        """The content of sources did not fit, and what they kept starts the program."""
        for name in names:
            what = "%s: its content does not fit; the program starts from its last good state"
            self.sources.say(logging.WARNING, what, printable(name))

    def binding_fails(self, trouble: str, stays: str) -> None:
        """A binding could not take a change."""
        self.bindings.say(logging.WARNING, "%s; %s", trouble, stays)

    def binding_cannot_start(self, trouble: str) -> None:
        """A binding could not make its first thing, and raises that."""
        self.bindings.say(logging.ERROR, "%s", trouble)

    def binding_follows(self, name: str, failed_for: float, how: str = "the newest value is in use") -> None:
        """A binding that could not take a change is in step with its value again."""
        self.bindings.say(logging.INFO, "%s: %s, after %s of trouble", name, how, lasted(failed_for))

    def binding_changed(self, name: str, news: str) -> None:
        """A binding has put something new in use."""
        self.bindings.say(logging.INFO, "%s: %s", name, news)

    def binding_takes_long(self, name: str, seconds: float, limit: float, has_old: bool) -> None:
        """A binding still makes what its value asks for."""
        what, stays = ("new", "; the old one stays in use") if has_old else ("first", "")
        told = "%s: the %s one is still being made (%s of %s)%s"
        self.bindings.say(logging.WARNING, told, name, what, lasted(seconds), lasted(limit), stays)

    def function_raises(self, trouble: str) -> None:
        """A function given to `select` or `map` raised, or raised something else."""
        self.bindings.say(logging.WARNING, "%s", trouble)

    def function_works(self, name: str) -> None:
        """A function that raised gives a value again."""
        self.bindings.say(logging.INFO, "%s: the value is the newest again", name)

    def callback_raises(self, trouble: str) -> None:
        """A callback raised, or raised something else."""
        self.callbacks.say(logging.WARNING, "%s", trouble)

    def callback_works(self, name: str, failed: int) -> None:
        """A callback that raised works."""
        self.callbacks.say(logging.INFO, "%s: works again; it had failed %d times", name, failed)


class StartVigil:
    """Says what a start waits for: after a while, when the reason changes, and now and then.

    Args:
        hub: Of the configuration.
        troubles: Source name to what keeps it, of those for which the start waits.
        limit: Seconds that the start may take.
    """

    def __init__(self, hub: Hub, troubles: Callable[[], Mapping[str, str]], limit: float | None) -> None:
        self._hub, self._troubles, self._limit, self._loop = hub, troubles, limit, hub.loop
        self._began = self._told_at = self._loop.time()
        self._told = ""
        self._timer = self._loop.call_at(self._began + FIRST_WORD, self._tell)

    def look(self) -> None:
        """Something was said, perhaps another reason."""
        if self._told:  # before, the timer tells whatever is the reason then
            self._wait()

    def end(self) -> None:
        """The start waits no more."""
        self._timer.cancel()

    def _words(self) -> str:
        troubles = [f"{printable(name)}: {trouble}" for name, trouble in self._troubles().items()]
        return _listed(troubles, len(troubles), "; ")

    def _wait(self) -> None:
        pause = FIRST_WORD if self._words() not in ("", self._told) else NEXT_WORD
        self._timer.cancel()
        self._timer = self._loop.call_at(self._told_at + pause, self._tell)

    def _tell(self) -> None:
        if words := self._words():  # empty in the moment between the last answer and the start
            self._told, self._told_at = words, self._loop.time()
            of = "" if self._limit is None else f" of {lasted(self._limit)}"
            waited = lasted(self._told_at - self._began)
            self._hub.logbook.sources.say(logging.WARNING, "the start waits for %s (%s%s)", words, waited, of)
        self._wait()


def lasted(seconds: float) -> str:
    """A length of time as people say it: `0.4s`, `12s`, `3m5s`."""
    return f"{seconds:.1f}s" if seconds < 10 else duration_text(timedelta(seconds=round(seconds)))


def more_unknown_keys(count: int) -> str:
    """What stands for unknown keys that are not told one by one."""
    return f"... and {count:,} more unknown key{'s' * (count > 1)}"


def _what_runs(record: SourceRecord) -> str:
    """The revision of what a source starts the program with; after a start from its last good state, more of that."""
    if not record.pending:
        return f"revision {record.revision}" if record.revision else ""
    if not record.revision:
        return "the last good state"
    good = record.accepted_revision
    newest = max((entry.revision for entry in record.accepted.values()), default=0)
    newer = f" with values up to revision {newest} beside what was held" if newest > good else ""
    of = f", revision {good}" if good else ""
    return f"the last good state{of}{newer}; what does not fit of revision {record.revision} is held"


def _where(name: str, places: Sequence[str], revision: str) -> str:
    """A source, where its layers stand, and of which revision they are."""
    name, places = printable(name), [printable(place) for place in places]
    inside = [] if places == [name] else [_listed(places, len(places))]
    if revision:
        inside.append(revision)
    return f"{name} ({', '.join(inside)})" if inside else name


def _listed(texts: Sequence[str], count: int, between: str = ", ") -> str:
    more = f" and {count - NAMED:,} more" if count > NAMED else ""
    return between.join(texts[:NAMED]) + more
