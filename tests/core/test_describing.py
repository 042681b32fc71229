"""Everything in force as people may see it: complete, with its origin, and without a secret."""

from __future__ import annotations

import enum
import itertools
import json
import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pytest

from reactive_config import Env, Files, Memory, Secret, open_config
from reactive_config._core.redaction import show, spot_of


class Pool(msgspec.Struct, frozen=True, rename="kebab"):
    max_size: int = 10
    idle: timedelta = timedelta(seconds=30)


class App(msgspec.Struct, frozen=True):
    dsn: Secret[str] = Secret("canary-default")
    pool: Pool = Pool()
    tags: frozenset[str] = frozenset()
    extra: dict = {}
    keys: list[Secret[str]] = []


def by_path(config):
    return {setting.path: setting for setting in config.describe()}


async def test_every_value_is_there_with_its_origin_or_as_a_default(tmp_path):
    (tmp_path / "app.toml").write_text('dsn = "canary-1"\ntags = ["b", "a"]\n[pool]\nmax-size = 5\n')
    over = Memory({"pool": {"max-size": 7}}, name="over")
    async with open_config(App, Files(tmp_path / "app.toml"), over) as config:
        found = by_path(config)
    assert {path: setting.value for path, setting in found.items()} == {
        "dsn": "***", "pool.max-size": 7, "pool.idle": "30s", "tags": ["a", "b"], "extra": {}, "keys": [],
    }  # fmt: skip
    assert found["pool.max-size"].origin.source == "over"
    assert found["tags"].origin.place.endswith("app.toml")
    assert found["pool.idle"].origin is None
    assert found["extra"].origin is None


async def test_what_one_text_says_of_a_whole_table_stands_where_the_text_does(monkeypatch):
    monkeypatch.setenv("RC_DESCRIBE_POOL", '{"max-size": 3}')
    async with open_config(App, Env("RC_DESCRIBE_")) as config:
        setting = by_path(config)["pool.max-size"]
    assert (setting.value, setting.origin.place) == (3, "RC_DESCRIBE_POOL")


async def test_no_secret_shows_by_type_or_where_no_type_says_what_it_is_by_name():
    tree = {"dsn": "canary-1", "keys": ["canary-2"], "extra": {"password": "canary-3", "tokens": {"a": ["canary-4"]}}}
    async with open_config(App, Memory(tree)) as config:
        text = repr(config.describe())
        assert "canary" not in text
        assert by_path(config)["extra.password"].value == "***"


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1


class Pair(NamedTuple):
    first: int = 1
    second: str = "x"


class Point(msgspec.Struct, frozen=True):
    x: int = 0


class Circle(msgspec.Struct, frozen=True, tag="circle"):
    r: float = 1.0


class Row(msgspec.Struct, frozen=True, array_like=True):
    a: int = 1
    b: frozenset[int] = frozenset()


class Colliding(str):
    """A set has these in the order of their insertion, as one has texts in the order of the process's hash seed."""

    __slots__ = ()

    def __hash__(self) -> int:
        return 1


EVERY_KIND: list[tuple[Any, Any, Any]] = [
    (set[int], {10, 9, 2}, [2, 9, 10]),
    (frozenset[str], frozenset({"b", "a"}), ["a", "b"]),
    (set[bytes], {b"b", b"a"}, ["YQ==", "Yg=="]),
    (set[Colour], {Colour.RED, Colour.BLUE}, ["blue", "red"]),
    (set[Decimal], {Decimal("1.5"), Decimal("1.25")}, ["1.25", "1.5"]),
    (set[UUID], {UUID(int=5), UUID(int=4)}, [str(UUID(int=4)), str(UUID(int=5))]),
    (set[tuple[int, str]], {(1, "b"), (1, "a")}, [[1, "a"], [1, "b"]]),
    (frozenset[frozenset[int]], frozenset({frozenset({2}), frozenset({1, 3})}), [[1, 3], [2]]),
    (frozenset[Point], frozenset({Point(2), Point(1)}), [{"x": 1}, {"x": 2}]),
    (Any, {1, "a", None, 2.5, (1, 2)}, [None, 2.5, 1, [1, 2], "a"]),
    (bytes, b"\xff\x00", "/wA="),
    (bytearray, bytearray(b"a"), "YQ=="),
    (Colour, Colour.RED, "red"),
    (Level, Level.LOW, 1),
    (tuple[int, str], (1, "x"), [1, "x"]),
    (Pair, Pair(), [1, "x"]),
    (Row, Row(1, frozenset({3, 2})), [1, [2, 3]]),
    (Decimal, Decimal("1.10"), "1.10"),
    (UUID, UUID(int=5), str(UUID(int=5))),
    (Any, PurePosixPath("/x"), "/x"),
    (datetime, datetime(2020, 1, 1, tzinfo=UTC), "2020-01-01T00:00:00Z"),
    (date, date(2020, 1, 2), "2020-01-02"),
    (time, time(1), "01:00:00"),
    (timedelta, timedelta(seconds=90), "1m30s"),
    (float, math.nan, "nan"),
    (Any, 1j, "<complex>"),
    (Any, ValueError("canary"), "<ValueError>"),
]


