"""Which etcds this machine has, and ports for them."""

from __future__ import annotations

import os
import random
import re
import shutil
import socket
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import msgspec


class EtcdBinary(msgspec.Struct, frozen=True):
    """An etcd on this machine; `ctl` is the etcdctl beside it (empty: there is none)."""

    path: str
    version: str
    ctl: str = ""


@lru_cache
def etcd_binaries() -> tuple[EtcdBinary, ...]:
    """Every etcd of this environment's bin, the PATH, /usr/bin and /usr/local/bin; one for each version."""
    folders = [
        str(Path(sys.executable).parent),
        *os.environ.get("PATH", "").split(os.pathsep),
        "/usr/bin",
        "/usr/local/bin",
    ]
    found: dict[str, EtcdBinary] = {}
    for folder in dict.fromkeys(folders):
        path = shutil.which("etcd", path=folder) if folder else None
        if path is None:
            continue
        told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=20).stdout  # noqa: S603
        version = re.search(r"etcd Version: (\S+)", told)
        if version:
            ctl = shutil.which("etcdctl", path=folder) or ""
            found.setdefault(version[1], EtcdBinary(path, version[1], ctl))
    return tuple(found.values())


_LOWEST, _WIDTH, _SHARES = 15_000, 2_000, 8

_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Loopback ports that were free a moment ago; another process may take one before you do.

    They lie below the range from which systems take ports for outgoing connections: a server that is down
    for a second would else find its port taken by one. For the same reason none is given twice by one process,
    and parallel workers of pytest-xdist take theirs from shares of their own.
    """
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or os.getpid()) % _SHARES
    share = range(_LOWEST + worker * _WIDTH, _LOWEST + (worker + 1) * _WIDTH)
    ports: set[int] = set()
    while len(ports) < count:
        if len(_given) > _WIDTH // 2:  # by now the first ones are long free
            _given.clear()
        port = random.choice(share)
        if port in _given:
            continue
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue  # somebody listens there
        _given.add(port)
        ports.add(port)
    return list(ports)
