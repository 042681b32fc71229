"""The names under which a pydantic model takes its fields are those under which the configuration gives them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union

import msgspec
import pydantic
import pytest
from pydantic import AliasChoices, AliasPath, ConfigDict, Field

from reactive_config import Env, Memory, Secret, open_config
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.decoding.decode import decode
from reactive_config._core.lookup import resolve
from reactive_config._core.redaction import show, spot_of
from reactive_config._core.types import fields_of, inputs_of
from reactive_config.sources import Bare

HALF = timedelta(seconds=30)


def model(**config: Any) -> Any:
    class Named(pydantic.BaseModel):
        model_config = ConfigDict(**config)

        wait: timedelta = Field(HALF, alias="pause")
        token: Secret[str] = Field(Secret("x"), validation_alias="key")
        many: timedelta = Field(HALF, validation_alias=AliasChoices("first", "second"))
        deep: timedelta = Field(HALF, validation_alias=AliasPath("outer", "inner"))
        item: int = Field(0, validation_alias=AliasPath("list", 0))
        plain: timedelta = HALF

    return Named


def made(kind: Any, tree: Any) -> Any:
    part, faults = decode(compile_plan(dict[str, kind]), {"k": tree}, None, None)
    assert part is not None, faults
    return part.value["k"]


def test_fields_are_named_by_their_first_alias():
    assert list(fields_of(model()) or {}) == ["pause", "key", "first", "deep", "item", "plain"]
    assert list(inputs_of(model()) or {}) == ["pause", "key", "first", "second", "outer", "list", "plain"]


def test_where_the_name_counts_it_is_a_name_too():
    by_name = model(populate_by_name=True)
    assert list(fields_of(by_name) or {}) == ["pause", "key", "first", "deep", "item", "plain"]
    assert {"pause", "wait", "token", "many", "deep", "item"} <= set(inputs_of(by_name) or {})


@pytest.mark.parametrize("give", [lambda text: text, Bare])
@pytest.mark.parametrize(
    ("tree", "attribute"),
    [
        ({"pause": "1m"}, "wait"),
        ({"first": "1m"}, "many"),
        ({"second": "1m"}, "many"),
        ({"outer": {"inner": "1m"}}, "deep"),
        ({"plain": "1m"}, "plain"),
    ],
)
def test_durations_and_bare_texts_are_read_under_every_alias(give, tree, attribute):
    def bent(value: Any) -> Any:
        return {n: bent(v) for n, v in value.items()} if type(value) is dict else give(value)

    value = made(model(), bent(tree))
    assert getattr(value, attribute) == 2 * HALF


def test_a_container_is_read_from_a_text_under_a_path_of_aliases():
    assert made(model(), {"outer": Bare('{"inner": "1m"}'), "list": Bare("[5]")}).deep == 2 * HALF
    assert made(model(), {"list": Bare("[5]")}).item == 5


BY_NAME = {"validate_by_name": True, "validate_by_alias": False}
NEWER = pytest.mark.skipif(pydantic.VERSION < "2.11", reason="needs pydantic 2.11")


@pytest.mark.parametrize("config", [{"populate_by_name": True}, pytest.param(BY_NAME, marks=NEWER)])
def test_names_are_taken_where_the_model_takes_them(config):
    assert made(model(**config), {"wait": "1m", "token": "t"}).wait == 2 * HALF
    assert made(model(**config), {"token": "t"}).token == Secret("t")


def test_a_secret_is_hidden_under_every_name():
    kind = model(populate_by_name=True)
    assert show(spot_of({"key": "canary", "token": "canary"}, kind)) == {"key": "***", "token": "***"}


class Generated(pydantic.BaseModel):
    model_config = ConfigDict(alias_generator=lambda name: name.title().replace("_", ""), extra="forbid")

    max_wait: timedelta = HALF


class Outer(pydantic.BaseModel):
    generated: Generated = Generated()
    more: dict[str, list[Generated]] = {}


def test_generated_aliases_and_nested_models():
    tree = {"generated": {"MaxWait": "1m"}, "more": {"a": [{"MaxWait": Bare("1m")}]}}
    value = made(Outer, tree)
    assert value.generated.max_wait == value.more["a"][0].max_wait == 2 * HALF
    _, faults = decode(compile_plan(Outer), {"generated": {"max_wait": 1}}, None, None)
    assert [fault.path for fault in faults] == [("generated", "max_wait")]


class Cat(pydantic.BaseModel):
    kind: Literal["cat"]
    nap: timedelta


class Dog(pydantic.BaseModel):
    kind: Literal["dog"]
    nap: str


class Lizard(pydantic.BaseModel):
    sun: timedelta


class Snake(pydantic.BaseModel):
    sun: str
    long: bool


Pet = Annotated[Union[Dog, Cat], Field(discriminator="kind")]


class Home(pydantic.BaseModel):
    pet: Pet | None = None
    pets: list[Pet] = []
    reptile: Snake | Lizard | None = None


class PetRoot(pydantic.RootModel[Pet]): ...


def test_a_discriminated_union_is_read_for_the_member_that_is_meant():
    assert made(Home, {"pet": {"kind": "cat", "nap": "30s"}}).pet == Cat(kind="cat", nap=HALF)
    assert made(Home, {"pets": [{"kind": Bare("dog"), "nap": "30s"}]}).pets == [Dog(kind="dog", nap="30s")]
    assert made(PetRoot, {"kind": "cat", "nap": Bare("30s")}).root == Cat(kind="cat", nap=HALF)
    assert made(Home, {"pet": Bare('{"kind": "cat", "nap": "30s"}')}).pet == Cat(kind="cat", nap=HALF)


def test_a_union_without_a_discriminator_is_read_for_the_member_whose_names_it_has():
    assert made(Home, {"reptile": {"sun": "30s"}}).reptile == Lizard(sun=HALF)
    assert made(Home, {"reptile": {"sun": "30s", "long": True}}).reptile == Snake(sun="30s", long=True)


class Spot(NamedTuple):
    wait: timedelta
    name: str = "x"


class Spots(pydantic.BaseModel):
    spot: Spot


@pytest.mark.parametrize("tree", [["30s"], {"wait": "30s"}, [Bare("30s"), "x"], {"wait": Bare("30s"), "name": "x"}])
def test_a_named_tuple_in_a_model_is_read_in_order_or_by_names(tree):
    assert made(Spots, {"spot": tree}).spot == Spot(HALF)


class Known(pydantic.BaseModel):
    """Types that only pydantic knows."""

    url: pydantic.AnyUrl | int
    path: Path | None = None


def test_bare_texts_reach_types_that_only_pydantic_knows():
    assert made(Known, {"url": Bare("http://a/"), "path": Bare("/x")}) == Known(url="http://a/", path="/x")
    assert made(Known, {"url": Bare("5")}).url == 5
    part, _ = decode(compile_plan(Known), {"url": Bare("nonsense")}, None, None)
    assert part is None


class Open(pydantic.BaseModel):
    model_config = ConfigDict(extra="allow")

    n: int = 0


async def test_what_a_model_allows_beside_its_fields_follows_the_stream():
    memory = Memory({"m": {"n": 1, "more": "a"}})
    async with open_config(dict[str, Open], memory) as config:
        await memory.patch({"m": {"more": "b"}})
        assert config.current["m"].more == "b"  # type: ignore[attr-defined]
        assert config.snapshot.changed == {"m"}


def test_the_environment_finds_fields_by_every_name():
    assert resolve(model(), ("PAUSE",)) == ("pause",)
    assert resolve(model(), ("SECOND",)) == ("second",)
    assert resolve(model(), ("OUTER", "INNER")) == ("outer", "inner")


async def test_a_model_is_filled_from_the_environment(monkeypatch):
    monkeypatch.setenv("RC_TEST_PAUSE", "1m")
    monkeypatch.setenv("RC_TEST_OUTER__INNER", "2m")
    async with open_config(model(), Env("RC_TEST_")) as config:
        assert (config.current.wait, config.current.deep) == (2 * HALF, 4 * HALF)
        assert config.select("pause").current == 2 * HALF
        assert config.select("deep").current == 4 * HALF


async def test_changed_names_the_field_by_its_first_alias():
    memory = Memory({"second": "1m"})
    async with open_config(model(), memory) as config:
        many = config.select("first")
        await memory.patch({"second": "2m"})
        assert config.snapshot.changed == {"first"}
        assert many.current == 4 * HALF


def test_a_struct_inside_a_table_of_models_stays_exact():
    class Holder(msgspec.Struct):
        models: dict[str, Outer] = {}

    assert made(Holder, {"models": {"a": {"generated": {"MaxWait": 60}}}}).models["a"].generated.max_wait == 2 * HALF
