"""Stores by their names: `sqlite:PATH` and `etcd://HOST:PORT/PREFIX/`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from reactive_config._printable import printable
from reactive_config._releases.key_store import KeyStore

_SQLITE, _ETCD = "sqlite:", "etcd://"


@asynccontextmanager
async def open_store(name: str) -> AsyncIterator[KeyStore]:
    """A store by its name. Nothing is read yet.

    Raises:
        ValueError: It is no name of a store.
        StoreError: It cannot be opened.
    """
    if name.startswith(_SQLITE) and len(name) > len(_SQLITE):
        from reactive_config._releases.sqlite_store import open_sqlite_store

        async with open_sqlite_store(Path(name.removeprefix(_SQLITE))) as sqlite:
            yield sqlite
    elif name.startswith(_ETCD):
        from reactive_config._etcd.settings import parse_endpoint
        from reactive_config._releases.etcd_store import EtcdStore

        addresses, slash, prefix = name.removeprefix(_ETCD).partition("/")
        if not slash or not prefix.endswith("/"):
            raise ValueError(f"expected etcd://HOST:PORT/PREFIX/ with a prefix that ends in /, got {_shown(name)}")
        yield EtcdStore([parse_endpoint(address) for address in addresses.split(",")], f"/{prefix}")
    else:
        raise ValueError(f"expected a store as sqlite:PATH or etcd://HOST:PORT/PREFIX/, got {_shown(name)}")


def _shown(name: str) -> str:
    return "one that may hold a password" if "@" in name else f"'{printable(name)}'"
