"""What a configuration may say about a logger; what it may not say is refused when it is decoded."""

from __future__ import annotations

import enum
import logging
from datetime import timedelta
from typing import Annotated

import msgspec

from reactive_config._core.decoding.fault_search import faults
from reactive_config._core.decoding.leaf import decode_leaf
from reactive_config._core.paths import format_path
from reactive_config.errors import ConfigError, InvalidValue, Problem

_OTHER_NAMES = {"WARN": "WARNING", "FATAL": "CRITICAL"}


class Level(enum.StrEnum):
    """A level by its name, in upper or lower case; `warn` and `fatal` are understood too."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"

    @classmethod
    def _missing_(cls, value: object) -> Level | None:
        name = str(value).upper()
        return cls.__members__.get(_OTHER_NAMES.get(name, name))

    @property
    def number(self) -> int:
        """The same in the standard library's numbers."""
        return logging.getLevelNamesMapping()[self.value]


# 0 is no level: the standard library reads it as "ask the parent", which is said by leaving the name out.
LevelNumber = Annotated[int, msgspec.Meta(ge=1)]


class TemporaryLevel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A level that ends by itself: `{"level": "DEBUG", "for": "10m"}`.

    Attributes:
        level: A name or a number.
        duration: For how long, from when this process sees it; in the configuration `for`, above 0.
    """

    level: Level | LevelNumber
    duration: timedelta = msgspec.field(name="for")

    def __post_init__(self) -> None:
        if self.duration <= timedelta(0):
            raise InvalidValue("a duration above 0", at="for")

    @classmethod
    def read(cls, tree: object) -> TemporaryLevel:
        """The level that a tree (of JSON, say) means, read as a configuration would be.

        Raises:
            ConfigError: It means none.
        """
        try:
            level: TemporaryLevel = decode_leaf(tree, cls)
        except Exception:  # noqa: BLE001 - decoding may raise anything; `faults` says why
            found = faults(tree, cls, ())
            raise ConfigError(Problem(format_path(f.path) + f.inside, f.expected, f.got) for f in found) from None
        return level


LogRule = Level | LevelNumber | TemporaryLevel
"""What may stand beside a logger's name: `log: dict[str, LogRule]`."""


def level_number(level: Level | int | str) -> int:
    """The standard library's number of a level.

    Raises:
        ValueError: A text that is no level's name, or a number below 1.
        TypeError: Neither text nor number.
    """
    if isinstance(level, str):
        return Level(level).number
    if not isinstance(level, int) or isinstance(level, bool):
        raise TypeError(f"expected a level's name or number, got {type(level).__name__}")
    if level < 1:
        raise ValueError(f"expected a level of 1 or more, got {level}")
    return level
