"""What may be shown of a value at its place: by type first, by name where the type leaves it open."""

from __future__ import annotations

import copy
import dataclasses
import enum
import pickle
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, TypedDict, TypeVar

import attrs
import msgspec
import pydantic
import pydantic.dataclasses
import pytest
from typing_extensions import TypeAliasType

from reactive_config import Memory, Secret, Shown, open_config
from reactive_config._core.delta import Entry, Patch, Replace
from reactive_config._core.redaction import show, spot_of
from reactive_config.bindings import LogRule
from reactive_config.errors import TypeNotSupported
from reactive_config.sources import Bare

T = TypeVar("T")
HID = "***"


class Db(msgspec.Struct, frozen=True):
    uri: Secret[str]
    size: int = 1


class Cat(msgspec.Struct, tag="cat"):
    mark: Secret[str]
    lives: int = 9


class Dog(msgspec.Struct, tag="dog"):
    mark: str
    age: int = 1


class Box(msgspec.Struct, Generic[T]):
    value: T
    more: list[T] = []
    own: Secret[str] | None = None


class BoxOfSecret(Box[Secret[str]]):
    pass


@dataclasses.dataclass
class Crate(Generic[T]):
    value: T


class CrateOfSecret(Crate[Secret[str]]):
    pass


class Row(msgspec.Struct, array_like=True):
    name: str
    mark: Secret[str]


class TaggedRow(msgspec.Struct, array_like=True, tag="row"):
    name: str
    mark: Secret[str]


class Pair(NamedTuple):
    name: str
    mark: Secret[str]


class Login(NamedTuple):
    user: str
    password: str


@attrs.define
class Attrs:
    mark: Secret[str]
    name: str = "n"


class Typed(TypedDict, total=False):
    mark: Secret[str]
    name: str


class Renamed(msgspec.Struct, rename={"mark": "x1", "password": "x2"}):
    mark: Secret[str] | None = None
    password: str = ""
    name: str = ""


class Aliased(pydantic.BaseModel):
    mark: pydantic.SecretStr = pydantic.Field(alias="x1")
    other: pydantic.SecretStr = pydantic.Field(default=pydantic.SecretStr("y"), validation_alias="x2")
    name: str = "n"


class Called(pydantic.BaseModel):
    mark: pydantic.SecretStr = pydantic.Field(
        validation_alias=pydantic.AliasChoices("x1", pydantic.AliasPath("x2", "deep"))
    )
    password: str = pydantic.Field(default="", validation_alias="x3")
    size: int = pydantic.Field(default=1, validation_alias=pydantic.AliasPath("x4", 0))


class CalledInnocently(pydantic.BaseModel):
    password: str = pydantic.Field(default="", validation_alias="x3")
    name: str = pydantic.Field(default="", alias="x4")


@pydantic.dataclasses.dataclass
class CalledDataclass:
    password: str = pydantic.Field(default="", validation_alias="x3")


class Marks(pydantic.RootModel[list[pydantic.SecretStr]]):
    pass


class OwnSecret(pydantic.SecretStr):
    pass


class Red(pydantic.BaseModel):
    kind: Literal["red"]
    mark: pydantic.SecretStr


class Blue(pydantic.BaseModel):
    kind: Literal["blue"]
    mark: str
    size: int = 1


Named = TypeAliasType("Named", Secret[str])
NamedBox = TypeAliasType("NamedBox", dict[str, T], type_params=(T,))
Colour = Annotated[Red | Blue, pydantic.Field(discriminator="kind")]
Sealed = NewType("Sealed", Secret)


class Mode(enum.Enum):
    ON = "on"


