"""A pool that follows a live value: resized in place where that is possible, rebuilt otherwise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from reactive_config._bindings.rebuilt import Build, Rebuilt
from reactive_config._bindings.thing import Dispose
from reactive_config._core.runtime.live import Live, label
from reactive_config._core.runtime.operator_log import logger

U = TypeVar("U")
R = TypeVar("R")


Resize = Callable[[R, U, U], Awaitable[bool]]


class LivePool(Rebuilt[U, R], Generic[U, R]):
    """A pool of the user's, in step with its value. Made by `live_pool`.

    A resize cannot be prepared beside the pool in use, only done to it. So:

    - What was resized is in force at that moment, whatever comes next: a newer value starts from there, also where
      it is the one before.
    - A resize that raised, passed the deadline or was cancelled leaves a pool of which nobody can say what it is
      like. It stays in use, is never resized again, and is replaced by a rebuild, even for the value in force.
    - A member of `together` is never resized: it could not be taken back if another member fails.
    """

    def __init__(
        self,
        live: Live[U],
        open: Build[U, R],  # noqa: A002 - the field's word
        close: Dispose[R] | None,
        check: Dispose[R] | None,
        resize: Resize[R, U] | None,
        drain: float,
        deadline: float,
        name: str,
    ) -> None:
        super().__init__(live, open, close, check, drain, deadline, name)
        self._resize = resize
        # Whether a resize of the pool in use began and did not end well.
        self._torn = False

    def stands(self, value: U) -> bool:
        return not self._torn and super().stands(value)

    async def prepare(self, value: U) -> None:
        if not await self._resized(value):
            await super().prepare(value)

    def commit(self) -> None:
        if self._next is not None:
            super().commit()
            self._torn = False
        else:
            self.news = "resized as the new value says"

    async def _resized(self, value: U) -> bool:
        resize, held = self._resize, self._held
        if resize is None or held is None or self._torn or not self.alone:
            return False
        self._torn = True
        before = self.value
        step = held.task.start(lambda: resize(held.value, before, value), "resize", self.deadline)
        try:
            await step.outcome()
        except Exception as error:  # a user's function; a rebuild may still work
            if step.timed_out:
                raise
            logger.warning("%s: resizing raised %s; rebuilding", self.name, type(error).__name__)
        finally:
            if step.succeeded:  # also where a newer value came at the same time
                self._torn = False
                if step.result():
                    self.note_in_force(value)
        return step.succeeded and step.result()


def live_pool(
    live: Live[U],
    *,
    open: Build[U, R],  # noqa: A002 - the field's word
    close: Dispose[R] | None,
    check: Dispose[R] | None = None,
    resize: Resize[R, U] | None = None,
    drain: float = 10.0,
    deadline: float = 30.0,
    name: str = "",
) -> LivePool[U, R]:
    """A pool that is opened from a live value, and resized or opened anew when the value changes.

        async with live_pool(config.select("database"), open=connect, close=Pool.close) as database:
            async with database.use() as pool: ...

    Args:
        live: The value.
        open: Makes the pool; may fail, and may be cancelled by a newer value: then it closes what it had opened.
        close: Closes a pool, after its last user or after the drain; then it must not wait for users any more.
        check: Raises if a new pool does not work; then it is closed and the old one stays.
        resize: `await resize(pool, old_value, new_value)`: changes the pool in use, and says whether it is now as the
            new value says. False promises that nothing was changed, and it is rebuilt; see `LivePool` for the rest.
        drain: Seconds that users of the old pool have to finish; then it is closed under them, and counted.
        deadline: Seconds that opening and checking, resizing, or closing, may take.
        name: For the status.
    """
    return LivePool(live, open, close, check, resize, drain, deadline, label("live_pool", live, name))
