"""Live values: views of a part of the stream that change only when that part does.

They form a graph with one writer. The writer computes every new value first, then stores them all, then wakes those
who wait: nobody sees a half-updated graph. A live value has a version; a subscriber remembers the version that it saw
last, so a slow one costs nothing and skips to the newest. Idea: tokio's `sync::watch`. As there, users hold the
receiving half only: `Live` has no method that changes it. The functions below the class are the other half, for the
writer (`store`, `wake`, `recompute`) and for bindings (`report`, `listen`).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from threading import get_ident
from types import CodeType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from reactive_config._core.decoding.equality import unchanged
from reactive_config._core.refusals import is_refusal, name_of
from reactive_config._core.runtime.cells import Hub, WeakCells
from reactive_config._core.runtime.home import Home
from reactive_config._core.runtime.logbook import Logbook
from reactive_config._core.runtime.observing import Observers
from reactive_config._core.status import BindingStatus
from reactive_config.errors import Closed

U = TypeVar("U")
V = TypeVar("V")

Batch = list[tuple["Live[Any]", Any]]
Listener = Callable[["Live[Any]"], None]


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

    current: U
    name: str
    _hub: Hub | None
    _version: int
    _source: Live[Any] | None
    _compute: Callable[[Any], U]
    _exact: bool
    _waiters: dict[asyncio.Future[None], None]
    _listeners: dict[Listener, None] | tuple[()]  # in the order of coming; many may listen, and each leave at once
    _derived: WeakCells | None
    _failed: bool

    def __init__(self) -> None:
        raise TypeError("expected Live.constant(value) or a live value of a configuration, config.select(...)")

    @staticmethod  # a class method's `U` would be the class's own, which pyright does not infer from an argument
    def constant(value: V) -> Live[V]:
        """A live value that never changes and never ends; for tests and for defaults."""
        return make_live(value, name="constant")

    def map(self, function: Callable[[U], V]) -> Live[V]:
        """A live value computed from this one.

        Args:
            function: Quick and pure; it runs on the writer. If it raises now, so does this call; if
                later, the value stays and the status shows the error.
        """
        if self._hub is not None:
            self._hub.check_thread()
        live = make_live(
            function(self.current), self._hub, source=self, compute=function, name=describe_function(function)
        )
        if self._derived is None:
            self._derived = WeakCells()
        self._derived.add(live)
        return live

    if not TYPE_CHECKING:  # a checker says it before, as long as it does not know of these

        def __iter__(self) -> NoReturn:
            raise TypeError(f"{self.name or 'a live value'}: expected `async for value in live`, got a plain for")

        def __await__(self) -> NoReturn:
            way_out = "write live.current, await live.wait_changed(), or `async for value in live`"
            raise TypeError(
                f"{self.name or 'a live value'}: expected no await, since nothing has to be waited for: {way_out}"
            )

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

    def __aiter__(self) -> AsyncIterator[U]:
        if self._hub is not None:
            self._hub.check_thread()
        return _Follow(self)

    def __repr__(self) -> str:  # not the value: it may hold a secret
        return f"<Live {self.name or 'value'} version={self._version}>"

    def _cell(self) -> Live[U]:
        """What the writer and bindings work on: the live value itself, or the one that it is a view of."""
        return self

    def _note(self, error: BaseException | None) -> None:
        """Show in the status and in the log that the function raised, or that it no longer does."""
        assert self._hub is not None
        self._failed = error is not None
        if error is None:
            self._hub.errors.pop(self, None)
            self._hub.logbook.function_works(self.name)
        else:
            trouble = f"{self.name}: raised {name_of(error)}, the value is an older one"
            if self._hub.errors.get(self) != trouble:
                self._hub.logbook.function_raises(trouble)
            self._hub.errors[self] = trouble

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


class LivePath(Live[U]):
    """A live value whose place in the configuration is known: its `name` holds the path.

    Of one that was selected by a function nobody knows that, so no message can tell whether its texts may be shown.
    """

    __slots__ = ()


def make_live(
    value: U,
    hub: Hub | None = None,
    *,
    source: Live[Any] | None = None,
    compute: Callable[[Any], U] | None = None,
    name: str = "",
    exact: bool = False,
    kind: type[Live[Any]] = Live,
) -> Live[U]:
    """A live value.

    Args:
        value: The first value.
        hub: Of its configuration; None for a constant.
        source: What it is computed from.
        compute: From the source's value to this one's.
        name: What it was selected by.
        exact: Whether an equal value is always the same object. Most paths give a decoded part, which keeps its
            identity while it is equal; a function may build a new one.
        kind: Its class.
    """
    live: Live[U] = kind.__new__(kind)
    live.current = value
    live.name = name
    live._hub = hub
    live._version = 1
    live._source = source
    live._compute = compute or _root
    live._exact = exact
    # Those who wait, in the order of coming; a dict, so that one who is cancelled leaves at once.
    live._waiters = {}
    live._listeners = ()
    live._derived = None
    live._failed = False
    return live


def _root(_: Any) -> Any:
    raise AssertionError("expected a live value that is computed from another one, got a root")


def store(live: Live[U], value: U) -> None:
    """Writer only: put a proposed value in force."""
    live.current = value
    live._version += 1


def wake(live: Live[Any]) -> None:
    """Writer only: let those who wait look again."""
    waiters, live._waiters = live._waiters, {}
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
    if live._hub is not None:
        live._hub.waited.discard(live)
        if live._listeners and not live._hub.closed:
            for listener in tuple(live._listeners):
                listener(live)


def label(kind: str, live: object, name: str = "") -> str:
    """What something that follows a live value is called in its status, its errors and the log.

    Args:
        kind: What follows, by the function that makes it: `rebuilt`, `asyncpg_pool`.
        live: What it follows.
        name: What the program calls it; may be empty.

    Raises:
        TypeError: It was given a value instead of a live value. The value is not shown: it may hold a secret.
    """
    if not isinstance(live, Live):
        way_out = 'write config.select("pool"), not config.current.pool'
        raise TypeError(f"{kind}: expected a Live, got {type(live).__name__}: {way_out}")
    return name or f"{kind}({live.name})"


def report(live: Live[Any], who: object, status: Callable[[], BindingStatus] | None) -> None:
    """Show something that follows this value in the configuration's status, or with None no longer."""
    hub = live._cell()._hub
    if hub is None:
        return
    if status is None:
        last = hub.bindings.pop(who, None)
        if last is not None and hub.observers:
            hub.observers.closed(last())
    else:
        hub.bindings[who] = status


