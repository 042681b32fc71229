"""Types that the guide lists are decoded as their own library would, also inside one another."""

from __future__ import annotations

import dataclasses
import sys
from datetime import timedelta
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Required,
    Self,
    TypedDict,
    TypeVar,
    Union,
)

import attrs
import msgspec
import pydantic
import pytest
from msgspec import Meta

from reactive_config import Memory, Secret, open_config
from reactive_config.sources import Bare
from tests.core.decoding import Attrs, Table, made, refused

T = TypeVar("T")
HALF = timedelta(seconds=30)


# Dataclasses of pydantic


@pydantic.dataclasses.dataclass
class Port:
    number: Annotated[int, pydantic.Field(ge=1)] = 80
    wait: timedelta = timedelta(seconds=1)

    @pydantic.field_validator("number")
    @classmethod
    def even(cls, number: int) -> int:
        if number % 2:
            raise ValueError("odd")
        return number


@pydantic.dataclasses.dataclass(config=pydantic.ConfigDict(extra="forbid", str_to_upper=True))
class Aliased:
    name: Annotated[str, pydantic.Field(validation_alias="title")] = "x"


@dataclasses.dataclass
class HasPort:
    port: Port
    ports: list[Port] = dataclasses.field(default_factory=list)
    maybe: Port | None = None


@pytest.mark.parametrize("kind", [Port, Port | None, Annotated[Port, "x"]])
def test_a_dataclass_of_pydantic_is_validated_by_pydantic(kind):
    assert made(kind, {"number": 8, "wait": "30s"}) == Port(8, HALF)
    assert made(kind, Bare('{"number": "8"}')) == Port(8)
    assert refused(kind, {"number": 0}) == [("k", "number")]
    assert refused(kind, {"number": 7}) == [("k", "number")]


def test_a_dataclass_of_pydantic_is_validated_inside_other_types_too():
    assert made(HasPort, {"port": {"number": 8}, "ports": [{"number": 2}]}) == HasPort(Port(8), [Port(2)])
    for tree in ({"port": {"number": 7}}, {"port": {}, "ports": [{"number": 7}]}, {"port": {}, "maybe": {"number": 7}}):
        assert len(refused(HasPort, tree)) == 1


def test_aliases_and_configuration_of_a_dataclass_of_pydantic_hold():
    assert made(Aliased, {"title": "abc"}).name == "ABC"
    assert refused(Aliased, {"name": "abc"}) == [("k", "name")]


async def test_a_dataclass_of_pydantic_follows_the_stream():
    memory = Memory({"number": 8})
    async with open_config(Port, memory) as config:
        number = config.select("number")
        await memory.patch({"number": 10})
        assert (config.current, number.current) == (Port(10), 10)
        assert config.snapshot.changed == {"number"}


# Fields of every other kind


class Spot(NamedTuple):
    wait: timedelta
    name: str = "x"
    tags: frozenset[str] = frozenset()


class Line(msgspec.Struct, array_like=True, frozen=True):
    wait: timedelta
    name: str = "x"


class TaggedLine(msgspec.Struct, array_like=True, tag="line", frozen=True):
    wait: timedelta


class Waiting(pydantic.RootModel[timedelta]): ...


class Names(pydantic.RootModel[dict[str, timedelta]]): ...


class Numbers(pydantic.RootModel[list[int]]): ...


class Partial(TypedDict, total=False):
    wait: Required[timedelta]
    name: str


class Full(TypedDict):
    wait: NotRequired[timedelta]
    spot: Spot | None


class Cat(msgspec.Struct, tag=True, frozen=True):
    nap: timedelta


class Dog(msgspec.Struct, tag=True, frozen=True):
    nap: str


Wait = NewType("Wait", timedelta)
Short = Annotated[Annotated[timedelta, "inner"], Meta(title="outer")]
Waits_ = list[Short]


