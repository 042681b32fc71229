"""What of the command line may be said again: a mistyped source or option may hold a password."""

from __future__ import annotations

import re
from collections.abc import Sequence

_KINDS = re.compile(r"(?:(?:optional|values|environment|env):)*")
_URL = re.compile(r"[A-Za-z][\w+.-]*://|etcds?:?/{2,}", re.IGNORECASE)
_LOGIN = re.compile(r":.*@", re.DOTALL)
_AFTER_URL = re.compile(r"[@?#]")
_LONG = re.compile(r"--[A-Za-z][A-Za-z-]*(?==)|--[a-z-]*")


def may_hold_login(text: str) -> bool:
    """Whether a text may be meant as a URL with a user, a password or a query in it.

    What begins as a path does, with a slash or a dot, is none.
    """
    rest = _KINDS.sub("", text.strip(), count=1)
    if rest.startswith(("/", ".")):
        return False
    url = _URL.match(rest)
    return bool(_LOGIN.search(rest) or (url and _AFTER_URL.search(rest, url.end())))


def without_values(message: str, arguments: Sequence[str]) -> str:
    """A message about arguments, with what may be a password left out: `--password=...`."""
    for argument in arguments:
        quotable = _quotable(argument)
        if quotable != argument:
            for written in (argument, repr(argument)[1:-1]):
                message = message.replace(written, quotable)
    return message


def _quotable(argument: str) -> str:
    if argument.startswith("--"):
        found = _LONG.match(argument)
        assert found is not None
        separator = "=" if argument.startswith("=", found.end()) else ""
        return argument if found.end() == len(argument) else f"{found[0]}{separator}..."
    if argument.startswith("-") and len(argument) > 2 and not argument[1].isdigit():
        return f"{argument[:2]}..."
    return "..." if may_hold_login(argument) else argument
