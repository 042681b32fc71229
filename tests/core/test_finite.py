"""NaN and infinity are rejected wherever content may bring them, and only there."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, TypedDict

import attrs
import msgspec
import pydantic
import pytest

from reactive_config import Memory, Rejected, Secret, open_config
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.decoding.decode import decode
from reactive_config.sources import Bare


@dataclasses.dataclass
class Data:
    x: Decimal = Decimal(1)


@attrs.define
class Attrs:
    x: Decimal = Decimal(1)


class Typed(TypedDict):
    x: Decimal


class Named(NamedTuple):
    x: Decimal = Decimal(1)


class Struct(msgspec.Struct):
    x: Decimal = Decimal(1)


class Tagged(msgspec.Struct, tag=True):
    x: Decimal = Decimal(1)


class Model(pydantic.BaseModel):
    x: float = 1.0
    y: Decimal = pydantic.Field(default=Decimal(1), allow_inf_nan=True)
    z: complex = 1 + 0j
    many: list[float] = []
    named: dict[str, list[Decimal]] = {}


class Extra(pydantic.BaseModel, extra="allow"):
    __pydantic_extra__: dict[str, float]


class Root(pydantic.RootModel[list[float]]):
    pass


CASES: list[tuple[Any, Any, str]] = [
    (Decimal, "NaN", ""),
    (Decimal | None, "-Infinity", ""),
    (list[Decimal], ["1", "NaN"], "[1]"),
    (tuple[int, Decimal], [1, "sNaN"], "[1]"),
    (set[Decimal], ["1", "Infinity"], ""),
    (dict[str, Decimal], {"k": "NaN"}, ".k"),
    (dict[str, list[Decimal]], {"k": ["1", "NaN"]}, ".k[1]"),
    (dict[Decimal, int], {"NaN": 1}, ""),
    (Data, {"x": "NaN"}, ".x"),
    (list[Data], [{}, {"x": "NaN"}], "[1].x"),
    (Attrs, {"x": "NaN"}, ".x"),
    (Typed, {"x": "NaN"}, ".x"),
    (Struct, {"x": "NaN"}, ".x"),
    (Tagged, {"type": "Tagged", "x": "NaN"}, ".x"),
    (Secret[Decimal], "NaN", ""),
    (Annotated[Decimal, "of money"], "NaN", ""),
    (Mapping[str, Decimal], {"k": "NaN"}, ".k"),
    (Model, {"x": "nan"}, ".x"),
    (Model, {"x": "inf"}, ".x"),
    (Model, {"y": "NaN"}, ".y"),
    (Model, {"z": "nanj"}, ".z"),
    (Model, {"many": [1, "-inf"]}, ".many[1]"),
    (Model, {"named": {"k": [1, "Infinity"]}}, ".named.k"),
    (list[Model], [{}, {"x": "nan"}], "[1].x"),
    (Extra, {"free": "inf"}, ".free"),
    (Root, [1, "nan"], ""),
    (Data | None, {"x": "NaN"}, ".x"),
]


@pytest.mark.parametrize(("kind", "bad", "at"), CASES)
async def test_what_is_not_finite_is_rejected_at_its_place(kind, bad, at):
    app = msgspec.defstruct("App", [("part", kind | None, None)])
    memory = Memory({})
    async with open_config(app, memory) as config:
        with pytest.raises(Rejected) as refused:
            await memory.patch({"part": bad})
        (problem,) = refused.value.problems
        assert problem.path.startswith(f"part{at}")
        assert "finite" in problem.expected
        assert config.current.part is None


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "Infinity", "NaN", "1e999"])
@pytest.mark.parametrize("kind", [float, Decimal, float | None, list[float] | float])
def test_bare_texts_that_are_not_finite_are_rejected(text, kind):
    if text == "1e999" and kind is Decimal:
        return
    part, found = decode(compile_plan(msgspec.defstruct("App", [("x", kind)])), {"x": Bare(text)}, None, None)
    assert part is None
    assert found[0].path == ("x",)


async def test_a_default_of_the_type_may_be_infinite():
    @dataclasses.dataclass
    class Limits:
        most: float = math.inf
        least: Decimal = Decimal("-Infinity")

    class Model(pydantic.BaseModel):
        most: float = math.inf
        limits: Limits = pydantic.Field(default_factory=Limits)

    class Scalars(msgspec.Struct, frozen=True):
        most: float = math.inf
        size: int = 1

    app = msgspec.defstruct(
        "App",
        [
            ("model", Model, msgspec.field(default_factory=Model)),
            ("limits", list[Limits], msgspec.field(default_factory=lambda: [Limits()])),
            ("scalars", Scalars, Scalars()),
        ],
    )
    memory = Memory({"model": {}, "limits": [{}], "scalars": {"size": 2}})
    async with open_config(app, memory) as config:
        assert config.current.model.most == config.current.limits[0].most == config.current.scalars.most == math.inf
        await memory.patch({"model": {"most": 5}, "limits": [{"most": 5}], "scalars": {"most": 5.0}})
        assert config.current.model.most == config.current.limits[0].most == config.current.scalars.most == 5
        with pytest.raises(Rejected, match=r"model.most: expected a finite number"):
            await memory.patch({"model": {"most": "inf"}})


async def test_what_a_type_computes_from_content_is_finite_too():
    class Struct(msgspec.Struct):
        ratio: float = 1.0
        of: list[float] = []

        def __post_init__(self) -> None:
            self.ratio = self.ratio * 1e308

    class Flat(msgspec.Struct):
        ratio: float = 1.0

        def __post_init__(self) -> None:
            self.ratio = self.ratio * 1e308

    class Model(pydantic.BaseModel):
        ratio: Annotated[float, pydantic.AfterValidator(lambda value: value * 1e308)] = 1.0

    for kind in (Struct, Flat, Model):
        memory = Memory({"part": {"ratio": 1.0}})
        async with open_config(msgspec.defstruct("App", [("part", kind)]), memory) as config:
            with pytest.raises(Rejected, match=r"part.ratio: expected a finite number"):
                await memory.patch({"part": {"ratio": 10.0}})
            assert config.current.part.ratio == 1e308


async def test_what_a_type_computes_of_its_own_infinite_default_stands():
    class App(msgspec.Struct):
        most: float = math.inf
        twice: float = 0.0
        names: list[str] = []

        def __post_init__(self) -> None:
            self.most, self.twice = float(self.most) + 0, 2 * self.most

    memory = Memory({})
    async with open_config(App, memory) as config:
        assert config.current.twice == math.inf
        await memory.patch({"most": 5.0})
        assert (config.current.most, config.current.twice) == (5.0, 10.0)


def test_values_that_contain_themselves_are_searched_in_bounded_time():
    class Model(pydantic.BaseModel):
        a: Any = None

        @pydantic.model_validator(mode="after")
        def tie(self) -> Model:
            object.__setattr__(self, "a", [self, {"self": self}])
            return self

    part, found = decode(compile_plan(dict[str, Model]), {"x": {"a": 1}}, None, None)
    assert part is not None
    assert found == []
