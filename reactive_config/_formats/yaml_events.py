"""The event stream of a YAML document, by PyYAML: exact and positioned, but four times slower than reading.

Events come one by one, so a reader that stops early is safe from any nesting; nothing is composed or constructed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from reactive_config._core.paths import Path
from reactive_config.errors import ParseError

Event = Any
"""One of PyYAML's events; the library ships no types."""

NOT_YAML = "valid YAML"


class YamlNode(NamedTuple):
    """A key, or a value at its path.

    Attributes:
        path: Where the value stands, list items by their number; for a key, its table.
        event: The scalar, alias or start of a container.
        is_key: Whether it is a key.
    """

    path: Path
    event: Event
    is_key: bool


class _Container:
    """A table or list that is being read."""

    def __init__(self, path: Path, is_table: bool) -> None:
        self.path, self.is_table, self.count, self.key = path, is_table, 0, ""
        self.wants_key = is_table

    def child(self) -> Path:
        return (*self.path, self.key if self.is_table else str(self.count))


def available() -> bool:
    """Whether PyYAML is installed."""
    try:
        import yaml  # noqa: F401
    except ImportError:
        return False
    return True


def has_libyaml() -> bool:
    """Whether PyYAML's parser is libyaml, the one that ryaml's is made after; the one in Python reads another YAML.

    Raises:
        ImportError: PyYAML is not installed.
    """
    import yaml

    return hasattr(yaml, "CSafeLoader")


def events(text: str) -> Iterator[Event]:
    """The document's events.

    Raises:
        ParseError: Not YAML.
        ImportError: PyYAML is not installed.
    """
    given = 0
    refused: list[_ParserStop] = []
    for event in _parsed(text, refused):
        yield event
        given += 1
    if not refused:
        return
    # The scanner reads ahead, and newer ones refuse there what nests deeper than they like. What stands before the
    # place of the error comes out only if the text ends there; what touches that end may be cut.
    (error,) = refused
    for number, event in enumerate(_parsed(text[: error.at], refused)):
        if event.end_mark.index >= error.at:
            break
        if number >= given:
            yield event
    raise ParseError(NOT_YAML, "something else", *error.place)


class _ParserStop(NamedTuple):
    """Where the parser gave up: an offset, and line and column from 1 (empty: it does not say)."""

    at: int
    place: tuple[int, int] | tuple[()]


def _parsed(text: str, refused: list[_ParserStop]) -> Iterator[Event]:
    """The events up to the end or the first error; that is appended to `refused`, without its text or a context."""
    import yaml

    stream = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    while True:
        try:
            event = next(stream, None)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            refused.append(_ParserStop(mark.index, (mark.line + 1, mark.column + 1)) if mark else _ParserStop(0, ()))
            return
        if event is None:
            return
        yield event


def nodes(text: str) -> Iterator[YamlNode | Event]:
    """Every node in document order, containers before what they hold; other events as they are.

    It ends at a key that is a container: what follows has no path.
    """
    import yaml

    stack: list[_Container] = []
    for event in events(text):
        if isinstance(event, yaml.CollectionEndEvent):
            yield event
            _leave(stack)
        elif not isinstance(event, yaml.NodeEvent):
            yield event
        elif stack and stack[-1].wants_key:
            yield YamlNode(stack[-1].path, event, is_key=True)
            if isinstance(event, yaml.CollectionStartEvent):
                return
            stack[-1].key, stack[-1].wants_key = getattr(event, "value", ""), False
        else:
            path = stack[-1].child() if stack else ()
            yield YamlNode(path, event, is_key=False)
            if isinstance(event, yaml.CollectionStartEvent):
                stack.append(_Container(path, isinstance(event, yaml.MappingStartEvent)))
            elif stack:
                _advance(stack[-1])


def is_plain(event: Event) -> bool:
    """Whether the node is a scalar without quotes."""
    return hasattr(event, "value") and not event.style


def opens(event: Event) -> bool:
    """Whether a table or a list begins with it."""
    return hasattr(event, "flow_style")


def start(event: Event) -> tuple[int, int]:
    """Line and column of an event, from 1."""
    return event.start_mark.line + 1, event.start_mark.column + 1


def _leave(stack: list[_Container]) -> None:
    stack.pop()
    if stack:
        _advance(stack[-1])


def _advance(parent: _Container) -> None:
    parent.count += 1
    parent.wants_key = parent.is_table
