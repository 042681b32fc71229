"""The guide's table of field types: each row's example decodes, and no type is missing."""

from __future__ import annotations

import enum
import importlib
import ipaddress
import json
import pathlib
import re
import zoneinfo
from typing import Any, NamedTuple

import pytest
from msgspec import Meta

from reactive_config import ByteSize, Secret
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.decoding.decode import decode
from reactive_config._core.types import bare_type, is_single, kinds, text_types
from reactive_config.sources import Bare

GUIDE = pathlib.Path(__file__).parents[2] / "docs/guide.md"


class Colour(enum.Enum):
    RED = "red"


class Money:
    def __init__(self, amount: int, currency: str) -> None:
        self.amount, self.currency = amount, currency

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self.currency)


def money(value: Any) -> Money:
    amount, currency = value.split()
    return Money(int(amount), currency)


NAMES: dict[str, Any] = {
    "re": re,
    "Meta": Meta,
    "ByteSize": ByteSize,
    "Secret": Secret,
    "Colour": Colour,
    "Money": Money,
}
for module in ("typing", "datetime", "decimal", "ipaddress", "pathlib", "uuid", "zoneinfo"):
    NAMES |= vars(importlib.import_module(module))
"""What the code in the table may name."""


class Row(NamedTuple):
    """One row of the table, its cells without the backquotes."""

    type: str
    document: str
    bare: str
    becomes: str


def rows() -> list[Row]:
    text = GUIDE.read_text().partition("### Types of fields")[2].partition("\n- ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [Row(*(cell.replace("\\|", "|") for cell in re.findall(r"`([^`]+)`", line))) for line in lines]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.type)
def test_the_example_of_a_row_decodes(row):
    kind, value = eval(row.type, dict(NAMES)), eval(row.becomes, dict(NAMES))
    plan = compile_plan(dict[str, kind], {Money: money})
    for tree in (json.loads(row.document), Bare(row.bare)):
        part, faults = decode(plan, {"k": tree}, None, None)
        assert part is not None, faults
        assert part.value["k"] == value
        assert type(part.value["k"]) is type(value)


def test_every_type_of_single_values_is_listed():
    listed = {bare_type(eval(row.type, dict(NAMES))) for row in rows()}
    addresses = {getattr(ipaddress, name) for name in text_types._ADDRESSES}
    expected = {
        *kinds._SINGLE,
        *addresses,
        *text_types._PATHS,
        re.Pattern[str],
        zoneinfo.ZoneInfo,
        str,
        int,
        float,
        bool,
    }
    assert expected - {pathlib.WindowsPath} <= listed
    assert all(map(is_single, expected))
