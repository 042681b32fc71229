"""Functions of the program that are called at every change: what `config.on_change` registers.

writer's turn ──_changed──> a task for one call ──_over──> the next call, if the value changed meanwhile
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from typing import Any

from reactive_config._core.refusals import is_a, is_refusal, name_of
from reactive_config._core.runtime.cells import Hub
from reactive_config._core.runtime.host import ended, outlast
from reactive_config._core.runtime.live import Live, describe_function, listen, unlisten
from reactive_config.errors import Closed

Function = Callable[[Any], object]

PATIENCE, CANCEL_WITHIN = 0.5, 2.0
"""Seconds that a cancelled call has to clean up before it is cancelled again, and before it is left running."""

_traceback_of = BaseException.__dict__["__traceback__"].__get__  # a subclass may say what it likes


class ChangeCallback:
    """A function that is called at every change of a part. Made by `config.on_change`; see there.

    Attributes:
        name: What the log and the status call it.
        left_running: Whether a call that swallowed every cancellation goes on.
    """

    def __init__(self, live: Live[Any], function: Function, owner: Callbacks) -> None:
        part = live.name.removeprefix("select(").removesuffix(")")
        self.left_running = False
        self.name: str = f"on_change({part}, {describe_function(function)})"
        self._owner = owner
        # These three end with `cancel`, so that a handle that is kept holds nothing of the configuration.
        self._live: Live[Any] | None = live
        self._function: Function | None = function
        self._context: Context | None = copy_context()
        self._changed_since = False  # since the last call began
        self._task: asyncio.Task[None] | None = None  # the call under way
        self._cut = False  # whether that is being cancelled
        self._failed_calls, self._error = 0, ""
        listen(live, self._changed)

    def cancel(self) -> None:
        """Call it no more. A second time does nothing.

        An async call under way is cancelled, again if it swallows that, and left running after two seconds; this
        returns at once. If the call itself says so, it goes on to its end.

        Raises:
            WrongProcess: In another thread, in another event loop, and in a forked child.
        """
        if self._live is None and self._task is None:
            return
        self._owner.hub.check()
        if self._live is not None:
            unlisten(self._live, self._changed)
            self._live = self._function = self._context = None
        if self._task is None:
            self._owner.forget(self)
        elif not self._cut and self._task is not asyncio.current_task():
            self._cut = True
            self._owner.end_call(self, self._task)

    @property
    def trouble(self) -> str:
        """What the status says of it; empty while all is well."""
        if self.left_running:
            return f"{self.name}: a call that swallowed every cancellation goes on"
        if not self._failed_calls:
            return ""
        often = f", {self._failed_calls} times in a row" if self._failed_calls > 1 else ""
        return f"{self.name}: raised {self._error}{often}"

    def _changed(self, _: Live[Any]) -> None:
        self._changed_since = True
        if self._task is None:
            self._begin()

    def _begin(self) -> None:
        # Not by the loop's task factory: an eager one would make the call in the writer's turn.
        loop = self._owner.hub.loop
        context = self._context.copy() if self._context is not None else None  # what a call sets ends with it
        self._task = asyncio.Task(self._call(), loop=loop, name=self.name, context=context)
        self._task.add_done_callback(self._over)

    async def _call(self) -> None:
        if self._live is None or self._function is None:
            return  # it was cancelled in the turn in which this began
        self._changed_since = False
        try:
            result = self._function(self._live.current)  # nothing of it is kept here, should the call never end
            if inspect.isawaitable(result):
                await result
        except BaseException as error:
            if not is_refusal(error):
                raise
            self._failed(error)
        else:
            self._worked()

    def _over(self, task: asyncio.Task[None]) -> None:
        self._task, self._cut = None, False
        if not task.cancelled():
            task.exception()  # a KeyboardInterrupt, which has ended the loop; nobody else asks for it
        if self._live is None:
            self._owner.forget(self)
        elif self._changed_since:
            self._begin()

    def _failed(self, error: BaseException) -> None:
        asked = self._live is None or self._owner.ending()
        if asked and is_a(error, (asyncio.CancelledError, GeneratorExit)):
            return
        # The text may quote the value, which may be a secret.
        what = f"{name_of(error)} ({_place_of(error)})"
        if what != self._error:  # else it is in the log already
            rest = "" if self._live is None else "; it is called again at the next change"
            self._owner.hub.logbook.callback_raises(f"{self.name}: raised {what}{rest}. Nothing else is affected")
        self._error = what
        self._failed_calls += 1

    def _worked(self) -> None:
        if self._failed_calls:
            self._owner.hub.logbook.callback_works(self.name, self._failed_calls)
        self._failed_calls, self._error = 0, ""

    def __repr__(self) -> str:
        return f"<ChangeCallback {self.name}{'' if self._live is not None else ', cancelled'}>"


class Callbacks:
    """All callbacks of one configuration.

    Args:
        hub: Of the configuration.
        ending: Whether its tasks end, by the end of `asyncio.run`, for one.
    """

    def __init__(self, hub: Hub, ending: Callable[[], bool]) -> None:
        self.hub: Hub = hub
        self.ending: Callable[[], bool] = ending
        self._all: dict[ChangeCallback, None] = {}  # in the order of coming
        self._enders: set[asyncio.Task[None]] = set()
        self._leaving = False

    def add(self, live: Live[Any], function: Function) -> ChangeCallback:
        """Call a function at every change of a value, from now on.

        Raises:
            Closed: The configuration's context ends, or has ended.
        """
        if self._leaving or self.hub.closed:
            raise Closed("on_change: the configuration's context has ended, and nothing changes any more")
        callback = ChangeCallback(live, function, self)
        self._all[callback] = None
        return callback

    def forget(self, callback: ChangeCallback) -> None:
        """Hold a callback no more: it was cancelled, and no call of it is under way."""
        self._all.pop(callback, None)

    def troubles(self) -> tuple[str, ...]:
        """What the status says."""
        return tuple(trouble for callback in self._all if (trouble := callback.trouble))

    def end_call(self, callback: ChangeCallback, call: asyncio.Task[None]) -> None:
        """Cancel a call, without waiting for it; it is over, or left running, in bounded time."""
        ender = asyncio.Task(self._end(callback, call), loop=self.hub.loop, name=f"the end of {callback.name}")
        self._enders.add(ender)
        ender.add_done_callback(self._enders.discard)

    async def _end(self, callback: ChangeCallback, call: asyncio.Task[None]) -> None:
        try:
            await ended([call], PATIENCE, CANCEL_WITHIN)
        finally:
            if not call.done():
                callback.left_running = True
                what = "%s: a call did not end although it was cancelled for %g s; it is abandoned, and goes on"
                self.hub.logbook.callbacks.say(logging.WARNING, what, callback.name, CANCEL_WITHIN)

    def begin_leaving(self) -> None:
        """Cancel all of them: no call begins from now on."""
        self._leaving = True
        for callback in list(self._all):
            callback.cancel()
        self.ending = _ended  # what was asked until now refers to the configuration

    async def left(self) -> None:
        """Return once every call is over or left running, however often the waiter is cancelled.

        Raises:
            CancelledError: The waiter was cancelled.
        """
        cancelled: asyncio.CancelledError | None = None
        while self._enders:
            try:
                await outlast(self._enders.pop())
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled


def _ended() -> bool:
    return True


def _place_of(error: BaseException) -> str:
    """File and line where it was raised."""
    traceback = _traceback_of(error)
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f"{traceback.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{traceback.tb_lineno}"


def check_registration(part: object, callback: object) -> None:
    """Refuse what selects nothing, and what cannot be called with a value, before the first change finds that out.

    Raises:
        TypeError: It says what to write.
    """
    if not isinstance(part, str) and not callable(part):
        got = type(part).__name__
        raise TypeError(f"on_change: expected a dotted path or a function of the configuration first, got {got}")
    wanted = 'on_change: expected a function of the new value, as in config.on_change("log", apply)'
    if inspect.iscoroutine(callback):
        callback.close()  # else Python warns that nobody awaited it
        raise TypeError(f"{wanted}, got a coroutine: give the function itself, not what a call of it returns")
    if not callable(callback):
        raise TypeError(f"{wanted}, got {type(callback).__name__}")
    called: Any = callback
    while isinstance(called, partial):
        called = called.func
    if not inspect.isroutine(called):
        called = type(called).__call__
    if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
        raise TypeError(f"{wanted}, got a function with a yield, of which nothing would run")
    try:
        signature = inspect.signature(callback)
    except (TypeError, ValueError):  # written in C, for one
        return
    try:
        signature.bind(None)
    except TypeError:
        raise TypeError(f"{wanted}, got one that does not take exactly one argument: {signature}") from None