def listen(live: Live[Any], listener: Listener) -> None:
    """Call a function at every change, in the writer's turn, once all new values are in force.

    Args:
        live: What to listen to. Whoever listens holds it, and ends with `unlisten`.
        listener: Quick, and raises nothing.
    """
    cell = live._cell()
    if cell._hub is not None:
        cell._hub.check()
    if not isinstance(cell._listeners, dict):
        cell._listeners = {}  # made for the first, since few values have any
    cell._listeners[listener] = None


def unlisten(live: Live[Any], listener: Listener) -> None:
    """End `listen`."""
    cell = live._cell()
    if isinstance(cell._listeners, dict):
        cell._listeners.pop(listener, None)
        cell._listeners = cell._listeners or ()


def observers_of(live: Live[Any]) -> Observers:
    """Who is told of applies and rebuilds of this configuration."""
    hub = live._cell()._hub
    return hub.observers if hub is not None else Observers()


def logbook_of(live: Live[Any]) -> Logbook:
    """What operators are told about this configuration."""
    hub = live._cell()._hub
    return hub.logbook if hub is not None else Logbook(asyncio.get_running_loop())


def heard_at(live: Live[Any]) -> float:
    """When the runtime first heard of what it published last; `time.monotonic()`, 0 for a constant."""
    hub = live._cell()._hub
    return hub.heard if hub is not None else 0.0


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


def describe_function(function: Callable[..., Any]) -> str:
    """A function's name and place, for the status. A mock, or what stands for a remote function, may say anything."""
    name, code = getattr(function, "__qualname__", None), getattr(function, "__code__", None)
    place = f" ({code.co_filename.rsplit('/', 1)[-1]}:{code.co_firstlineno})" if type(code) is CodeType else ""
    return f"{name if type(name) is str else type(function).__name__}{place}"
