"""A type of which something would be passed over is refused when the configuration is opened, by its name."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, Self, TypedDict, TypeVar

import attrs
import msgspec
import pydantic
import pytest
import typing_extensions

from reactive_config import Memory, open_config
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config.errors import TypeNotSupported

T = TypeVar("T")


@dataclasses.dataclass
class WithInitVar:
    port: int
    scale: dataclasses.InitVar[int] = 1


@dataclasses.dataclass
class OtherNames:
    port: int

    def __init__(self, number: int) -> None:
        self.port = number


@dataclasses.dataclass
class MoreNames:
    port: int

    def __init__(self, port: int, host: str) -> None:
        self.port = port


@attrs.define
class TakesSelf:
    port: int = 1
    double: int = attrs.Factory(lambda self: self.port * 2, takes_self=True)


@attrs.define(init=False)
class OwnAttrs:
    port: int

    def __init__(self, host: str) -> None:
        self.port = len(host)


@attrs.define
class NoAnnotation:
    port = attrs.field()


class Spot(NamedTuple):
    x: int


class OwnSpot(Spot):
    def __new__(cls, x: int) -> Self:
        return super().__new__(cls, x * 2)


class Table(TypedDict, Generic[T]):
    value: T


class IntTable(Table[int]): ...


@pydantic.dataclasses.dataclass
class Validated(Generic[T]):
    value: T


@pydantic.dataclasses.dataclass
class IntValidated(Validated[int]): ...


class Growing(msgspec.Struct, Generic[T]):
    child: Growing[list[T]] | None = None


class Custom:
    """Known to no library."""


class Model(pydantic.BaseModel):
    n: int


class OtherModel(pydantic.BaseModel):
    n: int


Foreign = typing_extensions.TypeAliasType("Foreign", dict[str, int])
Itself = typing_extensions.TypeAliasType("Itself", "dict[str, Itself] | int")

CASES = [
    (WithInitVar, "WithInitVar", "InitVar"),
    (OtherNames, "OtherNames", "number"),
    (MoreNames, "MoreNames", "host"),
    (TakesSelf, "TakesSelf", "takes_self"),
    (OwnAttrs, "OwnAttrs", "host"),
    (NoAnnotation, "NoAnnotation", "port"),
    (OwnSpot, "OwnSpot", "constructor"),
    (IntTable, "IntTable", "type parameters"),
    (IntValidated, "IntValidated", "type parameters"),
    (Custom, "Custom", "decoded"),
    (Growing[int], "Growing", "larger self"),
    (Model | OtherModel, "OtherModel", "decoded"),
    (Callable[[], int], "Callable", "decoded"),
    (Foreign, "Foreign", "typing_extensions"),
    (Itself, "Itself", "typing_extensions"),
]


@pytest.mark.parametrize(("kind", "name", "reason"), CASES)
@pytest.mark.parametrize("inside", [lambda kind: kind, lambda kind: dict[str, list[kind]], lambda kind: holder(kind)])
def test_what_would_not_run_is_refused_by_name(kind, name, reason, inside):
    with pytest.raises(TypeNotSupported) as caught:
        compile_plan(inside(kind))
    assert name in str(caught.value)
    assert reason in str(caught.value)


def holder(kind: Any) -> Any:
    return msgspec.defstruct("Holder", [("field", kind)])


async def test_it_is_refused_at_the_start():
    with pytest.raises(TypeNotSupported, match="InitVar"):
        async with open_config(WithInitVar, Memory({"port": 1})):
            pass


@pytest.mark.skipif(sys.version_info < (3, 12), reason="needs the syntax of Python 3.12")
@pytest.mark.parametrize("inside", [lambda kind: kind, lambda kind: dict[str, list[kind]], lambda kind: holder(kind)])
def test_an_alias_that_holds_itself_is_refused_by_name(inside):
    scope: dict[str, Any] = {}
    exec("type Rec = dict[str, Rec] | int\ntype Gen[X] = dict[str, Gen[X]] | X", scope)
    for name, kind in (("Rec", scope["Rec"]), ("Gen", scope["Gen"][int])):
        with pytest.raises(TypeNotSupported, match=f"{name} cannot be decoded: a type alias that holds itself"):
            compile_plan(inside(kind))


@pytest.mark.skipif(sys.version_info < (3, 12), reason="needs the syntax of Python 3.12")
async def test_pydantic_serves_an_alias_that_holds_itself():
    scope: dict[str, Any] = {}
    exec("type Rec = dict[str, Rec] | int", scope)
    kind = pydantic.create_model("Tree", tree=(scope["Rec"], 0))
    async with open_config(kind, Memory({"tree": {"a": {"b": 1}}})) as config:
        assert config.current.tree == {"a": {"b": 1}}
