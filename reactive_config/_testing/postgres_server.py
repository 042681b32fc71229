"""A real PostgreSQL for a test: on a free loopback port, killed, restarted, gone at the end.

    with postgres_server() as server:
        connection = await asyncpg.connect(server.dsn)

It blocks while it starts (a second or two); in a test that holds an event loop meanwhile nothing else runs.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from reactive_config._testing.server_process import MissingServer, ServerProcess

DEBIAN = Path("/usr/lib/postgresql")


class PostgresServer(ServerProcess):
    """One PostgreSQL. Made by `postgres_server`.

    `kill` is its "immediate shutdown": every connection breaks, and the next start recovers as after a crash.
    """

    terminate_signal = signal.SIGINT  # "fast shutdown": SIGTERM would wait for clients to leave
    # SIGKILL would leave its children behind, and they the shared memory.
    kill_signal: signal.Signals = getattr(signal, "SIGQUIT", signal.SIGTERM)

    def __init__(self, programs: Path, home: Path, settings: Sequence[str], user: str | None) -> None:
        super().__init__(home, user=user)
        self._programs = programs
        self._settings = settings
        self.data: Path = home / "data"

    @property
    def dsn(self) -> str:
        """A URL of its superuser and his database; it asks for no password."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def command(self) -> list[str]:
        fast = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
        place = ("listen_addresses=127.0.0.1", f"port={self.port}", "unix_socket_directories=")
        settings = [word for setting in (*fast, *place, *self._settings) for word in ("-c", setting)]
        return [str(self._programs / "postgres"), "-D", str(self.data), *settings]

    def serves(self) -> bool:
        # The eighth line is its state; pg_ctl reads it there too.
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and int(lines[0]) == self.pid and lines[7].strip() == "ready"

    def create(self) -> None:
        """Make the data directory.

        Raises:
            RuntimeError: initdb failed; the message has its output.
        """
        settings = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
        done = subprocess.run(  # noqa: S603
            [self._programs / "initdb", "-D", self.data, *settings],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=self.home,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed: {done.stderr.strip()}")


def postgres_programs() -> Path | None:
    """The folder with the newest `postgres` and `initdb` of this machine, or None."""
    installed = sorted(DEBIAN.glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True)
    on_path = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    for folder in (*on_path, *installed):
        if all(shutil.which(program, path=str(folder)) for program in ("postgres", "initdb")):
            return folder
    return None


@contextmanager
def postgres_server(*settings: str) -> Iterator[PostgresServer]:
    """A real PostgreSQL, gone at the end with its data. It does not survive a crash of the machine: fsync is off.

    PostgreSQL refuses to run as root; root's is run as the user `postgres`.

    Args:
        settings: More of its own, as `max_connections=20`.

    Raises:
        MissingServer: There is none on this machine, or root has no user `postgres` to run it as.
        RuntimeError: It does not start.
    """
    programs = postgres_programs()
    if programs is None:
        raise MissingServer("there is no PostgreSQL here; Debian: apt-get install postgresql")
    user = _unprivileged_user()
    with tempfile.TemporaryDirectory(prefix="postgres-") as home:  # mode 0700
        if user is not None:
            shutil.chown(home, user, user)
        server = PostgresServer(programs, Path(home), settings, user)
        server.create()
        try:
            server.start_blocking()
            yield server
        finally:
            server.kill()


def _unprivileged_user() -> str | None:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    import pwd

    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise MissingServer(
            "PostgreSQL refuses to run as root, and there is no user postgres here; Debian: apt-get install postgresql"
        ) from None
