"""Live values: views of a part of the stream that change only when that part does.

The whole of it works like a graph of cells with one writer. The writer computes every new value
first, then stores them all, then wakes those who wait: nobody sees a half-updated graph. A cell is a
value and a version; a subscriber remembers the version that it saw last, so a slow one costs nothing
and skips to the newest. Idea: tokio's `sync::watch`.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from bisect import bisect_left, insort
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from threading import get_ident
from typing import Any, Generic, TypeVar

from reactive_config._core.decoding.equality import unchanged
from reactive_config._core.paths import Path
from reactive_config._core.refusals import is_refusal, name_of
from reactive_config._core.runtime.home import Home
from reactive_config._core.runtime.observing import Observers
from reactive_config._core.status import BindingStatus
from reactive_config.errors import Closed

U = TypeVar("U")
V = TypeVar("V")

Batch = list[tuple["Live[Any]", Any]]
Listener = Callable[["Live[Any]"], None]


class Hub(Home):
    """What all cells of one configuration share; everything but reading `current` happens on the runtime's loop.

    Attributes:
        closed: Whether the stream has ended.
        waited: What somebody waits on. The writer holds cells and updates weakly, and a task that waits
            on one may be the only thing that refers to it.
        errors: Cell to the error of its function, whose value is therefore an old one.
        bindings: What reports for the status, in the order of opening.
        observers: Who is told of applies and rebuilds.
        heard: When the first word came of what was published last; `time.monotonic()`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.closed = False
        self.waited: set[object] = set()
        self.bindings: dict[object, Callable[[], BindingStatus]] = {}
        self.observers = Observers()
        self.heard = 0.0
        self.errors: weakref.WeakKeyDictionary[Live[Any], str] = weakref.WeakKeyDictionary()


