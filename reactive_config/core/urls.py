"""Passwords inside of URLs."""

from __future__ import annotations

import re
from itertools import pairwise

from reactive_config.core.secret import HIDDEN

_SCHEME = re.compile(r"(?:^|(?<=[\s,;|\"'<(\[{]))[A-Za-z][A-Za-z0-9+.-]{0,40}://")
"""Where another URL begins in a text, as in a list of them. The first may have something before it: `jdbc:`."""

_NO_USER = re.compile(r"[\s/?#]")
_PORT = re.compile(r"\d+/")


def hide_passwords(text: str) -> str:
    """A text with `scheme://user:password@` as `scheme://user:***@`, in time linear in its length.

    A password need not be escaped: it goes up to the last `@` of its line, or before the next URL. What it may be part
    of is hidden with it.
    """
    if "://" not in text or "@" not in text:
        return text
    return "\n".join(map(_hide_in_line, text.split("\n")))


def _hide_in_line(line: str) -> str:
    starts = [0, *(found.start() for found in _SCHEME.finditer(line) if found.start()), len(line)]
    return "".join(_hide_in_url(line[start:end]) for start, end in pairwise(starts))


def _hide_in_url(text: str) -> str:
    scheme, separator, rest = text.partition("://")
    user, colon, after = rest.partition(":")
    password, at, host = after.rpartition("@")
    if not (separator and colon and at) or _NO_USER.search(user) or user.startswith("["):
        return text
    if password.endswith("/") and _PORT.match(password):  # a path after a port: `https://host:4873/@scope`
        return text
    return f"{scheme}{separator}{user}:{HIDDEN}@{host}"
