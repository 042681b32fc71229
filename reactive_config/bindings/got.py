"""What a message of a binding says of a value that it cannot follow."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from reactive_config.core.live import Live
from reactive_config.core.live_path import LivePath
from reactive_config.core.sensitive import is_sensitive
from reactive_config.core.types import kind_of
from reactive_config.core.urls import hide_passwords
from reactive_config.core.wording import duration_text

_LONGEST = 80


def got(value: object, live: Live[Any] | None = None) -> str:
    """A value for a message, after "got".

    | the value is | shown is |
    |---|---|
    | a number, a boolean, a duration | the value, unless the name of the live value sounds like a secret's |
    | a text | the same, if it was selected by a dotted path: of what a function selects nobody knows the name |
    | null | null |
    | a text that may spell a table or a list, and anything else | its kind |

    Args:
        value: The value.
        live: Where it comes from; None if that is no configuration.
    """
    if value is None:
        return "null"
    if live is not None and is_sensitive(live.name):
        return kind_of(value)
    if type(value) is timedelta:
        return duration_text(value)
    if type(value) in (int, bool) or (type(value) is float and math.isfinite(value)):
        return _short(repr(value))
    if type(value) is str and isinstance(live, LivePath) and value.lstrip()[:1] not in ("{", "["):
        return _short(repr(hide_passwords(value)))
    return kind_of(value)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
