"""A type with one field of each sort that content may meet; `beat` is the one that has to go on."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, TypedDict

import msgspec

from reactive_config import Secret


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


class Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    node: Node | None = None
    size: Annotated[int, msgspec.Meta(ge=0, le=500)] = 1


class Left(msgspec.Struct, frozen=True, tag="left"):
    size: int = 0


class Right(msgspec.Struct, frozen=True, tag="right"):
    wait: timedelta = timedelta()


class Loose(TypedDict, total=False):
    size: int
    wait: timedelta


@dataclass
class Record:
    size: int = 0
    names: list[str] = field(default_factory=list)


class Everything(msgspec.Struct, frozen=True):
    beat: int = 0
    whole: int = 0
    part: float = 0.0
    exact: Decimal = Decimal(0)
    wait: timedelta = timedelta()
    flag: bool = False
    text: str = ""
    free: Any = None
    maybe: int | None = None
    either: int | str = 0
    level: Level = Level.LOW
    literal: Literal["a", "b", 3] = "a"
    password: Secret[str] = Secret("")
    sealed: Secret[int] | None = None
    items: list[int] = []
    pair: tuple[int, float] = (0, 0.0)
    names: set[str] = set()
    table: dict[str, Any] = {}
    limits: dict[str, timedelta] = {}
    levels: dict[str, dict[str, int]] = {}
    node: Node = Node()
    side: Left | Right | None = None
    loose: Loose = {}
    record: Record = msgspec.field(default_factory=Record)
    a: Any = None


FIELDS = tuple(name for name in Everything.__struct_fields__ if name != "beat")
