"""`EnvName`: a field that a variable of its own name gives its value, whatever the prefix."""

from __future__ import annotations

import typing
from dataclasses import dataclass, field
from typing import Annotated, Any, NewType, NotRequired

import attrs
import msgspec
import pytest
from typing_extensions import TypedDict

from reactive_config import Env, EnvName, Files, Memory, Secret, StartupError, open_config
from reactive_config.errors import TypeNotSupported

pydantic = pytest.importorskip("pydantic")

Dsn = Annotated[str, EnvName("DB_DSN")]


class Pool(msgspec.Struct, frozen=True):
    max_size: int = 10
    min_size: Annotated[int, EnvName("POOL_MIN"), msgspec.Meta(le=5)] = 1


class StructBase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    dsn: Dsn = ""
    pool: Annotated[Pool, EnvName("POOL_JSON")] = Pool()
    names: Annotated[list[str], EnvName("NAMES")] = []
    token: Annotated[Secret[str], EnvName("API_TOKEN")] = Secret("")
    inner: Secret[Annotated[str, EnvName("INNER")]] = Secret("")
    maybe: Annotated[str, EnvName("MAYBE")] | None = None


class Renamed(msgspec.Struct, frozen=True, rename="camel"):
    db_dsn: Dsn = ""


@dataclass
class Plain:
    dsn: Dsn = ""


@attrs.define
class Attrs:
    dsn: Dsn = attrs.field(default="", converter=str)
    size: Annotated[int, EnvName("SIZE")] = attrs.field(default=0, converter=lambda size: size)


class Typed(TypedDict, total=False):
    dsn: NotRequired[Dsn]


class Model(pydantic.BaseModel, extra="forbid"):
    dsn: Dsn = ""
    url: Annotated[str, EnvName("URL")] = pydantic.Field("", validation_alias=pydantic.AliasPath("web", "url"))


class Aliased(pydantic.BaseModel):
    dsn: Annotated[str | None, EnvName("DB_DSN")] = pydantic.Field(None, alias="databaseDsn")


class Red(msgspec.Struct, tag="red"):
    dsn: Dsn = ""


class Blue(msgspec.Struct, tag="blue"):
    dsn: Dsn = ""
    depth: Annotated[int, EnvName("DEPTH")] = 0


Named = NewType("Named", Annotated[str, EnvName("DB_DSN")])  # type: ignore[valid-newtype]


def holding(kind: Any, default: Any = msgspec.NODEFAULT) -> Any:
    """A root with one field of a type."""
    return msgspec.defstruct("Root", [("part", kind, default)], frozen=True)


async def read(kind: Any, *lower: Any, **environ: str) -> Any:
    async with open_config(kind, *lower, Env("S_", environ=environ)) as config:
        return config.current


@pytest.mark.parametrize("kind", [StructBase, Plain, Attrs, Model])
async def test_a_field_of_every_kind_of_type_is_read_from_its_variable(kind):
    assert (await read(holding(kind, kind()), DB_DSN="x", S_PART__DSN_="y")).part.dsn == "x"


@pytest.mark.parametrize(
    ("kind", "get"),
    [
        (Typed, lambda part: part["dsn"]),
        (Aliased, lambda part: part.dsn),
        (Renamed, lambda part: part.db_dsn),
        (pydantic.dataclasses.dataclass(Plain), lambda part: part.dsn),
        (pydantic.RootModel[Model], lambda part: part.root.dsn),
        (Plain | None, lambda part: part.dsn),
        (Red | Blue, lambda part: part.dsn),
        (typing.Final[Dsn], str),
        (Named, str),
        (Dsn | int, str),
        (Dsn | None, str),
    ],
)
async def test_a_field_inside_of_other_types_is_read_too(kind, get):
    lower = Memory({"part": {"type": "blue"}}) if kind == Red | Blue else Memory()
    assert get((await read(holding(kind), lower, DB_DSN="x")).part) == "x"


async def test_tables_lists_secrets_and_paths_of_aliases():
    current = await read(
        StructBase,
        Memory({"pool": {"max_size": 7}}),
        POOL_JSON='{"min_size": 2}',
        POOL_MIN="3",
        NAMES='["a"]',
        API_TOKEN="t",
        INNER="i",
        MAYBE="m",
    )
    assert current.pool == Pool(7, 3), "the table merges with the layer below, and the deeper variable is laid over it"
    assert (current.names, current.token, current.inner, current.maybe) == (["a"], Secret("t"), Secret("i"), "m")
    assert (await read(Model, URL="u")).url == "u"
    assert (await read(Attrs, SIZE="5")).size == 5


