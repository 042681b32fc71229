"""What was written around releases, by etcdctl as a rule: it is found, and becomes a release of nobody."""

from __future__ import annotations

from collections.abc import Mapping

from reactive_config._core.runtime.operator_log import logger
from reactive_config._releases.contents import EMPTY, Contents
from reactive_config._releases.environment_name import EnvironmentName
from reactive_config._releases.history import History, NoSuchRelease
from reactive_config._releases.key_store import MOST_BYTES, KeyStore, StoreError, StoreTooLarge
from reactive_config._releases.release import DamagedHistory, Head, Release, deltas_between
from reactive_config._releases.release_drafts import ReleaseDrafts
from reactive_config._releases.replica import EnvironmentState
from reactive_config._releases.whole_contents import WholeContents


class ExternalChanges:
    """Records what was written around the releases of a store.

    Args:
        store: Where they are.
        history: Its past.
        wholes: What is kept of it as a whole.
        drafts: What a release writes.
    """

    def __init__(self, store: KeyStore, history: History, wholes: WholeContents, drafts: ReleaseDrafts) -> None:
        self._store = store
        self._history = history
        self._wholes = wholes
        self._drafts = drafts
        # What each environment held after a release, by the release's hash: the last one that this process saw.
        self._released: dict[EnvironmentName, tuple[str, Contents]] = {}

    def remember(self, name: EnvironmentName, release_hash: str, contents: Contents) -> None:
        """An environment held this after a release, so nobody need look it up."""
        self._released[name] = (release_hash, contents)

    async def record(self, state: EnvironmentState) -> int:
        """Make one release of what was written around releases, or the first of several; return its revision.

        If that is too large for one, or nobody knows any more what was there before it, the release is unrecorded: it
        does not say what it changed, and the history begins anew with it. A change that nobody can record must not
        keep everybody else from writing.

        Raises:
            KeysMoved: Somebody else has written meanwhile.
            StoreError: It could not be written.
        """
        try:
            before = await self._contents_of(state.name, state.released)
            return await self._record_part(state, before)
        except (NoSuchRelease, DamagedHistory, StoreTooLarge) as error:
            return await self._record_that(state, error)

    async def _record_part(self, state: EnvironmentState, before: Contents) -> int:
        edits = _first_part(before, before.edits_to(state.contents))
        contents = before.edited(edits)
        release, write = await self._drafts.draft(state, self._external(state), contents, deltas_between(before, edits))
        revision = await self._store.commit(write)
        self.remember(state.name, release.hash, contents)
        await self._wholes.keep_if_due(state.name, release.number, contents)
        return revision

    async def _record_that(self, state: EnvironmentState, reason: StoreError) -> int:
        name = state.name
        release, write = await self._drafts.draft(state, self._external(state, unrecorded=True), state.contents, [])
        revision = await self._store.commit(write)
        self.remember(name, release.hash, state.contents)
        logger.warning("%s: what release %d changed is not kept: %s", name, release.number, reason)
        await self._wholes.keep_if_due(name, release.number, state.contents, due=True)
        return revision

    def _external(self, state: EnvironmentState, *, unrecorded: bool = False) -> Release:
        first = (state.head.revision if state.head else 0) + 1
        found = (min(first, state.revision), state.revision)
        return Release(
            number=0, author="", time=self._drafts.now(), kind="external", external=found, unrecorded=unrecorded
        )

    async def _contents_of(self, name: EnvironmentName, released: Head | None) -> Contents:
        """What an environment held after its last release, though it holds something else now."""
        if released is None:
            if await self._history.releases(name, limit=1):
                raise NoSuchRelease(f"{name}: its head is gone, and with it what it held")
            return EMPTY
        known = self._released.get(name)
        if known is not None and known[0] == released.hash:
            return known[1]
        whole = await self._wholes.read(name, released.whole)
        if whole is None:
            raise NoSuchRelease(f"{name}: what it held after release {released.number} is not kept")
        return await self._history.forward_from(name, released.whole, whole, released.number)


def _first_part(before: Contents, edits: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """As many edits as fit one transaction, one at least."""
    part: dict[str, bytes | None] = {}
    room = MOST_BYTES // 2
    for key, raw in sorted(edits.items()):
        document = before.get(key)
        room -= len(key) + len(raw or b"") + len(document.raw if document else b"")
        if part and room < 0:
            break
        part[key] = raw
    return part
