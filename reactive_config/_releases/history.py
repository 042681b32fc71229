"""The past of an environment: its releases, what it held after each, and who set what."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

import msgspec

from reactive_config._core.paths import Path
from reactive_config._core.trees import same
from reactive_config._releases.contents import EMPTY, Contents, name_of
from reactive_config._releases.environment_name import EnvironmentName
from reactive_config._releases.key_store import KeyStore, Stored, StoreError, Write
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

_CHUNK = 1_000_000
_HUGE = 1 << 30


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
        async for _, deltas in self._back(name, latest, number):
            now = back(now, deltas)
        return now

    async def who_set(self, name: EnvironmentName, now: Contents, latest: int, path: Path) -> Release | None:
        """The last release that changed something at a path, or below it; None if no release that is kept did."""
        async for release, deltas in self._back(name, latest, 0, all_kept=False):
            earlier = back(now, deltas)
            touched = not path or any(name_of(delta.key) == path[0] for delta in deltas)
            if touched and not same(value_at(earlier, path), value_at(now, path)):
                return release
            now = earlier
        return None

    async def _back(
        self, name: EnvironmentName, latest: int, number: int, *, all_kept: bool = True
    ) -> AsyncIterator[tuple[Release, list[KeyDelta]]]:
        """The releases from the latest down to the one after `number`."""
        expected = latest
        while expected > number:
            records = await self._records(name, expected + 1, min(PAGE, expected - number))
            for release, stored in records:
                if release.number != expected:
                    break
                yield release, read_deltas(stored.value, stored.revision)
                expected -= 1
            else:
                if records:
                    continue
            if not all_kept:
                return
            raise NoSuchRelease(f"{name}: release {expected} is kept no longer, so nobody knows what was before it")

    async def _records(self, name: EnvironmentName, before: int, limit: int) -> list[tuple[Release, Stored]]:
        end = f"{before:012}" if before else "~"
        rows = await self._store.scan(name.history, "", end, limit)
        return [(read_release(stored.value, stored.revision), stored) for _, stored in rows]

    # -- whole contents, now and then ------------------------------------------------------------

    async def keep_whole(self, name: EnvironmentName, number: int, contents: Contents) -> int:
        """Keep all that an environment held after a release, beside the changes; returns the bytes that it takes.

        It is what the last release held if somebody writes around releases while no process follows the store.
        """
        packed = zlib.compress(msgspec.msgpack.encode({document.key: document.raw for document in contents}), 6)
        chunks = [packed[start : start + _CHUNK] for start in range(0, len(packed), _CHUNK)]
        for index, chunk in enumerate(chunks):  # the first one, written last, says how many there are
            if index:
                await self._store.commit(Write({f"{name.whole(number)}{index:06}": chunk}))
        first = msgspec.msgpack.encode((len(chunks), chunks[0]))
        await self._store.commit(Write({f"{name.whole(number)}{0:06}": first}))
        return len(packed)

    async def whole(self, name: EnvironmentName, number: int) -> Contents | None:
        """What `keep_whole` kept; None if nothing was, or not all of it."""
        if number == 0:
            return EMPTY
        stored = await self._store.get(f"{name.whole(number)}{0:06}")
        if stored is None:
            return None
        try:
            count, packed = msgspec.msgpack.decode(stored.value, type=tuple[int, bytes])
            for index in range(1, count):
                chunk = await self._store.get(f"{name.whole(number)}{index:06}")
                if chunk is None:
                    return None
                packed += chunk.value
            kept = msgspec.msgpack.decode(zlib.decompressobj().decompress(packed, _HUGE), type=dict[str, bytes])
        except (zlib.error, msgspec.DecodeError):
            raise DamagedHistory(f"{name}: what was kept of release {number} cannot be read") from None
        return EMPTY.edited(kept)

    async def forward_from(self, name: EnvironmentName, number: int, contents: Contents, latest: int) -> Contents:
        """What an environment held after the release `latest`, from what it held after an earlier one.

        Raises:
            NoSuchRelease: One in between is not there.
        """
        for at in range(number + 1, latest + 1):
            _, deltas = await self.release(name, at)
            contents = forward(contents, deltas)
        return contents
