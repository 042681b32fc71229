"""What a key means: a layer and a path, nothing (the control area), or a mistake. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from reactive_config._core.paths import Path
from reactive_config._etcd.messages import KeyRange, prefix_range
from reactive_config._formats.keys import EMPTY_SEGMENT, split_key, suffix_of
from reactive_config._printable import printable

FORMATS = ("json", "yaml", "toml")
"""What documents in keys without a suffix may be written in."""


class KeyMount(msgspec.Struct, frozen=True, gc=False):
    """Where a key's document belongs; with an empty suffix it has the layout's format, or is a bare value."""

    layer: int
    path: Path
    suffix: str = ""


class Misplaced(msgspec.Struct, frozen=True):
    """A key that cannot be mounted; it is shown as a rejected entry at `path`."""

    layer: int
    path: Path
    expected: str
    got: str


class Ignored(msgspec.Struct, frozen=True):
    """A key that is no configuration of ours. With a reason it is named in the notes; the control area has none."""

    reason: str = ""


NOT_UTF_8 = Ignored("not UTF-8")

Meaning = KeyMount | Misplaced | Ignored


class KeyLayout:
    """The keys that one source is made of.

    Attributes:
        range: What to list and watch.
        layers: The names of the layers, lowest first.
        places: Where each layer stands in etcd: a prefix, or the key.
        label: The prefix or key, for messages; also what a mirror is a mirror of.
        format: The suffix of the format that documents in keys without a suffix have.
    """

    def __init__(
        self,
        *,
        prefix: str | None = None,
        key: str | None = None,
        layers: Sequence[str] = (),
        format: str = "json",  # noqa: A002
    ) -> None:
        """Exactly one of prefix and key.

        Raises:
            ValueError: The arguments contradict each other, or a layer's name cannot be a name.
        """
        if (prefix is None) == (key is None):
            raise ValueError("expected either prefix= or key=")
        for option, text in (("prefix", prefix), ("key", key)):
            if text is not None:
                _check_text(f"{option}=", text)
        if prefix and not prefix.endswith("/"):
            raise ValueError(f"expected a prefix that ends in '/', got {prefix!r}")
        if key is not None and (layers or not key):
            raise ValueError("key= is one document: not empty, and without layers=")
        if format not in FORMATS:
            raise ValueError(f"format=: expected one of {', '.join(FORMATS)}, got {printable(repr(format))}")
        layers = _names(layers)
        for name in layers:
            if not name or "/" in name or name.startswith("_") or layers.count(name) > 1:
                raise ValueError(f"expected layer names that differ, without '/' and a leading '_', got {name!r}")
        self.format: str = f".{format}"
        self._single = key
        self._prefix = (prefix or "").encode()
        self._index = {name: index for index, name in enumerate(layers)}
        self.range = prefix_range(self._prefix) if key is None else KeyRange(key.encode())
        self.layers = tuple(layers) or (key or prefix or "/",)
        self.places = tuple(f"{prefix or ''}{name}/" for name in layers) or self.layers
        self.label = (key or prefix or "") + "".join(f" {name}" for name in layers)

    @property
    def what(self) -> str:
        """What is read, for messages."""
        if self._single is not None:
            return f"the key {self._single}"
        return f"keys below {self._prefix.decode()}" if self._prefix else "all keys"

    def covers(self, name: str) -> bool:
        """Whether a key is one of them, so that `meaning` may be asked."""
        return name == self._single if self._single is not None else name.encode().startswith(self._prefix)

    def meaning(self, key: bytes) -> Meaning:
        """What a key of the range means."""
        try:
            text = key[len(self._prefix) :].decode()
        except UnicodeDecodeError:
            return NOT_UTF_8
        if self._single is not None:
            return KeyMount(0, (), suffix_of(text))
        if text.startswith("_"):
            return Ignored()
        names = text.split("/")
        return self._layered(names) if self._index else _mounted(0, names)

    def _layered(self, names: list[str]) -> Meaning:
        first = names[0] if len(names) > 1 else names[0].removesuffix(suffix_of(names[0]))
        layer = self._index.get(first)
        if layer is None:
            return Ignored("under no layer")
        if len(names) == 1:  # the layer's own key holds a document at its root
            return KeyMount(layer, (), suffix_of(names[0]))
        return Ignored() if names[1].startswith("_") else _mounted(layer, names[1:])


def _names(layers: object) -> tuple[str, ...]:
    if isinstance(layers, str) or not isinstance(layers, Iterable):
        raise ValueError(f"layers=: expected a list of names, got a value of type {type(layers).__name__}")
    names = tuple(layers)
    for name in names:
        _check_text("layers=: each name", name)
    return names


def _check_text(what: str, text: object) -> None:
    if not isinstance(text, str):
        raise ValueError(f"{what}: expected a str, got a value of type {type(text).__name__}")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"{what}: expected text that UTF-8 has, got '{printable(text)}'")


class KeyTables:
    """What many keys mean: of all below one `/` the table is looked up once, and their paths share its names."""

    def __init__(self, keys: KeyLayout) -> None:
        self._keys = keys
        self._tables: dict[str, KeyMount | None] = {}
        self._names: dict[str, str] = {}

    def meaning(self, key: str) -> Meaning:
        """As `KeyLayout.meaning`, for a key that is UTF-8."""
        parent, _, last = key.rpartition("/")
        if parent in self._tables:
            table = self._tables[parent]
        else:
            table = self._tables[parent] = self._table(parent)
        suffix = suffix_of(last)
        name = last.removesuffix(suffix)
        if table is None or not name:
            return self._keys.meaning(key.encode())
        return KeyMount(table.layer, (*table.path, self._names.setdefault(name, name)), suffix)

    def _table(self, parent: str) -> KeyMount | None:
        """Where the keys below are mounted; None at the top, where what a key means depends on its name."""
        below = self._keys.meaning(f"{parent}/x".encode())
        return KeyMount(below.layer, below.path[:-1]) if isinstance(below, KeyMount) and len(below.path) > 1 else None


def _mounted(layer: int, names: list[str]) -> Meaning:
    path, suffix = split_key("/".join(names))
    if "" in path:
        return Misplaced(layer, path, *EMPTY_SEGMENT)
    return KeyMount(layer, path, suffix)
