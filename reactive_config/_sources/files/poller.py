"""One look at all files: watch, scan, read what is due, and say what changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from reactive_config._core.bounds import MAX_DEPTH
from reactive_config._core.delta import Delta, Entry, Malformed, Patch, Replace
from reactive_config._core.runtime.operator_log import logger
from reactive_config._core.source import Feed
from reactive_config._core.status import SourceState
from reactive_config._formats.registry import SUFFIXES
from reactive_config._printable import printable
from reactive_config._sources.files import os_paths
from reactive_config._sources.files.file_documents import DotenvDocument, FileDocuments
from reactive_config._sources.files.notifiers.base import Notifier, WriteEvent
from reactive_config._sources.files.reader import FileChange, FileReader, KnownFile, ReadLater, WaitLimits
from reactive_config._sources.files.scan import GivenPath, Scan, again, again_where, scan
from reactive_config._sources.files.symlinks import SWAP, LinkSwap

_REARMS = 8  # in one look: directories that change all the time must not keep it from reading
_RETRY = 0.005
_WORTH_A_NOTE = 1.0  # seconds
_NAMED = 4  # files that one line of the log names
_SCRATCH = ("", ".tmp", ".temp", ".swp", ".swo", ".swx", ".part", ".lock")
_TRUST = 30.0
"""Seconds for which a scan is brought up to date instead of made anew, and watches are taken for alive. On odd file
systems a directory may become another one without a new number and without an event."""


class Poller:
    """Keeps what was sent, and sends what differs. One look at a time, so an older read is never sent later.

    Args:
        layers: Lowest first.
        feed: Where deltas go; the first is a `Replace`, when every file that is there was read.
        notifier: Armed before each scan, asked about writers after each read.
        limits: See `Files`.
        max_bytes: Of one file.
        clock: Seconds, monotonic.
        poll_interval: Seconds after which all files are looked at, whatever is told.
        optional: Whether a directory may lose all of its files.
    """

    def __init__(
        self,
        layers: Sequence[GivenPath],
        feed: Feed,
        notifier: Notifier,
        limits: WaitLimits,
        max_bytes: int,
        clock: Callable[[], float],
        poll_interval: float,
        *,
        optional: bool,
    ) -> None:
        self._layers, self._feed, self._notifier, self._clock = layers, feed, notifier, clock
        self._poll_interval = poll_interval
        self._optional = optional
        self._limits = limits
        self._documents = FileDocuments(feed.resolve, feed.shape, feed.named_variables())
        self._attempts = FileReader(notifier, limits, max_bytes, clock, self._documents.limiter, feed.count)
        self._known: dict[str, KnownFile] = {}
        self._seen: Scan | None = None
        self._scanned_at = self._seen_at = 0.0
        self._started = False
        self._waits_for = ""
        self._next = float("inf")
        self._notes: list[str] = []
        self._unknown: set[str] = set()
        self._tell_unknown_at = 0.0

    async def look(self) -> float:
        """Look once.

        Returns:
            When to look again although nothing pokes; seconds of the clock.
        """
        settled, self._next = self._next == float("inf"), float("inf")
        writes, seen = self._armed_scan(settled=settled)
        changes, late = await self._read(seen, writes)
        deleted = self._deletions(seen)
        if not _still(seen):
            # A swap came in between. One scan sees one state of every link, but the set that the link led to may have
            # been removed under it: what it did not find is then no deletion.
            self._again(self._clock())
            self._seen = None
        elif late and not self._started:
            self._wait_for(late[0])
        else:
            await self._send(changes, deleted, seen.absent)
            self._notifier.judged(writes)
        self._say(seen, writes)
        return min(self._next, self._seen_at + self._poll_interval)

    def _armed_scan(self, *, settled: bool) -> tuple[Mapping[str, WriteEvent], Scan]:
        """What was told of writers, and then a scan of which everything was watched before it was made."""
        for _ in range(_REARMS):
            writes = self._notifier.writes()
            seen = self._seen = self._scan(settled=settled)
            if not self._notifier.arm(seen.plan):
                break
        else:
            self._again(self._clock() + _RETRY)
        return writes, seen

    def _scan(self, *, settled: bool) -> Scan:
        """A scan of this moment at the least price: of the files that events named, of all that is known, or anew.

        Args:
            settled: Whether the look before left nothing to wait for. What is waited for must be seen at every look.
        """
        touched, before, now = self._notifier.touched(), self._seen, self._clock()
        if before and touched and settled and now < self._seen_at + self._poll_interval:
            seen = again_where(before, touched)
            if seen is not None:
                return seen
        self._seen_at = now
        if before and now < self._scanned_at + _TRUST:
            seen = again(before)
            if seen is not None:
                return seen
        self._scanned_at = now
        return scan(self._layers, self._known.__contains__, self._needed())

    def _needed(self) -> set[int]:
        """The layers that must not be without a file: they had one."""
        if self._optional:
            return set()
        own = {layer.id for layer in self._layers}  # a directory's own entry tells only of trouble
        sent = [known.found for known in self._known.values() if known.outcome is not None]
        return {found.number for found in sent if found is not None and found.id not in own}

    async def _read(self, seen: Scan, writes: Mapping[str, WriteEvent]) -> tuple[list[FileChange], list[str]]:
        """Read what is due; files of one swap come all or none.

        Returns:
            The readings, and the places of files that were never sent and are still to come.
        """
        changes: list[FileChange] = []
        late: list[str] = []
        unready: set[LinkSwap] = set()
        for id, found in seen.fresh.items():  # noqa: A001  the contract's word
            known = self._known.get(id) or self._known.setdefault(id, KnownFile())
            if known.at_rest(found) and found.real not in writes:
                continue
            unfinished = found.swap is not None and found.swap.directory in seen.unfinished
            result = await self._attempts.read(known, found, writes.get(found.real), unfinished=unfinished)
            if isinstance(result, FileChange):
                changes.append(result)
            elif isinstance(result, ReadLater):
                self._again(result.at)
                if known.outcome is None:
                    late.append(found.place)
                if found.swap is not None and known.swapped(found):
                    unready.add(found.swap)
        return [c for c in changes if not (c.swapped and c.found.swap in unready)], late

    def _deletions(self, seen: Scan) -> dict[str, str]:
        """Ids of files that are gone for good, and the unit that took each."""
        now = self._clock()
        deleted: dict[str, str] = {}
        for id, known in list(self._known.items()):  # noqa: A001
            before = known.found
            if id in seen.files:
                continue
            if before is not None and before.number in seen.blind:
                known.gone_at = None  # counted anew once the directory is back: its files may need their time
                continue
            if before is None:
                del self._known[id]
                continue
            when = known.gone(seen.home(before.number), now, self._limits)
            swap = seen.swaps.get(before.swap.directory) if before.swap else None
            swapped = swap is not None and swap != before.swap and swap.directory not in seen.unfinished
            if swapped or now >= when:
                deleted[id] = str(swap) if swapped else before.place
            else:
                self._again(when)
        return deleted

    async def _send(
        self, changes: Sequence[FileChange], deleted: Mapping[str, str], absent: Mapping[int, Malformed]
    ) -> None:
        """Send what differs from what was sent. Nothing is taken note of before all of it was parsed."""
        entries = {c.found.id: await self._entry(c) for c in changes if c.content.data != self._outcome(c.found.id)}
        for change in changes:
            self._known[change.found.id].sent(change.found, change.content, change.now, change.wall_ns)
            if change.told_by_notifier:
                continue  # so is a second write at the same moment; the next look of the poller finds the others
            self._again(self._known[change.found.id].recheck_at)
        for id in deleted:  # noqa: A001
            del self._known[id]
        delta: Delta = Patch(entries, deleted) if self._started else Replace(entries, absent=absent)
        if entries or deleted or not self._started:
            self._feed.send(delta)
        if not self._started:
            self._started = True
            self._feed.state(SourceState.SYNCED)

    def _wait_for(self, place: str) -> None:
        if place != self._waits_for:
            self._waits_for = place
            self._feed.state(SourceState.CONNECTING, f"{place} is not readable yet, or still being written")

    def _outcome(self, id: str) -> bytes | Malformed | None:  # noqa: A002
        return self._known[id].outcome

    async def _entry(self, change: FileChange) -> Entry:
        found, data = change.found, change.content.data
        value = data if isinstance(data, Malformed) else await self._documents.value(data, found.suffix, found.mount)
        # JSON in a text comes with more levels: those of its path.
        spelt = found.suffix in ("", ".env") and type(value) is dict
        kind = DotenvDocument if found.suffix == ".env" else Entry
        return kind(
            path=found.mount,
            value=value,
            unit=str(found.swap) if change.swapped else found.place,
            layer=found.layer,
            place=found.place,
            locate=None if isinstance(data, Malformed) else self._documents.locate(data, found.suffix),
            size=0 if isinstance(data, Malformed) else len(data),
            depth=-1 if spelt else MAX_DEPTH - len(found.mount),  # a bare value, or what a parser let through
        )

    def _again(self, at: float | None) -> None:
        if at is not None:
            self._next = min(self._next, at)

    def _say(self, seen: Scan, writes: Mapping[str, WriteEvent]) -> None:
        notes = [f"notifier: {self._notifier.name}", *self._notifier.troubles(), *seen.skipped]
        now = self._clock()
        long = {real for real, write in writes.items() if write.open and now - write.since > _WORTH_A_NOTE}
        places = [found.place for found in seen.files.values() if found.real in long] if long else []
        notes += [f"{place} was changed by a writer that still holds it open; its last state stays" for place in places]
        if notes != self._notes:
            self._notes = notes
            self._feed.notes(notes)
        if seen.unknown or self._unknown:
            self._tell_unknown(seen.unknown, now)

    def _tell_unknown(self, unknown: Sequence[str], now: float) -> None:
        """Say in the log which files with an unknown suffix have appeared: one line in a while, however many they are.

        Files without a suffix, as README, and those that editors keep for a moment, are told in the notes alone.
        """
        self._unknown &= set(unknown)
        new = [place for place in unknown if place not in self._unknown and os_paths.suffix(place) not in _SCRATCH]
        if not new or now < self._tell_unknown_at:
            return  # those are still new at the next look
        self._tell_unknown_at = now + self._poll_interval
        self._unknown.update(unknown)
        more = f" and {len(new) - _NAMED:,} more" if len(new) > _NAMED else ""
        places = ", ".join(map(printable, new[:_NAMED]))
        logger.info("%s%s: not read, as the suffix is none of %s", places, more, ", ".join(sorted(SUFFIXES)))


def _still(seen: Scan) -> bool:
    """Whether every `..data` link leads where it led when the scan was made."""
    try:
        return all(os_paths.target(os_paths.join(d, SWAP)) == swap.target for d, swap in seen.swaps.items())
    except OSError:
        return False
