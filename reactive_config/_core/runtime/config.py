"""`open_config` and what it gives: the configuration as a program uses it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Generic, NoReturn, TypeVar, overload

import msgspec

from reactive_config._core.decoding.conversion import Decoders
from reactive_config._core.decoding.decode import keeps_identity
from reactive_config._core.decoding.refused_types import check_decoders
from reactive_config._core.delta import Entry
from reactive_config._core.lookup import selector
from reactive_config._core.paths import format_path, parse_path
from reactive_config._core.redaction import show, spot_of
from reactive_config._core.runtime.callbacks import Callbacks, ChangeCallback, check_registration
from reactive_config._core.runtime.describing import Setting, settings
from reactive_config._core.runtime.host import Host
from reactive_config._core.runtime.live import Live, LivePath, describe_function, make_live
from reactive_config._core.runtime.observing import Observer
from reactive_config._core.runtime.runtime import Runtime
from reactive_config._core.runtime.snapshot import Snapshot
from reactive_config._core.runtime.updates import Updates, make_updates
from reactive_config._core.runtime.wrong_calls import check_kind, check_sources, check_timeout
from reactive_config._core.source import Source
from reactive_config._core.status import Status
from reactive_config._core.trees import ABSENT, get
from reactive_config.errors import Origin

T = TypeVar("T")
U = TypeVar("U")


class Explanation(msgspec.Struct, frozen=True):
    """What one place says about a path.

    Attributes:
        path: Dotted; the asked one, or one below it where an entry says only that much.
        value: As the source has it, before decoding; as JSON has it, secrets hidden.
        origin: Where it stands.
        in_force: Whether it is the one that decides (for a table: its strongest contributor).
    """

    path: str
    value: Any
    origin: Origin
    in_force: bool


class Config(Generic[T]):
    """A configuration that changes while the program runs.

    `async for snapshot in config` gives the current snapshot, then newer ones; it conflates like `Live`
    and ends with the context.

    `current` and `snapshot` may be read from any thread. Everything else raises `WrongProcess` in another thread,
    in another event loop and in a forked child.

    After the context has ended, `current`, `snapshot`, `status()`, `explain()` and `describe()` show what was last in
    force, and an iteration gives the last snapshot and ends. `select`, `on_change` and `wait_revision` raise `Closed`.

    Attributes:
        current: The typed configuration in force. A plain attribute; never awaits, locks or raises.
        snapshot: The same with its generation, revisions and changed paths.
    """

    current: T
    snapshot: Snapshot[T]

    def __init__(self, runtime: Runtime[T]) -> None:
        self._runtime = runtime

    def _store(self, snapshot: Snapshot[T]) -> None:
        self.snapshot = snapshot
        self.current = snapshot.value

    def __aiter__(self) -> AsyncIterator[Snapshot[T]]:
        return aiter(self._stream)

    @property
    def _stream(self) -> Live[Snapshot[T]]:
        stream = self._runtime.stream
        assert stream is not None
        return stream

    def updates(self, buffer: int = 1000) -> Updates[T]:
        """Every generation from the current one on, once and in order.

        Args:
            buffer: How many snapshots may wait; where more come, the oldest are replaced by a `Gap`.
        """
        self._runtime.hub.check()
        updates = make_updates(self._runtime.hub, self.snapshot, buffer)
        self._runtime.updates.add(updates)
        return updates

    @overload
    def select(self, part: Callable[[T], U]) -> Live[U]: ...
    @overload
    def select(self, part: str) -> Live[Any]: ...
    def select(self, part: Callable[[T], Any] | str) -> Live[Any]:
        """A live view of a part; it changes only when that part does.

        Args:
            part: A function of the configuration, quick and pure: it runs on the writer at every change.
                Or a dotted path in the configuration's names (`log."sqlalchemy.engine"`), which costs
                nothing while other paths change; an absent table key gives None.

        Raises:
            UnknownPath: The type has no such path.
            Closed: The configuration's context has ended.
            Exception: Whatever the function raises now. Later errors show in the status.
        """
        self._runtime.hub.check()
        self._runtime.hub.check_open("select")
        return self._select_path(part) if isinstance(part, str) else self._select_function(part)

    def _select_function(self, function: Callable[[T], Any]) -> Live[Any]:
        name = f"select({describe_function(function)})"
        live = make_live(function(self.current), self._runtime.hub, source=self._stream, compute=function, name=name)
        self._runtime.by_function.add(live)
        return live

    def _select_path(self, text: str) -> Live[Any]:
        path = parse_path(text)
        live = self._runtime.by_path.get(path)
        if live is None:
            exact = keeps_identity(self._runtime.acceptance.plan, path)
            compute, name = selector(self._runtime.kind, path), f"select({format_path(path)})"
            live = make_live(
                compute(self.current),
                self._runtime.hub,
                source=self._stream,
                compute=compute,
                name=name,
                exact=exact,
                kind=LivePath,
            )
            self._runtime.by_path.add(path, live)
        return live

    @overload
    def on_change(self, part: Callable[[T], U], callback: Callable[[U], object]) -> ChangeCallback: ...
    @overload
    def on_change(self, part: str, callback: Callable[[Any], object]) -> ChangeCallback: ...
    def on_change(self, part: Callable[[T], Any] | str, callback: Callable[[Any], object]) -> ChangeCallback:
        """Call a function with the new value at every change of a part; not now.

            config.on_change("log", apply_levels)

        Calls come one after the other: while one is under way changes wait, and the next one is given the newest
        value. So a slow callback skips values, never goes back, and ends on the last. What it raises is logged, and
        shown in the status until a call works again; nothing else is affected, and the next change calls it again. It
        runs on the event loop, with the context variables of this moment, until the handle is cancelled or the
        configuration's context ends.

        Args:
            part: As for `select`.
            callback: Takes the new value; sync, then it must be quick, or async.

        Returns:
            A handle with `cancel()`; nobody needs to keep it.

        Raises:
            TypeError: The callback cannot be called with one value.
            UnknownPath: The type has no such path.
            Closed: The configuration's context has ended.
            Exception: Whatever a function as `part` raises now.
        """
        self._runtime.hub.check()
        self._runtime.hub.check_open("on_change")
        check_registration(part, callback)
        if self._runtime.callbacks is None:
            self._runtime.callbacks = Callbacks(self._runtime.hub, self._runtime.ending)
        return self._runtime.callbacks.add(self.select(part), callback)

    def explain(self, path: str) -> tuple[Explanation, ...]:
        """What every layer says about a path, the strongest first; empty where none says anything.

        Args:
            path: Dotted; the empty text for the whole.
        """
        self._runtime.hub.check_thread()
        at = parse_path(path)
        acceptance = self._runtime.acceptance
        effective = get(acceptance.stack.tree, at) is not ABSENT
        said = acceptance.explain(at)
        return tuple(
            Explanation(
                format_path(max(at, entry.path, key=len)), self._shown(entry, at), origin, effective and not index
            )
            for index, (origin, _, entry) in enumerate(said)
        )

    def _shown(self, entry: Entry, at: tuple[str, ...]) -> Any:
        value = get(entry.value, at[len(entry.path) :])
        return show(spot_of(value, self._runtime.kind, max(at, entry.path, key=len)))

    def describe(self) -> tuple[Setting, ...]:
        """Every value in force, defaults of the type included, and where it stands; secrets hidden.

        Costs a walk over the whole configuration.
        """
        self._runtime.hub.check_thread()
        return tuple(settings(self.current, self._runtime.kind, self._runtime.acceptance))

    def status(self) -> Status:
        """Where everything stands: sources, held units, selectors, callbacks, notes."""
        self._runtime.hub.check_thread()
        return self._runtime.status()

    async def wait_revision(self, source: str | Source, revision: int) -> None:
        """Return once a source's revision is taken.

        Args:
            source: The source, or its name as in the status.
            revision: The store's; taken as well once a later one is.

        Raises:
            Rejected: What that revision brought is held.
            Closed: The context ended first.
            LookupError: There is no such source.
        """
        self._runtime.hub.check()
        for mine, inbox in zip(self._runtime.sources, self._runtime.inboxes, strict=True):
            if source is mine or source == inbox.record.name:
                await inbox.wait_revision(revision)
                return
        names = ", ".join(inbox.record.name for inbox in self._runtime.inboxes)
        raise LookupError(f"expected one of the sources {names}, got {source}")

    @contextmanager
    def observe(self, observer: Observer) -> Iterator[None]:
        """Tell an observer of applies and rebuilds while the `with` block lasts; see `Observer`."""
        self._runtime.hub.check_thread()
        observers = self._runtime.hub.observers
        observers.add(observer)
        try:
            yield
        finally:
            observers.remove(observer)

    def __repr__(self) -> str:  # not the value: it may hold a secret
        return f"<Config {getattr(self._runtime.kind, '__name__', self._runtime.kind)} {self.snapshot!r}>"


class open_config(Generic[T]):  # noqa: N801 - reads and is used as a function
    """Open a configuration: `async with open_config(App, Files("config")) as config: ...`

    Entering returns when every source that must be there is synced and the first snapshot is valid.
    Leaving ends every task of it. Entering and leaving may happen in different tasks of one loop.

    Args:
        kind: The configuration's type: a msgspec Struct, a dataclass, an attrs class, a TypedDict, a
            pydantic model, or `dict` for an untyped one.
        sources: Lowest layer first.
        decoders: Functions for types of your own, by class: `{Money: Money.parse}`. One is given what the sources hold
            (a str, int, float, bool, None, list or dict, its own copy; a bare value as its text) and returns an
            instance. It runs on the event loop, perhaps more than once for a value, so it must be quick and change
            nothing else. Whatever it raises but KeyboardInterrupt refuses the value; only an `InvalidValue` is quoted.
        startup_timeout: Seconds to wait for the sources; after that it starts without the optional ones, or
            raises if another one is missing. None waits for ever.

    Raises:
        TypeError: At once; something that is no type or no source was given, or none, or a decoder for what is no
            class, or for a type that is decoded without one, or a timeout that is no number.
        ValueError: At once; the timeout is below 0.
        StartupError: On entering; names each source's trouble and every problem of the content.
        TypeNotSupported: On entering; the type cannot be decoded.
    """

    def __init__(
        self,
        kind: type[T],
        *sources: Source,
        startup_timeout: float | None = 30.0,
        decoders: Decoders | None = None,
    ) -> None:
        check_kind(kind)
        check_sources(sources)
        check_timeout(startup_timeout)
        self._kind = kind
        self._sources = sources
        self._timeout = startup_timeout
        check_decoders(decoders or {})
        self._decoders = dict(decoders or {})
        self._host = Host("open_config")

    async def __aenter__(self) -> Config[T]:
        runtime: Runtime[T] = Runtime(self._kind, self._sources, self._timeout, self._decoders)
        config = self._make(runtime)
        await self._host.enter(runtime.run(config._store), runtime.started)
        return config

    def _make(self, runtime: Runtime[T]) -> Config[T]:
        return Config(runtime)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._host.leave(error)

    # What people write who have not read that it is an async context manager.

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        raise AttributeError(f"{type(self).__name__}(...) has no {name} before it is entered: {_ENTER}")

    def __await__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__}(...) is entered, not awaited: {_ENTER}")

    def __enter__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__}(...) is entered by `async with`: {_ENTER}")

    def __exit__(self, *error: object) -> None: ...


_ENTER = "write `async with open_config(...) as config:`"
