"""YAML 1.2, by ryaml, within the bounds that `yaml_guard` sets; where ryaml cannot be imported, by PyYAML's events.

Scalars are those of YAML 1.2: `no`, `22:22`, `017` and dates are text. Aliases are copies. An empty document is
refused, and so is one of comments alone: YAML has `{}` for an empty table.
"""

from __future__ import annotations

import json
import re

from reactive_config._core.bounds import INTEGER, NESTING, ONE_KEY, TEXT_KEY, find_fault, twice
from reactive_config._core.delta import Tree
from reactive_config._core.paths import KeyPath, Path
from reactive_config._extras import install
from reactive_config._formats import yaml_events, yaml_guard, yaml_scalars, yaml_tree
from reactive_config._formats.common import offset_of, refusal, surely_sound
from reactive_config.errors import ParseError

_AT = re.compile(r"at line ([0-9]+) column ([0-9]+)")
_DUPLICATE = re.compile(r'duplicate entry with key ("(?:[^"\\]|\\.)*")')
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKERS = re.compile(r"(?:---|\.\.\.|%YAML[ \t]+1\.2)?[ \t]*(?:#.*)?")


def parse(text: str) -> Tree:
    """The tree of a YAML document.

    Raises:
        ParseError: Not YAML, not YAML 1.2's plain part (see `yaml_guard`), infinity or not a number,
            an integer beyond 64 bits; or the `yaml` extra is not installed.
    """
    fast = _has_ryaml()
    if not fast:
        _require_libyaml()
    if text.startswith("\ufeff"):  # the parsers disagree about what it is, and a tag after it would be a key
        raise refusal("one byte order mark", "two", text, 0)
    control = _UNPRINTABLE.search(text)
    if control:  # both parsers refuse it, but neither says where
        raise refusal("text without control characters", "one", text, control.start())
    for (
        separator
    ) in "\x85\u2028\u2029":  # line ends in YAML 1.1 and for both parsers; in an editor nobody sees a new line
        if separator in text:
            expected = f"U+{ord(separator):04X} as an escape between double quotes (it ends no line in YAML 1.2)"
            raise refusal(expected, "the character itself", text, text.index(separator))
    try:
        return _parse_fast(text) if fast else _parse_events(text)
    except ParseError as error:
        refused = _explained(error, text)
    raise refused  # out of the handler, so that it has no context


def _parse_fast(text: str) -> Tree:
    if yaml_guard.suspicious(text):
        _require_pyyaml()
        if not yaml_guard.examine(text, yaml_scalars.is_text):
            _require_libyaml()
            return _parse_events(text)
    tree, error = _loads(text)
    if error is None and tree is None:
        return _blank(text)
    if error is None:
        error = _fault(text, tree)
    if error is None:
        return tree
    guarded = _guarded(text)
    if guarded is None or (guarded.expected == yaml_events.NOT_YAML and error.line):
        raise error
    raise guarded


def _explained(error: ParseError, text: str) -> ParseError:
    """The same refusal with the reason in words, where the parser gave up and did not say why."""
    if error.expected != yaml_events.NOT_YAML or not error.line:
        return error
    from reactive_config._formats import yaml_slips

    at = offset_of(text, error.line, error.column)
    return ParseError(error.expected, yaml_slips.slip(text, at) or error.got, error.line, error.column)


def _guarded(text: str) -> ParseError | None:
    """What the guard finds by its own count and with a position, whatever words the parser has for it."""
    if not yaml_events.available():
        return None
    try:
        yaml_guard.examine(text, yaml_scalars.is_text)
    except ParseError as error:
        return error
    return None


def _parse_events(text: str) -> Tree:
    error = None
    try:
        yaml_guard.examine(text, yaml_scalars.is_text)
        tree = yaml_tree.build(text)
    except ParseError as refused:
        error = yaml_tree.of_the_end(refused, text)
    if error is not None:
        raise error  # out of the handler, so that it has no context
    if tree is None:
        return _blank(text)
    error = _fault(text, tree)
    if error is not None:
        raise error
    return tree


