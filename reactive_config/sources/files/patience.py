"""When to read: the one place that weighs being early against reading half a save.

| what is known | the file is read |
|---|---|
| its writer closed it, or it was moved into place (inotify) | at once |
| it was opened again after that, perhaps only to be read (inotify) | when it is closed, or as if its stat had changed |
| it was written to and not closed (inotify) | when it is closed, or after `hold` |
| a `..data` swap leads to it | at once, when all names of the mount have their link |
| only that its stat changed | after `settle` seconds without another change, or after `hold` |
| it cannot be used (empty, not a file, permission) | at once, and again after `settle`: only then it is said |
| it is not there | never; after `settle` it is deleted, in a swap at once |
"""

from __future__ import annotations

from dataclasses import dataclass

from reactive_config.core.delta import Malformed
from reactive_config.sources.files.notifier import Write
from reactive_config.sources.files.reading import Content, Signature
from reactive_config.sources.files.scanning import Found

YOUNG = 0.03
"""Seconds in which a second write may leave no trace in the stat: clocks of file systems tick."""

Mark = tuple[Signature | None, Malformed | None]


@dataclass(frozen=True)
class Limits:
    """See `Files`."""

    settle: float
    hold: float


@dataclass
class Known:
    """What is known about one file.

    Attributes:
        mark: Of the state that `outcome` came from.
        outcome: The bytes that were sent last, or why there were none; None before the first time.
        found: What was found then.
        seen: The mark that was seen last.
        seen_at: Since when, in seconds of the source's clock, as all times here.
        changed_at: Since when it differs from what was sent.
        recheck_at: When to read it again although its stat stays: it was young.
        trouble: What kept it from being read the last time, not yet said.
        trouble_at: Since when.
        gone_at: Since when it is not there.
        missed_at: The same, but its directory stayed as it is from then on: it was not there in between either.
        home: That state of the directory.
    """

    mark: Mark = (None, None)
    outcome: bytes | Malformed | None = None
    found: Found | None = None
    seen: Mark = (None, None)
    seen_at: float = 0.0
    changed_at: float | None = None
    recheck_at: float | None = None
    trouble: Malformed | None = None
    trouble_at: float = 0.0
    gone_at: float | None = None
    missed_at: float = 0.0
    home: Signature | None = None

    def at_rest(self, found: Found) -> bool:
        """Whether it was read as it stands, and nothing is left to be done unless somebody writes."""
        waits = (self.changed_at, self.recheck_at, self.trouble, self.gone_at) != (None, None, None, None)
        return found == self.found and not waits and not isinstance(self.outcome, Malformed)

    def observe(self, found: Found, now: float) -> None:
        """Note when a change came up first, and when the last one did."""
        self.gone_at = None
        mark = (found.signature, found.trouble)
        if mark != self.seen:
            self.seen, self.seen_at, self.trouble = mark, now, None
        if mark != self.mark or self.outcome is None:
            self.changed_at = now if self.changed_at is None else self.changed_at
        else:
            self.changed_at = None

    def overdue(self, now: float, hold: float) -> bool:
        """Whether a change waited for `hold`: then it is taken as it is."""
        return self.changed_at is not None and now >= self.changed_at + hold

    def swapped(self, found: Found) -> bool:
        """Whether a `..data` link leads to it that did not before."""
        return found.swap is not None and (self.found is None or found.swap != self.found.swap)

    def lasts(self, trouble: Malformed, now: float, settle: float) -> bool:
        """Whether a trouble was there `settle` ago, or said already. Saves pass through many for a moment."""
        if trouble == self.outcome:
            return True
        if trouble != self.trouble:
            self.trouble, self.trouble_at = trouble, now
        return now >= self.trouble_at + settle

    def gone(self, home: Signature | None, now: float, limits: Limits) -> float:
        """When its absence counts, seen with its directory in this state.

        A file that is made anew all the time may be away at every look; its directory tells.
        """
        if self.gone_at is None:
            self.gone_at = now
        if self.gone_at == now or home != self.home:
            self.home, self.missed_at = home, now
        return min(self.missed_at + limits.settle, self.gone_at + limits.hold)

    def sent(self, found: Found, content: Content, now: float, wall_ns: int) -> None:
        """This content, read at that time, is what the feed has."""
        signature = content.signature or found.signature
        self.mark, self.outcome, self.found = (
            (signature, found.trouble),
            content.data,
            found._replace(signature=signature),
        )
        self.changed_at = self.trouble = self.recheck_at = None
        if signature is not None and abs(wall_ns - signature.ctime_ns) < YOUNG * 1e9:
            self.recheck_at = now + YOUNG


def due(known: Known, found: Found, write: Write | None, now: float, wall_ns: int, limits: Limits) -> float | None:
    """When the file is to be read, in seconds of the source's clock; None if there is no need.

    Args:
        known: After `observe`.
        found: The stat.
        write: What inotify knows about its writer.
        now: The source's clock.
        wall_ns: The system's clock, which stats carry.
        limits: See `Files`.
    """
    if write is not None and write.open:
        since = write.since if known.changed_at is None else min(write.since, known.changed_at)
        return since + limits.hold
    if known.trouble is not None:
        return known.trouble_at + limits.settle
    finished = write is not None and write.finished
    if known.changed_at is None:
        # What could not be used is tried again at every look: not every cause shows in a stat.
        again = isinstance(known.outcome, Malformed) or (finished and known.recheck_at is not None)
        return now if again else known.recheck_at
    if finished or found.trouble is not None or found.signature is None or known.swapped(found):
        return now
    return min(_quiet_at(known, found.signature, now, wall_ns, limits.settle), known.changed_at + limits.hold)


def _quiet_at(known: Known, signature: Signature, now: float, wall_ns: int, settle: float) -> float:
    """When it will have been quiet for `settle` seconds.

    ctime and not mtime, which writers may set; and not in the future, as another machine's clock may be.
    """
    age = (wall_ns - signature.ctime_ns) / 1e9
    seen = known.seen_at + settle
    return min(seen, now + settle - age) if age >= 0 else seen
