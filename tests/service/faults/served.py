"""The service as a process of its own, clients that write to it whatever happens, and an audit of what they left.

Every write says its own name twice, at `first` and at `second`, which are two keys of the store, and as the release's
message. So half a release shows, and so does a write that was lost or happened twice. Every second write is a PATCH
that appends its name to `log`, too: what it appends to has to be what was there.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import http.client
import itertools
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio
import httpx

from reactive_config._releases.contents import EMPTY
from reactive_config._releases.environment_name import EnvironmentName
from reactive_config._releases.history import History
from reactive_config._releases.key_store import KeyStore
from reactive_config._releases.opening_store import open_store
from reactive_config._releases.release import GENESIS, forward
from reactive_config._releases.replica import EnvironmentState, Replica
from reactive_config._testing.server_process import ServerProcess

ENVIRONMENT = EnvironmentName("shop", "production")
CONFIG = "/v1/shop/production/config"
RELEASES = "/v1/shop/production/releases"
ANY = {"If-Match": "*"}
BEGIN = {"first": "begin", "second": "begin", "log": []}

WRITERS = 4
"""Clients that write at the same time."""

PATIENCE = 120.0
"""Seconds for anything to happen, on a machine that is busy with other things."""


class Service(ServerProcess):
    """`reactive-config serve` on a free port of loopback.

    Attributes:
        store: Its store, as the command line names it.
    """

    def __init__(self, home: Path, store: str) -> None:
        super().__init__(home)
        self.store = store

    def command(self) -> list[str]:
        program = [sys.executable, "-m", "reactive_config", "serve"]
        kept = ["--keep-releases", "100000"]  # the audit looks at all of them
        return [*program, "--store", self.store, "--listen", f"127.0.0.1:{self.port}", *kept]

    def serves(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    async def begin(self) -> str:
        """Start for the first time; returns the token of admin."""
        await self.start(PATIENCE)
        return (self.home / "admin-token").read_text().strip()

    @contextlib.asynccontextmanager
    async def client(self, token: str) -> AsyncIterator[httpx.AsyncClient]:
        """A client, which survives the process."""
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=PATIENCE, trust_env=False
        ) as client:
            yield client


@contextlib.asynccontextmanager
async def service(home: Path, store: str) -> AsyncIterator[Service]:
    """A service that was not started yet; gone at the end."""
    home.mkdir(exist_ok=True)
    process = Service(home, store)
    try:
        yield process
    finally:
        process.kill()


@contextlib.asynccontextmanager
async def written(home: Path, store: str) -> AsyncIterator[tuple[Service, httpx.AsyncClient]]:
    """A service with an environment, and a client of it."""
    async with service(home, store) as process:
        token = await process.begin()
        async with process.client(token) as client:
            await make_environment(client)
            yield process, client


PAUSE = 0.02
"""Seconds between two writes of one client: the audit reads all of them again, and again."""


class Writers:
    """Clients that write one thing after the other. Each write is repeated with its key until it is acknowledged.

    Args:
        clients: Whom to write to; writers are spread over them.

    Attributes:
        acknowledged: Name of a write to the number of its release.
        revision: The newest one that was acknowledged.
        lost: Requests whose answer never came.
        refused: What was said in answers with 503, and how often.
        repeated: Answers that say that the write had happened before.
        up: Cleared while there is no service to write to.
    """

    def __init__(self, *clients: httpx.AsyncClient) -> None:
        self.acknowledged: dict[str, int] = {}
        self.revision = 0
        self.lost = self.repeated = 0
        self.refused: collections.Counter[str] = collections.Counter()
        self.up = asyncio.Event()
        self.up.set()
        self._clients = clients
        self._numbers = [itertools.count() for _ in range(WRITERS)]
        self._answered = asyncio.Event()

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Write meanwhile; at the end each write that was begun is brought to its end."""
        ending = asyncio.Event()

        async def run(writer: int) -> None:
            client = self._clients[writer % len(self._clients)]
            for number in self._numbers[writer]:
                if ending.is_set():
                    return
                await self.write(client, f"{writer}.{number}")
                await asyncio.sleep(PAUSE)

        async with asyncio.TaskGroup() as group:
            for writer in range(WRITERS):
                group.create_task(run(writer))
            try:
                yield
                with anyio.fail_after(PATIENCE):
                    await self.up.wait()
            finally:
                ending.set()

    async def acknowledge(self, more: int) -> None:
        """Return once so many more writes were acknowledged."""
        wanted = len(self.acknowledged) + more
        await self.until(lambda: len(self.acknowledged) >= wanted)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once something holds that depends on answers."""
        with anyio.fail_after(PATIENCE):
            while not condition():
                self._answered.clear()
                await self._answered.wait()

    async def write(self, client: httpx.AsyncClient, name: str) -> None:
        """One write, until it is acknowledged."""
        with anyio.fail_after(2 * PATIENCE):
            while True:
                try:
                    answer = await send(client, name)
                except httpx.TransportError:
                    self.lost += 1
                    await self.up.wait()
                    continue
                if answer.status_code != 503:
                    break
                self.refused[answer.json()["detail"]] += 1
                self._answered.set()
                await self.up.wait()
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told["release"]["message"] == name
        self.repeated += told["repeated"]
        self.revision = max(self.revision, told["release"]["revision"])
        self.acknowledged[name] = told["release"]["number"]
        self._answered.set()

    async def check_repeats(self) -> None:
        """Send some writes of the past again: each is answered with the release that it made."""
        for name, number in list(self.acknowledged.items())[:: max(1, len(self.acknowledged) // 20)]:
            told = (await send(self._clients[0], name)).json()
            assert (told["repeated"], told["release"]["number"]) == (True, number)

    def __str__(self) -> str:
        told = f"{len(self.acknowledged)} writes acknowledged, {self.lost} answers lost"
        return f"{told}, {self.refused.total()} times 503, {self.repeated} found to have happened"


async def check_read(client: httpx.AsyncClient, writers: Writers) -> None:
    """What a service answers is no older than what was acknowledged, if it is asked for that."""
    acknowledged, revision = set(writers.acknowledged), writers.revision
    answer = None
    with anyio.fail_after(PATIENCE):
        while answer is None or answer.status_code == 503:  # it has not found its store again
            answer = await client.get(CONFIG, params={"min_revision": revision})
    assert answer.status_code == 200, answer.text
    assert set(filter(_is_patch, acknowledged)) <= set(answer.json()["log"])


def _is_patch(name: str) -> bool:
    return int(name.partition(".")[2]) % 2 == 0


async def send(client: httpx.AsyncClient, name: str) -> httpx.Response:
    """Ask for a write once."""
    options = {"headers": {"Idempotency-Key": name, **ANY}, "params": {"message": name}}
    if not _is_patch(name):
        return await client.post(RELEASES, json={"set": {"/first": name, "/second": name}}, **options)
    patch = [{"op": "replace", "path": f"/{place}", "value": name} for place in ("first", "second")]
    patch.append({"op": "add", "path": "/log/-", "value": name})
    options["headers"]["Content-Type"] = "application/json-patch+json"
    return await client.patch(CONFIG, json=patch, **options)


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and kind of a problem, which must be one."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["type"].removeprefix("urn:reactive-config:problem:")


async def make_environment(client: httpx.AsyncClient) -> None:
    """The first release."""
    answer = await client.put(CONFIG, json=BEGIN, headers={"If-None-Match": "*"}, params={"message": "begin"})
    assert answer.status_code == 201, answer.text


class Audit:
    """Reads a store beside the service, and takes its history forward from nothing, release by release.

    Args:
        store: Its name.

    Attributes:
        messages: Of all releases, in order.
        contents: What stands there after them.
    """

    def __init__(self, store: str) -> None:
        self.messages: list[str] = []
        self._store = store
        self.contents = EMPTY
        self._hash = GENESIS

    async def look(self, writers: Writers) -> None:
        """Check all that holds at any time, also while somebody writes."""
        acknowledged, revision = dict(writers.acknowledged), writers.revision
        async with open_store(self._store) as store, _known(store) as replica:
            with anyio.fail_after(PATIENCE):
                assert await replica.wait(revision, PATIENCE)
            await self._take(History(store), replica.state(ENVIRONMENT))
        assert len(set(self.messages)) == len(self.messages), "a write happened twice"
        for name, number in acknowledged.items():
            assert self.messages[number - 1] == name, f"{name} was acknowledged as release {number}"

    async def end(self, writers: Writers) -> None:
        """Check everything once more, from the first release on: nobody writes any more."""
        whole = Audit(self._store)
        await whole.look(writers)
        assert sorted(writers.acknowledged.values()) == list(range(2, len(whole.messages) + 1))
        async with open_store(self._store) as store, _known(store):
            rows = await store.scan(ENVIRONMENT.prefix, "", "~", 1000)
        stands = {key.removeprefix(ENVIRONMENT.prefix): stored.value for key, stored in rows}
        assert stands == {document.key: document.raw for document in whole.contents}

    async def _take(self, history: History, state: EnvironmentState) -> None:
        head = state.released
        assert head is not None
        assert head.first == 1, "the audit needs the whole history"
        for number in range(len(self.messages) + 1, head.number + 1):
            release, deltas = await history.release(ENVIRONMENT, number)  # its hash is compared there
            assert (release.number, release.kind, release.parent) == (number, "change", self._hash)
            self.contents, self._hash = forward(self.contents, deltas), release.hash
            tree = self.contents.tree
            assert tree["first"] == tree["second"] == release.message, f"release {number} is not whole"
            self.messages.append(release.message)
        assert (head.hash, head.fingerprint) == (self._hash, self.contents.fingerprint)
        assert state.contents.digest == self.contents.digest
        assert state.contents.tree["log"] == list(filter(_is_patch, self.messages[1:]))


@contextlib.asynccontextmanager
async def _known(store: KeyStore) -> AsyncIterator[Replica]:
    replica = Replica(store)
    following = asyncio.create_task(replica.run())
    try:
        with anyio.fail_after(PATIENCE):
            await replica.listed.wait()
        yield replica
    finally:
        following.cancel()
        await asyncio.wait([following])