@pytest.mark.parametrize(
    ("tree", "kind", "expected"),
    [
        ({"uri": "S", "size": 2}, Db, {"uri": HID, "size": 2}),
        ({"a": {"uri": "S"}}, dict[str, Db | None], {"a": {"uri": HID}}),
        ("S", Db, HID),
        ("S", list[Db], HID),
        (Bare("S"), Db | None, HID),
        (["S"], Db, [HID]),
        ({"uri": "S"}, Secret[dict], HID),
        ({"uri": ["S", {"a": "S"}]}, Db, {"uri": HID}),
        ({"url": "S", "size": 2}, Db, {"url": HID, "size": 2}),
        ({"type": "cat", "mark": "S", "lives": 9}, Cat | Dog, {"type": "cat", "mark": HID, "lives": 9}),
        ({"type": "dog", "mark": "S", "age": 1}, Cat | Dog, {"type": "dog", "mark": HID, "age": 1}),
        ({"type": "cat", "mark": "S"}, Dog | Cat, {"type": "cat", "mark": HID}),
        ([[1, "S"]], tuple[int, Secret[str]], [[HID, HID]]),
        ({"size": {"deep": "S"}}, Db, {"size": {"deep": HID}}),
        ({"kind": "red", "mark": "S"}, Colour, {"kind": "red", "mark": HID}),
        ({"mark": "S", "size": 1}, Colour, {"mark": HID, "size": 1}),
        ({"value": "S", "more": ["S"], "own": None}, Box[Secret[str]], {"value": HID, "more": [HID], "own": None}),
        ({"value": 5, "more": [6], "own": "S"}, Box[int], {"value": 5, "more": [6], "own": HID}),
        ({"value": "S", "more": ["S"]}, BoxOfSecret, {"value": HID, "more": [HID]}),
        ({"value": "S"}, Crate[Secret[str]], {"value": HID}),
        ({"value": "S"}, CrateOfSecret, {"value": HID}),
        (["n", "S"], Row, ["n", HID]),
        (["row", "n", "S"], TaggedRow, ["row", "n", HID]),
        (["n", "S", "S"], Row, ["n", HID, HID]),
        (["n", "S"], Pair, ["n", HID]),
        ("S", Pair, HID),
        ({"name": "n", "mark": "S"}, Pair, {"name": HID, "mark": HID}),
        (["u", "S"], Login, ["u", HID]),
        (["n", "S"], tuple[str, Secret[str]], ["n", HID]),
        (["n"] * 1500 + ["S"], tuple[(str,) * 1500 + (Secret[str],)], ["n"] * 1500 + [HID]),
        (["n", "S", "S"], tuple[str, Secret[str]], ["n", HID, HID]),
        ({"mark": "S", "name": "n"}, Attrs, {"mark": HID, "name": "n"}),
        ({"mark": "S", "name": "n"}, Typed, {"mark": HID, "name": "n"}),
        ({"x1": "S", "x2": "S", "name": "n"}, Renamed, {"x1": HID, "x2": HID, "name": "n"}),
        ({"x1": "S", "x2": "S", "name": "n"}, Aliased, {"x1": HID, "x2": HID, "name": "n"}),
        ({"x1": "S", "x3": "S", "x4": [1]}, Called, {"x1": HID, "x3": HID, "x4": [1]}),
        ({"x2": {"deep": "S"}}, Called, {"x2": HID}),
        ({"x3": "S", "x4": "n"}, CalledInnocently, {"x3": HID, "x4": "n"}),
        ({"x3": "S"}, CalledDataclass, {"x3": HID}),
        (["S"], Marks, [HID]),
        ({"a": ["S"]}, dict[str, Marks], {"a": [HID]}),
        ("S", Marks, HID),
        ("S", OwnSecret, HID),
        ("S", Sealed, HID),
        ("S", Named, HID),
        ({"a": "S"}, dict[str, Named], {"a": HID}),
        ({"a": "S"}, NamedBox[Secret[str]], {"a": HID}),
        ({"a": "x"}, NamedBox[str], {"a": "x"}),
        ("S", Annotated[Secret[str], "x"], HID),
        (["S"], set[Secret[str]], [HID]),
        (5, Secret[int] | int, HID),
        ("n", str | Db, "n"),
        (Bare('{"uri": "S"}'), Db, HID),
        (Bare('{"password": "S"}'), dict[str, str], HID),
        (Bare('{"password": "S'), dict[str, str], HID),
        (Bare('{"password": "S"}'), Any, HID),
        (Bare('{"name": "n"}'), dict[str, str], '{"name": "n"}'),
    ],
)
def test_a_tree_shows_no_secret_of_its_type(tree, kind, expected):
    assert show(spot_of(tree, kind)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Db(Secret("S"), 2), {"uri": HID, "size": 2}),
        (
            [Cat(Secret("S")), Dog("plain")],
            [{"type": "cat", "mark": HID, "lives": 9}, {"type": "dog", "mark": "plain", "age": 1}],
        ),
        (Box(Secret("S"), [Secret("S")]), {"value": HID, "more": HID, "own": None}),
        (Crate(Secret("S")), {"value": HID}),
        (Row("n", Secret("S")), ["n", HID]),
        (TaggedRow("n", Secret("S")), ["row", "n", HID]),
        (Pair("n", Secret("S")), ["n", HID]),
        (Login("u", "S"), ["u", HID]),
        (Attrs(Secret("S")), {"mark": HID, "name": "n"}),
        (Renamed(Secret("S"), "S", "n"), {"x1": HID, "x2": HID, "name": "n"}),
        (Aliased(x1="S"), {"x1": HID, "other": HID, "name": "n"}),
        (Marks(["S"]), [HID]),
        (OwnSecret("S"), HID),
        ({Secret("a"), Secret("b")}, [HID, HID]),
        ({3, 20, 1}, [1, 3, 20]),
        ({1: "a", "password": "S"}, {"1": "a", "password": HID}),
        (Path("/etc/x"), "/etc/x"),
        (object(), "<object>"),
        (pydantic.PostgresDsn("postgres://u:S@h/d"), "<PostgresDsn>"),
        (b"x", "eA=="),
        (Decimal("1.10"), "1.10"),
        (timedelta(seconds=90), "PT90S"),
    ],
)
def test_a_decoded_value_shows_none_whatever_its_place_says(value, expected):
    shown = show(spot_of(value, Any))
    if isinstance(value, Aliased):  # an alias only for validation is the field's own name here or there
        shown["other"] = shown.pop("x2", shown.get("other"))
    assert shown == expected
    assert show(spot_of([value], list[type(value)])) == show(spot_of([value], list[Any]))