@pytest.mark.parametrize(
    ("kind", "tree", "expected"),
    [
        (Spot, ["30s"], Spot(HALF)),
        (Spot, ["30s", "y", ["a"]], Spot(HALF, "y", frozenset("a"))),
        (Spot | None, ["30s"], Spot(HALF)),
        (Line, ["30s", "y"], Line(HALF, "y")),
        (Line | None, [30], Line(HALF)),
        (TaggedLine, ["line", "30s"], TaggedLine(HALF)),
        (Cat | Dog, {"type": "Cat", "nap": "30s"}, Cat(HALF)),
        (Cat | Dog, {"type": "Dog", "nap": "30s"}, Dog("30s")),
        (Waiting, "30s", Waiting(HALF)),
        (Names, {"a": "30s"}, Names({"a": HALF})),
        (Final[timedelta], "30s", HALF),
        (Final[list[timedelta]], ["30s"], [HALF]),
        (Wait, "30s", HALF),
        (Short, "30s", HALF),
        (Waits_, ["30s", 30], [HALF, HALF]),
        (Annotated[list[Short], Meta(max_length=2)], ["30s"], [HALF]),
        (tuple[timedelta, str], ["30s", "30s"], (HALF, "30s")),
        (tuple[timedelta, ...], ["30s", 30], (HALF, HALF)),
        (set[timedelta], ["30s"], {HALF}),
        (frozenset[timedelta], ["30s", 30], frozenset({HALF})),
        (Partial, {"wait": "30s"}, {"wait": HALF}),
        (Full, {"wait": "30s", "spot": ["30s"]}, {"wait": HALF, "spot": Spot(HALF)}),
        (dict[str, list[timedelta | None]], {"a": ["30s", None]}, {"a": [HALF, None]}),
        (Union[Annotated[timedelta | None, "x"], None], "30s", HALF),
        (Literal["30s"], "30s", "30s"),
        (Annotated[timedelta, {"not": "hashable"}], "30s", HALF),
        (list[Annotated[timedelta, {"not": "hashable"}]], ["30s"], [HALF]),
    ],
)
def test_durations_are_read_inside_every_type(kind, tree, expected):
    for given in (tree, bare(tree)):
        value = made(kind, given)
        assert (value, type(value)) == (expected, type(expected))
    if type(tree) in (list, dict):
        assert made(kind, Bare(msgspec.json.encode(tree).decode())) == expected


def bare(tree: Any) -> Any:
    """The tree with bare texts in place of its texts and numbers."""
    if type(tree) is dict:
        return {name: bare(value) for name, value in tree.items()}
    if type(tree) is list:
        return [bare(item) for item in tree]
    return tree if tree is None else Bare(str(tree))


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (Numbers, "[1, 2]", Numbers([1, 2])),
        (Numbers | None, "[1, 2]", Numbers([1, 2])),
        (Numbers | None, "null", None),
        (Final[int], "5", 5),
        (Final[str], "5", "5"),
        (Wait, "30", HALF),
        (set[int], "[1, 1]", {1}),
        (Spot, '["30s"]', Spot(HALF)),
        (Line, "[30]", Line(HALF)),
        (Literal[1, 2] | None, "1", 1),
        (Literal["1", "a"], "1", "1"),
        (tuple[int, str], '[1, "1"]', (1, "1")),
        (Attrs[int], '{"value": 5}', Attrs(5)),
        (Table[int], '{"value": 5}', {"value": 5}),
        (list[Attrs[timedelta]], '[{"value": "30s"}]', [Attrs(HALF)]),
    ],
)
def test_bare_texts_are_read_for_every_type(kind, text, expected):
    value = made(kind, Bare(text))
    assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("kind", "tree"),
    [(Spot, ["x"]), (Spot, {"wait": "30s"}), (Line, ["x"]), (Waiting, "x"), (Names, {"a": "x"}), (Final[int], "x")],
)
def test_what_does_not_fit_is_refused_there_too(kind, tree):
    assert {path[0] for path in refused(kind, tree)} == {"k"}


async def test_a_path_leads_into_a_root_model():
    class App(msgspec.Struct):
        names: Names

    memory = Memory({"names": {"a": "30s"}})
    async with open_config(App, memory) as config:
        live = config.select("names.a")
        await memory.patch({"names": {"a": "1m"}})
        assert live.current == timedelta(minutes=1)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="needs the syntax of Python 3.12")
def test_aliases_of_the_type_statement_are_looked_through():
    scope: dict[str, Any] = {"timedelta": timedelta}
    exec("type One = timedelta\ntype Many[A] = list[A]\ntype Both = Many[One] | None", scope)
    assert made(scope["One"], "30s") == HALF
    assert made(scope["Many"][timedelta], ["30s"]) == [HALF]
    assert made(scope["Both"], Bare('["30s"]')) == [HALF]
    one = scope["One"]
    assert made(dict[str, one], {"a": Bare("30s")}) == {"a": HALF}


# attrs classes


def from_text(text: str) -> list[str]:
    return text.split(",")


@attrs.define
class Service:
    name: str = attrs.field(converter=str.strip)
    port: int = attrs.field(default=80, validator=attrs.validators.le(1000))
    tags: list[str] = attrs.field(default="", converter=from_text)
    wait: timedelta = attrs.field(default=HALF, alias="pause")
    _token: Secret[str] = attrs.field(default=Secret("x"))
    length: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.length = len(self.name)


