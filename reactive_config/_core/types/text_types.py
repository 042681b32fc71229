"""Types of the standard library that one text spells: paths, addresses, patterns, time zones.

msgspec does not know them. Their modules are loaded by whoever names such a type, never here.
"""

from __future__ import annotations

import os
import pathlib
import re
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, get_args, get_origin

from reactive_config._core.refusals import is_refusal, readable
from reactive_config._core.types.generics import cached
from reactive_config.errors import InvalidValue


class TextType(NamedTuple):
    """How a type is read from a text and written as one.

    Attributes:
        words: What a message says was expected.
        format: Its name in a JSON Schema; empty if it has none.
        longest: Characters that a text may have. None of these types takes long for so many.
        parse: Makes the value of a text, or raises.
        write: The text of a value, from which `parse` makes an equal one.
    """

    words: str
    format: str
    longest: int
    parse: Callable[[str], Any]
    write: Callable[[Any], Any] = str

    def read(self, value: Any) -> Any:
        """The value that a text means.

        Raises:
            InvalidValue: It is no text, or means none. Quotes nothing.
        """
        if type(value) is not str:
            raise InvalidValue(self.words)
        if len(value) > self.longest:
            raise InvalidValue(f"{self.words} of at most {self.longest:,} characters")
        try:
            return self.parse(value)
        except BaseException as error:
            if not is_refusal(error):
                raise
            # The texts of these exceptions quote the value.
            raise readable(error) or InvalidValue(self.words) from None


@cached
def text_type(kind: Any) -> TextType | None:
    """How a bare type is read from a text; None for any other type. Subclasses of a program's own are other types."""
    origin: Any = get_origin(kind) or kind
    if origin is re.Pattern:
        return _PATTERN if get_args(kind) in ((), (str,)) else None
    if origin in _PATHS:
        return _path(origin)
    module, name = getattr(origin, "__module__", None), getattr(origin, "__name__", "")
    if module not in ("ipaddress", "zoneinfo") or getattr(sys.modules.get(module), name, None) is not kind:
        return None
    if name == "ZoneInfo":
        return TextType(_ZONE_WORDS, "", 100, lambda text: _zone(origin, text), _zone_name)
    if name in _ADDRESSES:
        words, of_schema = _ADDRESSES[name]
        return TextType(words, of_schema, 100, origin)
    return None


# Paths

_PATHS = (
    *(pathlib.PurePath, pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.Path),
    pathlib.WindowsPath if os.name == "nt" else pathlib.PosixPath,
)


def _path(kind: Any) -> TextType:
    def parse(text: str) -> Any:
        if not text:
            raise InvalidValue("a path, not the empty text")  # it would mean the working directory
        if "\0" in text:
            raise InvalidValue("a path without a NUL character")
        if "://" in text:  # it would lose a slash
            raise InvalidValue("a path, not a URL")
        return kind(text)

    return TextType("a path", "path", 4096, parse)


# Addresses

_ADDRESSES = {
    "IPv4Address": ("an IPv4 address (10.0.0.1)", "ipv4"),
    "IPv6Address": ("an IPv6 address (fd00::1)", "ipv6"),
    "IPv4Network": ("an IPv4 network without host bits (10.0.0.0/8)", "ipv4network"),
    "IPv6Network": ("an IPv6 network without host bits (fd00::/8)", "ipv6network"),
    "IPv4Interface": ("an IPv4 address with its network (10.0.0.1/8)", "ipv4interface"),
    "IPv6Interface": ("an IPv6 address with its network (fd00::1/8)", "ipv6interface"),
}

# Time zones

_ZONE_WORDS = "the name of a time zone that this system knows, such as Europe/Berlin"
_ZONE_NAME = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*")


def _zone(kind: Any, text: str) -> Any:
    if _ZONE_NAME.fullmatch(text) is None:  # so that no name leads to another file
        raise InvalidValue(_ZONE_WORDS)
    return kind(text)


def _zone_name(zone: Any) -> Any:
    return f"<{type(zone).__name__}>" if zone.key is None else zone.key


# Patterns

_SETS_AND_RANGES = 12
"""How many sets and ranges a pattern may have that names characters beyond U+00FF.

Each may cost Python some 7 ms, because it looks at every character of a range.
"""

_WIDE = re.compile(r"[^\x00-\xff]|\\[uUN]")

_MISTAKES = (
    "bad character in group name",
    "bad character range",
    "bad escape",
    "global flags not at the start of the expression",
    "invalid group reference",
    "look-behind requires fixed-width pattern",
    "min repeat greater than max repeat",
    "missing -, : or )",
    "missing ), unterminated subpattern",
    "missing group name",
    "multiple repeat",
    "nothing to repeat",
    "redefinition of group name",
    "unbalanced parenthesis",
    "unknown extension",
    "unknown group name",
    "unterminated character set",
)
"""How the messages of `re` begin. What follows may quote the pattern."""


def _compiled(text: str) -> re.Pattern[str]:
    if _WIDE.search(text) and text.count("[") + text.count("-") > _SETS_AND_RANGES:
        raise InvalidValue(
            f"a regular expression with {_SETS_AND_RANGES} sets and ranges at most: it names characters beyond U+00FF"
        )
    try:
        return re.compile(text)
    except re.error as error:
        mistake = next((words for words in _MISTAKES if error.msg.startswith(words)), "a mistake")
        at = "" if error.pos is None else f" at character {error.pos + 1}"
        raise InvalidValue(f"a valid regular expression ({mistake}{at})") from None


_PATTERN = TextType("a regular expression", "regex", 1000, _compiled, lambda pattern: pattern.pattern)
