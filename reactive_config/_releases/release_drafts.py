"""What a release writes beside the configuration itself: its record, the new head, and the end of the history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from reactive_config._releases.contents import EMPTY, Contents
from reactive_config._releases.environment_name import EnvironmentName
from reactive_config._releases.key_store import KeyStore, Write
from reactive_config._releases.release import GENESIS, Head, KeyDelta, Release, read_release, sealed
from reactive_config._releases.replica import EnvironmentState
from reactive_config._releases.retention import Retention


class ReleaseDrafts:
    """Turns changes into what has to be written.

    Args:
        store: Where it will be written.
        retention: How long histories are.
        environments: How many there are.
        now: The clock of what is shown to people.

    Attributes:
        now: The same.
    """

    def __init__(
        self, store: KeyStore, retention: Retention, environments: Callable[[], int], now: Callable[[], datetime]
    ) -> None:
        self.now: Callable[[], datetime] = now
        self._environments = environments
        self._store = store
        self._retention = retention

    async def draft(
        self, state: EnvironmentState, release: Release, contents: Contents, deltas: list[KeyDelta]
    ) -> tuple[Release, Write]:
        """A release with its number and hash, and the transaction that makes it, without the configuration.

        Args:
            state: What its writer has seen; the transaction fails if it is not so any more.
            release: Who, why and how.
            contents: What the environment holds after it.
            deltas: What it changes.
        """
        name = state.name
        before = state.released or await self._before(name)
        numbered = msgspec.structs.replace(release, number=before.number + 1, saw=state.revision, parent=before.hash)
        release, record = sealed(numbered, deltas)
        retention = self._retention.shared_by(self._environments())
        outlived = await retention.outlived(self._store, name, before, len(record), self.now())
        head = Head(
            number=release.number,
            hash=release.hash,
            fingerprint=contents.fingerprint,
            whole=before.whole,
            first=outlived[-1][0] + 1 if outlived else before.first,
            size=before.size + len(record) - sum(size for _, size in outlived),
        )
        write = Write(
            {name.head: msgspec.json.encode(head), name.release(release.number): record},
            frozenset(name.release(number) for number, _ in outlived),
            {name.head: state.head.revision if state.head else 0, name.release(release.number): 0},
            {name.prefix: state.revision},
        )
        return release, write

    async def _before(self, name: EnvironmentName) -> Head:
        """What a new environment begins with. If somebody has deleted its head, the history goes on all the same."""
        rows = await self._store.scan(name.history, "", "~", 1)
        if not rows:
            return Head(number=0, hash=GENESIS, fingerprint=EMPTY.fingerprint)
        newest = read_release(rows[0][1].value, rows[0][1].revision)
        return Head(number=newest.number, hash=newest.hash, fingerprint=EMPTY.fingerprint, first=newest.number)
