"""The tree of a YAML document from PyYAML's events, where there is no ryaml: the same tree, several times slower.

`yaml_guard` has examined the document before: one document, no tags but those of scalars, every alias of an anchor
before it, all of them of a bounded size together.
"""

from __future__ import annotations

from collections.abc import Callable

from reactive_config.core.delta import Tree
from reactive_config.errors import ParseError
from reactive_config.formats.text import offset_of
from reactive_config.formats.tree import MAX_DEPTH, NESTING, TEXT_KEY, kind
from reactive_config.formats.yaml_events import Event, events, start
from reactive_config.formats.yaml_scalars import scalar


class _Anchored:
    """What an alias copies, and how deep that nests; no depth while it is being read."""

    def __init__(self, tree: Tree, depth: int | None) -> None:
        self.tree, self.depth = tree, depth


class _Open:
    """A container that is being read."""

    def __init__(self, *, table: bool) -> None:
        self.tree: Tree = {} if table else []
        self.anchored = _Anchored(self.tree, None)
        self.wants_key = table
        self.depth = 1
        self._key = ""

    def put(self, value: Tree, depth: int) -> None:
        self.depth = max(self.depth, depth + 1)
        if type(self.tree) is list:
            self.tree.append(value)
        else:
            self.tree[self._key] = value
            self.wants_key = True

    def take_key(self, key: Tree, event: Event) -> None:
        if type(key) is not str:
            raise ParseError(TEXT_KEY, f"{kind(key)} as a key", *start(event))
        self._key, self.wants_key = key, False


def build(text: str) -> Tree:
    """The tree; None for a document that is null or nothing at all.

    Raises:
        ParseError: Not YAML, a scalar that is not what its tag says, a key that is no text, or aliases that nest
            too deep.
    """
    builder = _Builder()
    for event in events(text):
        action = _ACTIONS.get(type(event).__name__)
        if action is not None:
            action(builder, event)
    return builder.root


def of_the_end(error: ParseError, text: str) -> ParseError:
    """The same refusal, and that it is the end of the document where the parser gave up, if it is."""
    if (
        error.expected == "valid YAML"
        and error.line
        and offset_of(text, error.line, error.column) >= len(text.rstrip())
    ):
        return ParseError(error.expected, "the end of the document", error.line, error.column)
    return error


class _Builder:
    def __init__(self) -> None:
        self.root: Tree = None
        self._open: list[_Open] = []
        self._anchored: dict[str, _Anchored] = {}

    def scalar(self, event: Event) -> None:
        value = scalar(event)
        if event.anchor is not None:
            self._anchored[event.anchor] = _Anchored(value, 0)
        if self._open and self._open[-1].wants_key:
            self._open[-1].take_key(value, event)
        else:
            self._put(value, 0)

    def alias(self, event: Event) -> None:
        anchored = self._anchored[event.anchor]
        if anchored.depth is None:  # an anchor of the same name stood before it, so the guard has let it pass
            raise ParseError("an alias of an anchor that stands before it", "another alias", *start(event))
        if len(self._open) + anchored.depth > MAX_DEPTH:
            raise ParseError(NESTING, "deeper nesting", *start(event))
        self._put(_copy(anchored.tree), anchored.depth)

    def table(self, event: Event) -> None:
        self._begin(event, _Open(table=True))

    def list(self, event: Event) -> None:
        self._begin(event, _Open(table=False))

    def _begin(self, event: Event, container: _Open) -> None:
        self._open.append(container)
        if event.anchor is not None:  # from here on, and not from its end: an inner one of the same name is newer
            self._anchored[event.anchor] = container.anchored

    def close(self, _: Event) -> None:
        closed = self._open.pop()
        closed.anchored.depth = closed.depth
        self._put(closed.tree, closed.depth)

    def _put(self, value: Tree, depth: int) -> None:
        if self._open:
            self._open[-1].put(value, depth)
        else:
            self.root = value


_ACTIONS: dict[str, Callable[[_Builder, Event], None]] = {
    "ScalarEvent": _Builder.scalar,
    "AliasEvent": _Builder.alias,
    "MappingStartEvent": _Builder.table,
    "SequenceStartEvent": _Builder.list,
    "MappingEndEvent": _Builder.close,
    "SequenceEndEvent": _Builder.close,
}


def _copy(tree: Tree) -> Tree:
    """A copy that shares no container; the depth is bounded by the caller."""
    if type(tree) is dict:
        return {name: _copy(child) for name, child in tree.items()}
    return [_copy(child) for child in tree] if type(tree) is list else tree
