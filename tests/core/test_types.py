"""Configuration types of every library, and what bare texts and durations become in them."""

from __future__ import annotations

import dataclasses
import enum
import uuid
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import attrs
import msgspec
import pydantic
import pytest
from msgspec import Meta

from reactive_config import Memory, Secret, StartupError, open_config
from reactive_config._core.decoding.bare_values import duration
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.decoding.decode import decode
from reactive_config._core.redaction import show, spot_of
from reactive_config.sources import Bare


class StructApp(msgspec.Struct):
    port: int
    name: str = "x"
    wait: timedelta = timedelta(seconds=1)


@dataclasses.dataclass
class DataclassApp:
    port: int
    name: str = "x"
    wait: timedelta = timedelta(seconds=1)


@attrs.define
class AttrsApp:
    port: int
    name: str = "x"
    wait: timedelta = timedelta(seconds=1)


class TypedDictApp(TypedDict):
    port: int
    name: NotRequired[str]
    wait: NotRequired[timedelta]


class PydanticApp(pydantic.BaseModel):
    port: int
    name: str = "x"
    wait: timedelta = timedelta(seconds=1)
    token: Secret[str] = Secret("t")


class OuterApp(msgspec.Struct):
    inner: PydanticApp
    models: list[PydanticApp] = []


KINDS = [StructApp, DataclassApp, AttrsApp, TypedDictApp, PydanticApp]


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_type_follows_the_stream(kind):
    def read(config, name):
        return config.current[name] if kind is TypedDictApp else getattr(config.current, name)

    memory = Memory({"port": Bare("80"), "wait": "10m"})
    async with open_config(kind, memory) as config:
        assert (read(config, "port"), read(config, "wait")) == (80, timedelta(minutes=10))
        port = config.select("port")
        await memory.patch({"port": 81, "name": Bare("1.10")})
        assert (port.current, read(config, "name")) == (81, "1.10")
        assert config.snapshot.changed == {"port", "name"}


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_type_names_the_path_that_does_not_fit(kind):
    with pytest.raises(StartupError) as caught:
        async with open_config(kind, Memory({"port": "canary"})):
            pass
    assert [p.path for p in caught.value.problems] == ["port"]
    with pytest.raises(StartupError) as caught:
        async with open_config(kind, Memory({})):
            pass
    assert [(p.path, p.got) for p in caught.value.problems] == [("port", "nothing")]


async def test_models_inside_structs_and_lists_are_decoded_too():
    tree = {"inner": {"port": 1, "token": "canary"}, "models": [{"port": 2}, {"port": 3}]}
    async with open_config(OuterApp, Memory(tree)) as config:
        assert config.current.inner.token.reveal() == "canary"
        assert [m.port for m in config.current.models] == [2, 3]
        assert "canary" not in repr(config.current)
    with pytest.raises(StartupError) as caught:
        async with open_config(OuterApp, Memory({"inner": {"port": 1}, "models": [{"port": 2}, {"port": "x"}]})):
            pass
    assert [p.path for p in caught.value.problems] == ["models[1].port"]


