"""What metrics and traces hang on: observers that are told around every apply and every rebuild."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from reactive_config._core.refusals import name_of
from reactive_config._core.runtime.host import is_failure
from reactive_config._core.runtime.operator_log import logger
from reactive_config._core.status import BindingStatus, HeldUnit

AGAIN = 10.0
"""Seconds until the log is told again of the same kind of error of an observer."""

_KINDS = 100  # of errors, that are remembered


@dataclass(slots=True)
class ApplyEvent:
    """One step of the writer: everything that waited, merged, decoded and published or held.

    Attributes:
        sources: The names of those that had said something.
        heard: When the first of it came; `time.monotonic()`.
        generation: What was published; 0 where nothing changed. Known at the end.
        held: Source and unit, for what was refused now or for another reason than before. Known at the end.
    """

    sources: tuple[str, ...]
    heard: float
    generation: int = 0
    held: tuple[tuple[str, HeldUnit], ...] = ()


@dataclass(slots=True)
class RebuildEvent:
    """One try of one binding to make its next thing.

    Attributes:
        binding: Its name.
        error: The kind of exception that it failed with; empty where it worked. Known at the end.
        superseded: Whether a newer value, or the end of the context, cancelled it. Known at the end.
    """

    binding: str
    error: str = ""
    superseded: bool = False


class Observer:
    """Told what happens, in the runtime's loop; override what is wanted.

    It must be quick, and cannot break anything: what it raises is logged, and what it would swallow is raised.
    """

    def applying(self, apply: ApplyEvent) -> AbstractContextManager[object]:
        """Entered before a step of the writer and left after it."""
        return nullcontext()

    def rebuilding(self, rebuild: RebuildEvent) -> AbstractContextManager[object]:
        """Entered before a binding prepares its next thing and left after it, in the task that prepares."""
        return nullcontext()

    def in_force(self, binding: str, age: float) -> None:
        """A binding put a newer value in force, `age` seconds after the runtime heard of it, failed tries included."""

    def closed(self, status: BindingStatus) -> None:
        """A binding left the status; this is the last one of it. May be called by the garbage collector (`timer`)."""


class Observers:
    """All observers of one configuration."""

    def __init__(self) -> None:
        self._all: list[Observer] = []
        self._told_at: dict[str, float] = {}  # when the log was told of a kind of error

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, observer: Observer) -> None:
        self._all.append(observer)

    def remove(self, observer: Observer) -> None:
        self._all.remove(observer)

    def applying(self, apply: ApplyEvent) -> AbstractContextManager[None]:
        return self._around([lambda o=o: o.applying(apply) for o in self._all])  # type: ignore[misc]

    def rebuilding(self, rebuild: RebuildEvent) -> AbstractContextManager[None]:
        return self._around([lambda o=o: o.rebuilding(rebuild) for o in self._all])  # type: ignore[misc]

    def in_force(self, binding: str, age: float) -> None:
        for observer in self._all:
            self._guarded(lambda: observer.in_force(binding, age))  # noqa: B023 - called at once

    def closed(self, status: BindingStatus) -> None:
        for observer in self._all:
            self._guarded(lambda: observer.closed(status))  # noqa: B023 - called at once

    @contextmanager
    def _around(self, makers: list[Callable[[], AbstractContextManager[object]]]) -> Iterator[None]:
        entered: list[AbstractContextManager[object]] = []

        def enter(make: Callable[[], AbstractContextManager[object]]) -> None:
            context = make()
            context.__enter__()
            entered.append(context)

        def leave(error: BaseException | None) -> None:
            kind, traceback = (type(error), error.__traceback__) if error is not None else (None, None)
            for context in reversed(entered):
                self._guarded(lambda: context.__exit__(kind, error, traceback))  # noqa: B023 - called at once

        for make in makers:
            self._guarded(lambda: enter(make))  # noqa: B023 - called at once
        try:
            yield
        except BaseException as error:
            leave(error)
            raise
        leave(None)

    def _guarded(self, call: Callable[[], object]) -> None:
        try:
            call()
        except BaseException as error:
            if not is_failure(error):
                raise
            self._tell(name_of(error))

    def _tell(self, error: str) -> None:
        """Log an error, unless its kind was logged just now: an observer may raise at every change."""
        now = time.monotonic()
        if now - self._told_at.get(error, -AGAIN) >= AGAIN:
            if len(self._told_at) >= _KINDS:
                self._told_at.clear()
            self._told_at[error] = now
            logger.warning("an observer raised %s; nothing else is affected", error)
