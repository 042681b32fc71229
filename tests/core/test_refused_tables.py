"""A type whose own validation refuses a table is named, and so is the exception's type: its text never."""

from __future__ import annotations

import dataclasses
from typing import Any

import attrs
import msgspec
import pytest

from reactive_config import Memory, Rejected, open_config
from reactive_config.bindings import FlagRule, RateRule

S = "hunter2"


@attrs.define
class Attrs:
    size: int = attrs.field(default=1)

    @size.validator
    def _check(self, attribute: Any, value: int) -> None:
        if value < 0:
            raise ValueError(S)


class Struct(msgspec.Struct):
    size: int = 1

    def __post_init__(self) -> None:
        if self.size < 0:
            raise KeyError(S)


@dataclasses.dataclass
class Data:
    size: int = 1

    def __post_init__(self) -> None:
        assert self.size >= 0, S


class App(msgspec.Struct):
    attrs: Attrs = msgspec.field(default_factory=Attrs)
    maybe: Attrs | None = None
    attrs_list: list[Attrs] = []
    struct: Struct = msgspec.field(default_factory=Struct)
    structs: list[Struct] = []
    data: Data = msgspec.field(default_factory=Data)
    datas: dict[str, tuple[Data, ...]] = {}
    rate: RateRule = None
    rate_or_none: RateRule | None = None
    flag: FlagRule = False
    several: dict[str, FlagRule] = {}


BAD = {"size": -1}
RATE = "a rate such as 100/s, 100/10s or 5/m, a table of limit and per, or null"
FLAG = "true, false, 0 to 100, or a table"


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"attrs": BAD}, "attrs: expected what Attrs accepts, got a refused table (ValueError) ("),
        ({"maybe": BAD}, "maybe: expected what Attrs accepts, got a refused table (ValueError) ("),
        ({"attrs_list": [{}, BAD]}, "attrs_list[1]: expected what Attrs accepts, got a refused table (ValueError) ("),
        ({"struct": BAD}, "struct: expected what Struct accepts, got a refused table (KeyError) ("),
        ({"structs": [BAD]}, "structs[0]: expected what Struct accepts, got a refused table (KeyError) ("),
        ({"data": BAD}, "data: expected what Data accepts, got a refused table (AssertionError) ("),
        ({"datas": {"a": [BAD]}}, "datas.a[0]: expected what Data accepts, got a refused table (AssertionError) ("),
        ({"attrs": {"size": "x"}}, "attrs.size: expected int, got 'x' ("),
        ({"rate": "5 a second"}, f"rate: expected {RATE}, got '5 a second' ("),
        ({"rate_or_none": 5}, f"rate_or_none: expected {RATE}, got 5 ("),
        ({"rate": {"limit": -1}}, "rate.limit: expected float >= 0.0, got -1 ("),
        ({"flag": 150}, f"flag: expected {FLAG}, got 150 ("),
        ({"several": {"a": "yes"}}, f"several.a: expected {FLAG}, got str ("),
        ({"flag": {"on": 3}}, "flag.on: expected bool, got 3 ("),
    ],
)
async def test_a_message_names_what_was_expected(tree: dict[str, Any], said: str) -> None:
    memory = Memory()
    async with open_config(App, memory):
        with pytest.raises(Rejected) as refused:
            await memory.patch(tree)
    assert said in str(refused.value)
    assert S not in str(refused.value)
