"""Feature flags that follow the configuration."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self, TypeVar

from reactive_config._bindings.flag import Flag, Key, is_on, variant_of
from reactive_config._core.runtime.live import Live, label, report
from reactive_config._core.status import BindingState, BindingStatus, Moment

F = TypeVar("F", bound=bool | float | Flag | None)


class Switch:
    """A feature flag; made by `switch`.

    It is no `Binding`: there is nothing to prepare, swap or close, and so no task and nothing that could be
    behind. Every call reads the live value, from any thread, also outside `async with`. Entering it only
    shows it in the status.
    """

    def __init__(self, live: Live[Any], salt: str, name: str) -> None:
        called = label("switch", live)
        self._live = live
        self._salt = salt
        self._since = Moment.now()
        self.name: str = name or (f"switch({salt})" if salt else called)

    def on(self, key: Key = "") -> bool:
        """Whether the feature is on for a key (a user, a tenant, a host), or for all where no key is given.

        The answer depends on nothing but the value, the salt and the key: it is the same in every process and
        on every version of Python. A growing percentage never turns a key off.
        """
        return is_on(self._live.current, self._salt, key)

    def variant(self, key: Key = "") -> str | None:
        """The variant that a key has; None where the feature is off for it, or has no variants.

        A percentage moves no key to another variant. A weight that changes moves keys to that variant or away
        from it, and between no others; so does a variant that comes or goes.
        """
        return variant_of(self._live.current, self._salt, key)

    def status(self) -> BindingStatus:
        """In force, always: what is read is the newest value. Changes are not counted, as nothing watches."""
        return BindingStatus(self.name, BindingState.IN_FORCE, self._since.wall, age=self._since.age)

    async def __aenter__(self) -> Self:
        report(self._live, self, self.status)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        report(self._live, self, None)


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
