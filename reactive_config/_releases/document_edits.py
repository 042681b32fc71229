"""Which keys have to be written so that an environment says what somebody wants it to say.

Documents are changed where they stand, and what nobody touches keeps its bytes: a bare value stays bare, and a key
that a person has made stays. What no document says yet goes into one JSON document for each top-level name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from reactive_config._core.delta import Bare, Tree
from reactive_config._core.paths import Path, format_path
from reactive_config._core.trees import ABSENT, difference, get, paths_of, same
from reactive_config._formats.keys import suffix_of
from reactive_config._formats.writing import Inexpressible, WriterMissing, write_document
from reactive_config._printable import printable
from reactive_config._releases.contents import Contents, StoredDocument, TopLevel
from reactive_config._releases.key_store import StoreError

_JSON_STARTS = ("{", "[", '"')


class UnwritableContent(StoreError):
    """The wanted content cannot be written beside what stands in the store, or cannot be written at all.

    Attributes:
        path: Where.
    """

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        super().__init__(f"{printable(format_path(path)) or '(root)'}: {reason}")


def plan_edits(
    contents: Contents, wanted: Mapping[str, Any], doomed: frozenset[str] = frozenset()
) -> dict[str, bytes | None]:
    """The keys to write and delete.

    A key that nobody can read stays: whoever changes something beside it has not seen it. One that stands exactly at
    a name that shall say something else is replaced.

    Args:
        contents: What there is.
        wanted: Top-level name to what it shall say, ABSENT for nothing. Other names stay as they are.
        doomed: Keys that nobody can read, and that shall go.

    Returns:
        Key to its bytes, None to delete it. Empty if all is so already.

    Raises:
        UnwritableContent: Something stands in the way, or no document can say it.
    """
    edits: dict[str, bytes | None] = {}
    for name, tree in wanted.items():
        top = contents.names.get(name, _NOTHING)
        edits |= _edits_of(name, top, tree, doomed)
    return edits


_NOTHING = TopLevel("", {})


def _edits_of(name: str, top: TopLevel, tree: Any, doomed: frozenset[str]) -> dict[str, bytes | None]:
    before = top.tree
    readable = {key: document for key, document in top.documents.items() if key not in top.unreadable}
    gone: dict[str, bytes | None] = dict.fromkeys(top.unreadable & doomed)
    if tree is ABSENT:
        return gone | dict.fromkeys(readable)
    if any(document.is_bare for document in readable.values()):
        tree = keep_bare(before, tree)
    if before is not ABSENT and same(before, tree):
        return gone
    gone |= dict.fromkeys(key for key in top.unreadable if top.documents[key].path == (name,))
    for plan in (_in_place, _anew):
        try:
            edits = gone | plan(name, TopLevel(name, readable), tree)
        except _NotSo:
            continue
        after = Contents({name: top}, 0, 0).edited(edits)
        stored = after.names[name].tree if name in after.names else ABSENT
        if stored is not ABSENT and (same(stored, tree) or says(stored, tree)):
            return edits
    raise UnwritableContent((name,), "there is no document that can say this")


def says(stored: Any, wanted: Any) -> bool:
    """Whether what is stored says what is wanted: a bare text says all that its text may mean."""
    if type(stored) is Bare:
        return (type(wanted) is Bare and wanted.text == stored.text) or bare_text(wanted) == stored.text
    if type(stored) is dict and type(wanted) is dict:
        return stored.keys() == wanted.keys() and all(says(value, wanted[name]) for name, value in stored.items())
    return same(stored, wanted)


def keep_bare(before: Any, wanted: Any) -> Any:
    """What is wanted, with the bare values that already say it. They are no change then, and stay bare."""
    if type(before) is Bare:
        return before if says(before, wanted) else wanted
    if type(before) is not dict or type(wanted) is not dict:
        return wanted
    return {name: keep_bare(before.get(name, ABSENT), value) for name, value in wanted.items()}


def bare_text(value: Any) -> str | None:
    """The bare text that says a single value; None if none does."""
    if type(value) is str:
        # It would be read as JSON, or lose a line end.
        return None if value.lstrip().startswith(_JSON_STARTS) or value.endswith("\n") else value
    if type(value) in (bool, int, float):
        return orjson.dumps(value).decode()
    return None


class _NotSo(Exception):
    """This way of writing it does not work; another one may."""


class _Draft:
    """Documents under change: by key, the path and the value of each. Each is written once, in the end."""

    def __init__(self, top: TopLevel) -> None:
        self.documents: dict[str, StoredDocument] = dict(top.documents)
        self.values: dict[str, Any] = {key: document.value for key, document in top.documents.items()}
        self.paths: dict[str, Path] = {key: document.path for key, document in top.documents.items()}
        self._edits: dict[str, bytes | None] = {}
        self._changed: set[str] = set()

    def edits(self) -> dict[str, bytes | None]:
        """The keys to write and delete."""
        for key in sorted(self._changed & self.values.keys()):
            self._write(key, self.values[key])
        return self._edits

    def _change(self, key: str, value: Tree) -> None:
        self.values[key] = value
        self._changed.add(key)

    def remove(self, path: Path) -> None:
        """Nothing says anything at a path any more."""
        for key, at in list(self.paths.items()):
            if at[: len(path)] == path:
                self._delete(key)
            elif path[: len(at)] == at and get(self.values[key], path[len(at) :]) is not ABSENT:
                self._change(key, without(self.values[key], path[len(at) :]))

    def put(self, path: Path, value: Tree) -> None:
        """The document that speaks last at a path says this there; a new one if there is none."""
        for key, at in list(self.paths.items()):
            if len(at) > len(path) and at[: len(path)] == path:
                self._delete(key)
        holders = [key for key, at in self.paths.items() if path[: len(at)] == at]
        if not holders:
            self._new(path[:1], nested(path[1:], value))
            return
        key = max(holders, key=lambda holder: len(self.paths[holder]))
        self._change(key, placed(self.values[key], path[len(self.paths[key]) :], value))

    def _delete(self, key: str) -> None:
        del self.paths[key], self.values[key]
        self._edits[key] = None

    def _new(self, path: Path, value: Tree) -> None:
        key, raw = document_for("/".join(path), value)
        self.paths[key], self.values[key], self._edits[key] = path, value, raw

    def _write(self, key: str, value: Tree) -> None:
        document = self.documents.get(key)
        path = self.paths[key]
        if document is not None and document.is_bare and (text := bare_text(value)) is not None:
            self._edits[key] = text.encode()
            return
        suffix = document.suffix if document is not None else ""
        if suffix:
            try:
                raw = write_document(value, suffix)
            except (Inexpressible, WriterMissing):
                pass  # JSON says it
            else:
                self._edits[key] = raw
                return
        self._delete(key)
        self._new(path, value)


def _in_place(name: str, top: TopLevel, tree: Any) -> dict[str, bytes | None]:
    """Change each document where it stands."""
    before = top.tree
    draft = _Draft(top)
    if len(top.documents) == 1 and (name,) in draft.paths.values():  # it says all of it
        draft.put((name,), _in_order(before, tree))
        return draft.edits()
    for path in list(paths_of(difference({name: before} if before is not ABSENT else {}, {name: tree}))):
        value = get({name: tree}, path)
        if value is ABSENT:
            draft.remove(path)
        else:
            draft.put(path, value)
    return draft.edits()


def _in_order(before: Any, wanted: Any) -> Any:
    """What is wanted, with the names that were there in the order that they had."""
    if before is wanted or type(before) is not dict or type(wanted) is not dict:
        return wanted
    kept = {
        name: wanted[name] if wanted[name] is value else _in_order(value, wanted[name])
        for name, value in before.items()
        if name in wanted
    }
    return kept | {name: value for name, value in wanted.items() if name not in kept}


def _anew(name: str, top: TopLevel, tree: Any) -> dict[str, bytes | None]:
    """Write the whole name as one document, and each bare value that stays at a key of its own."""
    edits: dict[str, bytes | None] = dict.fromkeys(top.documents)
    bare: list[tuple[Path, Bare]] = []
    rest = _split_bare(tree, (name,), bare)
    if rest is not ABSENT:
        key, raw = document_for(name, rest)
        edits[key] = raw
    for path, value in bare:
        if any(not step or "/" in step for step in path):
            raise UnwritableContent(path, "a bare value cannot stand at this name")
        edits["/".join(path)] = value.text.encode()
    return edits


def _split_bare(tree: Any, path: Path, bare: list[tuple[Path, Bare]]) -> Any:
    if type(tree) is Bare:
        bare.append((path, tree))
        return ABSENT
    if type(tree) is not dict:
        return tree
    kept = {name: _split_bare(value, (*path, name), bare) for name, value in tree.items()}
    return {name: value for name, value in kept.items() if value is not ABSENT}


def document_for(name: str, value: Tree) -> tuple[str, bytes]:
    """The key and the bytes of a new document.

    A table, a list and a text are JSON by their first character. Any other value would be bare, so its key says what
    it is.

    Raises:
        UnwritableContent: The name or the value has no document.
    """
    path = tuple(name.split("/"))
    if not all(path) or path[0].startswith("_"):
        raise UnwritableContent(path, "expected a name that is not empty, has no `/`, and does not begin with `_`")
    suffix = "" if type(value) in (dict, list, str) and not suffix_of(name) else ".json"
    try:
        return name + suffix, write_document(value, ".json")
    except Inexpressible as error:
        raise UnwritableContent((*path, *error.path), f"JSON has no {error.what}") from None


def nested(path: Path, value: Tree) -> Tree:
    """A value at a path of tables."""
    for name in reversed(path):
        value = {name: value}
    return value


def placed(tree: Any, path: Path, value: Tree) -> Any:
    """A copy of a tree with a value at a path."""
    if not path:
        return value
    if type(tree) is not dict:
        raise _NotSo
    inner = tree.get(path[0], ABSENT)
    changed = nested(path[1:], value) if inner is ABSENT else placed(inner, path[1:], value)
    return {**tree, path[0]: changed}


def without(tree: Any, path: Path) -> Any:
    """A copy of a tree without what stands at a path; it must be there, and the path must not be empty."""
    if len(path) == 1:
        return {name: value for name, value in tree.items() if name != path[0]}
    return {**tree, path[0]: without(tree[path[0]], path[1:])}
