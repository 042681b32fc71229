"""Which rules of a live mapping loggers can follow, and what keeps the others from it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from reactive_config._bindings.levels import TemporaryLevel, level_number
from reactive_config._bindings.named_level import Rule
from reactive_config.errors import InvalidValue

ROOT = "root"

MAX_LENGTH, MAX_PARTS = 256, 32
"""Characters, and parts between dots, of a name that no logger of the program has yet."""

MAX_MADE = 1000
"""Loggers, and the placeholders above them, that one binding may make. The standard library never lets one go, and
setting one level goes through all of them."""

_SHOWN_NAMES, _SHOWN_CHARACTERS = 3, 60


class LevelPlan(NamedTuple):
    """What came of a mapping.

    Attributes:
        taken: Name to its logger and a rule that it can follow.
        refused: Name to what was expected of it or of its rule.
    """

    taken: dict[str, tuple[logging.Logger, Rule]]
    refused: dict[Any, str]

    @property
    def trouble(self) -> str:
        """What is refused, for people, without the levels themselves; empty if nothing is."""
        if not self.refused:
            return ""
        shown = [f"{_shown(name)}: {why}" for name, why in list(self.refused.items())[:_SHOWN_NAMES]]
        more = len(self.refused) - len(shown)
        return "; ".join(shown) + (f"; and {more} more" if more else "")

    @property
    def unfit(self) -> InvalidValue:
        """The same as an error. Something is refused."""
        first = _shown(next(iter(self.refused)))
        return InvalidValue(self.trouble.removeprefix(f"{first}: expected "), at=f"the rule of {first}")


class RuleReader:
    """Checks rules, and finds or makes the loggers that they are for."""

    def __init__(self) -> None:
        self._made = 0

    def read(self, rules: Mapping[str, Any] | None) -> LevelPlan:
        """Check every rule by itself. A name with None beside it has no rule.

        Raises:
            Exception: It is no mapping, or going through its names raised.
        """
        rules = {} if rules is None else rules
        if not isinstance(rules, Mapping):
            raise TypeError(f"expected a mapping of loggers' names, got {type(rules).__name__}")
        reading = LevelPlan({}, {})
        for name in rules:
            try:
                rule = rules[name]
                if rule is not None:
                    reading.taken[name] = self.check(name, rule)
            except _RuleRefused as refused:
                reading.refused[name] = str(refused)
            except Exception as error:  # noqa: BLE001 - a mapping, a logger class of the program's
                reading.refused[name] = f"expected a rule that can be followed, got {type(error).__name__} from it"
        return reading

    def check(self, name: str, rule: Any) -> tuple[logging.Logger, Rule]:
        """A rule that its logger can follow without failing, and the logger.

        Raises:
            ValueError: The name is no logger's, or the rule no level; the text quotes neither.
        """
        _check_name(name)
        _check_level(rule)
        return self._logger(name), rule

    def _logger(self, name: str) -> logging.Logger:
        known = logging.root.manager.loggerDict
        if name != ROOT and not isinstance(known.get(name), logging.Logger):
            self._allow(name, sum(above not in known for above in _with_ancestors(name)))
        return logging.getLogger(name)

    def _allow(self, name: str, missing: int) -> None:
        if self._made + missing > MAX_MADE:
            raise _RuleRefused(f"expected at most {MAX_MADE} new loggers of one binding, got more")
        self._made += missing


class _RuleRefused(ValueError):
    """Its text is our own, and may be shown."""


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise _RuleRefused("expected a logger's name, got no text")
    if not name:
        raise _RuleRefused(f"expected a logger's name, or {ROOT} for the root logger, got an empty one")
    if name in logging.root.manager.loggerDict:  # the program made it, whatever it looks like
        return
    if len(name) > MAX_LENGTH or name.count(".") >= MAX_PARTS:
        raise _RuleRefused(
            f"expected a logger's name of at most {MAX_LENGTH} characters in {MAX_PARTS} parts, got more"
        )
    if not name.isprintable():
        raise _RuleRefused("expected a logger's name, got one with characters that cannot be printed")


def _check_level(rule: Any) -> None:
    temporary = isinstance(rule, TemporaryLevel)
    try:
        level_number(rule.level if temporary else rule)
    except (TypeError, ValueError):
        raise _RuleRefused("expected a level's name, or a number of 1 or more, got something else") from None
    if temporary and not isinstance(rule.duration, timedelta):  # a Struct's constructor checks no types
        raise _RuleRefused("expected a duration beside a temporary level, got something else")


def _with_ancestors(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _shown(name: object) -> str:
    if not isinstance(name, str):
        return "a name"
    return ascii(name if len(name) <= _SHOWN_CHARACTERS else f"{name[:_SHOWN_CHARACTERS]}...")
