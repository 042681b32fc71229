"""Random types of every kind that the guide lists, with trees for them: most fit, some do not."""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
import json
import re
import zoneinfo
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypedDict, TypeVar

import attrs
import msgspec
import pydantic
from hypothesis import strategies as st

from reactive_config import ByteSize
from reactive_config._core.delta import Bare
from reactive_config._core.secret import Secret

T = TypeVar("T")


class Kind(NamedTuple):
    """A type and how to make trees for it.

    Attributes:
        type: The type.
        trees: Makes one from random numbers.
    """

    type: Any
    trees: Callable[[Random], Any]


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Box(msgspec.Struct, Generic[T]):
    a: T
    b: list[T] = []


@dataclasses.dataclass
class Pair(Generic[T]):
    a: T
    b: dict[str, T] = dataclasses.field(default_factory=dict)


def one_of(*values: Any) -> Callable[[Random], Any]:
    return lambda random: random.choice(values) if random.random() < 0.93 else random.choice([None, "x", 5, [1], {}])


SCALARS = [
    Kind(int, one_of(1, 2)),
    Kind(Annotated[int, msgspec.Meta(ge=0), pydantic.Field(ge=0)], one_of(1, 2, -1)),
    Kind(str, one_of("a", "1.10", "")),
    Kind(float, one_of(0.5, 1, 1.0)),
    Kind(bool, one_of(True, False)),
    Kind(timedelta, one_of("30s", 30, "1m", 0.5)),
    Kind(Secret[str], one_of("s1", "s2")),
    Kind(Literal["a", "b"], one_of("a", "b")),
    Kind(Colour, one_of("red", "blue")),
    Kind(Secret[timedelta], one_of("30s", 1)),
    Kind(int | str, one_of(1, "1", "a")),
    Kind(timedelta | None, one_of("30s", None)),
    Kind(ByteSize, one_of("1kB", 1000, "1 KiB")),
    Kind(Annotated[ByteSize, msgspec.Meta(ge=500), pydantic.Field(ge=500)], one_of("1kB", 1000, "2KiB")),
    Kind(Path, one_of("a/b", "./a/b", "c")),
    Kind(ipaddress.IPv4Network, one_of("10.0.0.0/8", "10.0.0.0/255.0.0.0", "10.1.0.0/16")),
    Kind(re.Pattern[str], one_of("[a-z]+", "a|b")),
    Kind(zoneinfo.ZoneInfo, one_of("UTC", "Europe/Berlin")),
]
FREE = Kind(Any, one_of(1, "1", {"x": {"y": 1}}, {"x": [1]}, [{"x": 1}]))


class Cat(pydantic.BaseModel):
    kind: Literal["cat"]
    a: timedelta = pydantic.Field(timedelta(1), validation_alias=pydantic.AliasChoices("wait", "a"))


class Dog(pydantic.BaseModel):
    kind: Literal["dog"]
    a: str = pydantic.Field("", alias="wait")


class Home(pydantic.BaseModel):
    pet: Cat | Dog = pydantic.Field(discriminator="kind")
    pets: list[Cat | Dog] = []


def pet(random: Random) -> Any:
    return {"kind": random.choice(["cat", "dog"]), random.choice(["wait", "a", "wait"]): random.choice(["30s", 30])}


HOME = Kind(Home, lambda random: {"pet": pet(random), "pets": [pet(random)]})


def listed(kind: Kind) -> Callable[[Random], Any]:
    return lambda random: [kind.trees(random) for _ in range(random.randrange(3))]


def table(fields: dict[str, Kind], optional: int = 1) -> Callable[[Random], Any]:
    """Trees with a value for every field, or without some of the last ones."""

    def make(random: Random) -> Any:
        names = list(fields)
        left_out = random.randrange(optional + 1) if random.random() < 0.5 else 0
        return {name: fields[name].trees(random) for name in names[: len(names) - left_out]}

    return make


def in_order(fields: dict[str, Kind], tag: str = "") -> Callable[[Random], Any]:
    made = table(fields)
    return lambda random: ([tag] if tag else []) + list(made(random).values())


def spoil(value: Any, depth: int = 3) -> None:
    """Change everything in place that can be changed."""
    if depth == 0:
        return
    if isinstance(value, list):
        spoil(value[0] if value else None, depth - 1)
        value.append("spoilt")
    elif isinstance(value, dict):
        for inner in list(value.values()):
            spoil(inner, depth - 1)
        value["spoilt"] = "spoilt"
    elif isinstance(value, set):
        value.add("spoilt")
    else:
        for name in names_of(value):
            spoil(getattr(value, name), depth - 1)
            if name == "n":
                setattr(value, name, -1)


