"""What is wrong at the place where a parser of TOML gave up."""

from __future__ import annotations

import re

from reactive_config._formats import slips
from reactive_config._formats.common import position

_LONGEST = 1_000  # characters of a line that are looked at
_LINES = 200  # above the error, likewise

_PART = r"(?:\"[^\"\\]*(?:\\.[^\"\\]*)*\"|'[^']*'|[A-Za-z0-9_-]+)"
_KEY = re.compile(rf"\s*{_PART}(?:\s*\.\s*{_PART})*\s*$")
_KEY_IN_BRACES = re.compile(rf"[{{,]\s*{_PART}\s*$")
_KEY_AND_EQUALS = re.compile(rf"\s*{_PART}(?:\s*\.\s*{_PART})*\s*=")
_HEADER = re.compile(r"\s*\[")
_CLOSED_HEADER = re.compile(r"\s*\[[^\]]*\]\]?\s*$")
_STRING = re.compile(r"\"[^\"\\]*(?:\\.[^\"\\]*)*\"|'[^']*'")
_COMMENT = re.compile(r"(?:\s|^)#.*")
_OPEN_QUOTE = re.compile(r"[\"']")
_WORD_BEFORE = re.compile(r"[0-9A-Za-z_+.-]*$")


def slip(text: str, at: int) -> str:
    """What stands at the offset where a parser gave up, in words; empty if that is not known."""
    if said := slips.anywhere(text, at):
        return said
    line, column = slips.line_at(text, at)
    if column > _LONGEST:
        return ""
    ends = column >= len(line.rstrip())
    first, before = _statement(text, at, line[:_LONGEST], line[:column])
    return (
        _inside_quotes(text, at, line[:column], ends=ends)
        or _comment(text, at)
        or _of_key(text, at, first, before, ends=ends)
        or _of_brackets(text, at, before, ends=ends)
        or _of_value(text, at, before, ends=ends)
        or _of_rest(text, at, before)
    )


def _statement(text: str, at: int, line: str, before: str) -> tuple[str, str]:
    """The first line of the statement around an offset, and the statement up to there in one line.

    A list may go on for many lines.
    """
    start = text.rfind("\n", 0, at) + 1
    above = text[max(0, start - _LINES * _LONGEST) : start].split("\n")[:-1][-_LINES:]
    for count, first in enumerate(reversed(above), start=1):
        if _KEY_AND_EQUALS.match(first[:_LONGEST]):
            lines = [_COMMENT.sub("", one[:_LONGEST]) for one in above[-count:]]
            whole = " ".join([*lines, before])
            bare = _STRING.sub("", " ".join(lines))
            return (first[:_LONGEST], whole) if bare.count("[") > bare.count("]") else (line, before)
        if _HEADER.match(first) and first.rstrip().endswith("]") and not first.startswith(" "):
            break
    return line, before


def _inside_quotes(text: str, at: int, before: str, *, ends: bool) -> str:
    over = at >= len(text.rstrip())
    for quotes in ('"""', "'" * 3):
        if over and text.count(quotes) % 2 == 1:
            line = position(text, text.rindex(quotes))[0]
            return f"the end of the document inside of the three quotes that line {line} opens"
    if "\\" in text[max(0, at - 2) : at + 1] and '"' in before:
        return "a backslash in double quotes that escapes nothing (single quotes keep it)"
    if not _OPEN_QUOTE.search(_STRING.sub("", before)):
        return _quote_above(text) if over else ""
    if over:
        return "the end of the document inside of the quotes that this line opens"
    if ends:
        return "a line break inside of quotes (a quote is missing, or write three of them)"
    return "" if text[at].isprintable() else "a control character inside of quotes"


def _quote_above(text: str) -> str:
    """The single quote that the parser looks for to the end of the document: the last one opens what none closes."""
    at = text.rfind("'")
    if at < 0:
        return ""
    line, number = slips.line_at(text, at)[0][:_LONGEST], position(text, at)[0]
    if not _OPEN_QUOTE.search(_COMMENT.sub("", _STRING.sub("", line))):
        return ""
    return f"the end of the document inside of the quotes that line {number} opens"


