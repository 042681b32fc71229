"""A real Redis for a test: on a free loopback port, killed, restarted, gone at the end.

with redis_server() as server:
    client = redis.asyncio.Redis.from_url(server.url)
"""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reactive_config._testing.server_process import MissingServer, ServerProcess


class RedisServer(ServerProcess):
    """One Redis, which keeps nothing over a restart. Made by `redis_server`."""

    def __init__(self, program: str, home: Path, password: str) -> None:
        super().__init__(home)
        self._program = program
        self._settings = home / "redis.conf"
        # In a file: everybody can read a command line.
        self._settings.write_text(f'requirepass "{password}"\n' if password else "")

    @property
    def url(self) -> str:
        """Its URL, without the password."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        place = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.home)]
        return [self._program, str(self._settings), *place, "--save", "", "--appendonly", "no"]

    def serves(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False


def redis_program() -> str | None:
    """The path of this machine's redis-server, or None."""
    return shutil.which("redis-server")


@contextmanager
def redis_server(password: str = "") -> Iterator[RedisServer]:
    """A real Redis, gone at the end.

    Args:
        password: What it asks for; empty for none. No quotes in it.

    Raises:
        MissingServer: There is none on this machine.
        RuntimeError: It does not start.
    """
    program = redis_program()
    if program is None:
        raise MissingServer("there is no redis-server here; Debian: apt-get install redis-server")
    with tempfile.TemporaryDirectory(prefix="redis-") as home:
        server = RedisServer(program, Path(home), password)
        try:
            server.start_blocking()
            yield server
        finally:
            server.kill()
