"""Changing an environment: one atomic release after another, each planned on what its writer saw.

Whoever changes an environment says how, as a function of what it holds. If somebody else was faster, the store says so
and the function is asked again with the newer contents: nothing is overwritten unseen.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec

from reactive_config._core.runtime.operator_log import logger
from reactive_config._releases.change_requests import ChangeOutcome, ChangeRequest
from reactive_config._releases.contents import EMPTY, Contents, KeyEdits
from reactive_config._releases.environment_name import EnvironmentName
from reactive_config._releases.history import History, NoSuchRelease
from reactive_config._releases.idempotency import Answer, IdempotencyKey, find_answer
from reactive_config._releases.key_store import (
    MOST_BYTES,
    MOST_KEYS,
    KeysMoved,
    KeyStore,
    StoreAway,
    StoreError,
    StoreTooLarge,
    Write,
)
from reactive_config._releases.path_changes import changes_between, check_size
from reactive_config._releases.release import (
    GENESIS,
    Head,
    KeyDelta,
    Release,
    back,
    deltas_between,
    read_release,
    sealed,
)
from reactive_config._releases.replica import EnvironmentState, Replica
from reactive_config._releases.retention import Retention

WAIT = 5.0
"""Seconds until this process knows of what was written."""

TRIES = 100
"""Writers that may be faster, one after the other, before a change is given up."""

LOST_TRIES = 3
"""Questions after an acknowledgement was lost."""

WHOLE_EVERY = 50
"""Releases after which all contents are kept once more."""


class Contended(StoreError):
    """So many others wrote at the same time that a change was given up; nothing was written."""


class Releases:
    """Changes the environments of one store.

    Args:
        store: Where they are.
        replica: What is known of it; somebody runs it.
        retention: How long the history is.
        now: The clock of what is shown to people.
    """

    def __init__(
        self,
        store: KeyStore,
        replica: Replica,
        retention: Retention | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.history = History(store)
        self.replica = replica
        self._store = store
        self._retention = retention or Retention()
        self._now = now
        self._locks: dict[EnvironmentName, asyncio.Lock] = {}
        # What each environment held after a release, by the release's hash: the last one that this process saw.
        self._released: dict[EnvironmentName, tuple[str, Contents]] = {}
        self._whole: dict[EnvironmentName, int] = {}

    async def change(self, name: EnvironmentName, request: ChangeRequest) -> ChangeOutcome:
        """Change an environment.

        Raises:
            Contended: Others were faster, again and again.
            NeedsForce: It is larger than usual, and no reason is given.
            StoreTooLarge: It touches too many keys or bytes.
            StoreError: What the store, the plan or the check raised.
        """
        # Writers of one process queue up here rather than at the store, where all but one would fail.
        async with self._locks.setdefault(name, asyncio.Lock()):
            for attempt in range(TRIES):
                state = await self.settled(name)
                try:
                    return await self._attempt(state, request)
                except KeysMoved as moved:
                    await self._know(moved.revision)
                if attempt:
                    await asyncio.sleep(random.uniform(0, 0.002 * min(attempt, 50)))
        raise Contended(f"{name}: {TRIES} others were faster; try again")

    async def _attempt(self, state: EnvironmentState, request: ChangeRequest) -> ChangeOutcome:
        name = state.name
        if request.repeat is not None and not request.dry_run:
            answer = await find_answer(self._store, request.repeat, self._now())
            if answer is not None:
                return await self._again(state, answer)
        request.check(state)
        edits = _effective(state.contents, await request.plan(state))
        contents = state.contents.edited(edits)
        changes = changes_between(state.contents, contents)
        if len(edits) > MOST_KEYS:
            raise StoreTooLarge(f"{name}: expected at most {MOST_KEYS} changed keys in one release, got {len(edits)}")
        if not request.forced:
            check_size(state.contents, contents)
        created = not state.exists
        if request.dry_run or not (edits or created or request.repeat):
            return ChangeOutcome(None, contents, changes, created, state.revision)
        release, revision = await self._commit(state, edits, contents, request)
        if release is not None:
            self._released[name] = (release.hash, contents)
            release = msgspec.structs.replace(release, revision=revision)
        await self.replica.wait(revision, WAIT)  # so that this process does not answer with what was before
        if release is not None and release.number % WHOLE_EVERY == 0:
            await self._keep_whole(name, release.number, contents)
        return ChangeOutcome(release, contents, changes, created, revision)

    async def restore(self, name: EnvironmentName, number: int, request: ChangeRequest) -> ChangeOutcome:
        """Make an environment hold again what it held after a release; `request.plan` is not asked.

        Raises:
            NoSuchRelease: It was never made, or is kept no longer.
        """
        then = await self.contents_at(name, number)

        async def plan(state: EnvironmentState) -> KeyEdits:
            return state.contents.edits_to(then)

        return await self.change(name, msgspec.structs.replace(request, plan=plan, kind="restore", restores=number))

    async def contents_at(self, name: EnvironmentName, number: int) -> Contents:
        """What an environment held after a release.

        Raises:
            NoSuchRelease: It was never made, or is kept no longer.
        """
        state = await self.settled(name)
        released = state.released
        if released is None or number < 1:
            raise NoSuchRelease(f"{name}: there is no release {number}")
        return await self.history.contents_at(name, state.contents, released.number, number)

    async def contents_before(self, name: EnvironmentName, number: int, after: Contents) -> Contents:
        """What an environment held before a release, from what it held after it.

        Raises:
            NoSuchRelease: It was never made, or is kept no longer.
        """
        _, deltas = await self.history.release(name, number)
        return back(after, deltas)

    async def who_set(self, state: EnvironmentState, path: tuple[str, ...]) -> Release | None:
        """The release that set what stands at a path; None if it is kept no longer."""
        released = state.released
        if released is None:
            return None
        return await self.history.who_set(state.name, state.contents, released.number, path)

    # -- what was written around releases --------------------------------------------------------

    async def settled(self, name: EnvironmentName) -> EnvironmentState:
        """An environment whose contents are those of its last release.

        What was written around releases becomes one first: of nobody, of the revisions at which it was found.
        """
        for _ in range(TRIES):
            state = self.replica.state(name)
            released = state.released
            if state.is_released:
                if released is not None:
                    self._released[name] = (released.hash, state.contents)
                return state
            try:
                await self._release_external(state, released)
            except KeysMoved as moved:
                await self._know(moved.revision)
        raise Contended(f"{name}: {TRIES} others were faster; try again")

    async def _release_external(self, state: EnvironmentState, released: Head | None) -> None:
        before = await self._contents_of(state, released)
        for edits in _in_parts(before, before.edits_to(state.contents)):
            contents = before.edited(edits)
            found = ((state.head.revision if state.head else 0) + 1, state.revision)
            draft = Release(number=0, author="", time=self._now(), kind="external", external=found)
            release, write = await self._written(state, draft, contents, deltas_between(before, edits))
            revision = await self._store.commit(write)
            await self._know(revision)
            state = self.replica.state(state.name)
            released, before = state.released, contents
            if released is None or released.hash != release.hash:
                return  # somebody else went on from here

    async def _contents_of(self, state: EnvironmentState, released: Head | None) -> Contents:
        """What an environment held after its last release, though it holds something else now."""
        if released is None:
            return EMPTY
        known = self._released.get(state.name)
        if known is not None and known[0] == released.hash:
            return known[1]
        whole = await self.history.whole(state.name, released.whole)
        if whole is None:
            raise NoSuchRelease(f"{state.name}: what it held after release {released.number} is not kept")
        return await self.history.forward_from(state.name, released.whole, whole, released.number)

    # -- writing ---------------------------------------------------------------------------------

    async def _commit(
        self, state: EnvironmentState, edits: KeyEdits, contents: Contents, request: ChangeRequest
    ) -> tuple[Release | None, int]:
        if not edits and state.exists:  # only that it was asked for is to be remembered
            assert request.repeat is not None
            return None, await self._store.commit(self._with_answer(Write({}), request.repeat, None, created=False))
        draft = Release(
            number=0,
            author=request.author,
            identity=request.identity,
            time=self._now(),
            message=request.message,
            kind=request.kind,
            restores=request.restores,
            forced=request.forced,
        )
        release, write = await self._written(state, draft, contents, deltas_between(state.contents, edits))
        prefix = state.name.prefix
        puts = {prefix + key: raw for key, raw in edits.items() if raw is not None}
        gone = {prefix + key for key, raw in edits.items() if raw is None}
        touched = {prefix + key: _revision(state.contents, key) for key in edits}
        write = Write({**write.puts, **puts}, write.deletes | gone, {**write.unchanged, **touched}, write.quiet)
        if request.repeat is not None:
            write = self._with_answer(write, request.repeat, release, created=not state.exists)
        try:
            return release, await self._store.commit(write)
        except StoreAway:
            revision = await self._was_written(state.name, release)
            if revision is None:
                raise
            return release, revision

    async def _written(
        self, state: EnvironmentState, draft: Release, contents: Contents, deltas: list[KeyDelta]
    ) -> tuple[Release, Write]:
        """A release, and what to write beside the configuration itself."""
        name, released = state.name, state.released
        before = released or Head(number=0, hash=GENESIS, fingerprint=EMPTY.fingerprint)
        numbered = msgspec.structs.replace(draft, number=before.number + 1, saw=state.revision, parent=before.hash)
        release, record = sealed(numbered, deltas)
        outlived = await self._retention.outlived(self._store, name, before, len(record), self._now())
        head = Head(
            number=release.number,
            hash=release.hash,
            fingerprint=contents.fingerprint,
            whole=self._whole.get(name, before.whole),
            first=outlived[-1][0] + 1 if outlived else before.first,
            size=before.size + len(record) - sum(size for _, size in outlived),
        )
        write = Write(
            {name.head: msgspec.json.encode(head), name.release(release.number): record},
            frozenset(name.release(number) for number, _ in outlived),
            {name.head: state.head.revision if state.head else 0},
            {name.prefix: state.revision},
        )
        return release, write

    def _with_answer(self, write: Write, key: IdempotencyKey, release: Release | None, *, created: bool) -> Write:
        answer = Answer(key.body, release.number if release else 0, created)
        places = key.stored_at(self._now())
        puts = {**write.puts, places[0]: msgspec.json.encode(answer)}
        return msgspec.structs.replace(write, puts=puts, unchanged={**write.unchanged, **dict.fromkeys(places, 0)})

    async def _again(self, state: EnvironmentState, answer: Answer) -> ChangeOutcome:
        release = None
        if answer.release:
            release, _ = await self.history.release(state.name, answer.release)
        return ChangeOutcome(release, state.contents, [], answer.created, state.revision, repeated=True)

    async def _was_written(self, name: EnvironmentName, release: Release) -> int | None:
        """The revision of a release whose acknowledgement was lost; None if nobody knows whether it was written.

        Raises:
            KeysMoved: Another one has its number, so it was not.
        """
        for _ in range(LOST_TRIES):
            try:
                stored = await self._store.get(name.release(release.number))
            except StoreAway:
                continue
            if stored is None:
                return None  # it may still be on its way
            if read_release(stored.value, stored.revision).hash == release.hash:
                return stored.revision
            raise KeysMoved(f"{name}: another release was faster", stored.revision)
        return None

    async def _know(self, revision: int) -> None:
        """Return once this process knows of a revision.

        Raises:
            StoreAway: It does not, after some seconds.
        """
        if not await self.replica.wait(revision, WAIT):
            raise StoreAway(f"{self._store.name}: revision {revision} was written, and has not come back yet")

    async def _keep_whole(self, name: EnvironmentName, number: int, contents: Contents) -> None:
        try:
            await self.history.keep_whole(name, number, contents)
        except StoreError as error:  # the release is made; it can be done with a later one
            logger.warning("%s: what it holds after release %d was not kept as a whole: %s", name, number, error)
        else:
            self._whole[name] = number


def _effective(contents: Contents, edits: KeyEdits) -> dict[str, bytes | None]:
    """The edits that change something."""
    return {key: raw for key, raw in edits.items() if raw != _raw(contents, key)}


def _raw(contents: Contents, key: str) -> bytes | None:
    document = contents.get(key)
    return None if document is None else document.raw


def _revision(contents: Contents, key: str) -> int:
    document = contents.get(key)
    return 0 if document is None else document.revision


def _in_parts(before: Contents, edits: Mapping[str, bytes | None]) -> list[dict[str, bytes | None]]:
    """Edits cut so that each part fits one transaction."""
    parts: list[dict[str, bytes | None]] = [{}]
    room = MOST_BYTES // 2
    for key, raw in sorted(edits.items()):
        size = len(key) + len(raw or b"") + len(_raw(before, key) or b"")
        if parts[-1] and room < size:
            parts.append({})
            room = MOST_BYTES // 2
        parts[-1][key] = raw
        room -= size
    return parts
