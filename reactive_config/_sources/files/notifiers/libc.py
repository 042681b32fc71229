"""The four calls of Linux that inotify needs, and its events."""

from __future__ import annotations

import ctypes
import os
import struct

MODIFY, ATTRIB, CLOSE_WRITE, CLOSE_NOWRITE, OPEN = 0x2, 0x4, 0x8, 0x10, 0x20
MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x40, 0x80, 0x100, 0x200
DELETE_SELF, MOVE_SELF = 0x400, 0x800
UNMOUNT, Q_OVERFLOW, IGNORED = 0x2000, 0x4000, 0x8000
ONLYDIR, EXCL_UNLINK, MASK_ADD = 0x01000000, 0x04000000, 0x20000000

# A writer may go on in a file that was deleted or replaced: that says nothing of the new one.
_ALWAYS = ONLYDIR | EXCL_UNLINK | MASK_ADD
_HEADER = struct.Struct("iIII")
_SIZE = _HEADER.size
_BUFFER = 1 << 12
_BUFFERS = 512  # more than the kernel queues; a flood must not hold the loop
_LONGEST = _SIZE + 256  # bytes of an event

Event = tuple[int, int, bytes]
"""Watch, mask, and the name, which is empty where the directory itself is meant. Zeros fill the name up."""


class Inotify:
    """One inotify instance. Not for use from several threads.

    Raises:
        OSError: EMFILE (instances exhausted), ENOSPC (watches exhausted), ENOENT, ENOTDIR, EACCES, ENOSYS, or
            AttributeError where the C library has no inotify.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def add(self, directory: str, mask: int) -> int:
        """Watch a directory; one that is watched already keeps its number."""
        return self._checked(self._libc.inotify_add_watch(self.fd, os.fsencode(directory), mask | _ALWAYS))

    def remove(self, watch: int) -> None:
        """End a watch. One that ended by itself is no error: its directory was deleted."""
        self._libc.inotify_rm_watch(self.fd, watch)

    def read(self) -> list[Event]:
        """Every event that waits; nothing when none do."""
        events: list[Event] = []
        for _ in range(_BUFFERS):
            try:
                data = os.read(self.fd, _BUFFER)
            except BlockingIOError:
                break
            position = 0
            while position < len(data):
                watch, mask, _, length = _HEADER.unpack_from(data, position)
                start = position + _SIZE
                position = start + length
                events.append((watch, mask, data[start:position]))
            if len(data) <= _BUFFER - _LONGEST:
                break  # one more would have had room
        return events

    def close(self) -> None:
        os.close(self.fd)

    @staticmethod
    def _checked(result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result
