"""What YAML can say and a configuration must not, found with its position.

It runs before the parser on every document that might hold such a thing, and after it where the parser
refused without a position:

- `!tags`, but for the plain ones of the core schema (`!!str 1`): nothing here constructs objects.
- `<<` merge keys. They left the language with YAML 1.2, and merging is what layers are for. Refused rather than
  kept as a literal key: whoever writes one expects the merge, and would otherwise miss half of a table silently.
- Aliases that add more than `MAX_ADDED` values together; each use is a copy. ryaml's own limit is never met first.
- Aliases of nothing, of what they stand in, and those whose copy nests too deep.
- Nesting beyond `MAX_DEPTH`: the parser takes time by the square of it before it refuses (400 KB: 30 s).
- `%` directives, but for `%YAML 1.2`: an older version means other values, tag handles are quadratic.
- A second document, keys given twice, keys that are no text.
- Numbers that overflow: `1e400` would be text, an integer of more than 128 bits a float.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from reactive_config._core.bounds import MAX_DEPTH, NESTING, ONE_KEY, TEXT_KEY, twice
from reactive_config._formats.common import refusal
from reactive_config._formats.yaml_events import Event, YamlNode, is_plain, nodes, opens, start
from reactive_config._formats.yaml_scalars import may_be_too_large, too_large
from reactive_config.errors import ParseError

MAX_ADDED = 2_500
"""Values that all aliases of a document may add to it: tables, lists and what they hold. 1,000 characters of text, keys
included, count like one more value.

ryaml refuses a document, without a position, after 100 aliases followed for each of its events. Each alias followed
adds a value, and fewer than 25 events cannot add 2,500: the smallest document that ryaml refuses has 30 and adds 3,071.
"""
_VALUE = 1_000  # characters
_MANY_BRACKETS = 500  # up to here the parser's square is milliseconds

_CORE_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null"))
_DIRECTIVES = "no directives, or %YAML 1.2"
_SUSPICIOUS = re.compile(r"(?:^|[\r\x85\u2028\u2029])\ufeff?%|<<|(?<![^\s\ufeff\[{,:?-])[!*]", re.MULTILINE)
_MARKS = ("%", "<<", "!", "*")  # one of them is in all that it finds
_TAG_DIRECTIVE = re.compile(r"(?:(?<=[\r\x85\u2028\u2029])|^)%TAG[ \t]", re.MULTILINE)
_PERHAPS_NO_TEXT = re.compile(r"(?:[-+.0-9].*|~|null|true|false)?", re.IGNORECASE | re.DOTALL)


def suspicious(text: str) -> bool:
    """Whether the guard must look; False is proof that nothing but the parser's own refusals can be wrong."""
    if text.count("[") + text.count("{") > _MANY_BRACKETS or may_be_too_large(text):
        return True
    # The expression alone takes half as long as the parser; most documents have none of its characters.
    return any(mark in text for mark in _MARKS) and _SUSPICIOUS.search(text) is not None


def find_tag_directive(text: str) -> int | None:
    """Offset of a %TAG directive: without tags it is useless, and both parsers are quadratic in their number."""
    match = _TAG_DIRECTIVE.search(text)
    return match.start() if match else None


def examine(text: str, is_text: Callable[[str], bool]) -> bool:
    """Refuse what the module names.

    Args:
        text: The document.
        is_text: Whether the YAML parser takes an unquoted scalar for text.

    Returns:
        Whether ryaml reads it right. If the name of an anchor is given twice, ryaml 0.5.1 numbers the second like the
        next anchor, and an alias of that name may then copy what comes after it, which nothing has counted.

    Raises:
        ParseError: With the position of the first such thing; also where the text is not YAML.
        ImportError: PyYAML is not installed.
    """
    directive = find_tag_directive(text)
    if directive is not None:
        raise refusal(_DIRECTIVES, "another directive", text, directive)
    names: list[dict[str, int]] = []  # each with its line
    aliases = _Aliases()
    documents = 0
    for node in nodes(text):
        if isinstance(node, YamlNode):
            event = node.event
            _check_tag(event)
            if node.is_key:
                _check_key(event, names[-1], is_text, text)
            else:
                _check_number(event)
            aliases.add(event, is_key=node.is_key)
            if opens(event):
                names.append({})
                if len(names) > MAX_DEPTH:
                    raise ParseError(NESTING, "deeper nesting", *start(event))
        elif _closes(node):
            names.pop()
            aliases.close()
        elif hasattr(node, "version"):  # the start of a document
            documents += 1
            _check_document(node, documents)
    return not aliases.are_ambiguous


