"""One etcd process: started, killed, stopped, started again on the same data and ports."""

from __future__ import annotations

import os
import shutil
import signal
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from reactive_config.etcd.settings import TLS
from reactive_config.testing.etcd_installed import EtcdBinary, free_ports
from reactive_config.testing.server_process import ServerProcess

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Asks this machine whatever `http_proxy` says."""


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
        self.data_dir = data_dir or home / "data"
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
            with _DIRECT.open(f"http://127.0.0.1:{self._metrics_port}/{page}", timeout=1) as reply:
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
