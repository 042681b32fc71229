"""The past of an environment: its releases, what it held after each, and who set what."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator

from reactive_config._core.paths import Path
from reactive_config._core.trees import same
from reactive_config._releases.contents import Contents, name_of
from reactive_config._releases.environment_name import EnvironmentName
from reactive_config._releases.key_store import KeyStore, Stored, StoreError
from reactive_config._releases.path_changes import value_at
from reactive_config._releases.release import (
    DamagedHistory,
    KeyDelta,
    Release,
    back,
    forward,
    read_deltas,
    read_release,
)

PAGE = 50
"""Releases that are read at once."""


class NoSuchRelease(StoreError, LookupError):
    """There is no release of this number, or no longer."""


class History:
    """Reads the releases of a store."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    async def releases(self, name: EnvironmentName, *, before: int = 0, limit: int = PAGE) -> list[Release]:
        """Releases, newest first.

        Args:
            name: Of which environment.
            before: Only those with a lower number; 0 for all.
            limit: How many at most.
        """
        return [release for release, _ in await self._records(name, before, limit)]

    async def release(self, name: EnvironmentName, number: int) -> tuple[Release, list[KeyDelta]]:
        """One release and what it changed.

        Raises:
            NoSuchRelease: It was never made, or is kept no longer.
        """
        stored = await self._store.get(name.release(number)) if 0 < number < 10**12 else None
        if stored is None:
            raise NoSuchRelease(f"{name}: there is no release {number}, or no longer")
        with _named(name, name.release(number)):
            return read_release(stored.value, stored.revision), read_deltas(stored.value, stored.revision)

    async def contents_at(self, name: EnvironmentName, now: Contents, latest: int, number: int) -> Contents:
        """What an environment held after a release.

        Args:
            name: Of which environment.
            now: What it held after the release `latest`.
            latest: Its number.
            number: Of the release that is asked for; 0 is before the first one.

        Raises:
            NoSuchRelease: It was never made, or is kept no longer.
        """
        if number > latest:
            raise NoSuchRelease(f"{name}: there is no release {number}; the newest is {latest}")
        known = latest
        async for release, deltas in self._back(name, latest, number):
            now, known = back(now, deltas), release.number - 1
        if known > number:
            raise NoSuchRelease(
                f"{name}: what release {known} changed is not kept, or no longer, so nobody knows what was before it"
            )
        return now

    async def who_set(self, name: EnvironmentName, now: Contents, latest: int, path: Path) -> Release | None:
        """The last release that changed something at a path, or below it; None if no release that is kept did."""
        async for release, deltas in self._back(name, latest, 0):
            earlier = back(now, deltas)
            touched = not path or any(name_of(delta.key) == path[0] for delta in deltas)
            if touched and not same(value_at(earlier, path), value_at(now, path)):
                return release
            now = earlier
        return None

    async def _back(
        self, name: EnvironmentName, latest: int, number: int
    ) -> AsyncIterator[tuple[Release, list[KeyDelta]]]:
        """The releases from the latest down to the one after `number`; fewer, if one does not say what it changed."""
        expected = latest
        while expected > number:
            records = await self._records(name, expected + 1, min(PAGE, expected - number))
            for release, stored in records:
                if release.number != expected or release.unrecorded:
                    return
                with _named(name, name.release(expected)):
                    deltas = read_deltas(stored.value, stored.revision)
                yield release, deltas
                expected -= 1
            if not records:
                return

    async def _records(self, name: EnvironmentName, before: int, limit: int) -> list[tuple[Release, Stored]]:
        end = f"{before:012}" if before else "~"
        rows = await self._store.scan(name.history, "", end, limit)
        found = []
        for key, stored in rows:
            with _named(name, key):
                found.append((read_release(stored.value, stored.revision), stored))
        return found

    async def forward_from(self, name: EnvironmentName, number: int, contents: Contents, latest: int) -> Contents:
        """What an environment held after the release `latest`, from what it held after an earlier one.

        Raises:
            NoSuchRelease: One in between is not there, or does not say what it changed.
        """
        for at in range(number + 1, latest + 1):
            release, deltas = await self.release(name, at)
            if release.unrecorded:
                raise NoSuchRelease(f"{name}: what release {at} changed is not kept")
            contents = forward(contents, deltas)
        return contents


@contextlib.contextmanager
def _named(name: EnvironmentName, key: str) -> Iterator[None]:
    """Say which record is damaged, and the way out."""
    try:
        yield
    except DamagedHistory as error:
        raise DamagedHistory(
            f"{name}: {error}; restore the key {key}, or delete it: then nothing before it can be told"
        ) from None
