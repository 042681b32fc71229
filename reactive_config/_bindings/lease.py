"""One user's time with the thing that was in force when it began."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from reactive_config._bindings.thing import Thing

if TYPE_CHECKING:
    from reactive_config._bindings.rebuilt import Rebuilt

R = TypeVar("R")


class Lease(Generic[R]):
    """The thing in force, kept open: `async with binding.use() as thing`. Made by `use()` of a binding.

    The thing stays open until the block ends, or the drain passes. A lease that lasts learns that its thing is being
    replaced, so that it can end in time and be taken anew:

        lease = binding.use()
        async with lease as thing:
            await lease.wait_replaced()
    """

    __slots__ = ("_binding", "_thing", "_told")

    def __init__(self, binding: Rebuilt[Any, R]) -> None:
        self._binding = binding
        self._thing: Thing[R] | None = None
        self._told: asyncio.Future[None] | None = None

    @property
    def replaced(self) -> bool:
        """Whether a newer thing is in force, or leaving the binding has begun: then the drain runs.

        After the block, whether that was so for its thing.

        Raises:
            RuntimeError: The lease was never entered.
        """
        return self._replacement.done()

    async def wait_replaced(self) -> None:
        """Return once `replaced` is true: at the commit of the newer thing.

        Raises:
            RuntimeError: The lease was never entered.
        """
        if not self._replacement.done():
            await asyncio.wait([self._replacement])  # if the waiter is cancelled, the others go on waiting

    @contextmanager
    def when_replaced(self, call: Callable[[], object]) -> Iterator[None]:
        """Inside the `with` block: call a function once `replaced` is true, or soon if it is."""
        inside, told = True, self._replacement

        def called(_: object) -> None:
            if inside:
                call()

        told.add_done_callback(called)
        try:
            yield
        finally:
            inside = False  # it may be on its way already
            told.remove_done_callback(called)

    @property
    def _replacement(self) -> asyncio.Future[None]:
        if self._told is None:
            raise RuntimeError(f"{self._binding.name}: expected a lease that is entered: `async with lease as thing`")
        return self._told

    async def __aenter__(self) -> R:
        if self._thing is not None:
            raise RuntimeError(f"{self._binding.name}: expected a use() for every block, got one inside itself")
        self._thing = self._binding.in_force
        self._told = self._thing.replaced
        return self._thing.begin_use()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        thing, self._thing = self._thing, None
        assert thing is not None
        thing.end_use()
