"""One server process of a test: started, ended and started again on the same port and data."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

from reactive_config._testing.etcd_installed import free_ports


class MissingServer(RuntimeError):
    """A server's program is not on this machine; the message names what to install. For a test to skip with."""


class ServerProcess(ABC):
    """The process; a subclass says how it is started, and when it serves.

    Attributes:
        port: On 127.0.0.1.
        home: A directory of its own, removed by whoever made it.
        output: The file with everything that the server said.
    """

    terminate_signal = signal.SIGTERM
    kill_signal: signal.Signals = getattr(
        signal, "SIGKILL", signal.SIGTERM
    )  # Windows ends a process at once for either

    def __init__(self, home: Path, *, user: str | None = None) -> None:
        self.home = home
        self.output: Path = home / "server.log"
        self.port: int = free_ports(1)[0]
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """What to run."""

    @abstractmethod
    def serves(self) -> bool:
        """Whether it takes commands by now."""

    @property
    def running(self) -> bool:
        """Whether it was started and not ended by us."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """The process id.

        Raises:
            RuntimeError: It does not run.
        """
        if self._process is None:
            raise RuntimeError(f"{self.command()[0]} does not run")
        return self._process.pid

    def spawn(self) -> None:
        """Start the process and do not wait.

        Raises:
            RuntimeError: It runs already.
        """
        if self._process is not None:
            raise RuntimeError(f"{self.command()[0]} runs already")
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.home,
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
            )

    def wait_serving_blocking(self, timeout: float = 20.0) -> None:
        """Return once it serves.

        Raises:
            RuntimeError: It does not run; or it ended, or does not serve after `timeout` seconds: then it is cleared
                away, and the message has its last output.
        """
        process = self._process
        if process is None:
            raise RuntimeError(f"{self.command()[0]} does not run")
        deadline = time.monotonic() + timeout
        while not self.serves():
            if process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.command()[0]} does not serve:\n{self.tail()}")
            time.sleep(0.02)

    def start_blocking(self, timeout: float = 20.0) -> None:
        """Start, or start again on the same data and port; returns once it serves.

        Raises:
            RuntimeError: It runs already, ended, or does not serve after `timeout` seconds; then the message has its
                last output.
        """
        self.spawn()
        self.wait_serving_blocking(timeout)

    async def start(self, timeout: float = 20.0) -> None:
        """`start_blocking`, without holding the event loop."""
        await asyncio.to_thread(self.start_blocking, timeout)

    async def restart(self, timeout: float = 20.0) -> None:
        """`terminate` and `start`, without holding the event loop."""
        await asyncio.to_thread(self.terminate)
        await self.start(timeout)

    def terminate(self) -> None:
        """End it in order, connections included, and wait until it is gone."""
        self._end(self.terminate_signal)

    def kill(self) -> None:
        """End it as a crash would, and wait until it is gone."""
        self._end(self.kill_signal)

    def tail(self, lines: int = 15) -> str:
        """The last lines of its output."""
        return "\n".join(self.output.read_text(errors="replace").splitlines()[-lines:])

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(timeout=20)
        finally:
            process.kill()
