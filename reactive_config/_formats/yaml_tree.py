"""The tree of a YAML document from PyYAML's events, where there is no ryaml: the same tree, several times slower.

`yaml_guard` has examined the document before: one document, no tags but those of scalars, every alias of an anchor
that ended before it, all of them of a bounded size and depth.
"""

from __future__ import annotations

from collections.abc import Callable

from reactive_config._core.bounds import TEXT_KEY, kind
from reactive_config._core.delta import Tree
from reactive_config._formats.common import offset_of
from reactive_config._formats.yaml_events import Event, events, start
from reactive_config._formats.yaml_scalars import scalar
from reactive_config.errors import ParseError


class _Open:
    """A container that is being read."""

    def __init__(self, *, table: bool) -> None:
        self.tree: Tree = {} if table else []
        self.wants_key = table
        self._key = ""

    def put(self, value: Tree) -> None:
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
        ParseError: Not YAML, a scalar that is not what its tag says, or a key that is no text.
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
        self._anchored: dict[str, Tree] = {}

    def scalar(self, event: Event) -> None:
        value = scalar(event)
        if event.anchor is not None:
            self._anchored[event.anchor] = value
        if self._open and self._open[-1].wants_key:
            self._open[-1].take_key(value, event)
        else:
            self._put(value)

    def alias(self, event: Event) -> None:
        self._put(_copy(self._anchored[event.anchor]))

    def table(self, event: Event) -> None:
        self._begin(event, _Open(table=True))

    def list(self, event: Event) -> None:
        self._begin(event, _Open(table=False))

    def _begin(self, event: Event, container: _Open) -> None:
        self._open.append(container)
        if event.anchor is not None:  # from here on, and not from its end: an inner one of the same name is newer
            self._anchored[event.anchor] = container.tree

    def close(self, _: Event) -> None:
        self._put(self._open.pop().tree)

    def _put(self, value: Tree) -> None:
        if self._open:
            self._open[-1].put(value)
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
    """A copy that shares no container; the guard has bounded its depth."""
    if type(tree) is dict:
        return {name: _copy(child) for name, child in tree.items()}
    return [_copy(child) for child in tree] if type(tree) is list else tree
