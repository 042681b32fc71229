"""What all algorithms have in common: a rule for many keys, apart from what each key has used; and the answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import msgspec

from reactive_config._bindings.limits.rate import Rate

S = TypeVar("S")


class TooCostly(ValueError):
    """A cost that the rate in force can never let through; waiting would be for ever."""


class Rule(ABC, Generic[S]):
    """One algorithm under one rate at a time. No waiting and no clock here.

    `S` is what one key has used. It is only valid with the rule that made it, and it stays valid across changes of
    the rate: a change costs the same for one key and for a million. Times are whole nanoseconds that never go
    back. Costs are whole numbers, 1 or more.
    """

    @abstractmethod
    def change(self, rate: Rate, now: int) -> None:
        """Put another rate in force; what is earned until now is earned at the one before.

        Raises:
            InvalidValue: The algorithm cannot hold this rate; the one before stays.
        """

    @abstractmethod
    def fresh(self, now: int) -> S:
        """The state of a key that was never used."""

    @abstractmethod
    def is_fresh(self, state: S, now: int) -> bool:
        """Whether the state behaves from now on like that of a key that was never used."""

    @abstractmethod
    def copy(self, state: S) -> S:
        """A state that goes its own way."""

    @abstractmethod
    def check(self, cost: int) -> None:
        """Raise TooCostly if no waiting would help; not while the rate is 0."""

    @abstractmethod
    def take(self, state: S, cost: int, now: int) -> S | None:
        """The state after letting `cost` through; None, and nothing changed, if that is not allowed yet."""

    @abstractmethod
    def count(self, state: S, cost: int, now: int) -> S:
        """The state after something else has let `cost` through, whether this rule would have or not."""

    @abstractmethod
    def when(self, state: S, cost: int, now: int) -> int | None:
        """The earliest time at which `cost` may pass; None while the rate is 0."""

    @abstractmethod
    def remaining(self, state: S, now: int) -> int:
        """How many could pass now."""


class Decision(msgspec.Struct, frozen=True):
    """What `try_acquire` says; true where it let the call through.

    Attributes:
        allowed: Whether it did.
        retry_after: Seconds after which it might, 0 where it did; None where only a change of the rate helps (0 lets
            nothing through). Not a promise: others may come first.
        remaining: How many could pass now, for this key; None where there is no limit, or where that was not asked.
    """

    allowed: bool
    retry_after: float | None = 0.0
    remaining: int | None = None

    def __bool__(self) -> bool:
        return self.allowed


ALLOWED = Decision(allowed=True)