@pytest.mark.parametrize(("kind", "value", "shown"), EVERY_KIND)
async def test_every_kind_of_value_is_described_as_json_has_it(kind, value, shown):
    holder = msgspec.defstruct("Holder", [("x", kind, msgspec.field(default_factory=lambda: value))], frozen=True)
    async with open_config(holder, Memory()) as config:
        (setting,) = config.describe()
    assert setting.value == shown
    assert json.loads(json.dumps(setting.value)) == shown


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        (dict[int, str], {2: "b", 10: "a"}, {"x.10": "a", "x.2": "b"}),
        (dict[Colour, int], {Colour.RED: 1}, {"x.red": 1}),
        (dict[date, int], {date(2020, 1, 1): 1}, {"x.2020-01-01": 1}),
        (dict[Any, Any], {None: 1, True: 2, (1, 2): 3}, {'x."[1, 2]"': 3, "x.null": 1, "x.true": 2}),
        (Circle, Circle(), {"x.type": "circle", "x.r": 1.0}),
        (Any, {"in": {1, "a"}, "at": Point(5)}, {"x.at.x": 5, "x.in": [1, "a"]}),
    ],
)
async def test_every_table_is_described_name_by_name(kind, value, shown):
    holder = msgspec.defstruct("Holder", [("x", kind, msgspec.field(default_factory=lambda: value))], frozen=True)
    async with open_config(holder, Memory()) as config:
        assert list({s.path: s.value for s in config.describe()}.items()) == list(shown.items())


@pytest.mark.parametrize("names", list(itertools.permutations(["a", "b", "c"])))
async def test_the_order_of_a_set_does_not_depend_on_the_process(names):
    for value in ({Colliding(name) for name in names}, {1, *map(Colliding, names)}, {Colliding(n): 1 for n in names}):
        tree = show(spot_of(value, Any))
        assert [item for item in tree if item != 1] == ["a", "b", "c"]


@dataclass(frozen=True)
class Plain:
    token: Secret[str] | None = None
    sizes: dict[str, int] = field(default_factory=dict)


async def test_a_dataclass_and_an_untyped_configuration_are_described_too():
    async with open_config(Plain, Memory({"sizes": {"a.b": 1}})) as config:
        assert [(s.path, s.value) for s in config.describe()] == [("token", None), ('sizes."a.b"', 1)]
    async with open_config(dict, Memory({"a": {"b": None}, "secret": 1})) as config:
        assert [(s.path, s.value) for s in config.describe()] == [("a.b", None), ("secret", "***")]
    async with open_config(dict, Memory({})) as config:
        assert config.describe() == ()


async def test_a_pydantic_model_is_described_and_its_own_secrets_are_hidden():
    pydantic = pytest.importorskip("pydantic")

    class Inner(pydantic.BaseModel):
        size: int = 1

    class Model(pydantic.BaseModel):
        key: pydantic.SecretStr = pydantic.SecretStr("canary")
        inner: Inner = Inner()

    async with open_config(Model, Memory({"inner": {"size": 2}})) as config:
        assert {s.path: s.value for s in config.describe()} == {"key": "***", "inner.size": 2}
