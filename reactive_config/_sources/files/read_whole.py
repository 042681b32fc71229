"""One file, read whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from typing import NamedTuple

from reactive_config._core.delta import Malformed

_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)  # a FIFO without a writer would block for ever
_CHUNK = 1 << 20


class FileSignature(NamedTuple):
    """What a stat tells apart. Equal signatures may still hide a write inside one tick of the file system's clock."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileSignature:
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class ChangedWhileRead(Exception):
    """The file changed or went away while it was read."""


class FileContent(NamedTuple):
    """What a file held.

    Attributes:
        data: All of it, or why there is nothing to use.
        signature: Of the file that was read; None where it could not be opened.
    """

    data: bytes | Malformed
    signature: FileSignature | None


def read_whole(path: str, max_bytes: int) -> FileContent:
    """The content of a regular file, between two equal stats.

    Args:
        path: Resolved, so that a link that moves meanwhile does not mix two files.
        max_bytes: A larger file is not read.

    Raises:
        Changed: It changed, or it is gone. Nothing is known then.
    """
    try:
        fd = os.open(path, _FLAGS | _NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        raise ChangedWhileRead from None
    except OSError as error:
        return FileContent(unusable(error.errno or 0), None)
    try:
        return _read_open(fd, max_bytes)
    except OSError as error:
        return FileContent(unusable(error.errno or 0), None)
    finally:
        os.close(fd)


def _read_open(fd: int, max_bytes: int) -> FileContent:
    status = os.fstat(fd)
    before = FileSignature.of(status)
    if not stat.S_ISREG(status.st_mode):
        return FileContent(irregular(status.st_mode), before)
    if before.size > max_bytes:
        return FileContent(Malformed(f"at most {max_bytes} bytes", f"{before.size} bytes"), before)
    chunks = []
    wanted = before.size + 1  # one more shows a file that grows
    while wanted > 0 and (chunk := os.read(fd, min(wanted, _CHUNK))):
        chunks.append(chunk)
        wanted -= len(chunk)
    data = b"".join(chunks)
    if FileSignature.of(os.fstat(fd)) != before:
        raise ChangedWhileRead
    if len(data) != before.size:  # what changes there shows in no stat, so it could not be followed
        return FileContent(Malformed("a file as long as its stat says", "one of another length, as in /proc"), before)
    if not data:
        # Valid YAML and TOML, and what every in-place save looks like for a moment.
        return FileContent(Malformed("a document", "an empty file"), before)
    return FileContent(data, before)


def irregular(mode: int) -> Malformed:
    """Why something that is no regular file is of no use."""
    kinds = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    return Malformed("a regular file", kinds.get(stat.S_IFMT(mode), "a device"))


def unusable(number: int, what: str = "file") -> Malformed:
    """Why an `errno` keeps a file or directory from being read. The system's words; they quote no content."""
    if number == errno.ELOOP:
        return Malformed(f"a {what}", "a loop of symbolic links")
    if number in (errno.EACCES, errno.EPERM):
        return Malformed(f"a readable {what}", "permission denied")
    if number == errno.ENXIO:  # what opening a socket says
        return Malformed("a regular file", "a socket")
    return Malformed(f"a readable {what}", f"the error {errno.errorcode.get(number, number)}")