def names_of(value: Any) -> list[str]:
    if isinstance(value, msgspec.Struct):
        return list(value.__struct_fields__)
    if isinstance(value, pydantic.BaseModel):
        return list(type(value).model_fields)
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value)]
    return [field.name for field in getattr(type(value), "__attrs_attrs__", ())]


def picture(value: Any) -> Any:
    """The value as a nested tuple that shares nothing with it; equal only for equal values of equal types."""
    if isinstance(value, Secret):
        inner: Any = picture(value.reveal())
    elif isinstance(value, dict):
        inner = sorted((name, picture(item)) for name, item in value.items())
    elif isinstance(value, (list, tuple)):
        inner = [picture(item) for item in value]
    elif isinstance(value, (set, frozenset)):
        inner = sorted(map(repr, map(picture, value)))
    else:
        inner = [(name, picture(getattr(value, name))) for name in names_of(value)] or repr(value)
    return type(value).__name__, str(inner)


Code = Callable[[Any], None]
"""What a type does to its own values when one is made."""


def spoil_fields(made: Any) -> None:
    for name in names_of(made):
        spoil(getattr(made, name))


def forget_a_field(made: Any) -> None:
    made.a = None  # values that differ become equal


def struct(fields: dict[str, Kind], own: Code | None, **options: Any) -> Any:
    given = [(name, kind.type) for name, kind in list(fields.items())[:-1]]
    last, kind = list(fields.items())[-1]
    namespace = {"__post_init__": own} if own else None
    return msgspec.defstruct("Made", [*given, (last, kind.type | None, None)], namespace=namespace, **options)


def dataclass(fields: dict[str, Kind], own: Code | None) -> Any:
    namespace = {"__post_init__": own} if own else {}
    last = list(fields)[-1]
    given = [(n, k.type | None, None) if n == last else (n, k.type) for n, k in fields.items()]
    return dataclasses.make_dataclass("Made", given, namespace=namespace)


def with_last_optional(fields: dict[str, Kind]) -> dict[str, Any]:
    last = list(fields)[-1]
    return {name: (kind.type | None if name == last else kind.type) for name, kind in fields.items()}


def attrs_class(fields: dict[str, Kind], own: Code | None) -> Any:
    hints, last = with_last_optional(fields), list(fields)[-1]
    members = {n: attrs.field(default=None) if n == last else attrs.field() for n in hints}
    body = {"__annotations__": hints, **members}
    if own:
        body["__attrs_post_init__"] = own
    return attrs.define(type("Made", (), body))


def typed_dict(fields: dict[str, Kind]) -> Any:
    return TypedDict("Made", {name: kind.type for name, kind in fields.items()}, total=False)  # type: ignore[operator]


def named_tuple(fields: dict[str, Kind]) -> Any:
    hints = with_last_optional(fields)
    made = NamedTuple("Made", list(hints.items()))  # type: ignore[misc]
    made.__new__.__defaults__ = (None,)  # type: ignore[attr-defined]
    made._field_defaults = {list(fields)[-1]: None}  # type: ignore[attr-defined]
    return made


