"""TOML, by the standard library, bounded: it recurses on nesting and is cubic in the length of a dotted key."""

from __future__ import annotations

import ast
import re
import tomllib

from reactive_config._core.bounds import INTEGER, MAX_DEPTH, NESTING, ONE_KEY, find_fault, twice
from reactive_config._core.delta import Tree
from reactive_config._core.paths import Path
from reactive_config._formats import toml_scan
from reactive_config._formats.common import offset_of, position, refusal, surely_sound, unreadable
from reactive_config.errors import ParseError

# At the end of the message: what stands before may quote the document.
_AT = re.compile(r"\(at line ([0-9]+), column ([0-9]+)\)\Z")
_INLINE = "Duplicate inline table key "
_TWICE = ("Cannot overwrite a value", "Cannot declare", "Cannot mutate immutable", _INLINE)


def parse(text: str) -> dict[str, Tree]:
    """The tree of a TOML document; dates and times stay objects.

    Raises:
        ParseError: Not TOML, a key twice, infinity or not a number, an integer beyond 64 bits,
            or containers nested deeper than `MAX_DEPTH`.
    """
    # Before the parser: a key of 100,000 parts holds it for minutes.
    if _long_dots(text):
        long_key = toml_scan.find_long_key(text)
        if long_key is not None:
            raise refusal(NESTING, "deeper nesting", text, long_key)
    tree, error = _loads(text)
    if error is not None:
        raise error
    fault = None if surely_sound(tree) else find_fault(tree)
    if fault is not None:
        raise refusal(fault.expected, fault.got, text, toml_scan.find(text, fault.path) or 0)
    return tree


def locate(text: str, path: Path) -> int | None:
    """Offset of the value at a path, or of the header or key that makes the table; None where there is none."""
    return toml_scan.find(text, path)


def _quoted(message: str) -> str:
    """The key of an inline table that tomllib quotes; empty if it does not."""
    try:
        return str(ast.literal_eval(message.removeprefix(_INLINE).rpartition(" (at ")[0]))
    except (SyntaxError, ValueError):
        return ""


def _long_dots(text: str) -> bool:
    """Whether a key might have more than `MAX_DEPTH` parts: such a key has as many dots in one line."""
    return text.count(".") >= MAX_DEPTH and any(line.count(".") >= MAX_DEPTH for line in text.split("\n"))


def _loads(text: str) -> tuple[dict[str, Tree], ParseError | None]:
    try:
        return tomllib.loads(text), None
    except tomllib.TOMLDecodeError as error:
        message = str(error)
    except RecursionError:
        return {}, refusal(NESTING, "deeper nesting", text, toml_scan.find_depth(text))
    except ValueError:  # Python's own limit on the digits of an integer, far above 64 bits
        return {}, refusal(INTEGER, "a larger one", text, toml_scan.find_long_integer(text))
    match = _AT.search(message)
    # TOML knows CRLF; tomllib counts after folding it, which moves no line and no column.
    offset = offset_of(text, int(match[1]), int(match[2])) if match else len(text)
    if message.startswith(_TWICE):
        path = toml_scan.last_key(text, offset) if message[0] == "C" else (_quoted(message),)
        return {}, refusal(ONE_KEY, _twice(text, path, offset, inline=message[0] != "C"), text, offset)
    return {}, unreadable("valid TOML", text, offset, _slip(text, offset))


def _twice(text: str, path: Path, end: int, *, inline: bool) -> str:
    if not path or not path[-1]:
        return "a key twice"
    first = None if inline else toml_scan.find(text, path)
    return twice(path[-1], position(text, first)[0] if first is not None and first < end else 0)


def _slip(text: str, offset: int) -> str:
    from reactive_config._formats import toml_slips

    return toml_slips.slip(text, offset)