def locate(text: str, path: Path) -> tuple[int, int] | None:
    """Line and column of the value at a path; of its key, if it is a table or a list, or if the key is meant.

    None where there is none, inside of aliases, or without PyYAML.
    """
    if not yaml_events.available():
        return None
    key = None
    for node in yaml_events.nodes(text):
        if not isinstance(node, yaml_events.YamlNode):
            continue
        if node.is_key:
            key = node.event
            continue
        if node.path == path:
            at_key = key is not None and (yaml_events.opens(node.event) or isinstance(path, KeyPath))
            return yaml_events.start(key if at_key else node.event)
        key = None
    return None


def _has_ryaml() -> bool:
    try:
        import ryaml  # noqa: F401
    except ImportError:
        return False
    return True


def _require_libyaml() -> None:
    _require_pyyaml()
    if not yaml_events.has_libyaml():
        raise ParseError("PyYAML with libyaml, as its wheels have it, or ryaml", "YAML without them")


def _require_pyyaml() -> None:
    if not yaml_events.available():
        raise ParseError(f"a parser of YAML ({install('yaml')})", "none")


def _loads(text: str) -> tuple[Tree, ParseError | None]:
    import ryaml

    try:
        return ryaml.loads(text), None
    except ryaml.InvalidYamlError as error:
        message = str(error)
    except ValueError:  # an unhashable key; its words name Python types
        return None, ParseError(TEXT_KEY, "a container as a key")
    except RecursionError:
        return None, ParseError(NESTING, "deeper nesting")
    return None, _refusal(text, message)


def _twice(message: str) -> str:
    """The key that ryaml quotes as Rust does, which is mostly as JSON does."""
    found = _DUPLICATE.search(message)
    try:
        return twice(json.loads(found[1])) if found else "a key twice"
    except ValueError:
        return "a key twice"


def _refusal(text: str, message: str) -> ParseError:
    """Our own words for the parser's, which quote keys and values; only its numbers are used, and only if they fit."""
    expected, got, place = yaml_events.NOT_YAML, "something else", (0, 0)
    if 'duplicate entry with key "' in message:  # its position, if any, is that of the table
        return ParseError(ONE_KEY, _twice(message))
    numbers = _numbers(message)
    if numbers is not None and numbers <= (len(text) + 2, len(text) + 2):
        place = numbers
    if "invalid type: integer `" in message and "128, expected any YAML value" in message:
        expected, got = INTEGER, "a larger one"
    elif place[0] and offset_of(text, *place) >= len(text.rstrip()):
        got = "the end of the document"
    return ParseError(expected, got, *place)


def _numbers(message: str) -> tuple[int, int] | None:
    """The position in the parser's message.

    The place of the error stands before a context (", while parsing a list at line ..."); without a context it is
    the last one, because the message may begin with the keys on the way, and these may look like anything.
    """
    found = _AT.findall(message)
    if not found:
        return None
    line, column = found[0 if ", while " in message else -1]
    return int(line), max(int(column), 1)


def _fault(text: str, tree: Tree) -> ParseError | None:
    fault = None if surely_sound(tree) else find_fault(tree)
    if fault is None:
        return None
    place = None if fault.expected == TEXT_KEY else locate(text, fault.path)
    return ParseError(fault.expected, fault.got, *(place or ()))


def _blank(text: str) -> Tree:
    """Null, where somebody wrote it. A document without a value is refused."""
    lines = text.splitlines()
    if not all(_MARKERS.fullmatch(line.strip()) for line in lines):
        return None
    if any("#" in line for line in lines):
        raise ParseError("a document ({} for an empty table)", "only comments", 1, 1)
    raise ParseError("a document", "an empty one", 1, 1)
