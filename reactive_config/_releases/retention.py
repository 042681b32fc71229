"""How long the history of an environment is."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta

import msgspec

from reactive_config._releases.environment_name import EnvironmentName
from reactive_config._releases.key_store import KeyStore, Stored
from reactive_config._releases.release import DamagedHistory, Head, read_release

AT_ONCE = 3
"""Releases that are forgotten with each new one, at most: so a history that is to become shorter does, step by step."""


class Retention(msgspec.Struct, frozen=True):
    """What is kept, for each environment. Whatever is reached first ends it; the newest release is always kept.

    Attributes:
        count: Releases.
        age: How old one may be; None for any age.
        size: Bytes of all releases together, as they are stored.
        total: Bytes of all histories of the store together. Each environment may have an equal share of them.
    """

    count: int = 1000
    age: timedelta | None = None
    size: int = 64 << 20
    total: int = 512 << 20

    def shared_by(self, environments: int) -> Retention:
        """What is kept of one of so many environments."""
        return msgspec.structs.replace(self, size=min(self.size, self.total // max(environments, 1)))

    async def outlived(
        self, store: KeyStore, name: EnvironmentName, head: Head, added: int, now: datetime
    ) -> list[tuple[int, int]]:
        """The number and the bytes of releases to forget now, oldest first.

        Args:
            store: Where they are.
            name: Of which environment.
            head: Its head before the new release.
            added: Bytes of the new release.
            now: For their age.
        """
        last = min(head.first + AT_ONCE - 1, head.whole, head.number)
        if last < head.first or not (self.age or self._is_too_much(head.number + 2 - head.first, head.size + added)):
            return []
        rows = await store.scan(name.history, f"{head.first:012}", f"{last + 1:012}", AT_ONCE)
        outlived, count, size = [], head.number + 2 - head.first, head.size + added
        for key, stored in reversed(rows):
            if not self._is_too_much(count, size) and not self._is_too_old(stored, now):
                break
            outlived.append((int(key[-12:]), len(stored.value)))  # by its key: it need not be readable
            count, size = count - 1, size - len(stored.value)
        return outlived

    def _is_too_old(self, stored: Stored, now: datetime) -> bool:
        if self.age is None:
            return False
        try:
            return now - read_release(stored.value, stored.revision).time > self.age
        except DamagedHistory:
            return True

    def _is_too_much(self, count: int, size: int) -> bool:
        return count > self.count or size > self.size


WITHOUT_COUNT = Retention(count=sys.maxsize)
"""Of those who write to a store that somebody else looks after: they forget only what has no room."""
