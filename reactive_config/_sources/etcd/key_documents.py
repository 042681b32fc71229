"""Keys and their bytes become entries."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterable, Mapping

import anyio.to_thread

from reactive_config._core.bounds import MAX_DEPTH
from reactive_config._core.delta import Bare, Entry, Locate, Malformed
from reactive_config._core.paths import Path
from reactive_config._etcd.messages import Item, KeyChange
from reactive_config._formats import registry
from reactive_config._formats.keys import read_value, suffix_of
from reactive_config._sources.etcd.key_layout import (
    NOT_UTF_8,
    Ignored,
    KeyLayout,
    KeyMount,
    KeyTables,
    Misplaced,
)

TURN = 1 << 20
"""Bytes read before the event loop has its turn, some 5 ms; a document costs as much as `ONE` bytes more."""

ONE = 1 << 10


class KeyDocument(Entry, frozen=True, gc=False):
    """An entry that keeps the bytes it was read from: the mirror stores those, so sealed values stay sealed.

    There is one for each key, and the garbage collector need not look at it: what was parsed has no cycles.
    """

    raw: bytes = b""

    def __repr__(self) -> str:
        return f"Document({self.place!r}, revision={self.revision})"  # its bytes may be a secret

    def advice(self, suffix: str) -> str:
        return _advice(self.place, suffix)

    def text_advice(self) -> str:
        return "" if suffix_of(self.place) else "and a text that looks like a document wants double quotes around it"


def _advice(key: str, suffix: str) -> str:
    name = key.rpartition("/")[2]
    return f'set format="{suffix[1:]}" on the source, or give the key a suffix: {name}{suffix}'


Read = KeyDocument | Ignored | None
"""What became of an item; None for a key that was deleted."""


def read_document(
    name: str,
    raw: bytes,
    revision: int,
    mount: KeyMount | Misplaced,
    format: str = ".json",  # noqa: A002
) -> KeyDocument:
    """The entry of one key; what cannot be read becomes `Malformed` and never raises.

    Args:
        name: The key.
        raw: Its value.
        revision: Its mod_revision.
        mount: What the key means.
        format: The suffix of the format that documents in keys without a suffix have.
    """
    if isinstance(mount, Misplaced):
        wrong = Malformed(mount.expected, mount.got)
        return KeyDocument(mount.path, wrong, revision, revision, mount.layer, name, raw=raw)
    value = read_value(raw, mount.suffix, mount.path, format, functools.partial(_advice, name))
    kind = type(value)
    find = None if kind is Bare or kind is Malformed else _locator(format)
    depth = max(0, MAX_DEPTH - len(mount.path)) if find else 0
    return KeyDocument(mount.path, value, revision, revision, mount.layer, name, find, len(raw), depth, raw)


@functools.cache
def _locator(format: str) -> Locate:  # noqa: A002
    """Finds places in documents. One function serves all of a source's."""

    def locate(entry: Entry, path: Path) -> tuple[int, int] | None:
        assert isinstance(entry, KeyDocument)
        return registry.locate(entry.raw, suffix_of(entry.place), path, format)

    return locate


async def read_documents(
    keys: KeyLayout, items: Iterable[Item | KeyChange], known: Mapping[str, KeyDocument]
) -> list[Read]:
    """What the items say, one by one, without holding the event loop.

    Args:
        keys: What keys mean.
        items: What was read.
        known: Documents read before. One is used again where revision and bytes are the same; where they are not,
            a new one shares its path and name.
    """
    documents: list[Read] = []
    tables = KeyTables(keys)
    turn = TURN
    slow_yaml = registry.is_slow(".yaml")
    for item in items:
        raw, revision = item.value, item.mod_revision
        if raw is None:
            documents.append(None)
            continue
        turn -= ONE + len(raw)
        if turn < 0:
            turn = TURN
            await asyncio.sleep(0)
        try:
            name = item.key.decode()
        except UnicodeDecodeError:
            documents.append(NOT_UTF_8)
            continue
        before = known.get(name)
        if before is not None and before.revision == revision and before.raw == raw:
            documents.append(before)
            continue
        mount = tables.meaning(name) if before is None or _misplaced(before) else _mount(before)
        if isinstance(mount, Ignored):
            documents.append(mount)
            continue
        name = name if before is None else before.place
        suffix = suffix_of(name)
        if registry.is_heavy(suffix or keys.format, len(raw)):
            document = await anyio.to_thread.run_sync(read_document, name, raw, revision, mount, keys.format)
        else:
            document = read_document(name, raw, revision, mount, keys.format)
        documents.append(document)
        if slow_yaml and registry.is_slow(suffix or keys.format) and type(document.value) is not Bare:
            turn = 0
    return documents


def _misplaced(document: KeyDocument) -> bool:
    return "" in document.path


def _mount(document: KeyDocument) -> KeyMount:
    return KeyMount(document.layer, document.path, suffix_of(document.place))
