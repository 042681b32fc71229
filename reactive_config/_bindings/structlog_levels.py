"""structlog without the standard library under it: its levels are fixed in classes, so a processor has to ask."""

from __future__ import annotations

import logging
from collections.abc import Callable, MutableMapping
from typing import Any

from reactive_config._bindings.log_levels import LogLevels

_NUMBERS = {name.lower(): number for name, number in logging.getLevelNamesMapping().items()}

Event = MutableMapping[str, Any]


def structlog_processor(levels: LogLevels[Any]) -> Callable[[Any, str, Event], Event]:
    """A processor, to stand first: `structlog.configure(processors=[structlog_processor(levels), ...])`.

    Only for structlog's native loggers. Over the standard library nothing is needed: `filter_by_level` asks
    the logger, whose level is followed. A native logger has a class made for one level, and no name; so the
    class must let everything through (`make_filtering_bound_logger(logging.NOTSET)`), and the name is what was
    bound as `logger`. Without that the root's rule holds.

    Known limit: a call that this drops costs a run to the first processor.
    """
    from structlog import DropEvent

    def process(_logger: Any, method: str, event: Event) -> Event:
        name = event.get("logger")
        if _NUMBERS.get(method, logging.CRITICAL) < levels.threshold(name if isinstance(name, str) else ""):
            raise DropEvent
        return event

    return process