class Live(Generic[U]):
    """A value that follows the configuration.

    `async for value in live` gives the current value first, then newer ones, and ends with the
    configuration's context. It conflates: a slow loop skips to the newest, never goes back, and ends on
    the last. It does not promise that every intermediate value is seen.

    Attributes:
        current: The value in force; a plain attribute, readable from any thread.
        name: What it was selected by.
    """

    __slots__ = (
        "__weakref__",
        "_compute",
        "_derived",
        "_exact",
        "_failed",
        "_hub",
        "_listeners",
        "_source",
        "_version",
        "_waiters",
        "current",
        "name",
    )

    def __init__(
        self,
        value: U,
        hub: Hub | None = None,
        *,
        source: Live[Any] | None = None,
        compute: Callable[[Any], U] | None = None,
        name: str = "",
        exact: bool = False,
    ) -> None:
        self.current = value
        self._hub = hub
        self._version = 1
        self._source = source
        self._compute = compute or _root
        self.name = name
        # Most paths give a decoded part, which keeps its identity while it is equal; a function may build.
        self._exact = exact
        # Those who wait, in the order of coming; a dict, so that one who is cancelled leaves at once.
        self._waiters: dict[asyncio.Future[None], None] = {}
        self._listeners: tuple[Listener, ...] = ()
        self._derived: Cells | None = None
        self._failed = False

    @staticmethod  # a class method's `U` would be the class's own, which pyright does not infer from an argument
    def constant(value: V) -> Live[V]:
        """A live value that never changes and never ends; for tests and for defaults."""
        return Live(value, name="constant")

    def map(self, function: Callable[[U], V]) -> Live[V]:
        """A live value computed from this one.

        Args:
            function: Quick and pure; it runs on the writer. If it raises now, so does this call; if
                later, the value stays and the status shows the error.
        """
        if self._hub is not None:
            self._hub.check_thread()
        live = Live(function(self.current), self._hub, source=self, compute=function, name=describe_function(function))
        if self._derived is None:
            self._derived = Cells()
        self._derived.add(live)
        return live

    async def wait_changed(self) -> U:
        """Return the value once it is another one than now.

        Raises:
            Closed: The configuration's context ended first.
        """
        seen = self._version
        while self._version == seen:
            if self._hub is not None and self._hub.closed:
                raise Closed("the configuration's context ended while waiting for a change")
            waiter = self._enlist()
            try:
                await waiter
            except BaseException:
                self._leave(waiter)
                raise
        return self.current

    def report(self, who: object, status: Callable[[], BindingStatus] | None) -> None:
        """Show something that follows this value in the configuration's status, or with None no longer."""
        if self._hub is None:
            return
        if status is None:
            last = self._hub.bindings.pop(who, None)
            if last is not None and self._hub.observers:
                self._hub.observers.closed(last())
        else:
            self._hub.bindings[who] = status

    def listen(self, listener: Listener) -> None:
        """Have a binding told of every change, in the writer's turn, once the values of all cells are in force.

        Args:
            listener: Quick, and raises nothing. Whoever listens holds this cell, and ends with `unlisten`.
        """
        if self._hub is not None:
            self._hub.check()
        self._listeners += (listener,)

    def unlisten(self, listener: Listener) -> None:
        """End `listen`."""
        self._listeners = tuple(other for other in self._listeners if other != listener)

    @property
    def observers(self) -> Observers:
        """Who is told of applies and rebuilds of this configuration."""
        return self._hub.observers if self._hub is not None else Observers()

    @property
    def heard(self) -> float:
        """When the runtime first heard of what it published last; `time.monotonic()`, 0 for a constant."""
        return self._hub.heard if self._hub is not None else 0.0

    def __aiter__(self) -> AsyncIterator[U]:
        if self._hub is not None:
            self._hub.check_thread()
        return _Follow(self)

    def __repr__(self) -> str:  # not the value: it may hold a secret
        return f"<Live {self.name or 'value'} version={self._version}>"

    def store(self, value: U) -> None:
        """Writer only: put a proposed value in force."""
        self.current = value
        self._version += 1

    def wake(self) -> None:
        """Writer only: let those who wait look again."""
        waiters, self._waiters = self._waiters, {}
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        if self._hub is not None:
            self._hub.waited.discard(self)
            if self._listeners and not self._hub.closed:
                for listener in self._listeners:
                    listener(self)

    def _note(self, error: BaseException | None) -> None:
        """Show in the status that the function raised, or that it no longer does."""
        assert self._hub is not None
        self._failed = error is not None
        if error is None:
            self._hub.errors.pop(self, None)
        else:
            self._hub.errors[self] = f"{self.name}: raised {name_of(error)}, the value is an older one"

    def _enlist(self) -> asyncio.Future[None]:
        """A future for one who waits: done when it may look again. Whoever stops waiting before that is to `_leave`."""
        hub, waiters = self._hub, self._waiters
        if hub is None:
            waiter = asyncio.get_running_loop().create_future()
        else:
            # Asking for the running loop is a system call on Python 3.11, too dear for every wait; see `_leave`.
            if hub.pid != Home.process or get_ident() != hub.thread:  # `check_thread`, without its frame
                hub.check()
            if not waiters:
                hub.waited.add(self)
            waiter = asyncio.Future(loop=hub.loop)  # what a loop's `create_future` does, without its frame
        waiters[waiter] = None
        return waiter

    def _leave(self, waiter: asyncio.Future[None]) -> None:
        """Undo `_enlist`, in the handler of what ended the waiting."""
        self._waiters.pop(waiter, None)
        if self._hub is None:
            return
        if not self._waiters:
            self._hub.waited.discard(self)
        if isinstance(sys.exception(), RuntimeError):  # a task of another loop in this thread: it refuses our future
            self._hub.check()