class Services(msgspec.Struct):
    one: Service
    more: dict[str, list[Service]] = {}


def test_an_attrs_class_is_made_by_its_own_constructor():
    tree = {"name": " abc ", "tags": "a,b", "pause": "1m", "token": "t", "wait": "ignored", "length": 99}
    for service in (made(Service, tree), made(Services, {"one": tree}).one, made(list[Service], [tree])[0]):
        assert (service.name, service.tags, service.wait, service.length) == ("abc", ["a", "b"], 2 * HALF, 3)
        assert service._token == Secret("t")


def test_what_converters_and_validators_of_attrs_refuse_is_refused():
    assert refused(Service, {"name": "a", "port": 1001}) == [("k",)]
    assert refused(Service, {"name": "a", "tags": ["a"]}) == [("k", "tags")]
    assert refused(Services, {"one": {"name": "a"}, "more": {"x": [{"name": 5}]}}) == [("k", "more", "x")]


@attrs.define
class Branch:
    v: int = attrs.field(default=0, converter=int)
    one: Branch | None = None
    many: dict[str, Branch] = attrs.field(factory=dict)
    twig: Twig | None = None


@attrs.define
class Twig:
    v: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    back: list[Branch] = attrs.field(factory=list)


@attrs.define
class Bough(Branch):
    name: str = ""


@dataclasses.dataclass
class Ring:
    v: int = 0
    ring: Ring | None = None

    def __init__(self, v: int = 0, ring: Ring | None = None) -> None:
        self.v, self.ring = v + 1, ring


def test_attrs_classes_and_dataclasses_with_a_constructor_may_hold_themselves():
    tree = {"v": 1, "one": {"v": 2}, "many": {"a": {"many": {"b": {}}}}, "twig": {"back": [{"v": 3}]}}
    value = Branch(1, Branch(2), {"a": Branch(many={"b": Branch()})}, Twig(back=[Branch(3)]))
    assert made(Branch, tree) == value
    assert made(Bough, {"name": "x", **tree}) == Bough(value.v, value.one, value.many, value.twig, "x")
    assert made(dict[str, list[Branch]], {"k": [tree]}) == {"k": [value]}
    assert made(msgspec.defstruct("Holder", [("tree", Branch)]), {"tree": tree}).tree == value
    assert refused(Branch, {"one": {"twig": {"back": [{"v": "x"}]}}}) == [("k", "one", "twig", "back")]
    assert refused(Branch, {"one": {"twig": {"v": -1}}}) == [("k", "one", "twig")]
    assert made(Ring, {"ring": {"v": 1}}).ring.v == 2


def test_bare_texts_reach_attrs_classes():
    service = made(Service, {"name": Bare("5"), "port": Bare("8"), "tags": Bare("1.10,x"), "pause": Bare("1m")})
    assert (service.name, service.port, service.tags, service.wait) == ("5", 8, ["1.10", "x"], 2 * HALF)


# Dataclasses with code of their own


@dataclasses.dataclass
class OwnInit:
    port: int

    def __init__(self, port: int) -> None:
        self.port = port * 2


@dataclasses.dataclass
class Derived:
    port: int
    double: int = dataclasses.field(default=0, init=False)

    def __post_init__(self) -> None:
        self.double += self.port * 2


@dataclasses.dataclass
class Upper:
    name: str

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value.upper())


@dataclasses.dataclass(kw_only=True, slots=True, frozen=True)
class Keywords:
    name: str = "x"
    port: int


class OwnNew(Keywords):
    def __new__(cls, **fields: Any) -> Self:
        assert fields["port"] != 13
        return super().__new__(cls)


@pytest.mark.parametrize(
    ("kind", "tree", "attribute", "expected"),
    [
        (OwnInit, {"port": 4}, "port", 8),
        (Derived, {"port": 4, "double": 99}, "double", 8),
        (Upper, {"name": "abc"}, "name", "ABC"),
        (Keywords, {"port": 4}, "port", 4),
        (OwnNew, {"port": 4}, "port", 4),
    ],
)
def test_the_constructor_of_a_dataclass_runs_wherever_it_stands(kind, tree, attribute, expected):
    assert getattr(made(kind, tree), attribute) == expected
    assert getattr(made(list[kind], [tree])[0], attribute) == expected
    assert getattr(made(kind | None, Bare(msgspec.json.encode(tree).decode())), attribute) == expected


def test_a_constructor_that_raises_refuses():
    assert refused(OwnNew, {"port": 13}) == [("k",)]
    assert refused(list[OwnNew], [{"port": 13}]) == [("k",)]