@pytest.mark.parametrize(
    ("tree", "kind", "expected"),
    [
        ({"password": "S", "name": "n"}, dict[str, str], {"password": HID, "name": "n"}),
        ({"secrets": {"stripe": "S"}}, dict, {"secrets": {"stripe": HID}}),
        ({"auth": {"basic": {"value": "S", "n": 5}}}, dict, {"auth": {"basic": {"value": HID, "n": HID}}}),
        ({"tokens": ["S", ["S"]]}, dict[str, list[Any]], {"tokens": [HID, [HID]]}),
        ({"tokens": {"a": 5, "b": "x"}}, dict[str, dict[str, int]], {"tokens": {"a": 5, "b": HID}}),
        ({"pin": 5, "key": None, "max_tokens": 7}, dict, {"pin": HID, "key": None, "max_tokens": 7}),
        ({"key": {}, "auth": []}, dict, {"key": {}, "auth": []}),
        ({"pin": b"S"}, dict[str, bytes], {"pin": HID}),
    ],
)
def test_a_name_above_hides_as_much_as_its_own(tree, kind, expected):
    assert show(spot_of(tree, kind)) == expected


@pytest.mark.parametrize(
    ("content", "kind", "shown"),
    [
        (5, int, 5), (Bare("5"), int, "5"), ("x", int, HID), (Bare("x"), int, HID), (True, bool, True),
        ("30s", timedelta, "30s"), ("x", timedelta, HID), (timedelta(0), timedelta, "P0D"), (1.5, float | None, 1.5),
        ("on", Mode, "on"), (Mode.ON, Mode, "on"), ("off", Mode, HID), ("a", Literal["a"], "a"),
        ("b", Literal["a"], HID), (date(2026, 1, 1), date, "2026-01-01"), ("5", int | str, HID), ("x", str, HID),
        ("on", Mode | dict[str, int], "on"), ("x", Mode | dict[str, int], HID), ("x", dict[str, int], HID),
        ("debug", LogRule, "debug"), (10, LogRule, 10), ({"level": "INFO"}, LogRule, {"level": "INFO"}),
    ],
)  # fmt: skip
def test_under_a_sensitive_name_only_what_its_type_makes_harmless_is_shown(content, kind, shown):
    at = {"token": content}
    assert show(spot_of(at, dict[str, kind])) == {"token": shown}


@pytest.mark.parametrize("kind", [dict, dict[str, Any], dict[str, int], dict[str, dict[str, str] | str]])
@pytest.mark.parametrize(
    "text",
    [
        '{"password": S}', '{"a": NaN, "b": "S"}', '{"a": "S"', ' ["S"', '{"password": "S", "password": 1}',
        '{"a": {"password": "S"}, "a": 1}', '{"password": "S"}', "{S", "[" * 500 + "S",
    ],
)  # fmt: skip
@pytest.mark.parametrize("wrap", [str, Bare])
def test_a_text_that_may_spell_a_table_is_hidden_unless_it_does_and_hides_nothing(kind, text, wrap):
    assert show(spot_of({"extra": wrap(text)}, kind)) == {"extra": HID}


