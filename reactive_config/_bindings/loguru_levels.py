"""Loguru beside the standard library: levels are its handlers' own, so the handler has to ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reactive_config._bindings.log_levels import LogLevels


def loguru_filter(levels: LogLevels[Any]) -> Callable[[Any], bool]:
    """A filter for one of your handlers: `logger.add(sink, level=0, filter=loguru_filter(levels))`.

    A loguru logger has no level. Each handler has one, fixed when it is added, and `disable` knows only all or
    nothing. So no binding can follow levels without replacing handlers; a handler that was added with this
    filter follows. What no rule speaks of, it lets through.

    Known limit: the message is made before a filter is asked, so what is filtered here costs more than what
    the handler's own level refuses.
    """

    def allowed(record: Any) -> bool:
        return bool(record["level"].no >= levels.threshold(record["name"] or ""))

    return allowed
