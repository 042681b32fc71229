"""Bare texts: lists between commas, and words for booleans."""

from __future__ import annotations

import enum
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pydantic
import pytest

from reactive_config import ByteSize, Env, Secret, open_config
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.decoding.decode import decode
from reactive_config.sources import Bare
from tests.core.decoding import made, refused


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (list[str], "a, b,c", ["a", "b", "c"]),
        (list[str], "a", ["a"]),
        (list[str], " a b , c ", ["a b", "c"]),
        (list[str], "", []),
        (list[str], "  ", []),
        (list[str], '"a, b", c', ["a, b", "c"]),
        (list[str], r'"say \"hi\"", ""', ['say "hi"', ""]),
        (list[str], 'it"s, b', ['it"s', "b"]),
        (list[str], "null", ["null"]),
        (list[str], '["a", "b"]', ["a", "b"]),
        (list[str], "1, true", ["1", "true"]),
        (list[int], "1, 2", [1, 2]),
        (set[int], "1,2,1", {1, 2}),
        (frozenset[str], "a,b", frozenset("ab")),
        (tuple[int, ...], "1,2", (1, 2)),
        (tuple[str, int], "a,1", ("a", 1)),
        (Sequence[float], "1,2.5", [1.0, 2.5]),
        (list[bool], "yes, off, true", [True, False, True]),
        (list[timedelta], "30s, 1m", [timedelta(seconds=30), timedelta(minutes=1)]),
        (list[ByteSize], "1kB, 5", [1000, 5]),
        (list[Path], "/a, b", [Path("/a"), Path("b")]),
        (list[int | None], "1, null", [1, None]),
        (list[Literal["a", "b"]], "b, a", ["b", "a"]),
        (list[str] | None, "a, b", ["a", "b"]),
        (list[str] | None, "null", None),
        (list[Secret[str]], "a, b", [Secret("a"), Secret("b")]),
        (Secret[list[str]], "a, b", Secret(["a", "b"])),
        (Annotated[list[str], msgspec.Meta(max_length=2)], "a, b", ["a", "b"]),
        (dict[str, list[str]], '{"x": ["a, b"]}', {"x": ["a, b"]}),
    ],
)
def test_a_bare_text_is_a_list_between_commas(kind, text, expected):
    value = made(kind, Bare(text))
    assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (list[str], "a,,b"),
        (list[str], "a,"),
        (list[str], ","),
        (list[str], '"a" b'),
        (list[str], '"a'),
        (list[str], '"\n"'),
        (list[str], "[a, b"),
        (list[str], "{a, b}"),
        (list[int], "1, x"),
        (list[int], '"1"'),
        (tuple[int, int], "1"),
        (Annotated[list[str], msgspec.Meta(max_length=2)], "a,b,c"),
        (list[Any], "a, b"),
        (list, "a"),
        (list[list[str]], "a, b"),
        (list[dict[str, str]], "a"),
        (list[int] | dict[str, int], "1, 2"),
    ],
)
def test_what_is_no_such_list_is_refused(kind, text):
    assert refused(kind, Bare(text)) == [("k",)]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (list[str] | str, "a, b", "a, b"),
        (list[str] | str, "[1, 2]", "[1, 2]"),
        (list[int] | int, "5", 5),
        (str, "a, b", "a, b"),
        (Any, "a, b", "a, b"),
    ],
)
def test_a_text_that_fits_stays_one(kind, text, value):
    assert made(kind, Bare(text)) == value


def test_only_bare_texts_are_read_so():
    assert refused(list[str], "a, b")
    assert refused(bool, "yes")


def faults_of(kind: Any, text: str) -> list[tuple[str, str, str]]:
    part, faults = decode(compile_plan(dict[str, kind]), {"k": Bare(text)}, None, None)
    assert part is None
    return [(fault.inside, fault.expected, fault.got) for fault in faults]


def test_each_item_that_does_not_fit_is_told():
    assert faults_of(list[int], "1, x, 2, y") == [("[1]", "int", "'x'"), ("[3]", "int", "'y'")]
    assert faults_of(list[Secret[int]], "1, canary") == [("[1]", "a secret int", "str")]
    assert faults_of(list[str], "a,,b") == [("", 'items between commas, an empty one written as ""', "str")]


@pytest.mark.parametrize("text", ["a," * 200_000, '"' + "a" * 400_000, '"a' * 200_000, " ," * 200_000, '"\\' * 200_000])
def test_a_long_text_costs_no_more_than_its_length(text):
    begun = time.process_time()
    refused(list[str], Bare(text))
    assert time.process_time() - begun < 5


# Booleans


