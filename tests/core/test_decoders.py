"""`decoders=`: a program's own types, made by its own functions."""

from __future__ import annotations

import asyncio
import dataclasses
from decimal import Decimal
from pathlib import Path
from typing import Any, Generic, TypedDict, TypeVar

import attrs
import msgspec
import pydantic
import pytest

from reactive_config import ByteSize, InvalidValue, Memory, Rejected, Secret, StartupError, open_config
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.decoding.decode import decode
from reactive_config.errors import TypeNotSupported
from reactive_config.sources import Bare

T = TypeVar("T")


class Money:
    """A type that nobody but the program knows."""

    def __init__(self, amount: Decimal, currency: str) -> None:
        self.amount = amount
        self.currency = currency

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and (self.amount, self.currency) == (other.amount, other.currency)

    def __hash__(self) -> int:
        return hash((self.amount, self.currency))

    @classmethod
    def read(cls, value: Any) -> Money:
        if isinstance(value, dict):
            return cls(Decimal(value["amount"]), value["currency"])
        amount, currency = value.split()
        return cls(Decimal(amount), currency)


FIVE = Money(Decimal(5), "EUR")
DECODERS = {Money: Money.read}


def made(kind: Any, tree: Any, decoders: Any = DECODERS) -> Any:
    part, faults = decode(compile_plan(dict[str, kind], decoders), {"k": tree}, None, None)
    assert part is not None, faults
    return part.value["k"]


def faults_of(kind: Any, tree: Any, decoders: Any = DECODERS) -> list[tuple[str, str, str]]:
    part, faults = decode(compile_plan(dict[str, kind], decoders), {"k": tree}, None, None)
    assert part is None
    return [(".".join(fault.path) + fault.inside, fault.expected, fault.got) for fault in faults]


class Row(TypedDict):
    price: Money


@pytest.mark.parametrize("tree", ["5 EUR", Bare("5 EUR"), {"amount": 5, "currency": "EUR"}])
def test_a_decoder_makes_a_value_wherever_its_type_stands(tree):
    assert made(Money, tree) == FIVE
    assert made(Money | None, tree) == FIVE
    assert made(Secret[Money], tree).reveal() == FIVE
    assert made(list[Money], [tree, tree]) == [FIVE, FIVE]
    assert made(frozenset[Money], [tree]) == {FIVE}
    assert made(dict[str, Money], {"a": tree}) == {"a": FIVE}
    assert made(dict[str, list[Money]], {"a": [tree]}) == {"a": [FIVE]}
    assert made(Row, {"price": tree}) == {"price": FIVE}
    for record in (
        msgspec.defstruct("Record", [("price", Money)]),
        dataclasses.make_dataclass("Record", [("price", Money)]),
        attrs.define(type("Record", (), {"__annotations__": {"price": Money}})),
    ):
        assert made(record, {"price": tree}).price == FIVE
        assert made(list[record], [{"price": tree}])[0].price == FIVE
    assert made(Money | None, None) is made(Money | None, Bare("null")) is None


def test_a_decoder_is_given_the_value_itself_or_a_bare_text():
    given = []

    def read(value: Any) -> Money:
        given.append(value)
        return FIVE

    for tree in ("a", 1, 0.5, True, None, [1], {"a": 1}, Bare("1.10"), {"a": Bare("1.10")}):
        made(Money, tree, {Money: read})
    assert given == ["a", 1, 0.5, True, None, [1], {"a": 1}, "1.10", {"a": 1.1}]


def test_what_it_is_given_is_its_own_to_change():
    def read(value: Any) -> Money:
        value["list"].append(1)
        value.clear()
        return FIVE

    tree = {"list": [0]}
    made(Money, tree, {Money: read})
    assert tree == {"list": [0]}


def test_a_parametrised_type_has_the_decoder_of_its_class():
    class Box(Generic[T]):
        def __init__(self, value: Any) -> None:
            self.value = value

    assert made(Box[int], "x", {Box: Box}).value == "x"


class Own(BaseException):
    def __str__(self) -> str:
        raise RuntimeError("nobody may ask")


@pytest.mark.parametrize("error", [ValueError, KeyError, Own, SystemExit, asyncio.CancelledError, GeneratorExit])
@pytest.mark.parametrize("kind", [Money, Money | None, Secret[Money]])
def test_whatever_it_raises_refuses_the_value_and_quotes_nothing(error, kind):
    def read(value: Any) -> Money:
        raise error(value)

    (found,) = faults_of(kind, "canary", {Money: read})
    assert found == ("k", "what the decoder of Money takes", f"str (it raised {error.__name__})")


def test_only_ctrl_c_goes_through():
    def read(value: Any) -> Money:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made(Money, "x", {Money: read})


def test_its_own_words_are_shown_and_the_value_unless_it_is_secret():
    def read(value: Any) -> Money:
        raise InvalidValue("an amount and a currency")

    assert faults_of(Money, "five", {Money: read}) == [("k", "an amount and a currency", "'five'")]
    assert faults_of(Secret[Money], "five", {Money: read}) == [("k", "an amount and a currency", "str")]


