"""Bare texts that spell a table or a list keep the rules that JSON documents have."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactive_config import Env, Memory, Rejected, Secret, StartupError, open_config
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.decoding.decode import decode
from reactive_config._core.json_text import JsonRefusedError, decode_json
from reactive_config._formats.json_ import parse
from reactive_config.errors import ParseError
from reactive_config.sources import Bare


class Struct(msgspec.Struct):
    a: Any = None
    b: list[Any] = []


@dataclasses.dataclass
class Data:
    a: Any = None


class Model(pydantic.BaseModel):
    a: Any = None


TABLES = [Struct, Data, Model, dict[str, Any], dict[str, Any] | None, Secret[dict[str, Any]], dict]
LISTS = [list[Any], tuple[Any, ...], list[Any] | None, list[Any] | int, Secret[list[Any]]]

REFUSED = [
    ('{"a": 1, "a": 2}', "every key once in its table", "a key twice"),
    ('{"a": {"b": 1, "b": 1}}', "every key once in its table", "a key twice"),
    ('{"a": 1, "\\u0061": 2}', "every key once in its table", "a key twice"),
    ('{"a": 18446744073709551616}', "an integer of at most 64 bits", "a larger one"),
    ('{"a": [-9223372036854775809]}', "an integer of at most 64 bits", "a larger one"),
    ('{"a": ' + "9" * 5000 + "}", "an integer of at most 64 bits", "a larger one"),
    ('{"a": 1e400}', "a finite number", "a larger one"),
    ('{"a": -1e400}', "a finite number", "a larger one"),
]


def deep(depth: int, *, table: bool) -> str:
    inner = depth - 1
    return '{"a": ' + "[" * inner + "]" * inner + "}" if table else "[" * depth + "]" * depth


def verdict(kind: Any, text: str) -> Any:
    """The value, or what was expected and got."""
    part, found = decode(compile_plan(msgspec.defstruct("App", [("x", kind)])), {"x": Bare(text)}, None, None)
    if part is None:
        ((path, inside, expected, got),) = found
        assert (path, inside) == (("x",), "")
        return expected, got
    return part.value.x


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize(("text", "expected", "got"), REFUSED)
def test_a_bare_table_that_no_document_could_be_is_refused_with_the_reason(kind, text, expected, got):
    if kind is dict:
        kind = dict[str, dict[str, Any]] if '"b"' in text else dict[str, list[int]] if "[" in text else dict[str, Any]
    assert verdict(kind, text) == (expected, got)


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize(("text", "expected", "got"), REFUSED)
def test_a_bare_list_that_no_document_could_be_is_refused_with_the_reason(kind, text, expected, got):
    assert verdict(kind, f"[1, {text}]") == (expected, got)


@pytest.mark.parametrize("depth", [129, 200, 900, 2000, 100_000, 200_000])
def test_deep_bare_texts_are_refused_with_the_reason(depth):
    expected = ("tables and lists nested at most 128 deep", "deeper nesting")
    for kind in TABLES:
        assert verdict(kind, deep(depth, table=True)) == expected
    for kind in LISTS:
        assert verdict(kind, deep(depth, table=False)) == expected
        assert verdict(kind, "[" * depth) == expected


@pytest.mark.parametrize("depth", [1, 100, 128])
def test_bare_texts_of_128_levels_are_taken(depth):
    for kind in TABLES:
        assert verdict(kind, deep(depth, table=True)) is not None
    for kind in LISTS:
        assert type(verdict(kind, deep(depth, table=False))) in (list, tuple, Secret)


def test_brackets_inside_of_strings_do_not_nest():
    text = '["' + '[{\\"' * 1000 + '"]'
    assert verdict(list[str], text) == ["[{" + '"[{' * 999 + '"']


@pytest.mark.parametrize(
    "text",
    ["{", "{]", '{"a"}', "{'a': 1}", '{"a": NaN}', '{"a": Infinity}', '{"a": "\\ud800"}', "[1,]", "{} {}", "\ufeff{}"],
)
def test_what_is_no_json_stays_a_text(text):
    for kind in TABLES:
        assert isinstance(verdict(kind, text), tuple)
    assert verdict(str, text) == text
    assert verdict(str | list[int], text) == text
    assert verdict(Any, text) == text


def test_a_text_field_keeps_what_looks_like_json():
    for text, _, _ in REFUSED:
        assert verdict(str, text) == text
        assert verdict(str | list[int], text) == text


json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**65), 2**65), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)
pieces = st.lists(st.sampled_from(["{", "}", "[", "]", ",", ":", '"a"', '"\\u0061"', "1", "2e999", "-0", "null", " "]))


@given(st.one_of(json.map(msgspec.json.encode).map(bytes.decode), pieces.map("".join)))
def test_it_takes_and_refuses_what_the_format_does(text):
    try:
        expected: Any = parse(text)
    except ParseError as error:
        expected = (error.expected, error.got)
    try:
        found: Any = decode_json(text)
    except JsonRefusedError as error:
        found = (error.expected, error.got)
    if isinstance(expected, tuple) or type(expected) not in (dict, list):
        assert found is None or isinstance(found, tuple)
    else:
        assert found == expected
        assert repr(found) == repr(expected)


async def test_an_environment_variable_that_is_too_deep_never_ends_the_program():
    class App(msgspec.Struct):
        sub: Struct = msgspec.field(default_factory=Struct)
        items: list[int] = []

    for name, depth in (("S_SUB", 900), ("S_ITEMS", 20_000)):
        environ = {name: deep(depth, table=name == "S_SUB")}
        with pytest.raises(StartupError, match="nested at most 128 deep"):
            async with open_config(App, Env("S_", environ=environ)):
                pass
    memory = Memory({})
    async with open_config(App, memory) as config:
        for bad, _, _ in REFUSED:
            with pytest.raises(Rejected, match=r"sub: expected (every key once|an integer of at most|a finite)"):
                await memory.patch({"sub": Bare(bad)})
        assert config.snapshot.generation == 1