def model(fields: dict[str, Kind], own: Code | None) -> Any:
    last = list(fields)[-1]
    hints = {n: (t, None if n == last else ...) for n, t in with_last_optional(fields).items()}

    class Base(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(validate_default=False)

        def model_post_init(self, context: Any) -> None:
            if own:
                own(self)

    return pydantic.create_model("Made", __base__=Base, **hints)


def union_of_tagged(one: Kind, other: Kind) -> Kind:
    left = msgspec.defstruct("Left", [("a", one.type)], tag=True)
    right = msgspec.defstruct("Right", [("a", other.type)], tag=True)

    def trees(random: Random) -> Any:
        name, kind = random.choice([("Left", one), ("Right", other), ("Wrong", one)])
        return {"type": name, "a": kind.trees(random)}

    return Kind(left | right, trees)


PYDANTICS = ["list", "dict", "tuple", "optional", "pair", "dataclass", "model", "root", "pydantic", "named tuple"]
"""What pydantic knows too."""
OTHERS = ["struct", "frozen", "array", "tagged array", "attrs", "typed dict", "tagged", "set", "box", "many"]


@st.composite
def kinds(draw: Callable[[Any], Any], depth: int = 3, foreign: bool = False) -> Kind:  # noqa: C901
    """A random kind.

    Args:
        draw: Of Hypothesis.
        depth: How deep it may nest.
        foreign: Whether it stands inside a type of pydantic's, which does not know all of the others.
    """
    if depth == 0 or draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from([*SCALARS, FREE, HOME]))
    shape = draw(st.sampled_from(PYDANTICS if foreign else PYDANTICS + OTHERS))
    if shape in ("set", "tagged"):
        one, other = draw(st.sampled_from(SCALARS)), draw(kinds(depth - 1))
        return union_of_tagged(one, other) if shape == "tagged" else Kind(set[one.type], listed(one))
    foreign = foreign or shape in ("model", "root", "pydantic")
    own = draw(st.sampled_from([None, spoil_fields, forget_a_field]))
    count = draw(st.integers(2, 3))
    fields = {name: draw(kinds(depth - 1, foreign)) for name in "abn"[:count]}
    inner, second = fields["a"], fields["b"]
    match shape:
        case "list":
            return Kind(list[inner.type], listed(inner))
        case "dict":
            return Kind(dict[str, inner.type], table({"x": inner, "y": inner, "z": inner}, 3))
        case "many":
            return Kind(dict[str, list[inner.type]], table({"x": Kind(None, listed(inner))}))
        case "tuple":
            return Kind(tuple[inner.type, second.type], in_order({"a": inner, "b": second}))
        case "optional":
            return Kind(inner.type | None, lambda r: inner.trees(r) if r.random() < 0.7 else None)
        case "box":
            return Kind(Box[inner.type], table({"a": inner, "b": Kind(None, listed(inner))}))
        case "pair":
            return Kind(Pair[inner.type], table({"a": inner, "b": Kind(None, table({"x": inner}))}))
        case "dataclass":
            return Kind(dataclass(fields, own), table(fields))
        case "pydantic":
            return Kind(pydantic.dataclasses.dataclass(dataclass(fields, own)), table(fields))
        case "model":
            return Kind(model(fields, own), table(fields))
        case "root":
            return Kind(pydantic.RootModel[inner.type], inner.trees)
        case "struct":
            return Kind(struct(fields, own, forbid_unknown_fields=draw(st.booleans())), table(fields))
        case "frozen":
            return Kind(struct(fields, own and spoil_fields, frozen=True), table(fields))
        case "array":
            return Kind(struct(fields, own, array_like=True), in_order(fields))
        case "tagged array":
            return Kind(struct(fields, own, array_like=True, tag="t"), in_order(fields, "t"))
        case "attrs":
            return Kind(attrs_class(fields, own), table(fields))
        case "typed dict":
            return Kind(typed_dict(fields), table(fields, 2))
        case _:
            return Kind(named_tuple(fields), in_order(fields))


def edited(old: Any, new: Any, random: Random) -> Any:
    """A tree between two: of a table of both, some names are the one's and some the other's; the rest is shared."""
    if type(old) is dict and type(new) is dict and random.random() < 0.9:
        mixed = dict(old)
        for name in {**old, **new}:
            if random.random() < 0.4:
                if name not in new:
                    del mixed[name]
                else:
                    mixed[name] = edited(old[name], new[name], random) if name in old else new[name]
        return mixed
    return new


def with_typos(tree: Any, random: Random) -> Any:
    """The same tree with names here and there that no record type has."""
    if type(tree) is list:
        return [with_typos(item, random) for item in tree]
    if type(tree) is not dict:
        return tree
    found = {name: with_typos(value, random) for name, value in tree.items()}
    if random.random() < 0.3:
        found[random.choice(["typo", "odd"])] = random.choice([1, "x", {"a": 1}, []])
    return found


def barely(tree: Any, random: Random) -> Any:
    """The same tree as bare texts: leaf by leaf, or a whole table or list as JSON."""
    if type(tree) in (dict, list) and random.random() < 0.15:
        return Bare(json.dumps(tree))
    if type(tree) is dict:
        return {name: barely(value, random) for name, value in tree.items()}
    if type(tree) is list:
        return [barely(item, random) for item in tree]
    return Bare(tree if type(tree) is str else json.dumps(tree)) if random.random() < 0.8 else tree
