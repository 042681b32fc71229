"""What a mirror file holds, as bytes and as a struct. Pure.

    {"about": "...", "checksum": "...", "format": 1, "of": "/shop/", "cluster": "14841639068965178418",
     "revision": 812, "taken": 815, "empty": [],
     "keys": {"/shop/debug": {"revision": 800, "value": "true"}}}

Values are the bytes of etcd as text, so a sealed value stays sealed and a person can edit the others. A
content that does not match its checksum is such an edit.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from reactive_config._formats import registry
from reactive_config._printable import printable
from reactive_config.errors import ParseError

FORMAT = 1
ABOUT = "Last accepted state. While etcd is away, edits of the values are followed; when it is back, it wins."

_BEGIN = b'{"about":"Lastacceptedstate.'
"""What a mirror begins with, without white space."""

_OF = re.compile(rb'"of"\s*:\s*("(?:[^"\\\n]|\\.)*")')

HEAD = 512
"""Bytes that are enough for `may_be_copy` and `begins_as_copy`."""


class NoCopy(Exception):
    """The content is no copy of any state; the text says why and quotes nothing of it."""


class CopyRow(msgspec.Struct, frozen=True):
    """One key: its value as text and its mod_revision (0 where an edit gave none)."""

    value: str
    revision: int = 0


class MirrorCopy(msgspec.Struct, frozen=True):
    """What a mirror holds.

    Attributes:
        of: The prefix or key, with the layers' names.
        cluster: etcd's cluster id.
        revision: Up to which everything is accepted or superseded.
        taken: Up to which the source had read when the copy was made; orders copies while something is held.
        keys: Key to row.
        empty: Layers that were emptied key by key, see `emptied.Emptied`.
        edited: The content does not match its checksum.
    """

    of: str
    cluster: int
    revision: int
    taken: int
    keys: Mapping[str, CopyRow]
    empty: tuple[str, ...] = ()
    edited: bool = False

    @property
    def newest(self) -> int:
        """The newest revision of a value; above `revision` where others were held."""
        return max((row.revision for row in self.keys.values()), default=0)


def encode(copy: MirrorCopy) -> bytes:
    """The bytes of a mirror file, checksum included."""
    keys = {key: {"revision": row.revision, "value": row.value} for key, row in sorted(copy.keys.items())}
    document: dict[str, Any] = {"format": FORMAT, "of": copy.of, "cluster": str(copy.cluster)}
    document |= {"revision": copy.revision, "taken": copy.taken, "empty": copy.empty, "keys": keys}
    document = {"about": ABOUT, "checksum": _checksum(document), **document}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def decode(content: bytes) -> MirrorCopy:
    """The copy in the bytes of a file, edited by hand or not.

    Raises:
        NoCopy: There is none.
    """
    try:
        document = registry.parse(content, ".json")
    except ParseError as error:
        raise NoCopy(str(error)) from None  # holds no word of the document
    if not isinstance(document, dict):
        raise _refused("the document", "a table", document)
    if document.get("format") != FORMAT:
        found = document.get("format", msgspec.UNSET)
        raise (
            NoCopy(f"format: expected {FORMAT}, got {found}")
            if type(found) is int
            else _refused("format", f"{FORMAT}", found)
        )
    rows = document.get("keys", msgspec.UNSET)
    if not isinstance(rows, dict):
        raise _refused("keys", "a table", rows)
    keys = {key: _row(key, row) for key, row in rows.items()}
    cluster, revision, taken = (_integer(document, name) for name in ("cluster", "revision", "taken"))
    if not isinstance(empty := document.get("empty", []), list):
        raise _refused("empty", "a list", empty)
    if not isinstance(of := document.get("of", msgspec.UNSET), str):
        raise _refused("of", "a text", of)
    edited = document.get("checksum") != _checksum(document)
    return MirrorCopy(of, cluster, revision, taken, keys, tuple(map(str, empty)), edited)


def may_be_copy(head: bytes) -> bool:
    """Whether a file that begins so is worth reading."""
    return not (begin := _squeezed(head)) or begin.startswith(b"{")


def begins_as_copy(head: bytes) -> bool:
    """Whether a file that cannot be decoded was a mirror once: edited with a slip, or cut off; an empty one, too."""
    begin = _squeezed(head)
    return begin.startswith(_BEGIN) or _BEGIN.startswith(begin)


def label_in(content: bytes) -> str | None:
    """What a file that cannot be decoded says that it is a mirror of."""
    found = _OF.search(content)
    if found is None:
        return None
    try:
        return str(orjson.loads(found[1]))
    except orjson.JSONDecodeError:
        return None


def _squeezed(head: bytes) -> bytes:
    return b"".join(head[:HEAD].removeprefix(b"\xef\xbb\xbf").split())


def _checksum(document: Mapping[str, Any]) -> str:
    told = {name: value for name, value in document.items() if name not in ("about", "checksum")}
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _integer(table: Mapping[str, Any], name: str, place: str = "", missing: Any = msgspec.UNSET) -> int:
    found = table.get(name, missing)
    if type(found) is int:
        return found
    if isinstance(found, str) and found.isascii() and found.isdecimal():  # the cluster's id, which JSON would round
        return int(found)
    raise _refused(f"{place}{name}", "an integer", found)


_KINDS = {
    dict: "a table",
    list: "a list",
    str: "a text",
    bool: "a boolean",
    int: "an integer",
    float: "a float",
    type(None): "null",
}


def _refused(place: str, expected: str, got: Any) -> NoCopy:
    """Why a document is no mirror. Values may be secrets, so only their kind is told."""
    what = "nothing" if got is msgspec.UNSET else _KINDS.get(type(got), "something else")
    return NoCopy(f"{place}: expected {expected}, got {what}")


def _row(key: str, row: Any) -> CopyRow:
    """A row as written, or as a person may write it: a bare value, or a table in place of its text."""
    if not isinstance(row, dict) or "value" not in row:
        row = {"value": row}
    value = row["value"]
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return CopyRow(text, _integer(row, "revision", f"keys: {printable(key)}: ", 0))
