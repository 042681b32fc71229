"""Equal is equal in value and type; what differs in a sign, an offset or an exponent is a change that arrives."""

# ruff: noqa: DTZ001 - naive ones are values too

from __future__ import annotations

import dataclasses
import enum
import math
import uuid
from collections import deque
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import attrs
import msgspec
import pydantic
import pytest

from reactive_config import Memory, Secret, open_config
from reactive_config._core.decoding.equality import changed_values, unchanged
from reactive_config._core.trees import difference, same

HOUR = timezone(timedelta(hours=1))
TWO = timezone(timedelta(hours=2))


class Level(enum.IntEnum):
    LOW = 1


class Pair(NamedTuple):
    a: Any
    b: Any = 0


class Struct(msgspec.Struct, frozen=True):
    a: Any


@dataclasses.dataclass(frozen=True)
class Data:
    a: Any


@attrs.frozen
class Attrs:
    a: Any


class Model(pydantic.BaseModel, frozen=True):
    a: Any


DIFFERENT = [
    (0.0, -0.0),
    (1, 1.0),
    (1, True),
    (0, False),
    (1, Level.LOW),
    ("1", 1),
    (None, 0),
    (math.inf, -math.inf),
    (math.nan, 0.0),
    (complex(0.0, 0.0), complex(0.0, -0.0)),
    (b"a", bytearray(b"a")),
    (Decimal("1.1"), Decimal("1.10")),
    (Decimal(0), Decimal("-0")),
    (datetime(2020, 1, 1, 13, tzinfo=HOUR), datetime(2020, 1, 1, 14, tzinfo=TWO)),
    (datetime(2020, 1, 1, 13, tzinfo=HOUR), datetime(2020, 1, 1, 12, tzinfo=UTC)),
    (datetime(2020, 1, 1), datetime(2020, 1, 1, tzinfo=UTC)),
    (datetime(2020, 10, 25, 2, 30), datetime(2020, 10, 25, 2, 30, fold=1)),
    (datetime(2020, 6, 1, tzinfo=ZoneInfo("Europe/Berlin")), datetime(2020, 6, 1, tzinfo=ZoneInfo("Europe/Paris"))),
    (datetime(2020, 1, 1), date(2020, 1, 1)),
    (time(13, tzinfo=HOUR), time(14, tzinfo=TWO)),
    (time(1), time(1, fold=1)),
    ((1, 2), [1, 2]),
    ([1, [2, [0.0]]], [1, [2, [-0.0]]]),
    ({1, 2}, {1, 2.0}),
    ({0.0}, {-0.0}),
    ({(1, 2)}, {(1, True + 1.0)}),
    (frozenset({frozenset({0.0})}), frozenset({frozenset({-0.0})})),
    ({Struct(1)}, {Struct(1.0)}),
    ({1}, {1, 2}),
    ({"a": 1}, {"a": 1.0}),
    ({"a": 1}, {"b": 1}),
    ({1: "a"}, {True: "a"}),
    ({Decimal("1.0"): "a"}, {Decimal("1.00"): "a"}),
    (Pair(0.0), Pair(-0.0)),
    (Pair(1, 2), (1, 2)),
    (deque([1]), deque([1.0])),
    (MappingProxyType({"a": 0.0}), MappingProxyType({"a": -0.0})),
    (PurePosixPath("a"), PurePosixPath("b")),
    (Secret(0.0), Secret(-0.0)),
]