async def test_an_untyped_configuration_infers_json_scalars_and_shares_nothing():
    tree = {"a": {"n": Bare("1.10"), "t": Bare("true"), "v": Bare("v1"), "z": Bare("null")}, "l": [{"x": 1}]}
    memory = Memory(tree)
    async with open_config(dict, memory) as config:
        assert config.current == {"a": {"n": 1.1, "t": True, "v": "v1", "z": None}, "l": [{"x": 1}]}
        config.current["l"][0]["x"] = 99
        config.current["a"].clear()
        await memory.patch({"b": 1, "a": {"q": 2}})
        assert config.current["a"] == {"n": 1.1, "t": True, "v": "v1", "z": None, "q": 2}
        assert config._runtime.acceptance.stack.tree["l"] == [{"x": 1}]


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Fields(msgspec.Struct):
    value: Any = None


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("1.10", str, "1.10"),
        ("1.10", float, 1.1),
        ("1", float, 1.0),
        ("25", int, 25),
        ("true", bool, True),
        ("null", str, "null"),
        ("null", str | None, "null"),
        ("null", int | None, None),
        ("5", int | str, "5"),
        ("", str, ""),
        ("red", Colour, Colour.RED),
        ("1", Level, Level.LOW),
        ("a", Literal["a", "b"], "a"),
        ("2", Literal[1, 2], 2),
        ("2020-01-02", date, date(2020, 1, 2)),
        ("1.10", Decimal, Decimal("1.10")),
        ("12345678-1234-5678-1234-567812345678", uuid.UUID, uuid.UUID("12345678-1234-5678-1234-567812345678")),
        ("[1, 2]", list[int], [1, 2]),
        ('{"a": 1}', dict[str, int], {"a": 1}),
        ("30s", timedelta, timedelta(seconds=30)),
        ("30", timedelta | None, timedelta(seconds=30)),
        ("null", timedelta | None, None),
        ("s3cret", Secret[str], Secret("s3cret")),
        ("5", Secret[int] | None, Secret(5)),
        ("1.10", Any, 1.1),
        ("abc", Any, "abc"),
        ("90071992547409931", Any, 90071992547409931),
        ("1e999", Any, "1e999"),
        ("007", Any, "007"),
    ],
)
def test_a_bare_text_becomes_what_the_type_says(text, kind, expected):
    part, faults = decode(compile_plan(dict[str, kind]), {"k": Bare(text)}, None, None)
    assert part is not None, faults
    assert part.value == {"k": expected}
    assert type(part.value["k"]) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (Bare("nan"), float),
        (Bare("inf"), float | None),
        (Bare("x"), int),
        (Bare(""), int),
        (Bare("[1"), list[int]),
        (Bare("ten"), timedelta),
        ("25", int),
        (1, str),
        (1, bool),
        (1.0, int),
        (True, int),
        (None, int),
        (10**400, timedelta),
        ({"a": 1}, list[int]),
    ],
)
def test_nothing_else_is_bent(value, kind):
    part, faults = decode(compile_plan(dict[str, kind]), {"k": value}, None, None)
    assert part is None
    assert [f.path for f in faults] == [("k",)]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (5, 5),
        (0.5, 0.5),
        ("5", 5),
        ("30s", 30),
        ("10m", 600),
        ("1h30m", 5400),
        ("250ms", 0.25),
        ("2d", 172_800),
        ("PT5M", 300),
        ("-5s", -5),
        ("1h 5s", 3605),
    ],
)
def test_durations_are_read_in_every_spelling(value, seconds):
    assert duration(value) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["", "s", "5x", "5s5", "1e400", True, None, [], "--5s", 1e300])
def test_what_is_no_duration_is_none(value):
    assert duration(value) is None


@pytest.mark.timeout(10)
@pytest.mark.parametrize("text", ["P" + "1" * 100_000 + "D", "1" * 100_000 + "x", "-" + "1.1" * 30_000])
def test_a_long_text_is_no_duration_and_costs_no_more_than_its_length(text):
    """Looking for parts in it from every digit on took half a minute, in the loop."""
    assert duration(text) is None


class Deep(msgspec.Struct, forbid_unknown_fields=True):
    hosts: list[str] = []
    limits: dict[str, Annotated[int, Meta(le=500)]] = {}
    pair: tuple[int, str] = (1, "a")
    child: Deep | None = None


