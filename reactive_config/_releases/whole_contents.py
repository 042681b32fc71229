"""All that an environment held after a release, kept beside the changes, now and then.

It is where the way back to the last release begins if somebody writes around releases while no process follows the
store.
"""

from __future__ import annotations

import zlib

import anyio.to_thread
import msgspec

from reactive_config._core.runtime.operator_log import logger
from reactive_config._releases.contents import EMPTY, Contents
from reactive_config._releases.environment_name import EnvironmentName
from reactive_config._releases.key_store import KeysMoved, KeyStore, StoreError, Write
from reactive_config._releases.release import DamagedHistory, read_head_record

EVERY = 50
"""Releases after which all contents are kept once more."""

_CHUNK = 1_000_000
_HUGE = 1 << 30
_TRIES = 3
_FORGOTTEN_AT_ONCE = 3  # they are read, too, and large


class WholeContents:
    """The contents that are kept as a whole. The head of an environment names the release after which they were so.

    Args:
        store: Where they are.
    """

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    async def keep(self, name: EnvironmentName, number: int, contents: Contents) -> None:
        """Keep all that an environment held after a release, and forget what was kept of earlier ones.

        Args:
            name: Which environment.
            number: Of the release.
            contents: What it held.

        Raises:
            StoreError: They are not kept; what was kept before still is.
        """
        packed = await anyio.to_thread.run_sync(_pack, contents)
        chunks = [packed[start : start + _CHUNK] for start in range(0, len(packed), _CHUNK)]
        for index, chunk in enumerate(chunks[1:], 1):  # the first one, written last, says how many there are
            await self._store.commit(Write({_chunk(name, number, index): chunk}))
        first = msgspec.msgpack.encode((len(chunks), chunks[0]))
        await self._store.commit(Write({_chunk(name, number, 0): first}))
        if await self._name_it(name, number):
            await self._forget(name, number)

    async def keep_if_due(self, name: EnvironmentName, number: int, contents: Contents, *, due: bool = False) -> None:
        """The same for one release in so many, or for one that says so; if it cannot be, the log tells it."""
        if not due and number % EVERY:
            return
        try:
            await self.keep(name, number, contents)
        except StoreError as error:  # the release is made; it can be done with a later one
            logger.warning("%s: what it holds after release %d was not kept as a whole: %s", name, number, error)

    async def _name_it(self, name: EnvironmentName, number: int) -> bool:
        """Let the head say what is kept now, whatever was released meanwhile."""
        for _ in range(_TRIES):
            stored = await self._store.get(name.head)
            if stored is None:
                return False
            head = read_head_record(stored.value)
            if not head.whole < number <= head.number:
                return False
            named = msgspec.json.encode(msgspec.structs.replace(head, whole=number))
            try:
                await self._store.commit(Write({name.head: named}, unchanged={name.head: stored.revision}))
            except KeysMoved:
                continue
            return True
        return False  # the next one that is kept is named instead

    async def _forget(self, name: EnvironmentName, number: int) -> None:
        """Forget what was kept of releases before this one."""
        while rows := await self._store.scan(name.wholes, "", f"{number:012}", _FORGOTTEN_AT_ONCE):
            await self._store.commit(Write({}, frozenset(key for key, _ in rows)))

    async def read(self, name: EnvironmentName, number: int) -> Contents | None:
        """What was kept of a release; None if nothing was, or not all of it.

        Raises:
            DamagedHistory: It cannot be read.
        """
        if number == 0:
            return EMPTY
        stored = await self._store.get(_chunk(name, number, 0))
        if stored is None:
            return None
        try:
            count, packed = msgspec.msgpack.decode(stored.value, type=tuple[int, bytes])
            for index in range(1, count):
                chunk = await self._store.get(_chunk(name, number, index))
                if chunk is None:
                    return None
                packed += chunk.value
            return EMPTY.edited(await anyio.to_thread.run_sync(_unpack, packed))
        except (zlib.error, msgspec.DecodeError):
            raise DamagedHistory(f"{name}: what was kept of release {number} cannot be read") from None


def _chunk(name: EnvironmentName, number: int, index: int) -> str:
    return f"{name.wholes}{number:012}/{index:06}"


def _pack(contents: Contents) -> bytes:
    return zlib.compress(msgspec.msgpack.encode({document.key: document.raw for document in contents}), 6)


def _unpack(packed: bytes) -> dict[str, bytes]:
    return msgspec.msgpack.decode(zlib.decompressobj().decompress(packed, _HUGE), type=dict[str, bytes])
