"""Which format a text looks like that has no suffix to name one. Only its first line counts, and nothing is parsed."""

from __future__ import annotations

import re
from collections.abc import Iterator

YAML, TOML = ".yaml", ".toml"

TITLES = {YAML: "YAML", TOML: "TOML"}
"""What people call a format."""

TEMPLATES = ("${", "{{", "{%", "<%", "$(", "%(", "@{")
"""How what a template leaves unfilled begins."""

IS_TOML = "what looks like TOML (YAML writes name: value)"
"""What stands where YAML should."""

_QUOTED = r'"[^"\n]*"|\'[^\'\n]*\''
_YAML_NAME = re.compile(rf"(?:\w[\w.\-/]*|{_QUOTED})[ \t]*:(?=[ \t]|\Z)")
_YAML_SURELY = re.compile(r"(?:---|-)(?=[ \t]|\Z)|%YAML[ \t]")
_TOML_NAME = rf"(?:[A-Za-z0-9_-]+|{_QUOTED})"
_TOML_NAMES = rf"{_TOML_NAME}(?:[ \t]*\.[ \t]*{_TOML_NAME})*[ \t]*"
_TOML_HEADER = re.compile(rf"\[\[?[ \t]*{_TOML_NAMES}\]\]?[ \t]*(?:#.*)?")
_TOML_VALUE = re.compile(
    rf"{_TOML_NAMES}=[ \t]*(?:[\"'\[{{]|[+-]?[0-9]|(?:[+-]?(?:inf|nan)|true|false)[ \t]*(?:#.*)?\Z)"
)
_LONGEST = 1000  # characters of a line in which a name is looked for


def looks_like(text: str) -> str:
    """The suffix of the format that a text begins like: a table or a list in YAML, a table in TOML; empty for neither.

    The first line that is neither blank nor a comment decides. It is `name:` and then white space, `- `, `---` or
    `%YAML` in YAML, where a lone `name:` needs a line below it. In TOML it is `[name]`, or `name =` and the begin of a
    value of TOML's. A name has no white space, or it is quoted. So URLs, times, paths, addresses and base64 look
    like neither.
    """
    lines = _content(text)
    first = next(lines, "")
    if _YAML_SURELY.match(first):
        return YAML
    if named := _YAML_NAME.match(first):
        return YAML if first[named.end() :].strip() or next(lines, "") else ""
    return TOML if _TOML_HEADER.fullmatch(first) or _TOML_VALUE.match(first) else ""


def _content(text: str) -> Iterator[str]:
    """The lines that are neither blank nor comments, without white space around them."""
    start = 1 if text.startswith("\ufeff") else 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start : min(end, start + _LONGEST)].strip()
        if line and not line.startswith("#"):
            yield line
        start = end + 1
