"""Stores by their names: `sqlite:PATH` and `etcd://HOST:PORT/PREFIX/`, `etcds://` over TLS."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from reactive_config._printable import printable
from reactive_config._releases.key_store import KeyStore

if TYPE_CHECKING:
    from reactive_config._etcd.settings import TLS, Endpoint
    from reactive_config._releases.etcd_store import EtcdStore

_SQLITE = "sqlite:"
_ETCD = re.compile(r"etcd(?P<tls>s)?://(?P<hosts>[^/@]+)(?P<prefix>/.*)", re.DOTALL)


class EtcdLogin(msgspec.Struct, frozen=True):
    """What an etcd wants to know of those who use it.

    Attributes:
        username: A user of etcd; empty for nobody.
        password: Of the user.
        tls: Certificates; None for those that gRPC ships, or for plain text.
    """

    username: str = ""
    password: str = ""
    tls: TLS | None = None

    def __repr__(self) -> str:
        return f"EtcdLogin({self.username!r})"


NOBODY = EtcdLogin()


def check_store(name: str, login: EtcdLogin = NOBODY) -> None:
    """Refuse what is no name of a store, before anything is opened.

    Raises:
        ValueError: As `open_store`.
    """
    if name.startswith(("etcd://", "etcds://")):
        etcd_store(name, login)
    elif not name.startswith(_SQLITE) or name == _SQLITE:
        raise ValueError(f"expected a store as sqlite:PATH or etcd://HOST:PORT/PREFIX/, got {_shown(name)}")


@asynccontextmanager
async def open_store(name: str, login: EtcdLogin = NOBODY, *, create: bool = True) -> AsyncIterator[KeyStore]:
    """A store by its name. Nothing is read yet.

    Args:
        name: Its name.
        login: For a store in etcd.
        create: Make the file of SQLite, if there is none.

    Raises:
        ValueError: It is no name of a store.
        StoreError: It cannot be opened.
    """
    check_store(name, login)
    if name.startswith(_SQLITE):
        from reactive_config._releases.sqlite_store import open_sqlite_store

        async with open_sqlite_store(Path(name.removeprefix(_SQLITE)), create=create) as sqlite:
            yield sqlite
    else:
        yield etcd_store(name, login)


def etcd_store(name: str, login: EtcdLogin = NOBODY) -> EtcdStore:
    """A store in etcd by its name.

    Raises:
        ValueError: It is no name of one.
    """
    from reactive_config._etcd.auth import Credentials
    from reactive_config._etcd.settings import Settings, tls_for
    from reactive_config._releases.etcd_store import EtcdStore

    found = _ETCD.fullmatch(name)
    if found is None or not found["prefix"].endswith("/"):
        raise ValueError(f"expected etcd://HOST:PORT/PREFIX/ with a prefix that ends in /, got {_shown(name)}")
    if login.tls is not None and not found["tls"]:
        raise ValueError(f"expected etcds:// with certificates, got {_shown(name)}")
    endpoints = [_endpoint(host, secure=bool(found["tls"])) for host in found["hosts"].split(",")]
    settings = Settings(tls=login.tls)
    for endpoint in endpoints:
        tls_for(endpoint, settings)
    credentials = Credentials(login.username, login.password) if login.username else None
    return EtcdStore(endpoints, found["prefix"], settings, credentials)


def _endpoint(host: str, *, secure: bool) -> Endpoint:
    from reactive_config._etcd.settings import parse_endpoint

    with_port = host if re.search(r":\d+$", host) else f"{host}:2379"
    return parse_endpoint(f"https://{with_port}" if secure else with_port)


def _shown(name: str) -> str:
    return "one that may hold a password" if "@" in name else f"'{printable(name)}'"