class _Extent:
    """What an anchor stands for: its weight in characters and its levels; while it is open, not yet known."""

    def __init__(self, before: int) -> None:
        self.before, self.weight, self.depth, self.is_open = before, 0, 1, True


class _Aliases:
    """What the aliases of a document add to it, and how deep that nests.

    Attributes:
        are_ambiguous: Whether there is an alias of a name that was given to two anchors before it.
    """

    def __init__(self) -> None:
        self.are_ambiguous = False
        self._total = self._added = 0
        self._open: list[_Extent] = []
        self._known: dict[str, _Extent] = {}
        self._given_twice: set[str] = set()

    def add(self, event: Event, *, is_key: bool) -> None:
        before = self._total
        if opens(event):
            self._total += _VALUE
            extent = _Extent(before)
            self._open.append(extent)
            self._name(event, extent)  # not at its end: of two with the same name, the inner one is newer
        elif hasattr(event, "value"):
            weight = _VALUE + len(event.value)
            self._total += len(event.value) if is_key else weight
            self._name(event, _closed(_Extent(before), weight, depth=0))
        else:
            self._copy(event)

    def close(self) -> None:
        extent = self._open.pop()
        _closed(extent, self._total - extent.before, extent.depth)
        self._deepen(extent.depth)

    def _name(self, event: Event, extent: _Extent) -> None:
        if event.anchor in self._known:
            self._given_twice.add(event.anchor)
        if event.anchor is not None:
            self._known[event.anchor] = extent

    def _copy(self, alias: Event) -> None:
        extent = self._known.get(alias.anchor)
        if extent is None or extent.is_open:
            raise ParseError(
                "an alias of an anchor that stands before it",
                "another alias (text that begins with * wants quotes)",
                *start(alias),
            )
        if len(self._open) + extent.depth > MAX_DEPTH:
            raise ParseError(NESTING, "deeper nesting", *start(alias))
        self.are_ambiguous = self.are_ambiguous or alias.anchor in self._given_twice
        self._total += extent.weight
        self._added += extent.weight
        if self._added > MAX_ADDED * _VALUE:
            raise ParseError(f"aliases that add at most {MAX_ADDED} values", "more", *start(alias))
        self._deepen(extent.depth)

    def _deepen(self, depth: int) -> None:
        if self._open:
            self._open[-1].depth = max(self._open[-1].depth, depth + 1)


def _closed(extent: _Extent, weight: int, depth: int) -> _Extent:
    extent.weight, extent.depth, extent.is_open = weight, depth, False
    return extent


def _closes(event: Event) -> bool:
    return type(event).__name__ in ("MappingEndEvent", "SequenceEndEvent")


def _check_tag(event: Event) -> None:
    tag = getattr(event, "tag", None)
    if tag is not None and (tag not in _CORE_TAGS or opens(event)):
        raise ParseError("a value without a tag", "a tag (text that begins with ! wants quotes)", *start(event))


def _check_key(event: Event, names: dict[str, int], is_text: Callable[[str], bool], text: str) -> None:
    name = getattr(event, "value", None)
    if name is None:
        raise ParseError(TEXT_KEY, _no_scalar_key(text, event), *start(event))
    if is_plain(event) and name == "<<":
        raise ParseError("the keys themselves (merge keys are not supported)", "a merge key", *start(event))
    if is_plain(event) and event.tag is None and _PERHAPS_NO_TEXT.fullmatch(name) and not is_text(name):
        raise ParseError(TEXT_KEY, "a number, truth value or null as a key (it wants quotes)", *start(event))
    if name in names:
        raise ParseError(ONE_KEY, twice(name, names[name]), *start(event))
    names[name] = start(event)[0]


def _no_scalar_key(text: str, event: Event) -> str:
    from reactive_config._formats import yaml_slips

    braces = yaml_slips.is_template(text, event.start_mark.index)
    return "what a template begins with (was it filled in?)" if braces else "a container or an alias as a key"


def _check_number(event: Event) -> None:
    if is_plain(event) and event.tag is None and (expected := too_large(event.value)):
        raise ParseError(expected, "a larger one", *start(event))


def _check_document(event: Event, number: int) -> None:
    if event.version not in (None, (1, 2)) or event.tags:
        raise ParseError(_DIRECTIVES, "another directive", *start(event))
    if number > 1:
        raise ParseError("one document", "a second one", *start(event))
