"""What a limiter answers."""

from __future__ import annotations

import msgspec


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