@pytest.mark.parametrize(
    ("tree", "path", "expected", "got"),
    [
        ({"limits": {"a.b": 9000}}, 'limits."a.b"', "int <= 500", "9000"),
        ({"hosts": ["a", 5, "b", None]}, "hosts[1]", "str", "5"),
        ({"pair": [1, 2]}, "pair[1]", "str", "2"),
        ({"child": {"child": {"hosts": "x"}}}, "child.child.hosts", "list", "str"),
        ({"child": {"chidl": 1}}, "child.chidl", "one of the names hosts, limits, pair, child", "an unknown name"),
        ({"child": 5}, "child", "table", "int"),
    ],
)
def test_problems_name_the_full_path_what_was_expected_and_what_was_there(tree, path, expected, got):
    from reactive_config._core.paths import format_path

    _, faults = decode(compile_plan(Deep), tree, None, None)
    first = faults[0]
    assert (format_path(first.path) + first.inside, first.expected, first.got) == (path, expected, got)


def test_a_validator_s_text_is_not_copied():
    class Quoting(msgspec.Struct):
        dsn: str

        def __post_init__(self):
            raise ValueError(f"Expected something better than {self.dsn}")

    for kind in (Quoting, list[Quoting]):
        tree = {"q": {"dsn": "canary"}} if kind is Quoting else {"q": [{"dsn": "canary"}]}
        _, faults = decode(compile_plan(dict[str, kind]), tree, None, None)
        assert faults
        assert "canary" not in repr(faults)


def test_a_bare_number_out_of_bounds_is_refused_for_its_bounds():
    _, faults = decode(compile_plan(dict[str, Annotated[int, Meta(le=500)]]), {"n": Bare("9000")}, None, None)
    assert [(f.expected, f.got) for f in faults] == [("int <= 500", "9000")]


@pytest.mark.parametrize("kind", [list[dict[str, Any]], int | dict[str, Any], list[Any], Any, tuple[Any, ...]])
def test_secrets_are_hidden_by_name_wherever_no_type_says_more(kind):
    assert "canary" not in repr(show(spot_of([{"password": "canary", "deep": [{"api_key": "canary"}]}], kind)))
    assert "canary" not in repr(show(spot_of({"password": "canary", "deep": [{"api_key": "canary"}]}, kind)))


def test_secrets_are_hidden_by_type_inside_lists_and_optionals():
    assert show(spot_of(["canary"], list[Secret[str]])) == ["***"]
    assert show(spot_of({"a": "canary", "b": None}, dict[str, Secret[str] | None])) == {"a": "***", "b": None}
    assert show(spot_of([{"port": 1, "token": "canary"}], list[PydanticApp])) == [{"port": 1, "token": "***"}]


def test_a_custom_error_of_pydantic_is_not_copied_either():
    from pydantic_core import PydanticCustomError

    class Model(pydantic.BaseModel):
        dsn: str

        @pydantic.field_validator("dsn")
        @classmethod
        def quoting(cls, value: str) -> str:
            raise PydanticCustomError("my_own", "not {value}", {"value": value})

    for kind, tree in ((Model, {"dsn": "canary"}), (list[Model], [{"dsn": "canary"}])):
        _, faults = decode(compile_plan(dict[str, kind]), {"m": tree}, None, None)
        assert [f.expected for f in faults] == ["what Model accepts"]
        assert "canary" not in repr(faults)


class Ratio(msgspec.Struct, frozen=True):
    """A Struct of scalars, which is made in one call."""

    of: float = 1.0
    to: float | None = None


class Ratios(msgspec.Struct):
    """Every way in which a float is decoded."""

    bare: float = 0.0
    flat: Ratio = Ratio()
    flats: dict[str, Ratio] = {}
    floats: dict[str, float] = {}
    perhaps: float | None = None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("path", ["bare", "flat.of", "flat.to", "flats.k.of", "flats.k.to", "floats.k", "perhaps"])
def test_a_float_that_is_not_finite_is_refused_wherever_it_stands(path, value):
    """A source should not send one; if it does, NaN would differ from itself for ever."""
    names = path.split(".")
    tree = value
    for name in reversed(names):
        tree = {name: tree}
    part, faults = decode(compile_plan(Ratios), tree, None, None)
    assert part is None
    assert [fault.path for fault in faults] == [tuple(names)]
