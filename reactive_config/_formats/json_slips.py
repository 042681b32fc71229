"""What is wrong at the place where a parser of JSON gave up."""

from __future__ import annotations

import re
from typing import NamedTuple

from reactive_config._core.json_text import STRING
from reactive_config._formats import slips
from reactive_config._formats.common import position
from reactive_config._formats.json_scan import lexemes

_LOOKED_AT = 256 << 10
"""Characters of a document before the place of an error that are looked at, to know what should stand there."""

_CLOSED_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*"', re.DOTALL)
_NAME_OF_PAIR = re.compile(rf"(?:{STRING}|'[^'\n]*'|[\w$.-]+)[ \t\n\r]*[:=]", re.DOTALL)
_CLOSING = re.compile(r",[ \t\n\r]*([}\]])")
_VALUE_BEGINS = re.compile(r"[\"'{\[\w-]")


class JsonContext(NamedTuple):
    """What stands before an offset.

    Attributes:
        open_: The brackets that are open there, each with its offset, the outermost first.
        before: The last thing: a bracket, a comma, a colon, `name`, `value`, `quotes` if the offset lies inside of a
            text; empty at the start.
        began: Offset of the number or word that goes on there, or else the offset.
    """

    open_: list[tuple[str, int]]
    before: str
    began: int


def slip(text: str, at: int) -> str:
    """What stands at the offset where a parser gave up, in words; empty if that is not known."""
    if said := slips.anywhere(text, at):
        return said
    if at > _LOOKED_AT:
        return _comment_or_quote(text, at) or _last_comma(text, at)
    context = _context(text, at)
    if context.before == "quotes":
        return _inside_quotes(text, at, context)
    if at >= len(text.rstrip()):
        return _at_the_end(text, context)
    if context.began != at and (said := slips.literal(text, context.began, "JSON", null="null")):
        return said
    return _comment_or_quote(text, at) or _of_bracket_or_comma(text, at, context) or _of_state(text, at, context)


def _context(text: str, at: int) -> JsonContext:
    open_: list[tuple[str, int]] = []
    before, began, earlier = "", at, ""
    for match in lexemes(text, at):
        lexeme, start = match[1], match.start(1)
        earlier = before
        began = at
        if lexeme in ("{", "["):
            open_.append((lexeme, start))
            before = lexeme
        elif lexeme in ("}", "]"):
            if open_:
                open_.pop()
            before = "value"
        elif lexeme in (",", ":"):
            before = lexeme
        elif lexeme[0] == '"' and match.end() == at and not _CLOSED_STRING.fullmatch(lexeme):
            return JsonContext([*open_, ('"', start)], "quotes", at)
        else:
            before = "name" if _wants_name(open_, before) else "value"
            if lexeme[0] != '"' and match.end() == at:
                began = start
    if began != at and not _is_sound(text[began:at], text[at : at + 1]):
        return JsonContext(open_, earlier, began)
    return JsonContext(open_, before, at)


def _is_sound(word: str, following: str) -> bool:
    """Whether a word or number is JSON, and ends where the parser gave up."""
    sound = word in ("true", "false", "null") or re.fullmatch(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?", word) is not None
    return sound and not (following.isalnum() or following in ("_", ".", "+", "-"))


def _wants_name(open_: list[tuple[str, int]], before: str) -> bool:
    return bool(open_) and open_[-1][0] == "{" and before in ("{", ",")


def _inside_quotes(text: str, at: int, context: JsonContext) -> str:
    line = position(text, context.open_[-1][1])[0]
    character = text[at : at + 1]
    if at >= len(text.rstrip()):
        return f"the end of the document inside of the quotes that line {line} opens"
    if character in ("\n", "\r"):
        return "a line break inside of quotes (a quote is missing, or write \\n)"
    if character == "\t":
        return "a tab inside of quotes (write \\t)"
    if text.startswith("\\u", at):
        return "an escape \\u that is not whole (four digits; some characters take two escapes)"
    if character == "\\" or text[at - 1] == "\\":
        return "a backslash that escapes nothing (write two for one)"
    return "a control character inside of quotes" if not character.isprintable() else ""


def _at_the_end(text: str, context: JsonContext) -> str:
    if not context.open_:
        return ""
    character, at = context.open_[-1]
    return f"the end of the document, and the {slips.bracket(character)} of line {position(text, at)[0]} is not closed"


def _comment_or_quote(text: str, at: int) -> str:
    if text.startswith(("//", "/*", "#"), at):
        return "a comment (JSON has none)"
    return "single quotes (JSON wants double ones)" if text[at : at + 1] == "'" else ""


def _last_comma(text: str, at: int) -> str:
    closing = _CLOSING.match(text, at)
    return "" if closing is None else f"a comma before the closing {slips.bracket(closing[1])}"


def _of_bracket_or_comma(text: str, at: int, context: JsonContext) -> str:
    character, before = text[at], context.before
    if before == "value" and (said := _last_comma(text, at)):
        return said
    if character == ",":
        return {",": "two commas in a row", ":": "no value after the colon"}.get(
            before, "" if before == "value" else "a comma before the first value"
        )
    if character not in "}]":
        return ""
    name = slips.bracket(character)
    if before in (",", ":", "name"):
        return {",": f"a comma before the closing {name}", ":": "no value after the colon"}.get(
            before, "a name without a value"
        )
    if not context.open_:
        return f"a closing {name} that nothing opened"
    other, opened = context.open_[-1]
    line = position(text, opened)[0]
    return f"a closing {name}, while the {slips.bracket(other)} of line {line} is open" if context.began == at else ""


def _of_state(text: str, at: int, context: JsonContext) -> str:
    """What is said of the character by what should stand there: a name, a colon, a comma, the end or a value."""
    open_, before, character = context.open_, context.before, text[at]
    if before == "value" and not open_:
        if character == ":":
            return "a name and a value without braces around them"
        return "more text after the end of the document"
    if _wants_name(open_, before):
        return _instead_of_name(text, at)
    if before == "name":
        return "an equals sign (JSON wants a colon)" if character == "=" else "no colon between a name and its value"
    if before == "value":
        return _instead_of_comma(text, at)
    return _instead_of_value(text, context)


def _instead_of_name(text: str, at: int) -> str:
    if text[at] == "{":
        return "two opening braces (is it a template that was not filled in?)"
    if text[at].isdigit():
        return "a number as a name (JSON wants double quotes around it)"
    if text[at].isalpha() or text[at] in "_$":
        return "a name without quotes (JSON wants double ones)"
    return ""


def _instead_of_comma(text: str, at: int) -> str:
    if text[at] == ";":
        return "a semicolon (JSON wants a comma)"
    if text[at] == ":":
        return "a colon in a list, or a second one"
    if not _VALUE_BEGINS.match(text, at):
        return ""
    return "no comma before this name" if _NAME_OF_PAIR.match(text, at) else "no comma before this value"


def _instead_of_value(text: str, context: JsonContext) -> str:
    at = context.began
    if said := slips.template(text, at) or slips.literal(text, at, "JSON", null="null"):
        return said
    if text[at] == "<":
        return "an angle bracket (is it HTML or XML?)"
    return "text without quotes (JSON wants double ones)" if text[at].isalpha() or text[at] in "_@" else ""