async def test_the_variable_with_the_prefix_wins_and_explain_shows_both():
    environ = {"DB_DSN": "shared", "S_DSN": "own", "POOL_JSON": '{"min_size": 2}', "S_POOL": '{"max_size": 3}'}
    async with open_config(StructBase, Env("S_", environ=environ)) as config:
        assert config.current.dsn == "own"
        assert config.current.pool == Pool(3, 2)
        said = config.explain("pool.min_size")
        assert [(one.origin.place, one.in_force) for one in said] == [("POOL_JSON", True)]
        assert [one.origin.place for one in config.explain("dsn")] == ["S_DSN", "DB_DSN"]
        assert config.status().notes == ()


async def test_the_origin_is_the_real_variable():
    with pytest.raises(StartupError) as caught:
        await read(StructBase, POOL_MIN="9")
    assert str(caught.value.problems[0]) == "pool.min_size: expected int <= 5, got 9 (environment POOL_MIN)"
    async with open_config(StructBase, Env("S_", environ={"DB_DSN": "x"})) as config:
        assert str(config.explain("dsn")[0].origin) == "environment DB_DSN"


async def test_of_several_names_the_first_wins():
    kind = holding(Annotated[str, EnvName("FIRST"), EnvName("SECOND")], "")
    assert (await read(kind, FIRST="1", SECOND="2")).part == "1"
    assert (await read(kind, SECOND="2")).part == "2"


async def test_a_named_variable_with_the_prefix_means_its_field_alone():
    """It is no unknown name, and no other field's."""
    kind = msgspec.defstruct("Root", [("dsn", str, ""), ("part", Annotated[str, EnvName("S_DSN")], "")])
    async with open_config(kind, Env("S_", environ={"S_DSN": "x"})) as config:
        assert (config.current.dsn, config.current.part) == ("", "x")
        assert config.status().notes == ()


async def test_a_variable_that_is_not_set_changes_nothing():
    assert await read(StructBase) == StructBase()


async def test_case_counts():
    assert (await read(StructBase, db_dsn="x")).dsn == ""


async def test_a_dotenv_file_knows_them_too(tmp_path):
    """Both names in one file are refused, as any two for one path are."""
    file = tmp_path / "app.env"
    file.write_text("DB_DSN=x\nPOOL__MAX_SIZE=3\n")
    async with open_config(StructBase, Files(file)) as config:
        assert (config.current.dsn, config.current.pool.max_size) == ("x", 3)
        assert config.explain("dsn")[0].origin.line == 1
    file.write_text("DB_DSN=x\nDSN=y\n")
    with pytest.raises(StartupError, match="expected one name for dsn, got DB_DSN and DSN"):
        async with open_config(StructBase, Files(file)):
            pass


async def test_a_name_that_sounds_like_a_secret_hides_the_value():
    kind = holding(Annotated[str, EnvName("DB_PASSWORD")], "")
    async with open_config(kind, Env("S_", environ={"DB_PASSWORD": "CANARY"})) as config:
        assert config.current.part == "CANARY"
        assert "CANARY" not in str(config.describe()) + str(config.explain("part"))


class Node(msgspec.Struct):
    """It may hold itself: then the outermost is meant."""

    dsn: Dsn = ""
    next: Node | None = None


async def test_of_a_type_that_holds_itself_the_outermost_is_meant():
    assert (await read(Node, DB_DSN="x")).dsn == "x"


async def test_a_type_with_many_paths_and_no_name_costs_nothing():
    """Two fields of one type at each of 40 levels: only the field beside them is named."""
    kind: Any = msgspec.defstruct("Level", [("size", int, 0)])
    for _ in range(40):
        kind = msgspec.defstruct("Level", [("left", kind | None, None), ("right", kind | None, None)])
    kind = msgspec.defstruct("Root", [("levels", kind | None, None), ("dsn", Dsn, "")])
    assert (await read(kind, DB_DSN="x")).dsn == "x"


class Twice(msgspec.Struct):
    primary: Plain = field(default_factory=Plain)
    replica: Plain = field(default_factory=Plain)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Twice, 'expected one field with EnvName("DB_DSN"), got primary.dsn and replica.dsn'),
        (holding(list[Plain]), 'expected EnvName("DB_DSN") at a field with a path of its own, got it in Plain'),
        (holding(dict[str, Plain]), 'expected EnvName("DB_DSN") at a field with a path of its own, got it in Plain'),
        (holding(dict[str, Dsn]), "got it in Root, which stands in a list or under any name"),
        (holding(tuple[int, Dsn]), "got it in Root, which stands in a list or under any name"),
    ],
)
async def test_names_that_nobody_can_follow_are_refused_when_the_configuration_is_opened(kind, words):
    with pytest.raises(TypeNotSupported) as caught:
        async with open_config(kind, Memory()):
            pass
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["", "A=B", "A\0", 5])
def test_a_name_that_no_variable_can_have_is_refused(name):
    with pytest.raises(ValueError, match="EnvName: expected a name"):
        EnvName(name)


async def test_bytes_that_are_no_text_are_told_by_the_name():
    with pytest.raises(StartupError, match=r"dsn: expected UTF-8 text, got other bytes \(environment DB_DSN\)"):
        await read(StructBase, DB_DSN="\udcff")