EQUAL = [
    (math.nan, float("nan")),
    (Decimal("1.10"), Decimal("1.10")),
    (datetime(2020, 1, 1, tzinfo=HOUR), datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
    (uuid.UUID(int=1), uuid.UUID(int=1)),
    (timedelta(seconds=60), timedelta(minutes=1)),
    (PurePosixPath("a/b"), PurePosixPath("a/./b")),
    (Fraction(1, 2), Fraction(2, 4)),
    (b"a", bytes(bytearray(b"a"))),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({1: "a", 2: "b"}, {2: "b", 1: "a"}),
    ({1, "a", (1, 0.0)}, {(1, 0.0), "a", 1}),
    (Pair(1), Pair(1)),
    ([[0.0]], [[0.0]]),
]

WRAPS = [lambda v: v, lambda v: [v], lambda v: {"a": (v,)}, Struct, Data, Attrs, lambda v: Model(a=v), Secret]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_differs_in_value_or_type_has_changed(one, other):
    for wrap in WRAPS:
        assert not unchanged(wrap(one), wrap(other))
        assert not unchanged(wrap(other), wrap(one))
        assert changed_values(wrap(one), wrap(other), ())
        assert unchanged(wrap(one), wrap(one))
    for wrap in (Struct, Data, Attrs, lambda v: Model(a=v), lambda v: {"a": v}):
        assert changed_values(wrap(one), wrap(other), ("x",))[0][:2] == ("x", "a")


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_what_is_equal_in_value_and_type_has_not_changed(one, other):
    for wrap in WRAPS:
        assert unchanged(wrap(one), wrap(other))
        assert changed_values(wrap(one), wrap(other), ()) == []


def test_pydantic_datetimes_of_one_offset_are_equal_and_of_two_are_not():
    class Model(pydantic.BaseModel):
        a: datetime

    one, same_one, other = (Model(a=f"2020-01-01T1{h}:00:00+0{o}:00").a for h, o in ((3, 1), (3, 1), (4, 2)))
    assert unchanged(one, same_one)
    assert not unchanged(one, other)


class Raises:
    """Compares, hashes and judges itself by raising what it was made with."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __eq__(self, other: object) -> bool:
        raise self.error

    __hash__ = object.__hash__


class UndecidedError(BaseException):
    pass


class Odd:
    """Its `==` gives what has no truth."""

    def __eq__(self, other: object) -> Any:
        return Raises(ValueError()) if other is None else self

    def __bool__(self) -> bool:
        raise UndecidedError

    __hash__ = object.__hash__


@dataclasses.dataclass
class Property:
    a: Any = 0

    def __getattribute__(self, name: str) -> Any:
        if name == "a":
            raise UndecidedError
        return object.__getattribute__(self, name)


@pytest.mark.parametrize(
    "make", [lambda: Raises(KeyError()), lambda: Raises(UndecidedError()), lambda: Raises(SystemExit()), Odd, Property]
)
def test_what_cannot_be_compared_has_changed(make):
    for wrap in (*WRAPS, lambda v: {"k": {1, v}} if v.__hash__ else v):
        assert not unchanged(wrap(make()), wrap(make()))
        assert changed_values(wrap(make()), wrap(make()), ())


def test_values_of_a_type_without_a_hash_have_changed_if_they_are_not_equal():
    class Meta(type):
        def __eq__(cls, other: object) -> bool:
            return cls is other

    class Unhashed(metaclass=Meta):
        pass

    value = Unhashed()
    for wrap in WRAPS:
        assert not unchanged(wrap(value), wrap(Unhashed()))
        assert changed_values(wrap(value), wrap(Unhashed()), ())
        assert changed_values(wrap(1), wrap(value), ())


def test_keys_that_cannot_be_compared_have_changed():
    class Key(Raises):
        def __hash__(self) -> int:
            return 1

    assert not unchanged({Key(KeyError()): 1}, {Key(KeyError()): 1})
    assert changed_values({Key(KeyError()): 1}, {Key(KeyError()): 1}, ("a",)) == [("a",)]


def test_ctrl_c_in_a_comparison_ends_the_program():
    with pytest.raises(KeyboardInterrupt):
        unchanged(Raises(KeyboardInterrupt()), Raises(KeyboardInterrupt()))


def circle(value: Any) -> list[Any]:
    found: list[Any] = [value]
    found += [found, {"a": found}]
    return found


def test_values_that_contain_themselves_are_compared_in_bounded_time():
    assert unchanged(circle(1), circle(1))
    assert not unchanged(circle(1), circle(1.0))
    one, other = Data(1), Data(1)
    object.__setattr__(one, "a", {"x": one, "y": one})
    object.__setattr__(other, "a", {"x": other, "y": other})
    assert unchanged(one, other)
    assert changed_values(one, other, ()) == []
    object.__setattr__(other, "a", {"x": other, "y": other, "z": 1})
    assert changed_values(one, other, ()) == [("a", "z")]


def test_deep_and_shared_values_are_compared_in_bounded_time():
    def deep(bottom: Any, levels: int, wrap: Any) -> Any:
        for _ in range(levels):
            bottom = wrap(bottom)
        return bottom

    for wrap in (
        lambda v: [v],
        lambda v: (v,),
        lambda v: {"a": v},
        Struct,
        lambda v: [v, v],
        lambda v: {"a": v, "b": v},
    ):
        assert unchanged(deep(1, 2000, wrap), deep(1, 2000, wrap))
        assert not unchanged(deep(0.0, 2000, wrap), deep(-0.0, 2000, wrap))
        assert 1 <= len(changed_values(deep(0.0, 2000, wrap), deep(-0.0, 2000, wrap), ())) <= 129
        assert changed_values(deep(1, 2000, wrap), deep(1, 2000, wrap), ()) == []


def test_values_that_never_end_have_changed(monkeypatch):
    monkeypatch.setattr("reactive_config._core.decoding.equality.MOST", 1000)

    class Endless(msgspec.Struct):
        a: int = 1

        def __getattribute__(self, name: str) -> Any:
            return Endless() if name == "a" else object.__getattribute__(self, name)

    assert not unchanged(Endless(), Endless())
    assert changed_values(Endless(), Endless(), ("x",))


TREES = [
    pair for pair in DIFFERENT if all(type(v) in (int, float, bool, str, list, datetime, time, date) for v in pair)
]


@pytest.mark.parametrize(
    ("one", "other"),
    [pair for pair in TREES if "ZoneInfo" not in repr(pair) and not any(getattr(v, "fold", 0) for v in pair)],
)
def test_trees_that_differ_in_a_sign_an_offset_or_a_type_differ(one, other):
    for wrap in (lambda v: v, lambda v: [v], lambda v: {"a": v}, lambda v: {"a": [[{"b": v}], "x"], "c": 1}):
        assert not same(wrap(one), wrap(other))
        assert same(wrap(one), wrap(one))
        assert difference({"x": wrap(one)}, {"x": wrap(other)}) != {}
        assert difference({"x": wrap(one)}, {"x": wrap(one)}) == {}


@pytest.mark.parametrize("nested", [lambda v: v, lambda v: [1, [v]], lambda v: {"k": v}])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (0.0, -0.0),
        (datetime(2020, 1, 1, 13, tzinfo=HOUR), datetime(2020, 1, 1, 14, tzinfo=TWO)),
        (time(13, tzinfo=HOUR), time(14, tzinfo=TWO)),
        (1, 1.0),
        (1, True),
    ],
)
async def test_a_rewrite_of_only_the_sign_the_offset_or_the_type_arrives(one, other, nested):
    free = msgspec.defstruct("Free", [("part", Any)])
    typed = msgspec.defstruct("Typed", [("part", type(one) | dict[str, type(one)] | list[Any])])
    for kind in [free, dict, *([typed] if type(one) is type(other) else [])]:
        memory = Memory({"part": nested(one)})
        async with open_config(kind, memory) as config:
            await memory.patch({"part": nested(other)})
            assert config.snapshot.generation == 2
            assert len(config.snapshot.changed) == 1
            value = config.current["part"] if kind is dict else config.current.part
            assert unchanged(value, nested(other))
            await memory.patch({"part": nested(other)})
            assert config.snapshot.generation == 2


async def test_a_decimal_of_another_exponent_arrives_and_the_same_one_does_not():
    class App(msgspec.Struct):
        price: Decimal
        prices: list[Decimal]

    memory = Memory({"price": "1.1", "prices": ["1.1"]})
    async with open_config(App, memory) as config:
        await memory.patch({"price": "1.10"})
        assert (str(config.current.price), config.snapshot.changed) == ("1.10", {"price"})
        await memory.patch({"prices": ["1.10"]})
        assert (str(config.current.prices[0]), config.snapshot.changed) == ("1.10", {"prices"})


class Inner(msgspec.Struct, frozen=True):
    size: int = 1
    names: list[str] = []


class App(msgspec.Struct):
    inner: Inner = Inner()
    price: Decimal = Decimal(1)
    free: dict[str, Any] = {}


async def test_a_subscriber_that_skipped_a_change_and_its_undoing_is_told_of_none():
    first = {"inner": {"size": 5}, "price": "1.10", "free": {"a": {"b": 0.0}}}
    second = {"inner": {"size": 6, "names": ["x"]}, "price": "1.1", "free": {"a": {"b": -0.0}}}
    for kind in (App, dict, Inner):
        memory = Memory(first)
        async with open_config(kind, memory) as config:
            a = config.snapshot
            await memory.replace(second)
            b = config.snapshot
            await memory.replace(first)
            again = config.snapshot
            if kind is not Inner:
                assert again.generation == 3
                assert b.changed_since(a)
                assert again.changed_since(b) == b.changed_since(a)
            assert again.changed_since(a) == frozenset()
            await memory.patch({"inner": {"size": 7}, "size": 7})
            expected = {App: {"inner.size"}, dict: {"inner.size", "size"}, Inner: {"size"}}
            assert config.snapshot.changed_since(a) == expected[kind]


class WithPrivate(pydantic.BaseModel):
    a: int = 0
    _made: Any = pydantic.PrivateAttr(math.inf)

    @pydantic.model_validator(mode="after")
    def move(self) -> Any:
        self._made, self.a = self.a * 1.0, 0
        return self


def test_what_a_validator_left_in_a_private_attribute_of_a_model_is_compared():
    assert unchanged(WithPrivate(a=1), WithPrivate(a=1))
    assert not unchanged(WithPrivate(a=1), WithPrivate(a=2))
    assert not unchanged(_with(0.0), _with(-0.0))
    assert changed_values({"m": WithPrivate(a=1)}, {"m": WithPrivate(a=2)}, ()) == [("m",)]


def _with(made: float) -> WithPrivate:
    model = WithPrivate()
    model._made = made
    return model


async def test_a_change_of_a_private_attribute_alone_arrives():
    memory = Memory({"a": 1})
    async with open_config(WithPrivate, memory) as config:
        first = config.snapshot
        await memory.patch({"a": 2})
        assert (first.value._made, config.current._made) == (1, 2)
        assert config.snapshot.changed_since(first) == {""}


async def test_the_default_of_a_private_attribute_may_be_infinite():
    class Limited(pydantic.BaseModel):
        a: float = 0.0
        _limit: float = pydantic.PrivateAttr(math.inf)

    async with open_config(Limited, Memory({"a": 1.0})) as config:
        assert config.current._limit == math.inf
