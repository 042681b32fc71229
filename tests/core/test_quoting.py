"""What a message about content that does not fit may quote of it."""

from __future__ import annotations

import dataclasses
import enum
import re
import uuid
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import attrs
import msgspec
import pydantic
import pytest
from msgspec import Meta

from reactive_config import Memory, Rejected, Secret, StartupError, open_config
from reactive_config._core.decoding.fault_search import faults
from reactive_config._core.types import is_pydantic
from reactive_config.sources import Bare

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


Short = Annotated[str, Meta(max_length=3)]


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
        ("5 a second", Annotated[str, Meta(pattern="/s$")] | Listed, ("rate",), "'5 a second'"),
        (150, bool | Annotated[float, Meta(le=100)] | Listed, ("flag",), "150"),
        (9000, Annotated[int, Meta(le=500)], ("max_tokens",), "9000"),
        (9000, Annotated[int, Meta(le=500)], ("secrets", "tries"), "9000"),
        (Bare("9000"), Annotated[int, Meta(le=500)], ("secrets", "tries"), "9000"),
    ],
)
def test_what_is_no_secret_is_quoted(value, kind, path, got):
    assert [fault.got for fault in faults(value, kind, path)] == [got]


class Plain(msgspec.Struct):
    host: str = "h"


class Tagged(msgspec.Struct, tag="a"):
    host: str = "h"


class Row(msgspec.Struct, array_like=True):
    host: str = "h"


@attrs.define
class Held:
    host: str = "h"


class Model(pydantic.BaseModel):
    host: str = "h"


@dataclasses.dataclass
class Crate:
    host: str = "h"


class Named(TypedDict, total=False):
    host: str


class Place(NamedTuple):
    host: str = "h"


TABLES = [Plain, Tagged, Held, Model, Crate, Named, dict[str, str], dict[str, Held]]
LISTS = [Row, Place, list[str], list[Held], tuple[str, int], set[str], frozenset[int]]


@pytest.mark.parametrize("wrap", [lambda kind: kind, lambda kind: kind | None])
@pytest.mark.parametrize(("word", "kind"), [("table", k) for k in TABLES] + [("list", k) for k in LISTS])
def test_no_value_is_quoted_where_a_table_or_a_list_belongs(word, kind, wrap):
    for outer, tree in ((wrap(kind), S), (list[wrap(kind)], [S]), (dict[str, wrap(kind)], {"x": S})):
        (fault,) = faults(tree, outer, ("a",))
        assert S not in repr(fault)
        if not is_pydantic(kind):  # which has words of its own
            assert fault.got == "str"
            assert word in fault.expected
        assert not re.search("array|object", fault.expected)
    (fault,) = faults(5, wrap(kind), ("a",))
    assert "5" not in fault.got


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (f'{{"password": "{S}"}}', int),
        (f"[{S}", float),
        (S, int | Plain),
        (S, list[str] | int),
        (S, Mode | dict[str, int]),
        (f'{{"a": "{S}', Short | Plain),
    ],
)
def test_a_text_that_may_be_all_of_a_table_is_not_quoted(value, kind):
    assert [fault.got for fault in faults(value, kind, ("a",))] == ["str"]


def test_a_lists_own_bounds_are_told_in_our_words():
    assert [f.expected for f in faults([], Annotated[list[int], Meta(min_length=1)], ("a",))] == ["list of length >= 1"]
    pattern = Annotated[str, Meta(pattern="`array`")]
    assert [f.expected for f in faults("x", pattern, ("a",))] == ["str matching regex 'array'"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"colour": {"kind": S}}, "one of the union's tags"),
        ({"since": S}, "a valid date"),
        ({"id": S}, "a valid UUID"),
        ({"size": 1}, "greater than 3"),
        ({"size": "x"}, "a valid integer"),
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
    assert [(p.path, p.got) for p in held[0].problems] == [("part.a.x1", "str"), ("part.a.x2", "'short'")]
    with pytest.raises(StartupError) as refused:
        async with open_config(kind, Memory({"x1": S})):
            pass
    assert S not in repr(refused.value)