def test_nothing_is_quoted_under_a_name_that_sounds_like_a_secret_s():
    def read(value: Any) -> Money:
        raise InvalidValue("an amount and a currency")

    kind = msgspec.defstruct("App", [("api_token", Money), ("tokens", list[Money], [])])
    part, faults = decode(
        compile_plan(kind, {Money: read}), {"api_token": "canary", "tokens": [Bare("canary")]}, None, None
    )
    assert part is None
    assert [fault.got for fault in faults] == ["str", "str"]


def test_a_fault_has_its_place():
    assert faults_of(list[Money], ["5 EUR", "x"])[0][0] == "k[1]"
    record = msgspec.defstruct("Record", [("price", Money)], tag=True)
    assert faults_of(list[record], [{"type": "Record", "price": 5}])[0][0] == "k[0].price"


def test_what_makes_something_else_is_refused():
    found = faults_of(Money, "x", {Money: lambda value: value})
    assert found == [("k", "what the decoder of Money takes", "str (it made str)")]


async def test_an_open_configuration_follows_and_holds():
    class App(msgspec.Struct):
        price: Money
        tax: Money | None = None

    memory = Memory({"price": "5 EUR"})
    async with open_config(App, memory, decoders=DECODERS) as config:
        price = config.select("price")
        await memory.patch({"price": "5.0 EUR"})  # equal by its own `==`
        assert config.snapshot.generation == 1
        with pytest.raises(Rejected) as caught:
            await memory.patch({"price": "nothing"})
        assert caught.value.problems[0].path == "price"
        await memory.patch({"price": "6 EUR"})
        assert price.current == Money(Decimal(6), "EUR")
    with pytest.raises(StartupError, match="price: expected what the decoder of Money takes, got int"):
        async with open_config(App, Memory({"price": 5}), decoders=DECODERS):
            pass


async def test_two_configurations_have_their_own_decoders():
    class App(msgspec.Struct):
        price: Money

    other = {Money: lambda value: Money(Decimal(value), "USD")}
    async with (
        open_config(App, Memory({"price": "5 EUR"}), decoders=DECODERS) as one,
        open_config(App, Memory({"price": 5}), decoders=other) as two,
    ):
        assert (one.current.price.currency, two.current.price.currency) == ("EUR", "USD")
    with pytest.raises(TypeNotSupported):
        async with open_config(App, Memory({"price": 5})):
            pass


# What is refused at once


class Model(pydantic.BaseModel): ...


@pytest.mark.parametrize("kind", [int, str, dict, Decimal, Path, Model, Secret, object, msgspec.Struct, Row])
def test_a_decoder_for_what_is_decoded_already_is_refused(kind):
    with pytest.raises(TypeError, match="is decoded without one"):
        open_config(dict, Memory({}), decoders={kind: kind})


@pytest.mark.parametrize("kind", [list[int], int | None, "Money", ByteSize, Any])
def test_a_decoder_for_what_is_no_class_is_refused(kind):
    with pytest.raises(TypeError, match="decoders: "):
        open_config(dict, Memory({}), decoders={kind: Money.read})


def test_a_decoder_that_is_no_function_is_refused():
    with pytest.raises(TypeError, match="expected a function for Money, got str"):
        open_config(dict, Memory({}), decoders={Money: "read"})  # type: ignore[dict-item]


def test_a_class_derived_from_a_known_one_may_have_a_decoder():
    class Upper(str):
        __slots__ = ()

    assert made(Upper, "abc", {Upper: lambda value: Upper(value.upper())}) == Upper("ABC")


# Types that nobody decodes


class Inner(msgspec.Struct):
    price: Money | None = None


class Outer(msgspec.Struct):
    shops: dict[str, list[Inner]] = {}


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        (Outer, "shops.*.price"),
        (dict[str, Money], "*"),
        (dataclasses.make_dataclass("Plain", [("a", tuple[int, Money])]), "a"),
        (attrs.define(type("Attrs", (), {"__annotations__": {"a": Money}})), "a"),
    ],
)
def test_a_refused_type_is_named_with_its_place_and_the_ways_out(kind, place):
    with pytest.raises(TypeNotSupported) as caught:
        compile_plan(kind)
    text = str(caught.value)
    assert text.startswith(f"{place}: expected a type that can be decoded, got ")
    for part in ("Money", "decoders={Money: FUNCTION}", "pydantic model", "docs/guide.md"):
        assert part in text
    compile_plan(kind, DECODERS)


def test_a_union_that_msgspec_cannot_tell_apart_is_named_with_its_place():
    class App(msgspec.Struct):
        price: Money | int

    with pytest.raises(
        TypeNotSupported, match=r"^price: expected a type that can be decoded, got .*Money \| int.*class of your own"
    ):
        compile_plan(App, DECODERS)
