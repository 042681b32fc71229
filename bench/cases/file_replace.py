"""From `os.replace` of a file to the program that sees it, and what that does to the event loop meanwhile."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, get_type_hints

from bench.cases.documents import Document, Pool, Service
from bench.cases.lateness import Lateness
from bench.cases.omegaconf_rival import loader
from bench.cases.pydantic_rival import model, settings_class
from bench.cases.replaced import Inotify, Replaced, watchdog
from bench.cases.texts import decoder
from bench.harness import Case, NotHere, Params, Round, Subject
from reactive_config import Config, Files, open_config


class Follower(Subject):
    """Says the number of every document that it sees, and when it saw it."""

    @property
    def file(self) -> Path:
        """The file."""
        return Path(str(self.params["file"]))

    async def next(self) -> Any:
        """The next document that is another one than before; `round`, `number` and `of` are its attributes."""
        raise NotImplementedError

    async def measure(self, work: Round) -> list[float]:
        seen: list[float] = []
        while True:
            document: Any = await self.next()
            now = time.monotonic_ns()
            if document.round != work.number:
                continue
            seen += (document.number, now)
            if document.number == document.of:
                return seen


class Ours(Follower):
    """`async for snapshot in config`."""

    config: Config[Document]

    async def open(self) -> None:
        self.config = await self.stack.enter_async_context(open_config(Document, Files(self.file)))
        self._stream = aiter(self.config)

    async def next(self) -> Document:
        return (await anext(self._stream)).value


class Told(Follower):
    """Waits until somebody calls `self.moved`, then loads the file on the loop."""

    async def open(self) -> None:
        self._moved = asyncio.Event()
        self.prepare()

    def prepare(self) -> None:
        """Import what loads, and let the notifier call `self.moved`."""
        raise NotImplementedError

    def load(self) -> Any:
        """Read the file anew."""
        raise NotImplementedError

    def moved(self) -> None:
        """The file was replaced."""
        self._moved.set()

    async def next(self) -> Any:
        await self._moved.wait()
        self._moved.clear()
        return self.load()

    def notify(self) -> None:
        """Let inotify tell of the file."""
        self.stack.callback(Inotify(self.file, self.moved).close)


class Read(Told):
    """inotify, and the same parse into the same type. A bad document ends it; nobody learns what changed."""

    def prepare(self) -> None:
        self._decode = decoder(str(self.params["format"]))
        self.notify()

    def load(self) -> Document:
        return self._decode(self.file.read_bytes())


class Watchdog(Read):
    """The same, told by watchdog's thread."""

    def notify(self) -> None:
        self.stack.callback(watchdog(self.file, self.moved))


class PydanticSettings(Follower):
    """watchfiles, and pydantic-settings made anew. A reload that fails ends it.

    `awatch` waits 50 ms for more unless it is told another `step`; 1 ms is the least.
    """

    async def open(self) -> None:
        _on_asyncio_only(self.params)
        try:
            from watchfiles import Change, awatch
        except ModuleNotFoundError as missing:
            raise NotHere(f"{missing.name} is not installed") from None

        def ours(_: Change, path: str) -> bool:
            return path == str(self.file)

        self._settings = _settings(self.file)
        self._changes = awatch(self.file.parent, step=1, watch_filter=ours)
        self._first = asyncio.ensure_future(anext(self._changes))
        self.stack.push_async_callback(self._stop)

    async def next(self) -> Any:
        await self._first
        self._first = asyncio.ensure_future(anext(self._changes))
        return self._settings()

    async def _stop(self) -> None:
        self._first.cancel()
        await asyncio.gather(self._first, return_exceptions=True)


class Dynaconf(Told):
    """inotify, and `settings.reload()`. Untyped; a bad document raises in the middle of the reload."""

    def prepare(self) -> None:
        _on_asyncio_only(self.params)
        try:
            from dynaconf import Dynaconf as Settings  # type: ignore[import-untyped]
        except ModuleNotFoundError as missing:
            raise NotHere(f"{missing.name} is not installed") from None
        self._settings = Settings(settings_files=[str(self.file)])
        self.notify()

    def load(self) -> Any:
        self._settings.reload()
        return self._settings


class OmegaConf(Told):
    """inotify, and `OmegaConf.load` of YAML, `OmegaConf.create` of what json or tomllib parsed. Untyped."""

    def prepare(self) -> None:
        _on_asyncio_only(self.params)
        try:
            self._load = loader(self.file)
        except ModuleNotFoundError as missing:
            raise NotHere(f"{missing.name} is not installed") from None
        self.notify()

    def load(self) -> Any:
        return self._load()


class Held(Follower):
    """Milliseconds: how late the loop was at most for a timer, for each document that was seen."""

    async def measure(self, work: Round) -> list[float]:
        lateness = Lateness()
        figures = []
        document: Any = None
        while document is None or (document.round, document.number) != (work.number, document.of):
            document = await self.next()
            await asyncio.sleep(0.5 / work.rate)  # half-way to the next one: all of it is over
            figures.append(lateness.take())
        lateness.stop()
        return figures


class OursHeld(Held, Ours):
    """Ours."""


class ReadHeld(Held, Read):
    """inotify, and the parse on the loop."""


class Holding(Replaced):
    """The same replaces; the figures are the subjects' own."""

    def samples(self, driven: list[int], seen: list[float]) -> list[float]:
        return seen


def _on_asyncio_only(params: Params) -> None:
    """For who parses for so long that the loop makes no difference: half of a long case."""
    if params.get("loop") == "uvloop":
        raise NotHere("measured on asyncio only")


def _settings(file: Path) -> Any:
    pool = model("Pool", **_fields(Pool))
    service = model("Service", **{**_fields(Service), "pool": (pool, ...)})
    document = dict.fromkeys(("round", "number", "of"), (int, 0))
    return settings_class(file, **document, services=(dict[str, service], {}))  # type: ignore[valid-type]


def _fields(kind: type[Any]) -> dict[str, Any]:
    return {name: (hint, ...) for name, hint in get_type_hints(kind).items()}


CASES = (
    Case(
        name="file_replace",
        title="`os.replace` of a file to visible",
        unit="ms",
        subjects={
            "reactive_config": Ours,
            "inotify": Read,
            "watchdog": Watchdog,
            "watchfiles and pydantic-settings": PydanticSettings,
            "dynaconf": Dynaconf,
            "omegaconf": OmegaConf,
        },
        stage=Replaced,
    ),
    Case(
        name="file_replace_hold",
        title="lateness of the event loop while a file is replaced",
        unit="ms",
        subjects={"reactive_config": OursHeld, "inotify": ReadHeld},
        stage=Holding,
    ),
)
