"""What a notifier is: it tells that something may have changed. Polling is the one that tells nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

Wants = Callable[[str], bool]


class NotifierFailed(Exception):
    """This notifier cannot go on; the message says why, for a person. Polling takes over."""


class WriteEvent(NamedTuple):
    """What is known about writing to one file.

    Attributes:
        open: It was written to and its writer has not closed it; otherwise it was closed or moved into place.
        since: When the writer was first seen; seconds of the source's clock.
        serial: Tells writes apart: two looks that see the same number saw no write, close or move between them.
        reopened: It was closed, and then opened again by somebody who has not closed it. That may be a reader, or a
            writer whose first write is in the file already and comes as an event only later.
    """

    open: bool
    since: float
    serial: int
    reopened: bool = False

    @property
    def finished(self) -> bool:
        """Whether nobody is known who could be writing."""
        return not self.open and not self.reopened


class WatchPlan:
    """The directories to watch and the names that matter in each.

    Attributes:
        names: Directory without links to the names looked up in it.
        wants: Directory to predicates that pick more names, for directories that are layers.
        files: Directories in which files are written, not only looked up.
        identities: Directory to (device, inode), where known: a recreated directory is another one.
    """

    def __init__(self) -> None:
        self.names: dict[str, set[str]] = {}
        self.wants: dict[str, list[Wants]] = {}
        self.files: set[str] = set()
        self.identities: dict[str, tuple[int, int] | None] = {}

    def watch_name(self, directory: str, name: str, status: os.stat_result | None) -> None:
        self.names.setdefault(directory, set()).add(name)
        self.identities[directory] = (status.st_dev, status.st_ino) if status else None

    def watch_file(self, directory: str, name: str) -> None:
        self.names.setdefault(directory, set()).add(name)
        self.identities.setdefault(directory, None)
        self.files.add(directory)

    def watch_all(self, directory: str, wants: Wants, status: os.stat_result | None = None) -> None:
        self.names.setdefault(directory, set())
        self.wants.setdefault(directory, []).append(wants)
        self.identities[directory] = (status.st_dev, status.st_ino) if status else None
        self.files.add(directory)

    def matters(self, directory: str, name: str) -> bool:
        """Whether a change of this name can change a layer. The file itself is never deduced from it."""
        return name in self.names.get(directory, ()) or any(w(name) for w in self.wants.get(directory, ()))


class Notifier(Protocol):
    """Says "look again". It may say so for nothing; it may miss things, and the poller finds those."""

    @property
    def name(self) -> str:
        """For the notes."""

    def arm(self, plan: WatchPlan) -> bool:
        """Watch exactly what the plan says, all of it before this returns.

        Returns:
            Whether a watch is new: what happened before it was not seen, so look again.

        Raises:
            NotifierFailed: It cannot watch any more.
        """

    def writes(self) -> Mapping[str, WriteEvent]:
        """What was told about files being written, by path without links.

        Empty where the notifier hides how a write ends.
        """

    def begin_read(self, real: str, write: WriteEvent | None) -> bool:
        """Whether this is still all that is known about the file; events that wait are taken first.

        If so, this process opens it next, and its own open and close say nothing of others until `end_read`. Nor do
        they if it is read again, as another entry, before `writes` is asked for anew.
        """

    def end_read(self, real: str) -> WriteEvent | None:
        """What is known now about the file, which was read and closed."""

    def touched(self) -> set[str] | None:
        """Paths without links of which was told since this was asked last.

        Returns:
            None if more happened than that, or where the notifier cannot say.
        """

    def judged(self, writes: Mapping[str, WriteEvent]) -> None:
        """These were acted upon: forget the finished ones among them, unless something came since."""

    def give_up(self, real: str) -> None:
        """The writer of this file was waited for long enough; the next write begins a new wait."""

    def troubles(self) -> list[str]:
        """Sentences for the notes."""

    def close(self) -> None:
        """End every watch, descriptor and thread. Bounded; safe to call again."""


class Polling:
    """Never says a word. The poller, which always runs, is then alone."""

    name = "polling"

    def arm(self, plan: WatchPlan) -> bool:
        return False

    def writes(self) -> Mapping[str, WriteEvent]:
        return {}

    def begin_read(self, real: str, write: WriteEvent | None) -> bool:
        return True

    def end_read(self, real: str) -> WriteEvent | None:
        return None

    def touched(self) -> set[str] | None:
        return None

    def judged(self, writes: Mapping[str, WriteEvent]) -> None:
        """Nothing to forget."""

    def give_up(self, real: str) -> None:
        """Nobody is waited for."""

    def troubles(self) -> list[str]:
        return []

    def close(self) -> None:
        """Nothing to end."""
