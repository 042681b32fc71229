"""Feature flags that follow the configuration."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

from reactive_config.bindings.flag import Flag
from reactive_config.core.live import Live
from reactive_config.core.status import BindingState, BindingStatus

Key = str | int | UUID
F = TypeVar("F", bound=bool | float | Flag | None)


class Switch:
    """A feature flag; made by `switch`.

    It is no `Binding`: there is nothing to prepare, swap or close, and so no task and nothing that could be
    behind. Every call reads the live value, from any thread, also outside `async with`. Entering it only
    shows it in the status.
    """

    def __init__(self, live: Live[Any], salt: str, name: str) -> None:
        self._live = live
        self._salt = salt
        self._since = datetime.now(UTC)
        self.name = name or f"switch({salt or live.name})"

    def on(self, key: Key = "") -> bool:
        """Whether the feature is on for a key (a user, a tenant, a host), or for all where no key is given.

        The answer depends on nothing but the value, the salt and the key: it is the same in every process and
        on every version of Python. A growing percentage never turns a key off.
        """
        rule = self._live.current
        if isinstance(rule, Flag):
            return _on(rule, rule.salt or self._salt, _text(key))
        if rule is None or isinstance(rule, bool):
            return bool(rule)
        return _on_by_place(rule, self._salt, key)

    def variant(self, key: Key = "") -> str | None:
        """The variant that a key has; None where the feature is off for it, or has no variants.

        A percentage moves no key to another variant. A weight that changes moves keys to that variant or away
        from it, and between no others; so does a variant that comes or goes.
        """
        rule = self._live.current
        if not isinstance(rule, Flag) or not rule.variants:
            return None
        text, salt = _text(key), rule.salt or self._salt
        return _heaviest(rule.variants, salt, text) if _on(rule, salt, text) else None

    def status(self) -> BindingStatus:
        """In force, always: what is read is the newest value. Changes are not counted, as nothing watches."""
        return BindingStatus(self.name, BindingState.IN_FORCE, self._since)

    async def __aenter__(self) -> Self:
        self._live.report(self, self.status)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.report(self, None)


def switch(live: Live[F], *, salt: str = "", name: str = "") -> Switch:
    """A feature flag that follows a live value.

        checkout = switch(config.select("flags.checkout"), salt="checkout")
        if checkout.on(user.id): ...

    Args:
        live: A `Flag`; or true or false for everybody; or a percentage, 0 to 100; or None, which is off.
        salt: Used where the value has none. Flags of one salt share their places: the first 10 % of one are
            the first 10 % of the other. Give each flag its own, unless that is meant.
        name: For the status.
    """
    return Switch(live, salt, name)


def _on(flag: Flag, salt: str, key: str) -> bool:
    if not flag.on or key in flag.deny:
        return False
    return key in flag.allow or _on_by_place(flag.percentage, salt, key)


def _on_by_place(percentage: float, salt: str, key: Key) -> bool:
    # A place is above 0 and below 1, so that nobody is in 0 % and everybody in 100 %, whatever the rounding.
    return percentage > 0 and (percentage >= 100 or 100 * _place(b"percentage", salt, _text(key)) < percentage)


def _heaviest(variants: Mapping[str, float], salt: str, key: str) -> str:
    """Weighted rendezvous hashing: each variant draws for the key, by itself, and the best draw has it."""
    return max(variants, key=lambda name: variants[name] / -math.log(_place(b"variant", salt, key, name)))


def _place(use: bytes, *texts: str) -> float:
    """Where a key stands between 0 and 1, both excluded; `use` keeps the places of different questions apart."""
    data = "\0".join(texts).encode("utf-8", "surrogatepass")
    drawn = int.from_bytes(blake2b(data, digest_size=8, person=use, usedforsecurity=False).digest(), "big")
    return ((drawn >> 12) + 0.5) / 2**52  # 53 bits, which a float holds without rounding


def _text(key: Key) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, (int, UUID)) and not isinstance(key, bool):
        return str(key)
    # The text of any other object may hold its address, and so differ from process to process.
    raise TypeError(f"expected a key of type str, int or UUID, got {type(key).__name__}")
