"""Sizes in bytes: how they are written, what they become, and how one that is none is refused."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import attrs
import msgspec
import pydantic
import pytest
from msgspec import Meta

from reactive_config import ByteSize, Memory, Secret, open_config
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.decoding.decode import decode
from reactive_config._core.redaction import show, spot_of
from reactive_config._core.types.byte_sizes import byte_count
from reactive_config.sources import Bare
from tests.core.decoding import made, refused

AtLeast1KiB = Annotated[ByteSize, Meta(ge=1024)]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("1024", 1024),
        ("5B", 5),
        ("10MB", 10_000_000),
        ("10 MB", 10_000_000),
        ("10mb", 10_000_000),
        ("1kB", 1000),
        ("1KB", 1000),
        ("10 MiB", 10 * 2**20),
        ("1.5GiB", 3 * 2**29),
        ("1.5kB", 1500),
        ("2TB", 2 * 10**12),
        ("2TiB", 2 * 2**40),
        ("1PiB", 2**50),
        ("1EB", 10**18),
        (" 1MB ", 10**6),
    ],
)
def test_a_size_is_read_in_every_spelling(text, count):
    assert byte_count(text) == count
    assert made(ByteSize, text) == made(ByteSize, Bare(text)) == count
    assert type(made(ByteSize, text)) is int


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            "MB",
            "-1MB",
            "10M",
            "10Mb/s",
            "1,5MB",
            "1.MB",
            ".5MB",
            "0.3KiB",
            "1e3",
            "٣MB",
            "1  MB",
            "99EB",
            "9" * 60,
        ),
        *(-1, 1.0, True, None, ["1MB"], 2**64),
    ],
)
def test_what_is_no_size_is_refused(value):
    assert byte_count(value) is None
    part, faults = decode(compile_plan(dict[str, ByteSize]), {"k": value}, None, None)
    assert part is None
    assert [fault.expected for fault in faults] == ["a byte size (1048576, 10MB, 1.5GiB)"]


def test_a_bare_integer_is_read_as_for_int():
    assert made(ByteSize, Bare("1e3")) == 1000
    assert refused(ByteSize, Bare("-5"))


def test_constraints_hold_and_are_told():
    assert made(AtLeast1KiB, "1KiB") == 1024
    for tree in ("1kB", 5, Bare("1B")):
        part, faults = decode(compile_plan(dict[str, AtLeast1KiB]), {"k": tree}, None, None)
        assert part is None
        assert faults[0].expected == "a byte size (1048576, 10MB, 1.5GiB) >= 1024"


@pytest.mark.parametrize("kind", [ByteSize, AtLeast1KiB])
def test_it_may_stand_in_every_kind_of_type(kind):
    records: list[Any] = [
        msgspec.defstruct("Record", [("value", kind)]),
        dataclasses.make_dataclass("Record", [("value", kind)]),
        attrs.define(type("Record", (), {"__annotations__": {"value": kind}})),
        pydantic.create_model("Record", value=(kind, ...)),
    ]
    for record in records:
        for tree in (2048, "2KiB", Bare("2KiB")):
            assert made(record, {"value": tree}).value == 2048
        assert refused(record, {"value": "2 furlongs"})
    assert made(list[kind], ["1MB", 2048]) == [1_000_000, 2048]
    assert made(dict[str, kind], {"a": "1MB"}) == {"a": 1_000_000}
    assert made(kind | None, "1MB") == 1_000_000
    assert made(kind | None, None) is made(kind | None, Bare("null")) is None
    assert made(Secret[kind], "1MB") == Secret(1_000_000)


def test_a_text_stays_one_where_a_text_fits():
    assert made(ByteSize | str, "10MB") == made(ByteSize | str, Bare("10MB")) == "10MB"


async def test_another_spelling_of_the_same_size_wakes_nobody():
    memory = Memory({"value": "1MB"})
    async with open_config(msgspec.defstruct("App", [("value", ByteSize)]), memory) as config:
        await memory.patch({"value": 1_000_000})
        await memory.patch({"value": "1000 kB"})
        assert config.snapshot.generation == 1


def test_it_is_shown_as_a_number_whatever_its_name():
    kind = msgspec.defstruct("App", [("token", ByteSize)])
    assert show(spot_of(made(kind, {"token": "1MB"}), kind)) == {"token": 1_000_000}
    assert show(spot_of({"token": "1MB"}, kind)) == {"token": "1MB"}
    assert show(spot_of({"token": "canary"}, kind)) == {"token": "***"}
