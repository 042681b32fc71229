"""The notifier in use: the wanted one, or polling while that one cannot work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Literal

from reactive_config._sources.files.notifiers.base import Notifier, NotifierFailed, Polling, WatchPlan, WriteEvent

NotifierName = Literal["auto", "inotify", "watchfiles", "polling"]
RETRY = 30.0
"""Seconds after which a notifier that failed is tried again: watches may be free, the odd name gone."""


def choose(wanted: NotifierName) -> NotifierName:
    """What `auto` means on this system."""
    if wanted == "auto":
        return "inotify" if sys.platform == "linux" else "watchfiles"
    return wanted


class FallbackNotifier:
    """A notifier that does not fail.

    Args:
        make: A new one of the wanted kind; may raise `NotifierFailed`.
        clock: Seconds, monotonic.
    """

    def __init__(self, make: Callable[[], Notifier], clock: Callable[[], float]) -> None:
        self._make, self._clock = make, clock
        self._inner: Notifier = Polling()
        self._failure = ""
        self._retry_at = float("-inf")

    @property
    def name(self) -> str:
        return self._inner.name

    def arm(self, plan: WatchPlan) -> bool:
        try:
            if self._clock() >= self._retry_at:
                self._retry_at = float("inf")
                self._inner = self._make()
                self._failure = ""
            return self._inner.arm(plan)
        except NotifierFailed as failed:
            self._inner.close()
            self._inner, self._failure = Polling(), f"{failed}; polling instead"
            self._retry_at = self._clock() + RETRY
            return True  # what the old one still had to say is lost

    def writes(self) -> Mapping[str, WriteEvent]:
        return self._inner.writes()

    def begin_read(self, real: str, write: WriteEvent | None) -> bool:
        return self._inner.begin_read(real, write)

    def end_read(self, real: str) -> WriteEvent | None:
        return self._inner.end_read(real)

    def touched(self) -> set[str] | None:
        return self._inner.touched()

    def judged(self, writes: Mapping[str, WriteEvent]) -> None:
        self._inner.judged(writes)

    def give_up(self, real: str) -> None:
        self._inner.give_up(real)

    def troubles(self) -> list[str]:
        return [*([self._failure] if self._failure else []), *self._inner.troubles()]

    def close(self) -> None:
        self._inner.close()
