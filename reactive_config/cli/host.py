"""What the machine allows and what is installed on it: inotify's limits and the versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterator
from pathlib import Path

_PACKAGES = (
    "reactive-config",
    "aetcd",
    "grpcio",
    "watchfiles",
    "anyio",
    "msgspec",
    "orjson",
    "uvloop",
    "ryaml",
    "PyYAML",
    "pydantic",
)
_INOTIFY = Path("/proc/sys/fs/inotify")


def versions() -> dict[str, str | None]:
    """Everything that matters here to its version; None where it is not installed."""
    found: dict[str, str | None] = {"python": f"{platform.python_version()} ({platform.python_implementation()})"}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    found["platform"] = platform.platform()
    return found


def inotify_limits() -> dict[str, int | None]:
    """What one user may have, and what this user has; None where it cannot be read, empty where there is no inotify.

    In use counts the processes whose descriptors may be read, which without root are one's own.
    """
    if not _INOTIFY.is_dir():
        return {}
    limits = {
        name: _number(_INOTIFY / name) for name in ("max_user_instances", "max_user_watches", "max_queued_events")
    }
    instances = watches = 0
    for count in _instances():
        instances, watches = instances + 1, watches + count
    return {**limits, "instances_in_use": instances, "watches_in_use": watches}


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _instances() -> Iterator[int]:
    """The number of watches of every inotify instance of this user's processes."""
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if process.stat().st_uid != os.getuid():
                continue
            for descriptor in (process / "fd").iterdir():
                if str(descriptor.readlink()) == "anon_inode:inotify":
                    info = (process / "fdinfo" / descriptor.name).read_text(encoding="ascii", errors="replace")
                    yield info.count("inotify wd:")
        except OSError:
            continue  # ended meanwhile, or not ours to read
