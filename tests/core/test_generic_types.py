"""Type parameters are what the fields take, in every kind of generic type."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import (
    Generic,
    NamedTuple,
    TypeVar,
)

import attrs
import msgspec
import pydantic
import pytest

from reactive_config import Secret
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.decoding.decode import decode
from reactive_config._core.trees import difference
from reactive_config._core.types.sealed import holds_secret
from reactive_config.sources import Bare
from tests.core.decoding import Attrs, Table, made, refused

T = TypeVar("T")
HALF = timedelta(seconds=30)


class Box(msgspec.Struct, Generic[T], frozen=True):
    value: T
    more: list[T] = []


@dataclasses.dataclass
class Pair(Generic[T]):
    value: T
    count: int = 0


@dataclasses.dataclass
class Ints(Pair[int]):
    extra: str = ""


class Waits(Pair[timedelta]):
    """A subclass that is not decorated."""


class Deeper(Ints): ...


class Tuple(NamedTuple, Generic[T]):
    value: T


@attrs.define
class AttrsInts(Attrs[int]): ...


class Model(pydantic.BaseModel, Generic[T]):
    value: T


@pydantic.dataclasses.dataclass
class Validated(Generic[T]):
    value: T


GENERICS = [Box, Pair, Attrs, Model, Validated]


class Holder(msgspec.Struct):
    box: Box[timedelta] | None = None
    boxes: dict[str, Box[Secret[str]]] = {}
    pair: Pair[Box[timedelta]] | None = None


@pytest.mark.parametrize("kind", GENERICS)
def test_the_type_parameter_of_a_generic_type_is_what_its_fields_take(kind):
    assert made(kind[timedelta], {"value": "30s"}).value == HALF
    assert made(kind[timedelta], {"value": Bare("30s")}).value == HALF
    assert made(kind[str], {"value": Bare("1.10")}).value == "1.10"
    assert made(kind[list[timedelta]], {"value": ["30s"]}).value == [HALF]
    assert made(kind[Secret[str]], {"value": "canary"}).value == Secret("canary")
    assert holds_secret(kind[Secret[str]])
    assert refused(kind[int], {"value": "not an int"}) == [("k", "value")]


def test_generic_tables_and_tuples_take_what_their_parameter_is():
    assert made(Table[timedelta], {"value": "30s"}) == {"value": HALF}
    assert made(Tuple[timedelta], ["30s"]) == Tuple(HALF)
    assert made(Tuple[Secret[str]], Bare('["canary"]')) == Tuple(Secret("canary"))
    assert holds_secret(Tuple[Secret[str]])


def test_a_generic_type_without_a_parameter_takes_anything():
    assert made(Box, {"value": Bare("1.5")}).value == 1.5
    assert made(Pair, {"value": ["x"]}).value == ["x"]


@pytest.mark.parametrize("kind", [Ints, Deeper, AttrsInts])
def test_a_subclass_of_a_parametrised_type_is_checked(kind):
    assert made(kind, {"value": Bare("5")}).value == 5
    assert refused(kind, {"value": "not an int"}) == [("k", "value")]


def test_a_subclass_of_a_type_with_a_secret_gives_a_secret():
    @dataclasses.dataclass
    class Password(Pair[Secret[str]]): ...

    assert made(Password, {"value": "canary"}).value == Secret("canary")
    assert made(list[Password], [{"value": "canary"}])[0].value == Secret("canary")
    assert made(Waits, {"value": "30s"}).value == HALF


def test_generic_types_in_fields_decode_part_by_part():
    plan = compile_plan(Holder)
    tree = {
        "box": {"value": "30s"},
        "boxes": {"a": {"value": "x"}, "b": {"value": "y"}},
        "pair": {"value": {"value": 1}},
    }
    first, _ = decode(plan, tree, None, None)
    assert first is not None
    assert first.value == Holder(
        Box(HALF),
        {"a": Box(Secret("x")), "b": Box(Secret("y"))},
        Pair(Box(timedelta(seconds=1))),
    )
    new = {**tree, "boxes": {"a": {"value": "z"}, "b": tree["boxes"]["b"]}}
    second, _ = decode(plan, new, first, difference(tree, new))
    assert second is not None
    assert second.value.boxes["b"] is first.value.boxes["b"]
    assert second.value.pair is first.value.pair
    assert not hasattr(second.value.pair, "__orig_class__")  # the class is called, not its alias
