"""The mirror: a file with the last accepted state, for the hours in which etcd is away.

What it holds stands in `copies`. A file that is no mirror, or that of something else, is never touched. Blocking and
without a loop: runs in a thread.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from reactive_config._core.runtime.operator_log import logger
from reactive_config._sources.etcd.mirror_copies import (
    HEAD,
    MirrorCopy,
    NoCopy,
    begins_as_copy,
    decode,
    encode,
    label_in,
    may_be_copy,
)

try:
    import fcntl
except ImportError:  # no such locks there: processes that share a mirror may overwrite a newer copy once
    LOCKS = False
else:
    LOCKS = True

LOCK_PATIENCE = 2.0
"""Seconds to wait for another process that writes."""

HURRY = 0.2
"""The same once our own process wants to end."""

MODE = 0o600

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

Signature = tuple[int, int, int, int]


class MirrorError(Exception):
    """The mirror cannot be used; the text says why and holds nothing of its content."""


class NoMirror(MirrorError):
    """There is no file."""


class NotOurs(MirrorError):
    """The file is no mirror, or that of something else, or cannot be read. It is not touched."""


class Saved(Enum):
    """What became of a copy that was to be saved."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    SUPERSEDED = "another process has written a newer copy"
    EDITED = "there is a hand edit, and etcd is away"


