"""What is wrong at the place where a parser of YAML gave up.

Two parsers read YAML here, and neither always gives up where the mistake is: often it is in the line above.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from reactive_config._core.document_looks import IS_TOML, TOML, looks_like
from reactive_config._formats import slips

_LINES = 500  # above the error that are looked at
_LONGEST = 1_000  # characters of a line, likewise: some of the expressions below take the square of it

_ITEM = re.compile(r" *-(?: |$)")
_ITEM_IN_LINE = re.compile(r": +-(?: |$)")
_BLANK = re.compile(r"[ \t]*(?:#.*)?")
_COMMENT = re.compile(r" #.*")
_MARKER = re.compile(r"(?:---|\.\.\.)(?: |$)")
_TAB = re.compile(r" *\t")
_PAIR = re.compile(r" *(?:- +)*(?:\"[^\"]*\"|'[^']*'|[^\s#\"'{\[][^#:]*?) *:(?: +(.*))?$")
_GLUED = re.compile(r" *(?:- +)*[\w.-]+:[^\s/:]")
_QUOTES = re.compile(r"(?:^|[:\-,\[{] *)([\"'])")
_BEGINS_WITH = re.compile(r"(?:^|: +|- +|[\[,{] *)([@`%*&!|>])")


class YamlLine(NamedTuple):
    """One line of a document.

    Attributes:
        text: Without its end.
        number: From 1.
    """

    text: str
    number: int

    @property
    def indent(self) -> int:
        """Spaces before its first character."""
        return len(self.text) - len(self.text.lstrip(" "))


def slip(text: str, at: int) -> str:
    """What stands at the offset where a parser gave up, in words; empty if that is not known."""
    if said := slips.anywhere(text, at):
        return said
    if looks_like(text) == TOML:
        return IS_TOML
    line, column = slips.line_at(text, at)
    above = _above(text, at)
    if at >= len(text.rstrip()):
        return _at_the_end(text)
    if column >= _LONGEST:
        return ""
    line = line[:_LONGEST]
    return (
        _tab(YamlLine(line, 0), above)
        or _of_character(text, at, line, column)
        or _of_colon(line, column, above)
        or _of_layout(line, column, above)
    )


def is_template(text: str, at: int) -> bool:
    """Whether the braces of a template stand around an offset, which YAML reads as a table inside of a key."""
    return text.startswith("{{", at) or text.startswith("{{", max(0, at - 1))


def _above(text: str, at: int) -> list[YamlLine]:
    """The lines above with something in them, the nearest first."""
    start = text.rfind("\n", 0, at) + 1
    number = text.count("\n", 0, start)
    lines = text[max(0, start - _LINES * _LONGEST) : start].split("\n")[:-1]
    found = [
        YamlLine(line[:_LONGEST].rstrip("\r"), number - index) for index, line in enumerate(reversed(lines[-_LINES:]))
    ]
    return [line for line in found if not _BLANK.fullmatch(line.text)]


def _tab(line: YamlLine, above: list[YamlLine]) -> str:
    if _TAB.match(line.text):
        return "a tab that indents this line (YAML wants spaces)"
    if above and _TAB.match(above[0].text):
        return f"a tab that indents line {above[0].number} (YAML wants spaces)"
    return ""


def _at_the_end(text: str) -> str:
    """What was never closed, or has no colon, as far as the last lines show it."""
    lines = _above(text + "\n", len(text) + 1)
    for line in lines:
        if _unclosed_quote(line.text):
            return f"the end of the document inside of the quotes that line {line.number} opens"
        if (opened := _unclosed_bracket(line.text)) is not None:
            name = slips.bracket(opened)
            return f"the end of the document, and the {name} of line {line.number} is not closed"
    return _last_name(lines) or "the end of the document"


def _last_name(lines: list[YamlLine]) -> str:
    """Why the last name of a document is none: no other name comes after it, so the parser reads on to the end.

    The lines without a colon at the end are one text for the parser. It begins where they are indented least.

    Args:
        lines: The nearest to the end first.
    """
    name: YamlLine | None = None
    for line in lines:
        bare = _COMMENT.sub("", line.text).rstrip()
        if _MARKER.match(bare) or ": " in bare or bare.endswith(":"):
            break
        if name is None or line.indent <= name.indent:
            if name is not None and line.indent == name.indent and _ITEM.match(bare) and not _ITEM.match(name.text):
                return "a name beside the items of a list"
            name = line
    if name is None:
        return ""
    if _GLUED.match(name.text):
        return f"no space after the colon of line {name.number}"
    return slips.template(name.text, name.indent) or f"no colon in line {name.number}"


def _unclosed_quote(line: str) -> bool:
    match = _QUOTES.search(line)
    return match is not None and line.count(match[1], match.start(1)) % 2 == 1


def _unclosed_bracket(line: str) -> str | None:
    """The bracket that a line leaves open: quotes are not looked at."""
    for opening, closing in ("[]", "{}"):
        if line.count(opening) > line.count(closing):
            return opening
    return None


def _of_character(text: str, at: int, line: str, column: int) -> str:
    character, before = text[at], line[:column].rstrip()
    for begins in _BEGINS_WITH.finditer(line[: column + 1]):
        if begins.end() >= column and begins[1] in "|>":
            return f"text on the line of a {begins[1]} (it begins on the next line)"
        if begins.end() >= column:
            return f"a value that begins with {begins[1]} (text that does wants quotes)"
    if "\\" in (character, line[column - 1 : column]):
        return "a backslash in double quotes that escapes nothing (single quotes keep it)"
    if before.endswith(("'", '"')) and character not in ":,]}":
        if before.endswith("'"):
            return "text after the closing quote (an apostrophe inside of single quotes is written twice)"
        return "text after the closing quote"
    if character == ",":
        return "two commas in a row" if before.endswith(",") else "a comma that separates nothing"
    if character in "]}":
        return f"a closing {slips.bracket(character)} that nothing opened"
    # A $ or a % may begin a text, so the parser gives up at the brace after it.
    return slips.template(text, at) or (slips.template(text, at - 1) if column else "")


def _of_colon(line: str, column: int, above: list[YamlLine]) -> str:
    """A colon where no name can stand, and what the line above does to make it so."""
    if line[column : column + 1] != ":":
        return ""
    if ": " in line[:column]:
        return "a second colon in one line (text with a colon wants quotes)"
    return _unfinished(above) or _indented_below_a_value(line, above)


def _unfinished(above: list[YamlLine]) -> str:
    """What keeps the line above from being a name with a value."""
    if not above:
        return ""
    line = above[0]
    if (opened := _unclosed_bracket(line.text)) is not None:
        return f"a new line while the {slips.bracket(opened)} of line {line.number} is not closed"
    if _GLUED.match(line.text) and ": " not in line.text:
        return f"no space after the colon of line {line.number}"
    if ":" not in line.text and not _ITEM.match(line.text):
        return f"no colon in line {line.number}"
    return ""


def _indented_below_a_value(line: str, above: list[YamlLine]) -> str:
    if not above or YamlLine(line, 0).indent <= above[0].indent:
        return ""
    pair = _PAIR.match(above[0].text)
    if pair is None or not pair[1] or pair[1][0] in "|>":
        return ""
    return f"a line indented below line {above[0].number}, whose name has a value already"


def _of_layout(line: str, column: int, above: list[YamlLine]) -> str:
    """A line that begins where none can."""
    here = YamlLine(line, 0)
    if _ITEM_IN_LINE.search(line[: column + 2]):
        return "a list item on the line of its name (it wants a line of its own)"
    if column != here.indent or not above:
        return _unfinished(above) if column > here.indent and line[column : column + 1] in ":," else ""
    beside = next((one for one in above if one.indent <= here.indent), None)
    if beside is not None and beside.indent == here.indent and _ITEM.match(line) and not _ITEM.match(beside.text):
        return "a list item beside the names of a table"
    if beside is not None and beside.indent == here.indent and _ITEM.match(beside.text) and not _ITEM.match(line):
        return "a name beside the items of a list"
    if here.indent < above[0].indent and here.indent not in {one.indent for one in above}:
        return "an indentation that no line above has"
    return _unfinished(above) or _indented_below_a_value(line, above)
