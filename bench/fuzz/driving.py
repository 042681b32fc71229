"""Odd content for one open configuration, whose good keys have to go on.

After every content a good key changes in another source, and has to be in force; for files and etcd one beside the odd
content too, so that it is known to have been read.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

from bench.fuzz.documents import SUFFIXES, document
from bench.fuzz.kinds import Everything
from bench.fuzz.odd import Odd
from bench.fuzz.recorder import Breach, FuzzRecorder
from reactive_config import Config, ConfigError, Env, Etcd, Files, Memory, Rejected, open_config
from reactive_config._core.delta import Entry, Patch, Replace
from reactive_config._etcd.link import Link
from reactive_config._etcd.transaction import write
from reactive_config._testing.etcd_server import EtcdServer
from reactive_config.testing import Scripted

PATIENCE = 20.0
"""Seconds for a good key to come into force; by the clock, since other processes have to do their part."""

_PREFIX = "/fuzz/"
_ODD_ETCD_NAMES = (b"\xff\xfe", b"", b"/", b"//", b"a//b", b"_x", b"a/", b"\0", b"\x1b[2J")


class Drive:
    """One open configuration of one type, and all ways to say something to it.

    Args:
        kind: The configuration's type.
        random: Decides everything.
        recorder: Where it is counted.
        home: An empty directory.
        server: A real etcd, if one is wanted.
    """

    def __init__(
        self, kind: Any, random: Random, recorder: FuzzRecorder, home: Path, server: EtcdServer | None
    ) -> None:
        self.kind, self.random, self.recorder, self.home = kind, random, recorder, home
        self.odd = Odd(random)
        self.files, self.values = home / "files", home / "values"
        self.files.mkdir()
        self.values.mkdir()
        self.beat, self.memory = Memory({"beat": 0}, name="beat"), Memory(name="memory")
        self.custom = Scripted({}, name="custom")
        self.server = server
        self.link: Link | None = None
        self.ways: list[Callable[[], Awaitable[None]]] = [
            self.say,
            self.say,
            self.patch,
            self.file,
            self.value,
            self.start,
        ]
        self._numbers = itertools.count(2)
        self._config: Config[Any] | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """The configuration is open inside."""
        pulse = self.files / "zz.json"  # the last one that a look reads
        pulse.write_text('{"a": {"pulse": 0}}')
        sources: list[Any] = [
            self.custom,
            self.memory,
            Files(self.files),
            Files(self.values, values=True, optional=True),
        ]
        async with AsyncExitStack() as stack:
            if self.server is not None:
                self.link = await stack.enter_async_context(self.server.connect())
                await write(self.link, {f"{_PREFIX}beat": "0"})
                sources.append(
                    Etcd(self.server.endpoint, prefix=_PREFIX, mirror=self.home / "mirror.json", name="etcd")
                )
                self.ways += [self.key, self.key]
            self._config = await stack.enter_async_context(open_config(self.kind, *sources, self.beat))
            yield

    @property
    def config(self) -> Config[Any]:
        assert self._config is not None
        return self._config

    async def step(self) -> None:
        """Say one odd thing, one way or another, and see that the good keys go on."""
        await self.random.choice(self.ways)()

    # -- ways ----------------------------------------------------------------------------------

    async def say(self) -> None:
        """A custom source that sends whatever it likes."""
        number = next(self._numbers)
        entries = {
            str(self.random.randrange(6)): Entry(
                self.odd.path() if self.random.random() < 0.8 else (), self.odd.tree(), number
            )
            for _ in range(self.random.randint(1, 3))
        }
        fresh = self.random.random() < 0.1
        delta = Replace(entries, number) if fresh else Patch(entries, {}, number)
        with self.recorder.content("deltas", [(e.path[:4], len(e.path), e.value) for e in entries.values()]):
            self.recorder.counts["keys"] += len(entries)
            await self._told(self.custom.send(delta))
            await self._goes_on()
        if self.random.random() < 0.2:
            await self.custom.replace({})

    async def patch(self) -> None:
        """The program itself, which is told at once what no file could hold."""
        tree = {self.odd.name(): self.odd.tree() for _ in range(self.random.randint(1, 3))}
        with self.recorder.content("memory", tree):
            with suppress(ValueError, TypeError):
                await self._told(self.memory.replace(tree))
            await self._goes_on()
        await self.memory.replace({})

    async def file(self) -> None:
        """A file in a directory of files."""
        suffix = self.random.choice(SUFFIXES)
        file, data = self.files / f"{self.random.choice('ab')}{suffix}", document(self.random, suffix)
        with self.recorder.content("documents", (file.name, data)):
            self._write(file, data)
            await self._pulses()
        if self.random.random() < 0.3:
            file.unlink()

    async def value(self) -> None:
        """A file that is one bare value."""
        name, text = self.odd.name(), self.odd.text()
        with self.recorder.content("values", (name, text)):
            with suppress(OSError, ValueError):  # no name of a file
                self._write(self.values / name, text.encode(errors="surrogatepass"))
            await self._pulses()
        for file in self.values.iterdir():
            file.unlink()

    async def key(self) -> None:
        """Keys in a real etcd, one transaction."""
        assert self.link is not None
        puts: dict[str | bytes, str | bytes] = {}
        for _ in range(self.random.randint(1, 3)):
            suffix = self.random.choice(("", "", ".json", ".yaml", ".toml"))
            name = "/".join(self.odd.path()).encode(errors="surrogatepass") + suffix.encode()
            if self.random.random() < 0.1:
                name = self.random.choice(_ODD_ETCD_NAMES)
            known = document(self.random, suffix) if suffix else self.odd.text().encode(errors="surrogatepass")
            puts[_PREFIX.encode() + name] = known
        number = next(self._numbers)
        with self.recorder.content("etcd", list(puts.items())):
            self.recorder.counts["keys"] += len(puts)
            await write(self.link, puts)
            await write(self.link, {f"{_PREFIX}a/etcd_pulse": str(number)})
            await self._until(lambda: self._says("a.etcd_pulse", number))
            await self._goes_on()
        await write(self.link, {}, list(puts))

    async def start(self) -> None:
        """A program that starts with odd variables and files: it runs, or one error says why not."""
        variables = {}
        for _ in range(self.random.randint(1, 3)):
            variables["S_" + "__".join(self.odd.path()).upper()] = self.odd.text()
        where = self.home / "start"
        where.mkdir(exist_ok=True)
        suffix = self.random.choice(SUFFIXES)
        (where / f"a{suffix}").write_bytes(document(self.random, suffix) if self.random.random() < 0.5 else b"{}")
        source = Files(where, optional=True, settle=0, notifier="polling")
        with self.recorder.content("starts", (variables, [file.read_bytes() for file in where.iterdir()])):
            try:
                async with open_config(self.kind, source, Env("S_", environ=variables), Memory({"beat": 1})) as config:
                    self._reads(config)
            except ConfigError as error:
                for problem in error.problems:
                    self.recorder.problem(problem)
        for file in where.iterdir():
            file.unlink()

    # -- what has to hold ----------------------------------------------------------------------

    async def _told(self, sending: Awaitable[None]) -> None:
        try:
            await sending
        except Rejected as error:
            self.recorder.counts["held"] += 1
            for problem in error.problems:
                self.recorder.problem(problem)
        else:
            self.recorder.counts["taken"] += 1

    async def _goes_on(self) -> None:
        number = next(self._numbers)
        await self.beat.patch({"beat": number})
        if not self._says("beat", number):
            raise Breach(f"expected beat to be {number}, got another one")
        if self.random.random() < 0.2:
            self._reads(self.config)

    async def _pulses(self) -> None:
        number = next(self._numbers)
        self._write(self.files / "zz.json", b'{"a": {"pulse": %d}}' % number)
        await self._until(lambda: self._says("a.pulse", number))
        await self._goes_on()

    def _says(self, path: str, value: object) -> bool:
        """Whether some layer says this, in force or hidden by a higher one."""
        found = self.config.explain(path)
        return any(said.path == path and str(getattr(said.value, "text", said.value)) == str(value) for said in found)

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not holds():  # noqa: ASYNC110 - a layer's tree has no event
                await asyncio.sleep(0.001)

    def _reads(self, config: Config[Any]) -> None:
        """What operators and programs ask for, whatever is in force."""
        config.describe()
        status = config.status()
        for name in (self.odd.name(), self.random.choice(sorted(config.snapshot.changed)[:20] or [""])):
            with suppress(LookupError, ValueError):
                config.explain(name)
        for source in status.sources:
            for note in source.notes:
                if not note.isprintable() or len(note) > 1_000:
                    raise Breach(f"expected a short printable note, got {note[:300]!r}")
            for held in source.held:
                for problem in held.problems:
                    self.recorder.problem(problem)

    def _write(self, file: Path, data: bytes) -> None:
        new = self.home / "new"
        new.write_bytes(data)
        new.replace(file)


async def drive(
    seed: int,
    recorder: FuzzRecorder,
    more: Callable[[int], bool],
    *,
    kinds: Sequence[Any] = (Everything, dict),
    etcd: EtcdServer | None = None,
) -> None:
    """Say odd things to one configuration of each type after the other.

    Args:
        seed: Of everything.
        recorder: Takes counts and breaches.
        more: Whether to go on after so many contents; asked for each type from 0 on.
        kinds: The types.
        etcd: A real one that runs.
    """
    for kind in kinds:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as home:
            drive = Drive(kind, Random(f"{seed} {kind.__name__}"), recorder, Path(home), etcd)
            try:
                await _drive(drive, more)
            except Exception as error:  # noqa: BLE001 - whatever leaves the context is a breach
                recorder.broken(error)


async def _drive(drive: Drive, more: Callable[[int], bool]) -> None:
    async with drive.open():
        for number in itertools.count():
            if drive.recorder.breaches or not more(number):
                return
            await drive.step()
