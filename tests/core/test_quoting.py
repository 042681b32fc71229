"""What a message about content that does not fit may quote of it."""

from __future__ import annotations

import enum
import uuid
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import pydantic
import pytest
from msgspec import Meta

from reactive_config import Bare, Memory, Rejected, Secret, StartupError, open_config
from reactive_config.core.faults import faults

S = "hunter2"


class Mode(enum.Enum):
    ON = "on"


class Pair(NamedTuple):
    name: str
    mark: Secret[str]


class Red(pydantic.BaseModel):
    kind: Literal["red"]


class Blue(pydantic.BaseModel):
    kind: Literal["blue"]


class Painted(pydantic.BaseModel):
    colour: Annotated[Red | Blue, pydantic.Field(discriminator="kind")] | None = None
    since: date | None = None
    id: uuid.UUID | None = None
    link: pydantic.HttpUrl | None = None
    raw: pydantic.Json[Any] | None = None
    size: Annotated[int, pydantic.Field(gt=3)] = 5


class Listed(msgspec.Struct):
    password: str
    port: int


@pytest.mark.parametrize(
    ("value", "kind", "path"),
    [
        (S, Pair, ("a",)),
        ([S, 5, S], Pair, ("a",)),
        (S, Pair | None, ("a",)),
        (S, Mode, ("secret",)),
        (S, Literal["on"], ("secret", "mode")),
        (S, int, ("tokens",)),
        ({"tokens": [{"n": S}]}, dict[str, list[dict[str, int]]], ()),
        ([{"tokens": {"n": S}}], list[dict[str, dict[str, int]]], ("a",)),
        (Bare(f'{{"password": "{S}", "port": "x"}}'), list[Listed], ("a",)),
        (Bare(f'[{{"password": "{S}", "port": "x"}}]'), list[Listed], ("a",)),
        (Bare(f'{{"password": "{S}"'), dict[str, int], ("a",)),
        ({"colour": {"kind": S}}, Painted, ("a",)),
        ({"id": S}, Painted, ("a",)),
        ({"since": S}, Painted, ("a",)),
        ({"link": S}, Painted, ("a",)),
        ({"raw": S}, Painted, ("a",)),
    ],
)
def test_a_message_quotes_nothing_that_may_be_a_secret(value, kind, path):
    found = faults(value, kind, path)
    assert found
    assert not any(text in repr(found) for text in (S, S[:4]))


@pytest.mark.parametrize(
    ("value", "kind", "path", "got"),
    [
        ("lots", int, ("size",), "'lots'"),
        ("off", Mode, ("mode",), "'off'"),
        ("a,b", list[str], ("hosts",), "'a,b'"),
        (9000, Annotated[int, Meta(le=500)], ("max_tokens",), "9000"),
        (9000, Annotated[int, Meta(le=500)], ("secrets", "tries"), "9000"),
        (Bare("9000"), Annotated[int, Meta(le=500)], ("secrets", "tries"), "9000"),
    ],
)
def test_what_is_no_secret_is_quoted(value, kind, path, got):
    assert [fault.got for fault in faults(value, kind, path)] == [got]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"colour": {"kind": S}}, "one of the union's tags"),
        ({"since": S}, "a valid date"),
        ({"id": S}, "a valid UUID"),
        ({"size": 1}, "Input should be greater than 3"),
        ({"size": "x"}, "Input should be a valid integer, unable to parse string as an integer"),
    ],
)
def test_pydantics_words_are_kept_as_far_as_they_are_made_of_the_type(value, expected):
    assert [fault.expected for fault in faults(value, Painted, ())] == [expected]


class Renamed(msgspec.Struct, rename={"password": "x1", "title": "x2"}):
    password: Annotated[str, Meta(min_length=10)] = "long enough"
    title: Annotated[str, Meta(min_length=10)] = "long enough"


class Validated(pydantic.BaseModel):
    password: str = pydantic.Field(default="long enough", min_length=10, alias="x1")
    title: str = pydantic.Field(default="long enough", min_length=10, alias="x2")


@pytest.mark.parametrize("kind", [Renamed, Validated])
async def test_a_field_is_judged_by_its_name_in_python_too(kind):
    memory = Memory()
    async with open_config(msgspec.defstruct("Root", [("part", dict[str, kind], {})]), memory) as config:
        with pytest.raises(Rejected) as caught:
            await memory.patch({"part": {"a": {"x1": S, "x2": "short"}}})
        held = config.status().sources[0].held
    assert S not in f"{caught.value!r}{held!r}"
    told = [(p.path, p.got) for p in held[0].problems]  # of its own errors pydantic tells no value
    assert told in (
        [("part.a.x1", "str"), ("part.a.x2", "'short'")],
        [(f"part.a.x{i}", "something else") for i in (1, 2)],
    )
    with pytest.raises(StartupError) as refused:
        async with open_config(kind, Memory({"x1": S})):
            pass
    assert S not in repr(refused.value)
