"""What YAML can say and a configuration must not, found with its position.

It runs before the parser on every document that might hold such a thing, and after it where the parser
refused without a position:

- `!tags`, but for the plain ones of the core schema (`!!str 1`): nothing here constructs objects.
- `<<` merge keys. They left the language with YAML 1.2, and merging is what layers are for. Refused rather than
  kept as a literal key: whoever writes one expects the merge, and would otherwise miss half of a table silently.
- Aliases that expand to more than `MAX_EXPANSION` characters; each use is a copy.
- Nesting beyond `MAX_DEPTH`: the parser takes time by the square of it before it refuses (400 KB: 30 s).
- `%` directives, but for `%YAML 1.2`: an older version means other values, tag handles are quadratic.
- A second document, keys given twice, keys that are no text.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from reactive_config.errors import ParseError
from reactive_config.formats.text import refusal
from reactive_config.formats.tree import MAX_DEPTH, NESTING, ONE_KEY, TEXT_KEY
from reactive_config.formats.yaml_events import Event, Node, is_plain, nodes, start

MAX_EXPANSION = 8 * 1024 * 1024
_NODE_WEIGHT = 8  # characters: what one more object costs beside its text
_MANY_BRACKETS = 500  # up to here the parser's square is milliseconds

_CORE_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null"))
_DIRECTIVES = "no directives, or %YAML 1.2"
_SUSPICIOUS = re.compile(r"(?:^|[\r\x85\u2028\u2029])\ufeff?%|<<|(?<![^\s\ufeff\[{,:?-])[!*]", re.MULTILINE)
_MARKS = ("%", "<<", "!", "*")  # one of them is in all that it finds
_TAG_DIRECTIVE = re.compile(r"(?:(?<=[\r\x85\u2028\u2029])|^)%TAG[ \t]", re.MULTILINE)
_PERHAPS_NO_TEXT = re.compile(r"(?:[-+.0-9].*|~|null|true|false)?", re.IGNORECASE | re.DOTALL)


def suspicious(text: str) -> bool:
    """Whether the guard must look; False is proof that nothing but the parser's own refusals can be wrong."""
    if text.count("[") + text.count("{") > _MANY_BRACKETS:
        return True
    # The expression alone takes half as long as the parser; most documents have none of its characters.
    return any(mark in text for mark in _MARKS) and _SUSPICIOUS.search(text) is not None


def find_tag_directive(text: str) -> int | None:
    """Offset of a %TAG directive: without tags it is useless, and both parsers are quadratic in their number."""
    match = _TAG_DIRECTIVE.search(text)
    return match.start() if match else None


def examine(text: str, is_text: Callable[[str], bool]) -> None:
    """Refuse what the module names.

    Args:
        text: The document.
        is_text: Whether the YAML parser takes an unquoted scalar for text.

    Raises:
        ParseError: With the position of the first such thing; also where the text is not YAML.
        ImportError: PyYAML is not installed.
    """
    directive = find_tag_directive(text)
    if directive is not None:
        raise refusal(_DIRECTIVES, "another directive", text, directive)
    names: list[set[str]] = []
    weights = _Weights()
    documents = 0
    for node in nodes(text):
        if isinstance(node, Node):
            event = node.event
            _check_tag(event)
            if node.is_key:
                _check_key(event, names[-1], is_text)
            weights.add(event)
            if _opens(event):
                names.append(set())
                if len(names) > MAX_DEPTH:
                    raise ParseError(NESTING, "deeper nesting", *start(event))
        elif _closes(node):
            names.pop()
            weights.close()
        elif hasattr(node, "version"):  # the start of a document
            documents += 1
            _check_document(node, documents)


class _Weights:
    """What the aliases of a document add to it."""

    def __init__(self) -> None:
        self._total = self._copied = 0
        self._open: list[tuple[str | None, int]] = []
        self._known: dict[str, int] = {}

    def add(self, event: Event) -> None:
        before = self._total
        if _opens(event):
            self._open.append((event.anchor, before))
            self._total += _NODE_WEIGHT
        elif hasattr(event, "value"):
            self._total += _NODE_WEIGHT + len(event.value)
            if event.anchor is not None:
                self._known[event.anchor] = self._total - before
        else:
            if event.anchor not in self._known:  # unknown, or still open: an endless value
                raise ParseError("an alias of an anchor that stands before it", "another alias", *start(event))
            copied = self._known[event.anchor]
            self._total += copied
            self._copied += copied
            if self._copied > MAX_EXPANSION:
                raise ParseError("aliases that expand to a bounded size", "a larger expansion", *start(event))

    def close(self) -> None:
        anchor, before = self._open.pop()
        if anchor is not None:
            self._known[anchor] = self._total - before


def _opens(event: Event) -> bool:
    return hasattr(event, "flow_style")


def _closes(event: Event) -> bool:
    return type(event).__name__ in ("MappingEndEvent", "SequenceEndEvent")


def _check_tag(event: Event) -> None:
    tag = getattr(event, "tag", None)
    if tag is not None and (tag not in _CORE_TAGS or _opens(event)):
        raise ParseError("a value without a tag", "a tag", *start(event))


def _check_key(event: Event, names: set[str], is_text: Callable[[str], bool]) -> None:
    name = getattr(event, "value", None)
    if name is None:
        raise ParseError(TEXT_KEY, "a container or an alias as a key", *start(event))
    if is_plain(event) and name == "<<":
        raise ParseError("the keys themselves (merge keys are not supported)", "a merge key", *start(event))
    if is_plain(event) and event.tag is None and _PERHAPS_NO_TEXT.fullmatch(name) and not is_text(name):
        raise ParseError(TEXT_KEY, "a number, truth value or null as a key", *start(event))
    if name in names:
        raise ParseError(ONE_KEY, "a key twice", *start(event))
    names.add(name)


def _check_document(event: Event, number: int) -> None:
    if event.version not in (None, (1, 2)) or event.tags:
        raise ParseError(_DIRECTIVES, "another directive", *start(event))
    if number > 1:
        raise ParseError("one document", "a second one", *start(event))