def test_a_text_that_spells_a_table_without_secrets_or_stands_where_a_text_belongs_is_shown():
    assert show(spot_of({"extra": '{"a": 1}'}, dict)) == {"extra": '{"a": 1}'}
    for kind in (str, str | None, int | str):
        assert show(spot_of({"extra": "[x] S"}, dict[str, kind])) == {"extra": "[x] S"}


def test_a_number_is_hidden_where_the_secret_may_be_a_text_too():
    assert show(spot_of({"password": 5}, dict[str, int | str])) == {"password": HID}
    assert show(spot_of({"password": 5}, dict[str, int])) == {"password": 5}


class Part(msgspec.Struct):
    name: str = ""
    password: str = ""


class Marked(msgspec.Struct):
    log: Annotated[dict[str, str], Shown()] = {}
    auth: Annotated[str, Shown()] = ""
    token: Annotated[str, Shown()] | None = None
    secrets: Annotated[dict[str, Any], Shown()] = {}
    keys: list[Annotated[str, Shown()]] = []
    auths: Annotated[Part | None, Shown()] = None
    key: Annotated[Secret[str], Shown()] | None = None


def test_shown_shows_a_field_a_free_table_and_never_a_secret():
    tree = {
        "log": {"app.auth": "DEBUG"}, "auth": "basic", "token": "t", "secrets": {"key": {"pass": ["x"]}}, "keys": ["k"],
        "auths": {"name": "n", "password": "S"}, "key": "S",
    }  # fmt: skip
    expected = {**tree, "auths": {"name": "n", "password": HID}, "key": HID}
    assert show(spot_of(tree, Marked)) == expected
    assert show(spot_of(msgspec.convert({**tree, "key": None}, Marked), Marked)) == {**expected, "key": None}
    assert show(spot_of("DEBUG", Marked, ("log", "app.auth"))) == "DEBUG"
    assert show(spot_of("S", Marked, ("auths", "password"))) == HID


@dataclasses.dataclass
class MarkedDataclass:
    token: Annotated[str, Shown()]
    key: str


@attrs.define
class MarkedAttrs:
    token: Annotated[str, Shown()]
    key: str


class MarkedModel(pydantic.BaseModel):
    token: Annotated[str | None, Shown()] = pydantic.Field(default=None, min_length=1)
    key: str


class MarkedDict(TypedDict):
    token: Annotated[str, Shown()]
    key: str


class MarkedTuple(NamedTuple):
    token: Annotated[str, Shown()]
    key: str


@pytest.mark.parametrize("kind", [MarkedDataclass, MarkedAttrs, MarkedModel, MarkedDict])
def test_shown_holds_in_every_kind_of_record(kind):
    tree, expected = {"token": "t", "key": "S"}, {"token": "t", "key": HID}
    assert show(spot_of(tree, kind)) == expected
    assert show(spot_of(kind(**tree), kind)) == expected


def test_shown_holds_in_a_named_tuple():
    assert show(spot_of(["t", "S"], MarkedTuple)) == ["t", HID]
    assert show(spot_of(MarkedTuple("t", "S"), Any)) == ["t", HID]


async def test_a_marked_table_still_changes_name_by_name():
    memory = Memory({"log": {"a": "INFO", "app.auth": "DEBUG"}})
    async with open_config(Marked, memory) as config:
        await memory.patch({"log": {"a": "WARNING"}})
        assert config.snapshot.changed == {"log.a"}
        assert [e.value for e in config.explain('log."app.auth"')] == ["DEBUG"]


def test_no_delta_has_its_documents_in_its_repr():
    entry = Entry(("a",), {"b": "S3CRET"}, unit=1, place="file")
    assert repr(entry) == "Entry(path=('a',), unit=1, revision=0, layer=0, place='file')"
    assert "S3CRET" not in repr([Replace({"a": entry}), Patch({"a": entry}), Bare("S3CRET")])


class KeyedByIt(pydantic.BaseModel):
    table: dict[pydantic.SecretStr, int] = {}


@pytest.mark.parametrize("kind", [dict[Secret[str], int], dict[str, list[dict[Secret[str], int]]], KeyedByIt])
async def test_a_type_whose_names_are_secrets_is_refused(kind):
    with pytest.raises(TypeNotSupported, match="a name is a Secret"):
        async with open_config(kind, Memory({})):
            pass


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy, lambda secret: secret.__getstate__()])
def test_a_secret_gives_its_value_to_nobody_who_saves_it(take):
    with pytest.raises(TypeError, match="a Secret is not pickled"):
        take(Secret("S"))
