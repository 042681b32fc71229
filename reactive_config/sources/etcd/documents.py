"""Keys and their bytes become entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import anyio.lowlevel
import anyio.to_thread

from reactive_config.core.delta import Bare, Entry, Malformed, Tree
from reactive_config.core.paths import Path
from reactive_config.errors import ParseError
from reactive_config.etcd.messages import Item
from reactive_config.formats import registry
from reactive_config.sources.etcd.keys import Ignored, Keys, Misplaced, Mount, suffix_of

TURN = 500
"""Documents read before the event loop has its turn: some 5 ms."""

HEAVY = {"": 1 << 20, ".json": 1 << 20}
"""Bytes from which a document is parsed in a thread, by suffix; YAML and TOML already from `HEAVY_TEXT`."""

HEAVY_TEXT = 10 << 10


class Document(Entry, frozen=True):
    """An entry that keeps the bytes it was read from: the mirror stores those, so sealed values stay sealed."""

    raw: bytes = b""

    def __repr__(self) -> str:
        return f"Document({self.place!r}, revision={self.revision})"  # its bytes may be a secret


def read_document(key: bytes, raw: bytes, revision: int, mount: Mount | Misplaced) -> Document:
    """The entry of one key; what cannot be read becomes `Malformed` and never raises."""
    name = key.decode()
    if isinstance(mount, Misplaced):
        wrong = Malformed(mount.expected, mount.got)
        return Document(mount.path, wrong, revision, revision, mount.layer, name, raw=raw)
    try:
        value = _parse(raw, mount)
    except ParseError as error:
        value = Malformed(error.expected, error.got, error.line, error.column)
    if not mount.path and not isinstance(value, (dict, Malformed)):
        value = Malformed("a table, because this key is a whole layer", "a single value")
    find = None if isinstance(value, (Bare, Malformed)) else _locate
    return Document(mount.path, value, revision, revision, mount.layer, name, find, len(raw), raw)


def _locate(entry: Entry, path: Path) -> tuple[int, int] | None:
    assert isinstance(entry, Document)
    return registry.locate(entry.raw, suffix_of(entry.place), path)


def _parse(raw: bytes, mount: Mount) -> Tree:
    if not mount.suffix:
        return registry.parse_value(raw)
    return registry.parse(raw, mount.suffix, table=not mount.path)


async def read_documents(
    keys: Keys, items: Iterable[Item], known: Mapping[str, Document]
) -> dict[bytes, Document | Ignored]:
    """The entries of many keys, without holding the event loop.

    Args:
        keys: What keys mean.
        items: What was read.
        known: Documents to use again where revision and bytes are the same.
    """
    documents: dict[bytes, Document | Ignored] = {}
    for count, item in enumerate(items, start=1):
        documents[item.key] = await _one(keys, item, known)
        if count % TURN == 0:
            await anyio.lowlevel.checkpoint()
    return documents


async def _one(keys: Keys, item: Item, known: Mapping[str, Document]) -> Document | Ignored:
    mount = keys.meaning(item.key)
    if isinstance(mount, Ignored):
        return mount
    same = known.get(item.key.decode())
    if same is not None and same.revision == item.mod_revision and same.raw == item.value:
        return same
    suffix = mount.suffix if isinstance(mount, Mount) else ""
    if len(item.value) > HEAVY.get(suffix, HEAVY_TEXT):
        return await anyio.to_thread.run_sync(read_document, item.key, item.value, item.mod_revision, mount)
    return read_document(item.key, item.value, item.mod_revision, mount)
