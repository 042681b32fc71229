"""Changing an environment: one atomic release after another, each planned on what its writer saw.

Whoever changes an environment says how, as a function of what it holds. If somebody else was faster, the store says so
and the function is asked again with the newer contents: nothing is overwritten unseen.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from weakref import WeakValueDictionary

import msgspec

from reactive_config._core.runtime.operator_log import logger
from reactive_config._printable import printable
from reactive_config._releases.applied_names import claimed, pruned, read_owners
from reactive_config._releases.change_requests import ChangeOutcome, ChangeRequest
from reactive_config._releases.contents import Contents, KeyEdits, name_of
from reactive_config._releases.environment_name import EnvironmentName
from reactive_config._releases.external_changes import ExternalChanges
from reactive_config._releases.history import History, NoSuchRelease
from reactive_config._releases.idempotency import Answer, IdempotencyKey, find_answer
from reactive_config._releases.key_store import (
    MOST_BYTES,
    MOST_KEYS,
    KeysMoved,
    KeyStore,
    NotWritten,
    StoreAway,
    StoreError,
    StoreTooLarge,
    Write,
)
from reactive_config._releases.path_changes import PathChange, changes_between, check_size
from reactive_config._releases.path_edits import check_new_names
from reactive_config._releases.release import Release, back, deltas_between, read_release
from reactive_config._releases.release_drafts import ReleaseDrafts
from reactive_config._releases.replica import EnvironmentState, Replica
from reactive_config._releases.retention import Retention
from reactive_config._releases.whole_contents import WholeContents

WAIT = 5.0
"""Seconds until this process knows of what was written."""

TRIES = 100
"""Writers that may be faster, one after the other, before a change is given up."""

LOST_TRIES = 3
"""Questions after an acknowledgement was lost."""


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
        self.retention = retention or Retention()
        self.replica = replica
        self._store = store
        self._drafts = ReleaseDrafts(store, self.retention, lambda: replica.count, now)
        self._wholes = WholeContents(store)
        self._external = ExternalChanges(store, self.history, self._wholes, self._drafts)
        # Weak: an environment that nobody changes at the moment needs none.
        self._locks: WeakValueDictionary[EnvironmentName, asyncio.Lock] = WeakValueDictionary()

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
                await _pause(attempt)
        raise Contended(f"{name}: {TRIES} others were faster; try again")

    async def _attempt(self, state: EnvironmentState, request: ChangeRequest) -> ChangeOutcome:
        name = state.name
        if request.repeat is not None and not request.dry_run:
            answer = await find_answer(self._store, request.repeat, self._drafts.now())
            if answer is not None:
                return await self._again(state, answer)
        request.check(state)
        wanted, claim = await self._planned(state, request)
        edits = _effective(state.contents, wanted)
        contents = state.contents.edited(edits)
        names = {name_of(key) for key in edits}
        changes = changes_between(state.contents, contents, names)
        created = not state.exists
        violations = list(_violations(state, edits, names, contents, changes, request))
        if request.dry_run:
            return ChangeOutcome(None, contents, changes, created, state.revision, violations=violations)
        if violations:
            raise violations[0]
        if not (edits or created or request.repeat or claim):
            return ChangeOutcome(None, contents, changes, created, state.revision)
        release, revision = await self._commit(state, edits, contents, request, claim)
        if release is not None:
            _tell(name, release)
            self._external.remember(name, release.hash, contents)
            release = msgspec.structs.replace(release, revision=revision)
        await self.replica.wait(revision, WAIT)  # so that this process does not answer with what was before
        if release is not None:
            await self._wholes.keep_if_due(name, release.number, contents)
        return ChangeOutcome(release, contents, changes, created, revision)

    async def _planned(self, state: EnvironmentState, request: ChangeRequest) -> tuple[KeyEdits, Write | None]:
        """The wanted edits, and what is to be remembered of who applied them."""
        edits, applied = await request.plan(state), request.applied
        if applied is None:
            return edits, None
        owners = await read_owners(self._store, state.name) if applied.owner else {}
        return pruned(state.contents, edits, applied, owners), claimed(state.name, applied, owners)

    async def restore(self, name: EnvironmentName, number: int, request: ChangeRequest) -> ChangeOutcome:
        """Make an environment hold again what it held after a release; `request.plan` is not asked.

        Raises:
            NoSuchRelease: It was never made, or is kept no longer.
        """

        async def plan(state: EnvironmentState) -> KeyEdits:
            return state.contents.edits_to(await self._contents_at(state, number))

        return await self.change(name, msgspec.structs.replace(request, plan=plan, kind="restore", restores=number))

    async def contents_at(self, name: EnvironmentName, number: int) -> Contents:
        """What an environment held after a release.

        Raises:
            NoSuchRelease: It was never made, or is kept no longer.
        """
        return await self._contents_at(await self.settled(name), number)

    async def _contents_at(self, state: EnvironmentState, number: int) -> Contents:
        name, released = state.name, state.released
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

    async def settled(self, name: EnvironmentName) -> EnvironmentState:
        """An environment whose contents are those of its last release.

        What was written around releases becomes one first: of nobody, of the revisions at which it was found.
        """
        others = 0
        while others < TRIES:
            state = self.replica.state(name)
            if state.is_released:
                if state.released is not None:
                    self._external.remember(name, state.released.hash, state.contents)
                return state
            try:
                revision = await self._external.record(state)
            except KeysMoved as moved:
                others, revision = others + 1, moved.revision
                await _pause(others)
            await self._know(revision)
        raise Contended(f"{name}: {TRIES} others were faster; try again")

    # -- writing ---------------------------------------------------------------------------------

    async def _commit(
        self,
        state: EnvironmentState,
        edits: KeyEdits,
        contents: Contents,
        request: ChangeRequest,
        claim: Write | None,
    ) -> tuple[Release | None, int]:
        if not edits and state.exists:  # only who applied it, or that it was asked for, is to be remembered
            write = claim or Write({})
            if request.repeat is not None:
                write = self._with_answer(write, request.repeat, None, created=False)
            return None, await self._store.commit(write)
        wanted = Release(
            number=0,
            author=request.author,
            identity=request.identity,
            time=self._drafts.now(),
            message=request.message,
            kind=request.kind,
            restores=request.restores,
            forced=request.forced,
        )
        release, write = await self._drafts.draft(state, wanted, contents, deltas_between(state.contents, edits))
        prefix = state.name.prefix
        puts = {prefix + key: raw for key, raw in edits.items() if raw is not None}
        gone = {prefix + key for key, raw in edits.items() if raw is None}
        touched = {prefix + key: _revision(state.contents, key) for key in edits}
        write = Write({**write.puts, **puts}, write.deletes | gone, {**write.unchanged, **touched}, write.quiet)
        if claim is not None:
            write = msgspec.structs.replace(
                write, puts={**write.puts, **claim.puts}, unchanged={**write.unchanged, **claim.unchanged}
            )
        if request.repeat is not None:
            write = self._with_answer(write, request.repeat, release, created=not state.exists)
        try:
            return release, await self._store.commit(write)
        except NotWritten:
            raise
        except StoreAway:
            revision = await self._was_written(state.name, release)
            if revision is None:
                raise
            return release, revision

    def _with_answer(self, write: Write, key: IdempotencyKey, release: Release | None, *, created: bool) -> Write:
        answer = Answer(key.body, release.number if release else 0, created)
        places = key.stored_at(self._drafts.now())
        puts = {**write.puts, places[0]: msgspec.json.encode(answer)}
        return msgspec.structs.replace(write, puts=puts, unchanged={**write.unchanged, **dict.fromkeys(places, 0)})

    async def _again(self, state: EnvironmentState, answer: Answer) -> ChangeOutcome:
        release = None
        if answer.release:
            with contextlib.suppress(NoSuchRelease):  # answers may be kept longer than releases
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


async def _pause(others: int) -> None:
    """Let those who were faster be done; longer, the more there were."""
    await asyncio.sleep(random.uniform(0, 0.002 * min(others, 50)))


def _violations(
    state: EnvironmentState,
    edits: KeyEdits,
    names: set[str],
    contents: Contents,
    changes: list[PathChange],
    request: ChangeRequest,
) -> Iterator[StoreError]:
    """Why a change is not made, whoever asks and whatever the store holds by then."""
    checks: list[Callable[[], object]] = [partial(_check_room, state.name, edits)]
    if request.kind != "restore":  # what was there may come back
        checks.append(partial(check_new_names, changes))
    if not request.forced:
        checks.append(partial(check_size, state.contents, contents, names, changes))
    for check in checks:
        try:
            check()
        except StoreError as error:
            yield error


def _check_room(name: EnvironmentName, edits: KeyEdits) -> None:
    if len(edits) > MOST_KEYS:
        raise StoreTooLarge(f"{name}: expected at most {MOST_KEYS} changed keys in one release, got {len(edits)}")
    size = sum(len(key.encode()) + len(raw or b"") for key, raw in edits.items())
    if size > MOST_BYTES:
        raise StoreTooLarge(f"{name}: expected at most {MOST_BYTES:,} bytes in one release, got {size:,}")


def _tell(name: EnvironmentName, release: Release) -> None:
    if logger.isEnabledFor(logging.INFO):
        why = f": {printable(release.message, 200)}" if release.message else ""
        logger.info("%s: release %d by %s%s", name, release.number, printable(release.author), why)


def _effective(contents: Contents, edits: KeyEdits) -> dict[str, bytes | None]:
    """The edits that change something."""
    return {key: raw for key, raw in edits.items() if raw != _raw(contents, key)}


def _raw(contents: Contents, key: str) -> bytes | None:
    document = contents.get(key)
    return None if document is None else document.raw


def _revision(contents: Contents, key: str) -> int:
    document = contents.get(key)
    return 0 if document is None else document.revision
