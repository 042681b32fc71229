"""A release of one changed value, at the store and without HTTP, beside the bare transaction that writes as much.

Ours plans the change on what the environment holds, finds what differs, writes the key, the head and the record of
the release in one transaction with its conditions, and returns once this process has read it back. The rivals write
as many bytes to as many keys. They know which bytes to write, keep no history that anybody could read, and do not
wait until they see what they wrote.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from abc import abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cases.environments import CHANGED, ENVIRONMENT, NAMESPACE, Document, change_to, fill, open_releases, trees
from bench.cases.etcd_stage import EtcdStage
from bench.harness import Case, Round, Subject

if TYPE_CHECKING:
    import sqlite3

HEAD, RECORD = 199, 284
"""Bytes of the head and of the record that our release of one value writes."""

KEY, HEAD_KEY, RECORDS = (
    f"{NAMESPACE}/{ENVIRONMENT}/{CHANGED[0]}",
    f"_control/heads/{NAMESPACE}/{ENVIRONMENT}",
    f"_control/releases/{NAMESPACE}/{ENVIRONMENT}/",
)


class Changing(Subject):
    """Changes one value again and again, each change once the one before is done; milliseconds of each."""

    _value = 100_000

    @abstractmethod
    async def change(self, value: int) -> None:
        """Make the change; returns once it is done."""

    async def measure(self, work: Round) -> list[float]:
        figures = []
        for _ in range(work.samples):
            self._value += 1
            begin = time.perf_counter()
            await self.change(self._value)
            figures.append((time.perf_counter() - begin) * 1e3)
        return figures

    @property
    def shape(self) -> tuple[int, int]:
        """Keys and documents."""
        return int(self.params["keys"]), int(self.params["documents"])

    def home(self) -> Path:
        """A new directory on the disk, for as long as the subject is open."""
        return Path(self.stack.enter_context(tempfile.TemporaryDirectory()))


class Ours(Changing):
    """`Releases.change`, with the plan of a PUT of one value."""

    async def open(self) -> None:
        from reactive_config._releases.environment_name import EnvironmentName

        self._releases = await open_releases(self.store(), self.stack)
        await fill(self._releases, ENVIRONMENT, trees(*self.shape))
        self._name = EnvironmentName(NAMESPACE, ENVIRONMENT)

    @abstractmethod
    def store(self) -> str:
        """The name of the store."""

    async def change(self, value: int) -> None:
        outcome = await self._releases.change(self._name, change_to(value))
        assert outcome.release is not None


class OursInFile(Ours):
    """In a SQLite file."""

    def store(self) -> str:
        return f"sqlite:{self.home() / 'releases.db'}"


class OursInEtcd(Ours):
    """In etcd."""

    def store(self) -> str:
        return f"etcd://{self.params['endpoint']}{self.params['prefix']}"


class Bare(Changing):
    """Knows the bytes: the key's are made in one step, those of head and record are there."""

    async def open(self) -> None:
        self._document = Document(*self.shape)
        self._head, self._record = os.urandom(HEAD), os.urandom(RECORD)

    def puts(self, value: int) -> dict[str, bytes]:
        """What one change writes."""
        record = f"{RECORDS}{value:012}"
        return {KEY: self._document.raw(value), HEAD_KEY: self._head, record: self._record}


class BareCommit(Bare):
    """One transaction on a thread with a connection, with the pragmas of ours; no conditions and no revisions."""

    async def open(self) -> None:
        await super().open()
        self._thread = self.stack.enter_context(ThreadPoolExecutor(1))
        self._connection = await self._run(self._connect, self.home() / "bare.db")
        self.stack.push_async_callback(self._run, self._connection.close)

    async def _run(self, work: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def _connect(self, path: Path) -> sqlite3.Connection:
        import sqlite3

        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE keys (key TEXT PRIMARY KEY, value BLOB)")
        return connection

    def _commit(self, puts: dict[str, bytes]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT OR REPLACE INTO keys VALUES (?, ?)", puts.items())
        self._connection.execute("COMMIT")

    async def change(self, value: int) -> None:
        await self._run(self._commit, self.puts(value))


class BareTransaction(Bare):
    """One transaction of as many puts and conditions, over a connection of our client."""

    async def open(self) -> None:
        from reactive_config._etcd.link import open_link
        from reactive_config._etcd.settings import Settings, parse_endpoint

        await super().open()
        endpoint = parse_endpoint(str(self.params["endpoint"]))
        self._link = await self.stack.enter_async_context(open_link(endpoint, Settings(keepalive=3600.0)))
        self._prefix = str(self.params["prefix"])
        self._revision = 0

    async def change(self, value: int) -> None:
        from reactive_config._etcd.messages import prefix_range
        from reactive_config._etcd.rpc import Compare, PutRequest, RequestOp, TxnRequest

        puts = {(self._prefix + key).encode(): raw for key, raw in self.puts(value).items()}
        equal = {"target": Compare.MOD, "result": Compare.EQUAL, "mod_revision": self._revision}
        conditions = [Compare(key=(self._prefix + key).encode(), **equal) for key in (KEY, HEAD_KEY)]
        below = prefix_range(f"{self._prefix}{NAMESPACE}/{ENVIRONMENT}/".encode())
        older = {"target": Compare.MOD, "result": Compare.LESS, "mod_revision": self._revision + 1}
        conditions.append(Compare(key=below.start, range_end=below.end, **older))
        operations = [RequestOp(request_put=PutRequest(key=key, value=raw)) for key, raw in puts.items()]
        reply = await self._link.call(self._link.kv.Txn, TxnRequest(compare=conditions, success=operations))
        assert reply.succeeded
        self._revision = reply.header.revision


CASES = (
    Case(
        name="release_sqlite",
        title="release of one value in a SQLite file",
        unit="ms",
        subjects={"reactive_config": OursInFile, "bare commit": BareCommit},
    ),
    Case(
        name="release_etcd",
        title="release of one value in etcd",
        unit="ms",
        subjects={"reactive_config": OursInEtcd, "bare transaction": BareTransaction},
        stage=EtcdStage,
    ),
)
