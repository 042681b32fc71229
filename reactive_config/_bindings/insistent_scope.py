"""A cancel scope that does not take one swallowed cancellation for an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

import anyio

CANCEL_FOR = 2.0
"""Seconds for which code is cancelled again and again before it is given up."""

_PAUSES = 40
"""The first pause between two cancellations is this part of the whole time; each later one is twice as long."""

_CLOCK = 1e-3
"""Seconds; a loop may call this much too early, and a shorter time is none."""


class InsistentScope:
    """Cancels what runs inside it again, with growing pauses, and gives it up after a time.

    Drivers swallow a cancellation now and then, and so does `task.cancel(); with suppress(CancelledError): await task`
    in a program's own code: a second one ends them. anyio alone would cancel in every turn of the loop, for ever.
    What code shields with `anyio.CancelScope(shield=True)` is left alone, until it is given up.

    Leaving it swallows the CancelledError that its own cancelling caused, as an anyio scope does.

    Args:
        given_up: Called in the loop if the code still runs after all; it then goes on running, uncancelled.
    """

    def __init__(self, given_up: Callable[[], None]) -> None:
        self._given_up = given_up
        self._timer: asyncio.TimerHandle | None = None
        self._pause = 0.0
        self._until = 0.0
        self.cancel_called: bool = False

    def cancel(self, within: float = CANCEL_FOR) -> None:
        """Begin to cancel, once the scope is entered; a second call can only make it give up sooner.

        Args:
            within: Seconds until it gives up.
        """
        until = asyncio.get_running_loop().time() + within
        if self.cancel_called and self._until <= until:
            return
        self.cancel_called = True
        self._until = until
        self._pause = within / _PAUSES
        self._outer.cancel()
        self._again()

    def calm(self) -> None:
        """Cease to cancel: what comes next in the scope runs as if nothing had been, and may be cancelled anew."""
        self.cancel_called = False
        if self._timer is not None:
            self._timer.cancel()

    def _again(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        left = self._until - loop.time()
        if left < _CLOCK:
            self._given_up()
            return
        # Opening the gate makes anyio deliver one cancellation at once; closed again, no more until the next time.
        self._gate.shield = False
        self._gate.shield = True
        self._timer = loop.call_later(min(self._pause, left), self._again)
        self._pause *= 2

    def __enter__(self) -> Self:
        # The inner one is a gate: while it is shielded, the cancelled outer one delivers nothing. They are made here,
        # because anyio makes scopes in tasks only, and a call may begin in a callback of the loop.
        self._outer, self._gate = anyio.CancelScope(), anyio.CancelScope()
        self._outer.__enter__()
        self._gate.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        if self._timer is not None:
            self._timer.cancel()
        self._gate.__exit__(kind, error, traceback)
        return self._outer.__exit__(kind, error, traceback)
