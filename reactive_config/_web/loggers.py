"""The levels of the process's loggers: all of them to read, one at a time to set, for a time."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from itertools import chain, islice
from typing import Any

from reactive_config import ConfigError
from reactive_config._web.asgi import MAX_BODY, BodyNotRead, EndpointRequest, EndpointResponse, ErrorResponse, as_json
from reactive_config.bindings import LogLevels, TemporaryLevel

LONGEST = timedelta(hours=24)
"""For how long a level may be set by hand; what should last longer belongs into the configuration."""

MAX_SHOWN = 1000
"""How many loggers are shown at once: whoever asks needs no token, and the answer is made in the loop."""

_ROOT = "root"
_DEEP = 20
_EXPECTED = f'body: expected {{"level": "DEBUG", "for": "10m"}} with a time above 0 and up to {LONGEST.days * 24}h'

Levels = LogLevels[Any] | None


def read_all(levels: Levels) -> EndpointResponse:
    """Every logger by name, `root` first; of more than `MAX_SHOWN`, those with a rule and those made first."""
    # A copy in one step: other threads make loggers. A name that only has children is one too.
    every = logging.root.manager.loggerDict.copy()
    ruled = levels.in_force if levels is not None else {}
    names = dict.fromkeys(islice(chain(ruled, every), 2 * MAX_SHOWN))
    names.pop(_ROOT, None)
    shown = [_ROOT, *sorted(islice(names, MAX_SHOWN - 1))]
    left_out = len(every) + 1 - len(shown)
    return as_json({"loggers": {name: _shown(name, levels) for name in shown}, "left_out": left_out})


def read_one(name: str, levels: Levels) -> EndpointResponse:
    """One logger.

    Raises:
        Refused: 404, there is none of that name.
    """
    _check(name)
    return as_json({"name": name, **_shown(name, levels)})


def set_one(name: str, call: EndpointRequest, levels: Levels) -> EndpointResponse:
    """Set a level that goes back by itself, and show the logger.

    Raises:
        Refused: 404, there is none of that name; 409, no binding can bring the level back; 413 or 400, the body is
            no temporary level.
        BodyNotRead: Everything but the body is right.
    """
    if levels is None:
        raise ErrorResponse(
            409, "levels: expected serving(config, levels) with a log_levels binding, got none: read only"
        )
    _check(name)
    if call.body is None:
        raise BodyNotRead
    levels.override(name, _temporary_level(call.body))
    return read_one(name, levels)


def _check(name: str) -> None:
    if name != _ROOT and name not in logging.root.manager.loggerDict:
        raise ErrorResponse(404, f"logger: expected the name of one that exists, got {name[:200]}{_hint(name)}")


def _hint(name: str) -> str:
    """The nearest name above that exists. Not the most similar one: finding that costs a look at every logger."""
    parts = name[:200].split(".")[:_DEEP]
    for depth in range(len(parts) - 1, 0, -1):
        if (above := ".".join(parts[:depth])) in logging.root.manager.loggerDict:
            return f"; the nearest above it is {above}"
    return "; /loggers shows them"


def _shown(name: str, levels: Levels) -> dict[str, object]:
    found = logging.root if name == _ROOT else logging.root.manager.loggerDict.get(name)
    own = found.level if isinstance(found, logging.Logger) else logging.NOTSET
    remaining = levels.remaining(name) if levels is not None else None
    return {
        "level": _level_name(own) if own else None,
        "effective": _level_name(_effective(name)),
        "remaining_seconds": None if remaining is None else remaining.total_seconds(),
    }


def _effective(name: str) -> int:
    """As `Logger.getEffectiveLevel`, without making a logger of a name that only has children."""
    while name and name != _ROOT:
        found = logging.root.manager.loggerDict.get(name)
        if isinstance(found, logging.Logger):
            return found.getEffectiveLevel()
        name = name.rpartition(".")[0]
    return logging.root.level


def _level_name(level: int) -> str | int:
    name = logging.getLevelName(level)
    return level if name == f"Level {level}" else name


def _temporary_level(body: bytes) -> TemporaryLevel:
    if len(body) > MAX_BODY:
        raise ErrorResponse(413, f"body: expected up to {MAX_BODY} bytes, got more")
    try:
        level = TemporaryLevel.read(json.loads(body))
    except ConfigError as error:
        raise ErrorResponse(400, _EXPECTED, problems=[str(problem) for problem in error.problems]) from None
    except (ValueError, RecursionError):
        raise ErrorResponse(400, f"{_EXPECTED}, got no JSON") from None
    if level.duration > LONGEST:
        raise ErrorResponse(400, f"{_EXPECTED}, got a longer one")
    return level
