"""The states of many keys, bounded in memory, without a gain for whoever floods it with keys."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Container
from typing import Generic, TypeVar

from reactive_config._bindings.limits.rule import Rule

S = TypeVar("S")


class KeyedStates(Generic[S]):
    """One rule, and what each key has used under it.

    Only keys in use have a state: one that behaves like a fresh one is dropped. Each newcomer looks at two, so that a
    call costs the same however many there are. Nobody else is ever dropped; that would give a fresh start. When all
    places are taken by keys in use, newcomers share one more state, the overflow, as if they were one key. A key that
    gets a place of its own while the overflow is in use begins with what the overflow has left. So no key lets more
    through than the rule says, whichever way it was counted meanwhile.

    Args:
        rule: The algorithm and its rate.
        most: How many keys may have a state of their own.
        pinned: Keys that keep their place even if they are fresh.
    """

    def __init__(self, rule: Rule[S], most: int, pinned: Container[str] = ()) -> None:
        self.rule = rule
        self._most = most
        self._pinned = pinned
        self._states: OrderedDict[str, S] = OrderedDict()
        self._overflow: S | None = None

    def __len__(self) -> int:
        return len(self._states)

    def take(self, key: str, cost: int, now: int) -> bool:
        """Let `cost` of a key through, if that is allowed."""
        return self._change(key, lambda state: self.rule.take(state, cost, now), now)

    def count(self, key: str, cost: int, now: int) -> None:
        """Note that something else has let `cost` of a key through."""
        self._change(key, lambda state: self.rule.count(state, cost, now), now)

    def when(self, key: str, cost: int, now: int) -> int | None:
        """The earliest time at which `cost` may pass if nobody else comes; None while the rate is 0."""
        return self.rule.when(self._state(key, now), cost, now)

    def remaining(self, key: str, now: int) -> int:
        """How many could pass now."""
        return self.rule.remaining(self._state(key, now), now)

    def _change(self, key: str, change: Callable[[S], S | None], now: int) -> bool:
        """Give a key the state after a change, unless that is None. Returns whether it has it."""
        if (known := self._states.get(key)) is not None:
            after = change(known)
            if after is not None:
                self._states[key] = after
            return after is not None
        self._sweep(now)
        full = len(self._states) >= self._most
        after = change(self._overflowing(now) if full else self._newcomer(now))
        if after is None:
            return False
        if full:
            self._overflow = after
        else:
            self._states[key] = after
        return True

    def _state(self, key: str, now: int) -> S:
        known = self._states.get(key)
        return self._newcomer(now) if known is None else known

    def _newcomer(self, now: int) -> S:
        """What a key without a state begins with: a copy of the overflow's state, as it may have been counted there."""
        return self.rule.copy(self._overflowing(now))

    def _overflowing(self, now: int) -> S:
        if self._overflow is None or self.rule.is_fresh(self._overflow, now):
            self._overflow = None
            return self.rule.fresh(now)
        return self._overflow

    def _sweep(self, now: int) -> None:
        """Look at the two keys that were not looked at for longest, and drop those in no use."""
        for _ in range(min(2, len(self._states))):
            key, state = self._states.popitem(last=False)
            if key in self._pinned or not self.rule.is_fresh(state, now):
                self._states[key] = state