class _Follow(AsyncIterator[U]):
    __slots__ = ("_live", "_seen")

    def __init__(self, live: Live[U]) -> None:
        self._live = live
        self._seen = 0

    async def __anext__(self) -> U:
        live = self._live
        while live._version == self._seen:
            if live._hub is not None and live._hub.closed:
                raise StopAsyncIteration
            # The same as in `wait_changed`: one coroutine for both would cost each subscriber 200 bytes more.
            waiter = live._enlist()
            try:
                await waiter
            except BaseException:
                live._leave(waiter)
                raise
        self._seen = live._version
        return live.current


def recompute(cells: Iterable[Live[Any] | None], source: Any, batch: Batch) -> None:
    """Writer only: propose what each cell's function makes of the source's new value, where that differs.

    One loop without a call of our own for each: where thousands are asked at every change, it is what they cost.
    """
    for cell in cells:
        if cell is None:
            continue
        try:
            value = cell._compute(source)
            differs = value is not cell.current and (cell._exact or not unchanged(cell.current, value))
        except BaseException as error:
            if not is_refusal(error):  # a function sees content, as a type's own code does
                raise
            cell._note(error)
            continue
        if cell._failed:
            cell._note(None)
        if differs:
            batch.append((cell, value))


def recompute_derived(batch: Batch) -> None:
    """Writer only: propose what derives from the cells of the batch, and what derives from that.

    Without recursion: a chain of cells may be longer than Python's stack is deep.
    """
    for cell, value in batch:  # it grows meanwhile, and what is added has its turn too
        if cell._derived is not None:
            recompute(cell._derived.alive(), value, batch)


class Cells:
    """Live values that nobody else may hold; they leave by themselves."""

    def __init__(self) -> None:
        # Not a WeakSet: going through one takes several times as long as asking a function.
        self._cells: weakref.WeakValueDictionary[int, Live[Any]] = weakref.WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._cells)

    def add(self, live: Live[Any]) -> None:
        self._cells[id(live)] = live

    def alive(self) -> list[Live[Any] | None]:
        """All of them; None for one that is gone since."""
        return [cell() for cell in self._cells.valuerefs()]


class PathIndex:
    """Live values by dotted path; finds those that a change can concern without looking at the others."""

    def __init__(self) -> None:
        self._live: weakref.WeakValueDictionary[Path, Live[Any]] = weakref.WeakValueDictionary()
        # Sorted, so that everything below a path is one slice. Names of dead cells stay until swept.
        self._paths: list[Path] = []

    def get(self, path: Path) -> Live[Any] | None:
        return self._live.get(path)

    def add(self, path: Path, live: Live[Any]) -> None:
        if len(self._paths) > 2 * len(self._live) + 16:
            self._paths = sorted(self._live)
        if path not in self._live:
            at = bisect_left(self._paths, path)
            if at == len(self._paths) or self._paths[at] != path:
                insort(self._paths, path)
        self._live[path] = live

    def concerned(self, changed: Iterable[Path]) -> Iterator[Live[Any]]:
        """The live values at, above or under any of the changed paths, each once."""
        if not self._paths:
            return
        seen: set[Path] = set()
        for path in changed:
            seen.update(path[:depth] for depth in range(len(path)))
            at = bisect_left(self._paths, path)
            while at < len(self._paths) and self._paths[at][: len(path)] == path:
                seen.add(self._paths[at])
                at += 1
        for path in seen:
            if (live := self._live.get(path)) is not None:
                yield live


def _root(_: Any) -> Any:
    raise AssertionError("expected a cell that derives from another one, got a root")


def describe_function(function: Callable[..., Any]) -> str:
    """A function's name and place, for the status."""
    code = getattr(function, "__code__", None)
    place = f" ({code.co_filename.rsplit('/', 1)[-1]}:{code.co_firstlineno})" if code is not None else ""
    return f"{getattr(function, '__qualname__', type(function).__name__)}{place}"


class LivePath(Live[U]):
    """A live value whose place in the configuration is known: its `name` holds the path.

    Of one that was selected by a function nobody knows that, so no message can tell whether its texts may be shown.
    """

    __slots__ = ()
