"""What a store holds, as far as this process has been told: all configuration and all heads, in memory.

Reads are answered from here. Writes are planned on it, and the store compares what they were planned on.
"""

from __future__ import annotations

import asyncio

import msgspec

from reactive_config._core.refusals import name_of
from reactive_config._core.runtime.operator_log import logger
from reactive_config._releases.contents import EMPTY, Contents
from reactive_config._releases.environment_name import EnvironmentName, environment_of, environment_of_head
from reactive_config._releases.key_store import (
    TOKENS,
    KeyStore,
    StoreAway,
    StoreChanges,
    Stored,
    StoreListing,
    StoreNews,
)
from reactive_config._releases.release import DamagedHistory, Head, read_head_record

AGAIN = 1.0
"""Seconds until a store is read again whose reading ended with a defect."""


class EnvironmentState(msgspec.Struct, frozen=True):
    """One environment at one moment.

    Attributes:
        name: Which.
        contents: Its documents.
        head: The stored head; None where nothing was ever released.
        revision: Of the store, up to which all of this is known.
    """

    name: EnvironmentName
    contents: Contents
    head: Stored | None
    revision: int

    @property
    def exists(self) -> bool:
        """Whether it was ever written to."""
        return self.head is not None or self.contents.count > 0

    @property
    def released(self) -> Head | None:
        """What was released last.

        Raises:
            DamagedHistory: The head cannot be read.
        """
        if self.head is None:
            return None
        try:
            return read_head_record(self.head.value)
        except DamagedHistory as error:
            way = "restore it, or delete it: the history goes on after its newest release"
            raise DamagedHistory(f"{self.name}: {error}, at the key {self.name.head}; {way}") from None

    @property
    def is_released(self) -> bool:
        """Whether the contents are those of the last release, so that nobody wrote around releases since."""
        released = self.released
        return (released.fingerprint if released else EMPTY.fingerprint) == self.contents.fingerprint


class _Known:
    """One environment; what was told of it is read when somebody asks for it."""

    def __init__(self) -> None:
        self.contents = EMPTY
        self.head: Stored | None = None
        self.told: dict[str, Stored | None] = {}

    def read(self) -> Contents:
        """Its contents now."""
        if self.told:
            edits = {key: None if stored is None else stored.value for key, stored in self.told.items()}
            revisions = {key: stored.revision for key, stored in self.told.items() if stored is not None}
            self.contents, self.told = self.contents.edited(edits, revisions), {}
        return self.contents


class Replica:
    """Follows a store.

    Attributes:
        revision: What is known is the store's state at this revision; 0 before the first listing.
        away: Why the store does not answer at the moment; empty while it does.
        tokens: Key to the record of an access token.
        listed: Set once all that the store holds was told for the first time.
    """

    def __init__(self, store: KeyStore, *, again: float = AGAIN) -> None:
        self.revision = 0
        self.away = ""
        self.tokens: dict[str, Stored] = {}
        self.listed = asyncio.Event()
        self._store = store
        self._again = again
        self._known: dict[EnvironmentName, _Known] = {}
        self._moved = asyncio.Event()

    async def run(self) -> None:
        """Follow the store until cancelled."""
        while True:
            try:
                await self._store.follow(self._hear)
            except Exception as error:  # noqa: BLE001 - without it the service would serve old state for ever, unseen
                trouble = f"{self._store.name}: an unexpected {name_of(error)}"
                logger.error("%s; it is read again in %g s", trouble, self._again, exc_info=error)
                self._hear(StoreAway(trouble))
            await asyncio.sleep(self._again)

    def _hear(self, news: StoreNews) -> None:
        away = str(news) if isinstance(news, StoreAway) else ""
        if away and not self.away:
            logger.warning("%s; reads are answered with what was known, if anything was; writes are refused", away)
        elif self.away and not away:
            logger.info("%s: it answers again", self._store.name)
        self.away = away
        if not isinstance(news, StoreAway):
            self._take(news)
        self._moved.set()
        self._moved = asyncio.Event()

    async def wait(self, revision: int, timeout: float) -> bool:
        """Return once the store's state at a revision, or a later one, is known; False after so many seconds."""
        if self.revision >= revision:
            return True
        try:
            async with asyncio.timeout(timeout):
                while self.revision < revision:
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    async def changed(self) -> None:
        """Return once something else is known than now."""
        await self._moved.wait()

    @property
    def count(self) -> int:
        """How many environments were ever told of."""
        return len(self._known)

    def environments(self) -> list[EnvironmentName]:
        """All that hold something, or once did, in the order of their names."""
        return sorted(name for name, known in self._known.items() if known.head is not None or known.read().count)

    def state(self, name: EnvironmentName) -> EnvironmentState:
        """One environment now; empty where it does not exist."""
        known = self._known.get(name)
        if known is None:
            return EnvironmentState(name, EMPTY, None, self.revision)
        return EnvironmentState(name, known.read(), known.head, self.revision)

    def _take(self, told: StoreListing | StoreChanges) -> None:
        if isinstance(told, StoreListing):
            for known in self._known.values():  # what is not listed is gone
                known.told = dict.fromkeys(document.key for document in known.read())
                known.head = None
            self.tokens.clear()
        for key, stored in (told.keys if isinstance(told, StoreListing) else told.changed).items():
            self._set(key, stored)
        self.revision = told.revision
        self.listed.set()

    def _set(self, key: str, stored: Stored | None) -> None:
        if key.startswith(TOKENS):
            if stored is None:
                self.tokens.pop(key, None)
            else:
                self.tokens[key] = stored
            return
        head_of = environment_of_head(key)
        if head_of is not None:
            self._known.setdefault(head_of, _Known()).head = stored
        elif (found := environment_of(key)) is not None:
            name, below = found
            self._known.setdefault(name, _Known()).told[below] = stored
