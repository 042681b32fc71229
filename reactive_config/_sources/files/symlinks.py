"""From a path to the file behind it, and every directory whose change could lead elsewhere."""

from __future__ import annotations

import errno
import os
import stat
from typing import NamedTuple

from reactive_config._sources.files import os_paths

_MOST_LINKS = 40  # as the kernel's own limit

SWAP = "..data"
"""The link that orchestrators replace to change all files of a mount at once."""


class LinkSwap(NamedTuple):
    """Which set of files a mount shows.

    Attributes:
        directory: Where the `..data` link stands.
        target: The text of the link.
    """

    directory: str
    target: str

    def __str__(self) -> str:
        return f"{os_paths.join(self.directory, SWAP)} -> {self.target}"


class SymlinkChain(NamedTuple):
    """How a path resolved.

    Attributes:
        steps: (directory without links, name looked up in it), in the order of the lookup. The last one is
            where the lookup ended, well or not.
        real: The path without links; None where it did not resolve.
        status: Of what stands there; None where it did not resolve.
        error: The errno that ended the lookup; 0 where it resolved.
        swap: The last `..data` link on the way.
    """

    steps: tuple[tuple[str, str], ...]
    real: str | None
    status: os.stat_result | None
    error: int
    swap: LinkSwap | None


class PathLookup(NamedTuple):
    """What stands at a path, without following it.

    Attributes:
        status: Its lstat; None where there is none.
        target: The text of the link; empty if it is none.
        error: The errno where there is no lstat; 0 otherwise.
    """

    status: os.stat_result | None
    target: str
    error: int


class PathLookups:
    """Resolves paths, asking the file system once for each name: all paths see one state of every link.

    Made anew for each look.

    Attributes:
        known: What was asked, and the answers.
    """

    def __init__(self) -> None:
        self.known: dict[str, PathLookup] = {}

    def status(self, full: str) -> PathLookup:
        """What stands at a path, as it was when it was asked for first."""
        known = self.known.get(full)
        if known is None:
            try:
                status = os.lstat(full)
                known = PathLookup(status, os_paths.target(full) if stat.S_ISLNK(status.st_mode) else "", 0)
            except OSError as error:
                known = PathLookup(None, "", error.errno or errno.EIO)
            self.known[full] = known
        return known

    def resolve(self, path: str) -> SymlinkChain:
        """Follow an absolute path through all its links."""
        todo: list[str] = []
        here = _enter(os.sep, path, todo)
        steps: list[tuple[str, str]] = []
        swap: LinkSwap | None = None
        links = 0
        while todo:
            name = todo.pop()
            if name in ("", os.curdir, os.pardir):
                here = os_paths.parent(here) if name == os.pardir else here
                continue
            steps.append((here, name))
            status, target, error = self.status(os_paths.join(here, name))
            links += bool(target)
            if links > _MOST_LINKS:
                error = errno.ELOOP
            elif status is not None and any(todo) and not target and not stat.S_ISDIR(status.st_mode):
                error = errno.ENOTDIR
            if error:
                return SymlinkChain(tuple(steps), None, None, error, swap)
            if target and name == SWAP:
                swap = LinkSwap(here, target)
            here = _enter(here, target, todo) if target else os_paths.join(here, name)
        status, _, error = self.status(here)
        return SymlinkChain(tuple(steps), here, status, error, swap)


def _enter(here: str, target: str, todo: list[str]) -> str:
    """Go on along a path. Returns from where."""
    root, names = os_paths.parts(target)
    todo.extend(reversed(names))
    return root or here
