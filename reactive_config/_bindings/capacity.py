"""A concurrency limit that follows a live number, in place."""

from __future__ import annotations

import math
from typing import Any, ClassVar, TypeVar

import anyio

from reactive_config._bindings.binding import Binding, got
from reactive_config._core.runtime.live import Live
from reactive_config.errors import InvalidValue

N = TypeVar("N", bound=int | None)


class Capacity(Binding[N]):
    """A limiter whose number of tokens follows a live value. Made by `capacity`."""

    self_bounded: ClassVar[bool] = True

    def __init__(self, live: Live[N], limiter: anyio.CapacityLimiter | None, name: str) -> None:
        super().__init__(live, name=name)
        self._given = limiter
        self._before = 0.0
        self._limiter: anyio.CapacityLimiter | None = None
        self._next = 0.0

    @property
    def limiter(self) -> anyio.CapacityLimiter:
        """The one limiter: `async with binding.limiter: ...`; the same object from the start to the end.

        Raises:
            RuntimeError: The binding is not open.
        """
        if self._limiter is None:
            raise RuntimeError(f"{self.name}: expected an open binding: use it inside its `async with`")
        return self._limiter

    async def prepare(self, value: N) -> None:
        tokens = _tokens(value, self.live)
        # Whether 0 is a limit depends on anyio's version. Its own check runs here, so that `commit` cannot fail.
        fresh = anyio.CapacityLimiter(tokens)
        if self._limiter is None:
            self._limiter = self._given or fresh
            self._before = self._limiter.total_tokens
        self._next = tokens

    def commit(self) -> None:
        # The setter hands the new tokens to those who wait, first come first served.
        self.limiter.total_tokens = self._next

    async def release(self) -> None:
        if self._given is not None:
            self._given.total_tokens = self._before


def _tokens(value: int | None, live: Live[Any]) -> float:
    if value is None:
        return math.inf
    if type(value) is not int or value < 0:
        raise InvalidValue(f"a whole number, 0 or more, or None, got {got(value, live)}", at="capacity")
    return value


def capacity(live: Live[N], *, limiter: anyio.CapacityLimiter | None = None, name: str = "") -> Capacity[N]:
    """A concurrency limit that follows a live number.

        async with capacity(config.select("concurrency")) as limit:
            async with limit.limiter: ...

    More tokens go at once to those who wait, in their order; with fewer, nobody is interrupted: those who hold
    one finish, and nobody new comes in before enough are back. 0 lets nobody in until the number grows
    again; None is no limit. A value that is neither keeps the limit as it is and shows in the status; at the
    start it raises ValueError.

    Known limit: anyio before 4.15 lets too many in when the number grows again before a smaller one was reached,
    and before 4.12 it takes 0 for no number.

    Args:
        live: How many may hold a token at the same time.
        limiter: One to steer instead of a new one, say `anyio.to_thread.current_default_thread_limiter()`;
            it has its own number back at the end.
        name: For the status.
    """
    return Capacity(live, limiter, name)
