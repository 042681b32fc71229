"""`set --type`: what is written is what the field wants."""

from __future__ import annotations

import pytest

pytest.importorskip("starlette")
pytest.importorskip("httpx")

TARGET = "sqlite:shop.db/shop/production"

TYPES = """
from datetime import timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from reactive_config import Secret


class Pool(msgspec.Struct, frozen=True):
    size: Annotated[int, Meta(ge=1)] = 1
    wait: timedelta = timedelta(seconds=1)


class App(msgspec.Struct, frozen=True):
    pool: Pool = Pool()
    code: str = ""
    debug: bool = False
    names: list[str] = []
    token: Secret[int] | None = None
    pin: Secret[int] | None = None
    more: dict[str, str] = {}
"""

MODELS = """
import enum
from typing import Literal

import msgspec
from pydantic import BaseModel, SecretStr, field_validator


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Model(BaseModel):
    required: int
    secret: SecretStr | None = None
    flag: bool = False
    name: str = ""
    tags: list[str] = []
    even: int = 0

    @field_validator("even")
    @classmethod
    def is_even(cls, value):
        if value % 2:
            raise ValueError("an even number")
        return value


class Item(msgspec.Struct, frozen=True):
    n: int


class Cat(msgspec.Struct, frozen=True, tag="cat"):
    lives: int
    name: str = ""


class Dog(msgspec.Struct, frozen=True, tag="dog"):
    name: str = ""


class App(msgspec.Struct, frozen=True):
    model: Model | None = None
    texts: dict[int, str] = {}
    items: dict[int, Item] = {}
    named: dict[Literal["p", "q"], int] = {}
    many: list[Item] = []
    one: Item | None = None
    color: Color = Color.RED
    level: Level | None = None
    pick: Literal["x", "y"] | None = None
    cat: Cat | None = None
    pet: Cat | Dog | None = None
    text: str = ""
    password: int = 0
"""


@pytest.fixture(autouse=True)
def types(shop, monkeypatch):
    (shop / "typed_shop.py").write_text(TYPES)
    (shop / "model_shop.py").write_text(MODELS)


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("code=0042", "0042"), ("code=42", "42"), ("code=true", "true"), ("code=null", "null"), ("pool.size=42", 42),
        ("debug=yes", True), ("debug=true", True), ("names=a,b", ["a", "b"]), ('names=["a"]', ["a"]),
        ("pool.wait=5s", "5s"), ("more.x=1", "1"), ("pool.wait=2", 2), ("token=null", None),
        ("token=7", "***"), ("pin=7", "***"),
    ],
)  # fmt: skip
def test_the_field_says_what_a_value_is(quick, assignment, value):
    (record,) = quick("set", TARGET, assignment, "--create", "--json", "--type", "typed_shop:App").records
    (change,) = record["changes"]
    for name in assignment.partition("=")[0].split(".")[len(change["path"]) :]:
        change["after"] = change["after"][name]
    assert change["after"] == value


def test_values_of_dotenv_are_what_their_fields_want(quick, shop):
    (shop / ".env").write_text("POOL__SIZE=20\nCODE=007\nDEBUG=yes\nMORE__X=1\n")
    (record,) = quick("apply", TARGET, ".env", "--create", "--json", "--type", "typed_shop:App").records
    assert {change["path"][0]: change["after"] for change in record["changes"]} == {
        "pool": {"size": 20}, "code": "007", "debug": True, "more": {"x": "1"},
    }  # fmt: skip
    (shop / ".env").write_text("POOL__SIZE=none\n")
    refused = quick("apply", TARGET, ".env", "--type", "typed_shop:App")
    assert (refused.code, "pool.size: expected int, got 'none'" in refused.err) == (1, True)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("pool.size=0", "pool.size: expected int >= 1, got 0"),
        ("pool.size=many", "pool.size: expected int, got 'many'"),
        ("pool.sise=1", "pool.sise: expected one of size, wait in pool, got sise; did you mean size?"),
        ("debug=perhaps", "debug: expected bool"),
        ("token=hunter2", "token: expected"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_asked(quick, assignment, message):
    refused = quick("set", "http://127.0.0.1:1/a/b", assignment, "--type", "typed_shop:App")
    assert (refused.code, message in refused.err) == (2, True), refused.err
    assert "hunter2" not in refused.err


def test_the_type_may_come_from_the_environment(quick, monkeypatch):
    monkeypatch.setenv("REACTIVE_CONFIG_TYPE", "typed_shop:App")
    assert '"7"' in quick("set", TARGET, "code=7", "--create").out


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("model.secret=null", None), ("model.secret=x", "***"), ("model.flag=yes", "yes"), ("model.name=5", "5"),
        ('model.tags=["a"]', ["a"]), ("model.even=4", 4), ("texts.1=x", "x"), ("texts.1=5", "5"),
        ("model.secret=[1]", "***"), ("items.1.n=5", 5),
        ("named.p=1", 1), ("pet.name=5", 5), ("cat.name=5", "5"), ('text={"a":1', '{"a":1'), ('text="', '"'),
        ("color=blue", "blue"), ("level=2", 2),
    ],
)  # fmt: skip
def test_what_is_inside_a_part_that_decodes_as_a_whole(quick, assignment, value):
    pytest.importorskip("pydantic")
    told = quick("set", TARGET, assignment, "--create", "--json", "--type", "model_shop:App")
    assert told.code == 0, told.out
    (change,) = told.records[0]["changes"]
    for name in assignment.partition("=")[0].split(".")[len(change["path"]) :]:
        change["after"] = change["after"][name]
    assert change["after"] == value


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("model.required=x", "model.required: expected a valid integer, got 'x'"),
        ("model.even=3", "model.even: expected what Model accepts, got 3"),
        ("texts.x=x", "texts.x: expected a key that is int"),
        ("items.1.n=x", "items.1.n: expected int, got 'x'"),
        ("named.z=1", "named.z: expected a key that is"),
        ('many=[{"n": 1}, {"n": "x"}]', "many[1].n: expected int, got 'x'"),
        ('one={"n": "x"}', "one.n: expected int, got 'x'"),
        ("cat.lives=x", "cat.lives: expected int, got 'x'"),
        ("color=green", "color: expected one of 'red', 'blue', got 'green'"),
        ("level=3", "level: expected one of 1, 2"),
        ("color=5", "color: expected str, got 5"),
        ("pick=z", "pick: expected one of 'x', 'y'"),
        ("password=S3CRET", "password: expected int, got str"),
        ('one={"n"', "expected valid JSON (because the value begins with"),
        ('pet.name={"n"', "expected valid JSON (because the value begins with"),
    ],
)
def test_what_does_not_fit_inside_such_a_part_is_refused(quick, assignment, message):
    pytest.importorskip("pydantic")
    refused = quick("set", "http://127.0.0.1:1/a/b", assignment, "--type", "model_shop:App")
    assert (refused.code, message in refused.err) == (2, True), refused.err
    assert "S3CRET" not in refused.err
