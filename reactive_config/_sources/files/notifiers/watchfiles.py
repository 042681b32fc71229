"""The notifier of every other system: watchfiles, which only this file knows.

What it does not do, and who does instead: it hides how a write ends (files are judged by quiet); its
watches follow inodes (they are made again when a directory on the way changed); one name that is not
UTF-8 ends it (polling takes over).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

import anyio
import anyio.abc
import anyio.to_thread
from watchfiles._rust_notify import RustNotify

from reactive_config._sources.files import os_paths
from reactive_config._sources.files.notifiers.base import NotifierFailed, WatchPlan, WriteEvent

_STEP_MS = 10
_DEBOUNCE_MS = 50
_NO_TIMEOUT = 0  # with one, events were lost


class WatchfilesNotifier:
    """Holds one watcher for all directories, and replaces it when they change.

    The Rust class is used directly: `awatch` reads the environment (`WATCHFILES_FORCE_POLLING=0` turns a
    polling on that misses saves) and takes one of anyio's shared threads for good.

    Args:
        poke: Called when somebody should look.
        count: As `Feed.count`.
        group: Where its one task lives; its thread ends within some 10 ms of `close`.
    """

    name = "watchfiles"

    def __init__(self, poke: Callable[[], None], count: Callable[[str], None], group: anyio.abc.TaskGroup) -> None:
        self._poke, self._count, self._group = poke, count, group
        self._plan = WatchPlan()
        self._watched: dict[str, tuple[int, int] | None] = {}
        self._stale = False
        self._stop = threading.Event()
        self._limiter = anyio.CapacityLimiter(2)  # the old and the new one, while one takes over
        self._failure = ""

    def arm(self, plan: WatchPlan) -> bool:
        if self._failure:
            raise NotifierFailed(self._failure)
        self._plan = plan
        if plan.identities == self._watched and not self._stale:
            return False
        try:
            watcher = RustNotify(sorted(plan.names), False, False, 0, False, True)
        except FileNotFoundError:
            return True  # gone since the look
        except (OSError, RuntimeError) as error:
            raise NotifierFailed(f"watchfiles cannot watch ({type(error).__name__})") from None
        self._stop.set()
        self._stop = threading.Event()
        self._watched, self._stale = dict(plan.identities), False
        self._group.start_soon(self._pump, watcher, self._stop)
        self._count("rearms")
        return True

    async def _pump(self, watcher: RustNotify, stop: threading.Event) -> None:
        with watcher:
            while not stop.is_set():
                try:
                    changes = await anyio.to_thread.run_sync(
                        watcher.watch, _DEBOUNCE_MS, _STEP_MS, _NO_TIMEOUT, stop, limiter=self._limiter
                    )
                except (OSError, RuntimeError) as error:
                    # Its text holds the path whose name it could not read.
                    self._failure = f"watchfiles ended ({type(error).__name__}, a name that is not UTF-8 does that)"
                    self._poke()
                    return
                if isinstance(changes, set) and not stop.is_set():
                    self._take(path for _, path in changes)

    def _take(self, paths: Iterable[str]) -> None:
        look = False
        for path in paths:
            if path in self._watched:
                # Made again, it may even have its old inode number: its watch is dead all the same.
                self._stale = look = True
            look |= self._plan.matters(*os_paths.split(path))
        if look:
            self._count("events")
            self._poke()

    def writes(self) -> Mapping[str, WriteEvent]:
        return {}

    def begin_read(self, real: str, write: WriteEvent | None) -> bool:
        return True

    def end_read(self, real: str) -> WriteEvent | None:
        return None

    def touched(self) -> set[str] | None:
        return None

    def judged(self, writes: Mapping[str, WriteEvent]) -> None:
        """Nothing is known, so nothing is forgotten."""

    def give_up(self, real: str) -> None:
        """Nobody is waited for."""

    def troubles(self) -> list[str]:
        return []

    def close(self) -> None:
        self._stop.set()
        self._watched = {}