@pytest.mark.parametrize("kind", [bool, bool | None, Secret[bool], Annotated[bool, "x"], bool | int])
def test_words_for_booleans_are_read_in_whatever_case(kind):
    for yes, no in (("yes", "no"), ("ON", "Off"), ("True", "FALSE")):
        for text, value in ((yes, True), (no, False)):
            found = made(kind, Bare(text))
            assert (found.reveal() if isinstance(found, Secret) else found) is value


@pytest.mark.parametrize("text", ["y", "n", "yes!", "", " yes", "yesyes", "enabled"])
def test_other_words_are_no_booleans(text):
    assert refused(bool, Bare(text))


class Mode(enum.Enum):
    ON = "on"
    AUTO = "auto"


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (bool | str, "yes", "yes"),
        (str, "on", "on"),
        (Any, "on", "on"),
        (Literal["on", "auto"] | bool, "on", "on"),
        (Literal["on", "auto"] | bool, "off", False),
        (Mode, "on", Mode.ON),
    ],
)
def test_a_word_that_fits_otherwise_keeps_its_meaning(kind, text, value):
    assert made(kind, Bare(text)) == value


# Inside of pydantic's types


class Plain(pydantic.BaseModel):
    hosts: list[str] = []
    debug: bool = False


class Splitting(pydantic.BaseModel):
    hosts: list[str] = []
    debug: bool = False

    @pydantic.field_validator("hosts", mode="before")
    @classmethod
    def split(cls, value: Any) -> Any:
        return value.split("|") if isinstance(value, str) else value

    @pydantic.field_validator("debug", mode="before")
    @classmethod
    def only_yes(cls, value: Any) -> bool:
        return bool(value == "yes")


class Marked(pydantic.BaseModel):
    hosts: Annotated[list[str], pydantic.BeforeValidator(lambda value: value.split("|"))] | None = None


class Outer(pydantic.BaseModel):
    inner: Plain = Plain()

    @pydantic.model_validator(mode="before")
    @classmethod
    def given(cls, value: Any) -> Any:
        assert value["inner"]["hosts"] == "a, b"
        return {}


def test_a_model_reads_them_too():
    assert made(Plain, {"hosts": Bare("a, b"), "debug": Bare("on")}) == Plain(hosts=["a", "b"], debug=True)
    assert made(list[Plain], [{"hosts": Bare("a, b")}]) == [Plain(hosts=["a", "b"])]


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        ({"hosts": Bare("a,,b")}, ("k", "hosts")),
        ({"inner": {"hosts": Bare("a,,b")}}, ("k", "inner", "hosts")),
        ({"sizes": {"a": 5, "b": -5}}, ("k", "sizes", "b")),
    ],
)
def test_a_list_or_a_size_in_a_model_that_breaks_its_rules_is_told_at_its_place(tree, path):
    model = pydantic.create_model(
        "Model", hosts=(list[str], []), inner=(Plain, Plain()), sizes=(dict[str, ByteSize], {})
    )
    assert refused(model, tree) == [path]


def test_a_validator_that_is_given_the_input_still_gets_the_text():
    assert made(Splitting, {"hosts": Bare("a, b|c"), "debug": Bare("yes")}) == Splitting(
        hosts=["a, b", "c"], debug="yes"
    )
    assert made(Splitting, {"debug": Bare("on")}).debug is False
    assert made(Marked, {"hosts": Bare("a, b|c")}).hosts == ["a, b", "c"]
    assert made(Outer, {"inner": {"hosts": Bare("a, b")}}) == Outer.model_construct(inner=Plain())


class OwnInit(pydantic.BaseModel):
    hosts: list[str] = []

    def __init__(self, **given: Any) -> None:
        super().__init__(hosts=given["hosts"].split("|"))


class OwnEntry(Plain):
    @classmethod
    def model_validate(cls, given: Any, **options: Any) -> Any:
        return cls(hosts=given["hosts"].split("|"))


@pydantic.dataclasses.dataclass
class Record:
    hosts: Annotated[list[str], pydantic.WrapValidator(lambda value, handler: handler(value.split("|")))]


class Root(pydantic.RootModel[Annotated[list[str], pydantic.BeforeValidator(lambda value: value.split("|"))]]):
    @property
    def hosts(self) -> list[str]:
        return self.root


@pytest.mark.parametrize("kind", [OwnInit, OwnEntry, Record, Root])
def test_so_does_other_code_that_is_given_the_input(kind):
    tree = Bare("a, b|c")
    assert made(kind, tree if kind is Root else {"hosts": tree}).hosts == ["a, b", "c"]


async def test_environment_variables_may_be_such_lists():
    class App(msgspec.Struct):
        hosts: list[str]
        ports: list[int] = []
        debug: bool = False

    environ = {"SHOP_HOSTS": "a.example, b.example", "SHOP_PORTS": "", "SHOP_DEBUG": "Yes"}
    async with open_config(App, Env("SHOP_", environ=environ)) as config:
        assert config.current == App(["a.example", "b.example"], [], True)
