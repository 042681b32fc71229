"""A default that is a text where a duration or a size belongs is refused when the configuration is opened."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pydantic
import pytest

from reactive_config import ByteSize, Memory, open_config
from reactive_config.bindings import Every
from reactive_config.bindings.limits import RateRule
from reactive_config.errors import TypeNotSupported


def struct(kind: Any, default: Any) -> Any:
    return msgspec.defstruct("App", [("part", kind, default)], frozen=True)


def plain(kind: Any, default: Any) -> Any:
    return dataclasses.make_dataclass("App", [("part", kind, default)], frozen=True)


async def opened(kind: Any) -> Any:
    async with open_config(kind, Memory({})) as config:
        return config.current


@pytest.mark.parametrize("make", [struct, plain])
@pytest.mark.parametrize(
    ("kind", "default", "instead"),
    [
        (ByteSize, "10MB", "ByteSize(10_000_000)"),
        (ByteSize | None, "ten", "ByteSize(...)"),
        (Annotated[ByteSize, msgspec.Meta(ge=1)], "1KiB", "ByteSize(1_024)"),
        (timedelta, "5s", "timedelta(seconds=5)"),
        (timedelta | None, "soon", "timedelta(seconds=...)"),
        (Every, "1.5s", "timedelta(seconds=1.5)"),
        (Path, "/var/log", "Path(...)"),
    ],
)
async def test_a_text_is_refused_with_what_to_write_instead(make, kind, default, instead):
    with pytest.raises(TypeNotSupported) as caught:
        await opened(make(kind, default))
    said = str(caught.value)
    assert said.startswith("App.part: expected a default that is ")
    assert said.endswith(f", got a text, which stays one: write {instead}")


async def test_it_is_found_in_a_table_inside():
    with pytest.raises(TypeNotSupported, match=r"App\.part"):
        await opened(msgspec.defstruct("Outer", [("inner", dict[str, struct(timedelta, "5s")], {})]))


@pytest.mark.parametrize("make", [struct, plain])
@pytest.mark.parametrize(
    ("kind", "default"),
    [
        (RateRule, "100/s"),
        (ByteSize | str, "10MB"),
        (Any, "5s"),
        (timedelta, timedelta(seconds=5)),
        (ByteSize, 10),
        (timedelta | None, None),
    ],
)
async def test_a_default_that_fits_stays(make, kind, default):
    assert (await opened(make(kind, default))).part == default


async def test_a_type_that_converts_its_default_is_left_alone():
    class Converts(msgspec.Struct):
        every: timedelta = "5s"

        def __post_init__(self):
            if isinstance(self.every, str):
                self.every = timedelta(seconds=5)

    class Model(pydantic.BaseModel, validate_default=True):
        every: timedelta = "PT5S"

    for kind in (Converts, Model):
        assert (await opened(kind)).every == timedelta(seconds=5)