class Mirror:
    """One mirror file, shared by any number of processes.

    Args:
        path: The file; a link is followed. Its folder is made when the first copy is written.
        of: What it must be a mirror of.
    """

    def __init__(self, path: Path, of: str) -> None:
        self.path = Path(os.path.realpath(path))
        self._of = of

    def signature(self) -> Signature | None:
        """Changes whenever the file does; None while it is missing."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def load(self) -> MirrorCopy:
        """The copy in the file.

        Raises:
            NoMirror: There is no file.
            NotOurs: Something else stands there.
            MirrorError: It is a mirror that cannot be read any more: truncated, or edited with a slip.
        """
        return self._read()[0]

    def is_lost(self) -> bool:
        """Whether there is no copy any more, nor anything that a person may have edited: no file, or an empty one."""
        try:
            self._read()
        except NotOurs:
            return False
        except MirrorError:
            return not self._has_content()
        return False

    def save(
        self, copy: MirrorCopy, *, set_aside: bool, rewound: bool, ending: Callable[[], bool] = lambda: False
    ) -> Saved:
        """Write a copy, unless the file has a newer one of the same cluster.

        Args:
            copy: The state.
            set_aside: etcd is there: a hand edit is kept beside the file as NAME.edited-TIME.
            rewound: etcd has lost history: a higher revision in the file is no newer copy.
            ending: Whether there is no time to wait for another process that writes.

        Raises:
            NotOurs: Something else stands there.
            OSError: The file or its folder cannot be written. What was there is still there.
        """
        with suppress(FileNotFoundError, NotADirectoryError):
            self._expect_file(self.path.stat().st_mode)  # before there is a lock beside it
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked(ending):
            try:
                present, mode = self._read()
            except NoMirror:
                verdict, edited = Saved.WRITTEN, False
            except NotOurs:
                raise
            except MirrorError:
                verdict, edited = Saved.WRITTEN if set_aside else Saved.EDITED, self._has_content()
            else:
                edited = present.edited
                verdict = _judge(copy, present, mode, set_aside=set_aside, rewound=rewound)
            if verdict is Saved.WRITTEN:
                self._write(encode(copy), keep=edited)
            return verdict

    def _has_content(self) -> bool:
        found = self.signature()
        return found is not None and found[1] > 0

    def _read(self) -> tuple[MirrorCopy, int]:
        """The copy, and the file's mode."""
        try:
            self._expect_file(self.path.stat().st_mode)
            # Whatever has taken its place since then: a pipe must not block us.
            handle = os.open(self.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
            with os.fdopen(handle, "rb") as file:
                mode = os.fstat(handle).st_mode
                self._expect_file(mode)
                content = file.read(HEAD)
                content += file.read() if may_be_copy(content) else b""
        except (FileNotFoundError, NotADirectoryError):
            raise NoMirror(f"{self.path} is not there") from None
        except OSError as error:
            raise NotOurs(f"{self.path} cannot be read: {error.strerror}") from None
        return self._understand(content), stat.S_IMODE(mode)

    def _expect_file(self, mode: int) -> None:
        if not stat.S_ISREG(mode):
            raise self._not_ours(_KINDS.get(stat.S_IFMT(mode), "no file"))

    def _understand(self, content: bytes) -> MirrorCopy:
        try:
            copy = decode(content)
        except NoCopy as error:
            if not begins_as_copy(content):
                raise self._not_ours("another file") from None
            of = label_in(content)
            if of not in (None, self._of):
                raise self._not_ours(f"that of {of}") from None
            raise MirrorError(f"{self.path} cannot be used: {error}") from None
        if copy.of != self._of:
            raise self._not_ours(f"that of {copy.of}")
        return copy

    def _not_ours(self, got: str) -> NotOurs:
        return NotOurs(f"{self.path}: expected the mirror of {self._of}, or nothing, got {got}; it is left as it is")

    def _write(self, content: bytes, *, keep: bool) -> None:
        """Write beside, and rename once all is on the disk: a disk that is full changes nothing."""
        # One fixed name under the lock: a process killed while it writes leaves no litter that grows.
        scratch = self.path.with_name(f".{self.path.name}.tmp")
        scratch.unlink(missing_ok=True)
        handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), MODE)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            scratch.chmod(MODE)  # whatever the umask has made of it
            self._tell_if_open()
            kept = self._keep_beside() if keep else None
            scratch.replace(self.path)
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise
        if kept is not None:
            logger.warning("%s: a hand edit is set aside as %s", self.path, kept.name)
        _flush_folder(self.path.parent)

    def _tell_if_open(self) -> None:
        with suppress(OSError):
            mode = stat.S_IMODE(self.path.stat().st_mode)
            if _open_to_others(mode):
                logger.warning("%s: expected mode %o, got %o, so others could read or write it", self.path, MODE, mode)

    def _keep_beside(self) -> Path:
        stamp = f"{self.path}.edited-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        target, count = Path(stamp), 1
        while target.exists():
            target, count = Path(f"{stamp}-{count}"), count + 1
        try:
            target.hardlink_to(self.path)  # so that there is a mirror at every moment
        except OSError:  # a file system without links
            self.path.rename(target)
        target.chmod(MODE)  # an editor may have left it readable for others
        return target

    @contextmanager
    def _locked(self, ending: Callable[[], bool]) -> Iterator[None]:
        lock = self.path.with_name(f"{self.path.name}.lock")
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), MODE)
        try:
            self._lock(handle, ending)
            yield
        finally:
            os.close(handle)  # gives the lock back

    @staticmethod
    def _lock(handle: int, ending: Callable[[], bool]) -> None:
        if not LOCKS:
            return
        deadline = time.monotonic() + LOCK_PATIENCE
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            if ending():
                deadline = min(deadline, time.monotonic() + HURRY)
            if time.monotonic() > deadline:
                raise OSError(errno.EAGAIN, "another process holds its lock")
            time.sleep(0.01)


def _judge(copy: MirrorCopy, present: MirrorCopy, mode: int, *, set_aside: bool, rewound: bool) -> Saved:
    if present.edited:
        return Saved.WRITTEN if set_aside else Saved.EDITED
    if present.cluster == copy.cluster and not rewound:
        if (present.revision, present.taken) > (copy.revision, copy.taken):
            return Saved.SUPERSEDED
        if present.keys == copy.keys and present.empty == copy.empty and not _open_to_others(mode):
            return Saved.UNCHANGED
    return Saved.WRITTEN


def _open_to_others(mode: int) -> bool:
    return os.name == "posix" and bool(mode & ~MODE)


def _flush_folder(folder: Path) -> None:
    """Have the new name survive a crash of the machine, where a directory can be opened for that.

    Not on Windows, nor where the folder may be written and not read. The copy is in place either way.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
