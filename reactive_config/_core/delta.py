"""What a source sends: entries that stand at paths, bundled into deltas.

A source's state is a set of **entries**. An entry is one document mounted at one path: a file at the
root of its layer, an etcd key at the path that the key spells, one leaf of a memory source. Entries of
one layer merge from shallow to deep and, at one depth, in byte order of their ids; later wins.

Every entry belongs to a **unit**, the smallest thing that is accepted or held as a whole: one etcd
transaction, one file, one memory patch.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Union

import msgspec

from reactive_config._core.paths import Path

Tree = Any
"""A nested dict with str keys; leaves are str, int, float (finite), bool, None, date and time types,
`Bare`, or a list of such. Owned by the core once sent: nobody mutates it afterwards."""

Unit = Hashable
"""Names a unit inside its source: a revision number, a file name, a patch number."""


class Bare(msgspec.Struct, frozen=True):
    """A scalar that keeps its text until the type says what it is: `1.10` is a str or a float."""

    text: str

    def __repr__(self) -> str:
        return "Bare(...)"  # the text may be a secret, and reprs end up in logs


class Malformed(msgspec.Struct, frozen=True):
    """Stands in an entry for content that the source could not read; such a unit is always held.

    Attributes:
        expected: What should have been there, never quoting the content.
        got: What was found, as a kind.
        line: From 1; 0 where unknown.
        column: From 1; 0 where unknown.
    """

    expected: str
    got: str
    line: int = 0
    column: int = 0


Locate = Callable[["Entry", Path], Union[tuple[int, int], None]]


class Entry(msgspec.Struct, frozen=True):
    """One document at one path.

    Attributes:
        path: Where in the layer the document is mounted; () is the root.
        value: The document, or `Malformed`.
        unit: The unit that brought it.
        revision: The store's revision of this entry; 0 where the store has none.
        layer: Index into the source's `layers`.
        place: What a person calls it (key, file, variable). Empty: the entry's id.
        locate: Given the entry and a path inside its document, line and column, both from 1; called only
            when somebody asks (explain, an error), so it may parse the document again. It gets the entry, so
            that one function serves all of a source's entries.
        size: Bytes of the document, for the source's `ChangeLimits`; 0 where nobody counts.
        depth: How many tables and lists of the document lie inside one another, or more; said by a source that has
            checked the document, as every parser here does. -1: nobody has, and the runtime does.
    """

    path: Path
    value: Tree | Malformed
    unit: Unit
    revision: int = 0
    layer: int = 0
    place: str = ""
    locate: Locate | None = None
    size: int = 0
    depth: int = -1

    def __repr__(self) -> str:  # not the document: it may hold a secret, and reprs end up in logs
        where = f"path={self.path!r}, unit={self.unit!r}, revision={self.revision}"
        return f"Entry({where}, layer={self.layer}, place={self.place!r})"

    def advice(self, suffix: str) -> str:
        """How a person gives a table or a list here, who wrote it as a bare text of the format with this suffix."""
        return "a table or a list is written as JSON here"

    def text_advice(self) -> str:
        """How a person gives a text here that was read as a table; empty where the place says that it is a document."""
        return ""

    def variable(self, path: Path) -> str:
        """How a path of the layer is spelt here, if what stands here are variables; otherwise empty."""
        return ""


class Replace(msgspec.Struct, frozen=True):
    """The whole state of the source; what it lacks is deleted.

    Attributes:
        entries: Id to entry. The id is unique inside the source (an etcd key, a file's path).
        revision: The store's revision of this state.
        emptied: Layers (indexes) that may have nothing in force, even if the source is not optional; not at a start.
            Either their last entries were deleted one by one, so that somebody meant it, or they have entries, which
            then all are held.
        deleted_by: The unit that deleted what the state lacks; None where nobody knows.
        absent: Layer (index) to what it lacks, if it has no entries: "a directory", "none of that name". A start that
            fails for it says so.
    """

    entries: Mapping[str, Entry]
    revision: int = 0
    emptied: frozenset[int] = frozenset()
    deleted_by: Unit | None = None
    absent: Mapping[int, Malformed] = {}


class Patch(msgspec.Struct, frozen=True):
    """Some entries changed; the rest stays.

    Attributes:
        set: Id to entry.
        deleted: Id to the unit that deleted it.
        revision: The store's revision after it.
        emptied: As in `Replace`, of the whole state after it.
    """

    set: Mapping[str, Entry]
    deleted: Mapping[str, Unit] = {}
    revision: int = 0
    emptied: frozenset[int] = frozenset()


Delta = Union[Replace, Patch]

__all__ = ["Bare", "Delta", "Entry", "Locate", "Malformed", "Patch", "Replace", "Tree", "Unit"]
