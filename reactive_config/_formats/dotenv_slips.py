"""What is wrong where a line of dotenv does not begin with a name and an equals sign."""

from __future__ import annotations

from reactive_config._formats import slips

_BEGINNINGS = {
    "[": "a header (dotenv has none)",
    ";": "a comment with ; (dotenv wants #)",
    "//": "a comment with // (dotenv wants #)",
    "=": "no name before the equals sign",
    "{": "an opening brace (is it JSON?)",
    "-": "a dash (is it YAML?)",
    "$": "a dollar sign before the name",
    '"': "quotes around the name",
    "'": "quotes around the name",
}
_IN_NAMES = {
    ":": "a colon (dotenv wants an equals sign)",
    "-": "a dash in the name (letters, digits and _ may stand there)",
    ".": "a point in the name (letters, digits and _ may stand there)",
}
_NAME = "a letter or sign that a name cannot begin with (A to Z and _ can)"


def instead_of_name(text: str, at: int) -> str:
    """What stands where a name should begin."""
    if said := slips.anywhere(text, at):
        return said
    if text[at].isdigit():
        return "a name that begins with a digit"
    return next((said for begin, said in _BEGINNINGS.items() if text.startswith(begin, at)), _NAME)


def instead_of_equals(text: str, at: int, name: str) -> str:
    """What stands after a name instead of an equals sign; empty if that is not known.

    Args:
        text: The document.
        at: After the name.
        name: The name, with `export` if that stands before it.
    """
    line, column = slips.line_at(text, at)
    rest = line[column:]
    if said := slips.anywhere(text, at):
        return said
    if not rest.strip():
        ended = at >= len(text.rstrip())
        return "the end of the document" if ended else "the end of the line"
    if rest[0] in _IN_NAMES:
        return _IN_NAMES[rest[0]]
    if name in ("set", "SET", "setx", "let", "const", "var"):
        return "a word of another language before the name (only export may stand there)"
    return "a space in the name, or no equals sign after it" if rest[0] in " \t" else ""