def _comment(text: str, at: int) -> str:
    for mark in ("//", ";", "/*"):
        if text.startswith(mark, at):
            return f"a comment with {mark} (TOML wants #)"
    return ""


def _of_key(text: str, at: int, line: str, before: str, *, ends: bool) -> str:
    """Something instead of a name, or of the equals sign after it."""
    if _HEADER.match(line) and not _KEY_AND_EQUALS.match(line):
        return _of_header(before, ends=ends)
    character = text[at : at + 1]
    if not before.strip():
        return _instead_of_name(character, first=not text[:at].strip())
    in_braces = before.count("{") > before.count("}") and _KEY_IN_BRACES.search(before)
    if not _KEY.match(before) and not in_braces:
        return ""
    if character == ":":
        return "a colon (TOML wants an equals sign)"
    if ends:
        return "a name without an equals sign and a value"
    if character.isalnum() or character in "_\"'":
        return "a space in a name (it wants quotes), or no equals sign after it"
    return "a letter outside of A to Z in a name (it wants quotes)" if character.isalpha() else ""


def _of_header(before: str, *, ends: bool) -> str:
    if _CLOSED_HEADER.match(before):
        return "" if ends else "more text on the line of a header"
    return "no name in a header" if before.rstrip().endswith(("[", ".")) else "a header without its closing bracket"


def _instead_of_name(character: str, *, first: bool) -> str:
    if character == "=":
        return "no name before the equals sign"
    if character == "{" and first:
        return "an opening brace (is it JSON?)"
    if character == "<":
        return "an angle bracket (is it HTML or XML?)"
    if character == "-":
        return "a dash (is it YAML?)"
    return "a letter outside of A to Z in a name (it wants quotes)" if character.isalpha() else ""


def _of_brackets(text: str, at: int, before: str, *, ends: bool) -> str:
    """Something inside of an inline table or a list that cannot stand there."""
    bare = _STRING.sub("", before)
    in_braces = bare.count("{") > bare.count("}")
    in_list = not in_braces and bare.count("[") > bare.count("]")
    if at >= len(text.rstrip()) and (in_braces or in_list):
        return f"the end of the document, and a {'brace' if in_braces else 'bracket'} of this line is not closed"
    if in_braces and ends:
        return "a line break inside of braces (TOML wants an inline table on one line)"
    if in_braces and text[at] == "}" and bare.rstrip().endswith(","):
        return "a comma before the closing brace"
    if (in_braces or in_list) and text[at] == "," and bare.rstrip().endswith(","):
        return "two commas in a row"
    if in_braces and text[at] == ":":
        return "a colon (TOML wants an equals sign)"
    return ""


def _of_value(text: str, at: int, before: str, *, ends: bool) -> str:
    """Something instead of a value, or a value that goes wrong before it ends."""
    begun = _WORD_BEFORE.search(before)
    start = at - (len(begun[0]) if begun else 0)
    leading = before[: len(before) - (at - start)].rstrip()
    if not leading.endswith(("=", "[", ",")):
        return ""
    if said := slips.literal(text, start, "TOML", null="") or slips.template(text, start):
        return said
    if start != at:
        return ""
    if ends:
        return "no value after the equals sign" if leading.endswith("=") else ""
    if text[at] == "=":
        return "a second equals sign"
    return "text without quotes" if text[at].isprintable() and text[at] not in "[]{},\"'" else ""


def _of_rest(text: str, at: int, before: str) -> str:
    """Something after a value that has ended."""
    if "=" not in before or at >= len(text):
        return ""
    bare = _STRING.sub("", before)
    if bare.count("[") > bare.count("]"):
        return "no comma before this value" if text[at].isalnum() or text[at] in "\"'[{" else ""
    if bare.count("{") > bare.count("}"):
        return "no comma before this name" if text[at].isalnum() or text[at] in "\"'" else ""
    if text[at] == ",":
        return "a comma after the value (TOML ends a value with its line)"
    if text[at] == ":":
        return ""
    return "more text on the line after the value (TOML wants a line for each name)"
