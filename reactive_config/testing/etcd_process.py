"""One etcd process: started, killed, stopped, started again on the same data and ports."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from reactive_config.etcd.settings import TLS
from reactive_config.testing.etcd_installed import EtcdBinary, free_ports


class ServerTLS(msgspec.Struct, frozen=True):
    """Files of a TLS server; with `client_ca` every client must show a certificate of it.

    `client` is what `EtcdServer.connect` and etcdctl use themselves.
    """

    cert: str
    key: str
    client: TLS
    client_ca: str = ""


class EtcdProcess:
    """The process and its data directory, without anything that speaks etcd's protocol; see `EtcdServer`.

    Attributes:
        endpoint: host:port for clients.
        binary: Which etcd this is.
        name: Its name as a member.
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
        flags: Sequence[str] = (),
        name: str = "test",
        peers: Mapping[str, int] | None = None,
    ) -> None:
        self.binary = binary
        self.name = name
        self.data_dir = data_dir or home / "data"
        self.output = home / "etcd.log"
        self.tls = tls
        self._flags = tuple(flags)
        self._client_port, self._metrics_port, own = free_ports(3)
        self._peers = dict(peers or {name: own})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self._client_port}"

    @property
    def running(self) -> bool:
        """Whether it was started and not ended by us; a stopped one (SIGSTOP) runs."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """The process id.

        Raises:
            RuntimeError: It does not run.
        """
        if self._process is None:
            raise RuntimeError("this etcd does not run")
        return self._process.pid

    @property
    def _membership(self) -> list[str]:
        """Flags that say who the members are; a restored snapshot needs the same."""
        members = ",".join(f"{name}=http://127.0.0.1:{port}" for name, port in self._peers.items())
        own = f"http://127.0.0.1:{self._peers[self.name]}"
        return ["--name", self.name, "--initial-cluster", members, "--initial-advertise-peer-urls", own]

    def _command(self) -> list[str]:
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

    def spawn(self) -> None:
        """Start the process and do not wait: a member without a quorum would never become healthy."""
        if self._process is not None:
            raise RuntimeError("this etcd runs already")
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603
                self._command(), stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )

    def wait_healthy_blocking(self, timeout: float = 20.0) -> None:
        """Return once it serves.

        Raises:
            RuntimeError: It ended (then it is cleared away) or is not healthy after `timeout` seconds; the
                message has its last output.
        """
        process = self._process
        if process is None:
            raise RuntimeError("this etcd does not run")
        deadline = time.monotonic() + timeout
        while not self._healthy():
            if process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.binary.path} did not become healthy:\n{self.tail()}")
            time.sleep(0.02)

    def start_blocking(self, timeout: float = 20.0) -> None:
        """Start, or start again on the same data and ports; returns once it serves.

        Raises:
            RuntimeError: It ended or is not healthy after `timeout` seconds; the message has its last output.
        """
        self.spawn()
        self.wait_healthy_blocking(timeout)

    async def start(self, timeout: float = 20.0) -> None:
        """`start_blocking`, without holding the event loop."""
        await asyncio.to_thread(self.start_blocking, timeout)

    def _healthy(self) -> bool:
        return b'"true"' in self._ask("health")

    def _ask(self, page: str) -> bytes:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics_port}/{page}", timeout=1) as reply:
                return bytes(reply.read())
        except (urllib.error.URLError, OSError):
            return b""  # not yet, or it is stopped

    def metrics(self) -> dict[str, float]:
        """Its Prometheus metrics, by name with labels; empty where it does not answer within a second."""
        lines = self._ask("metrics").decode().splitlines()
        return {name: float(value) for name, value in (x.rsplit(" ", 1) for x in lines if not x.startswith("#"))}

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
