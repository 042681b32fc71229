"""The notifier of Linux: inotify on the loop, without a thread.

It alone knows how a write begins and ends, and that is what makes reads whole: a file that was written to and not
closed is not read, nor one that was opened again after its last close.

The kernel tells of an open before the writer can write, but of a write only after its bytes are in the file. In between
half a save is there, and nothing but the open says so. It does not say whether the file was opened to be read or
written, and it merges equal events that are neighbours: two opens in a row may be told as one.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Mapping
from functools import lru_cache

from reactive_config._sources.files import os_paths
from reactive_config._sources.files.notifiers import libc
from reactive_config._sources.files.notifiers.base import NotifierFailed, WatchPlan, WriteEvent

_LOOKUP = libc.CREATE | libc.DELETE | libc.MOVED_FROM | libc.MOVED_TO | libc.ATTRIB | libc.DELETE_SELF | libc.MOVE_SELF
_OPENINGS = libc.OPEN | libc.CLOSE_NOWRITE  # readers and this process do both too
_FILES = _LOOKUP | libc.MODIFY | libc.CLOSE_WRITE | _OPENINGS
_FINISHED = libc.CLOSE_WRITE | libc.MOVED_TO
_VANISHED = libc.DELETE | libc.MOVED_FROM | libc.CREATE  # a new file: what was known is of another one
_LOUD = libc.Q_OVERFLOW | libc.IGNORED | libc.UNMOUNT | libc.DELETE_SELF | libc.MOVE_SELF
_NAMES = 256  # as many as editors and the files themselves have; others are decoded each time


class InotifyNotifier:
    """Watches directories by inode; `arm` binds them to paths again after every change.

    Args:
        poke: Called when somebody should look.
        count: As `Feed.count`.
        clock: Seconds, monotonic.

    Raises:
        NotifierFailed: The system gives no inotify instance.
    """

    name = "inotify"

    def __init__(self, poke: Callable[[], None], count: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._poke, self._count, self._clock = poke, count, clock
        self._plan = WatchPlan()
        self._watches: dict[int, set[str]] = {}  # one inode may be reached by two paths
        self._refused: list[str] = []
        self._stale = False  # whether a watch may have ended although the plan stays
        self._concerned = lru_cache(_NAMES)(self._paths)
        self._writes: dict[str, WriteEvent] = {}
        self._serial = 0
        self._reading = ""  # the file that this process may have open just now
        self._read: set[str] = set()  # those that it had open since `writes` was asked for
        self._touched: set[str] | None = None
        try:
            self._inotify = libc.Inotify()
        except (OSError, AttributeError) as error:
            raise NotifierFailed(f"inotify gives no instance ({_words(error)})") from None
        self._open = True
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._inotify.fd, self._drain)

    def arm(self, plan: WatchPlan) -> bool:
        if plan is self._plan and not self._stale and not self._refused:
            return False
        watches: dict[int, set[str]] = {}
        self._refused = []
        missed = False
        for directory in plan.names:
            try:
                watch = self._inotify.add(directory, _FILES if directory in plan.files else _LOOKUP)
            except OSError as error:
                missed |= self._refuse(directory, error)
            else:
                watches.setdefault(watch, set()).add(directory)
        new = [watch for watch, places in watches.items() if not places <= self._watches.get(watch, set())]
        ended = self._watches.keys() - watches.keys()
        for watch in ended:
            self._inotify.remove(watch)
        # What an ended watch still has to say is dropped, so a writer that it saw open would stay so for ever.
        doubtful = set().union(*(self._watches[watch] for watch in ended), *(watches[watch] for watch in new))
        self._writes = {real: w for real, w in self._writes.items() if os_paths.parent(real) not in doubtful}
        self._plan, self._watches, self._stale = plan, watches, missed
        self._concerned.cache_clear()
        if new:
            self._count("rearms")
        return bool(new) or missed

    def _refuse(self, directory: str, error: OSError) -> bool:
        """Sort out why a directory cannot be watched. Returns whether it changed since it was looked at."""
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return True
        if error.errno in (errno.EACCES, errno.ELOOP):
            self._refused.append(f"{directory} cannot be watched ({_words(error)}); polling finds its changes")
            return False
        raise NotifierFailed(f"inotify gives no more watches ({_words(error)})")

    def writes(self) -> Mapping[str, WriteEvent]:
        self._read.clear()
        return dict(self._writes)

    def begin_read(self, real: str, write: WriteEvent | None) -> bool:
        self._drain()
        now = self._writes.get(real)
        same = now == write or (real in self._read and (now and now.serial) == (write and write.serial))
        if same:
            self._reading = real
            self._read.add(real)
        return same

    def end_read(self, real: str) -> WriteEvent | None:
        self._drain()
        self._reading = ""
        return self._writes.get(real)

    def touched(self) -> set[str] | None:
        touched, self._touched = self._touched, set()
        return touched

    def judged(self, writes: Mapping[str, WriteEvent]) -> None:
        for real, write in writes.items():
            now = self._writes.get(real)
            if write.open or now is None or now.serial != write.serial:
                continue
            # Not read because it is open again: the close must find it here. After our own read nothing may free it.
            if real in self._read or not now.reopened:
                del self._writes[real]

    def give_up(self, real: str) -> None:
        """The writer of this file was waited for long enough; the next write begins a new wait."""
        self._writes.pop(real, None)

    def troubles(self) -> list[str]:
        return list(self._refused)

    def close(self) -> None:
        if self._open:
            self._open = False
            self._loop.remove_reader(self._inotify.fd)
            self._inotify.close()

    def _drain(self) -> None:
        look = False
        for watch, mask, name in self._inotify.read():
            if mask & _LOUD:
                look |= self._take_loud(watch, mask)
            else:
                for real in self._concerned(watch, name):
                    if mask & _OPENINGS:
                        look |= self._note_opening(real, mask)
                        continue
                    look |= self._note(real, mask)
                    if self._touched is not None:
                        self._touched.add(real)
        if look:
            self._count("events")
            self._poke()

    def _take_loud(self, watch: int, mask: int) -> bool:
        """Note what happened to the queue or to a directory itself. Returns whether somebody should look."""
        if mask & libc.Q_OVERFLOW:
            self._touched = None
            self._writes.clear()  # a close may be among the lost: judge by quiet
            self._stale = True  # so may be the end of a watch
            self._count("overflows")
            return True
        ours = watch in self._watches  # and not one that was removed
        if ours:
            self._stale, self._touched = True, None
        return ours

    def _paths(self, watch: int, name: bytes) -> tuple[str, ...]:
        """What an event of this name is about; nothing if it cannot matter."""
        text = os.fsdecode(name.rstrip(b"\0"))
        places = self._watches.get(watch, ())
        return tuple(os_paths.join(place, text) for place in places if self._plan.matters(place, text))

    def _note_opening(self, real: str, mask: int) -> bool:
        """Note that a finished file is open again, or no longer. Returns whether the source waits for the latter."""
        write = self._writes.get(real)
        if write is None or write.open:
            return False
        if mask & libc.OPEN:
            self._writes[real] = WriteEvent(False, write.since, write.serial, True)
            return False
        # Our own close frees nobody: our open may have been told as one with a writer's.
        freed = write.reopened and real != self._reading
        if freed:
            self._writes[real] = WriteEvent(False, write.since, write.serial)
        return freed

    def _note(self, real: str, mask: int) -> bool:
        before = self._writes.get(real)
        self._serial += 1
        if mask & libc.MODIFY:
            waited = before is not None and before.open
            self._writes[real] = WriteEvent(True, before.since if before and waited else self._clock(), self._serial)
            return not waited  # the source waits already: a long write wakes it once
        if mask & _FINISHED:
            self._writes[real] = WriteEvent(False, self._clock(), self._serial)
        elif mask & _VANISHED:
            self._writes.pop(real, None)
        return True


def _words(error: Exception) -> str:
    return error.strerror or "unknown" if isinstance(error, OSError) else "not in this C library"
