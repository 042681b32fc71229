"""What an unknown name may have meant: a path joined by one underscore, or the nearest name."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from reactive_config import Env, Files, Memory, StartupError, open_config
from reactive_config.errors import UnknownPath

pydantic = pytest.importorskip("pydantic")
alias_generators = pytest.importorskip("pydantic.alias_generators")


class Pool(msgspec.Struct, frozen=True):
    max_size: int = 10


class Database(msgspec.Struct, frozen=True):
    pool: Pool | None = None
    name: str = ""


class App(msgspec.Struct, frozen=True):
    database: Database = Database()
    log: dict[str, str] = {}
    log_level: str = ""
    me: Any = None


class Camel(msgspec.Struct, frozen=True, rename="camel"):
    max_size: int = 10
    http_port: int = 80


class Root(msgspec.Struct, frozen=True):
    pool_options: Camel = Camel()


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    database: Database = Database()


class Model(pydantic.BaseModel, alias_generator=alias_generators.to_camel):
    max_size: int = 10


class Self(msgspec.Struct):
    a: Self | None = None
    a_a: Self | None = None


async def noted(kind, *sources):
    async with open_config(kind, *sources) as config:
        return [note.partition(": unknown key, ignored")[2] for note in config.status().notes]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DATABASE_POOL_MAX_SIZE", "DATABASE__POOL__MAX_SIZE"),
        ("database_pool_max_size", "DATABASE__POOL__MAX_SIZE"),
        ("DATABASE__POOL_MAX_SIZE", "DATABASE__POOL__MAX_SIZE"),
        ("DATABASE_POOL__MAX_SIZE", "DATABASE__POOL__MAX_SIZE"),
        ("DATABASE_NAME", "DATABASE__NAME"),
        ("LOG_ROOT", "LOG__ROOT"),
        ("DATABSE__NAME", "DATABASE__NAME"),
        ("DATABASE__POOL__MAX_SISE", "DATABASE__POOL__MAX_SIZE"),
        ("LOG_LEVELS", "LOG__LEVELS"),
        ("NOTHING_LIKE_IT_HERE", ""),
    ],
)
async def test_a_variable_with_one_underscore(name, meant):
    (note,) = await noted(App, Env("S_", environ={f"S_{name}": "1"}))
    assert note == (f"; did you mean S_{meant}?" if meant else "") + f" (environment S_{name})"


async def test_the_same_in_a_dotenv_file_and_in_a_document(tmp_path):
    dotenv, json = tmp_path / "a.env", tmp_path / "b.json"
    dotenv.write_text("DATABASE_POOL_MAX_SIZE=1\n")
    json.write_text('{"database": {"pool_max_size": 1}}')
    in_json, in_dotenv = await noted(App, Files(dotenv, json))
    assert in_json.startswith("; did you mean database.pool.max_size? (")
    assert in_dotenv.startswith("; did you mean DATABASE__POOL__MAX_SIZE? (")


async def test_a_type_that_refuses_unknown_names_says_it_too(tmp_path):
    file = tmp_path / "a.env"
    file.write_text("DATABASE_POOL_MAX_SIZE=1\n")
    with pytest.raises(StartupError, match=r"got an unknown name, did you mean DATABASE__POOL__MAX_SIZE\?"):
        await noted(Strict, Files(file))
    with pytest.raises(StartupError, match=r"got an unknown name, did you mean database\.pool\.max_size\?"):
        await noted(Strict, Memory({"database_pool_max_size": 1}))


@pytest.mark.parametrize("name", ["MAX_SIZE", "MAXSIZE", "maxSize"])
@pytest.mark.parametrize("kind", [Camel, Model])
async def test_a_variable_follows_the_names_of_the_configuration_by_their_words(kind, name):
    """`rename="camel"` of a Struct, and pydantic's aliases."""
    async with open_config(kind, Env("S_", environ={f"S_{name}": "7"})) as config:
        assert config.current.max_size == 7
        assert config.explain("maxSize")[0].origin.place == f"S_{name}"


async def test_two_spellings_of_one_name_are_refused():
    with pytest.raises(StartupError, match="expected one variable for maxSize, got S_MAXSIZE and S_MAX_SIZE"):
        await noted(Camel, Env("S_", environ={"S_MAX_SIZE": "1", "S_MAXSIZE": "2"}))


async def test_a_fields_own_name_comes_before_another_ones_words():
    kind = msgspec.defstruct("Both", [("maxSize", int, 0), ("max_size", int, 0)])
    async with open_config(kind, Env("S_", environ={"S_MAX_SIZE": "1"})) as config:
        assert (config.current.maxSize, config.current.max_size) == (0, 1)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("POOL_OPTIONS_HTTP_PORT", "POOL_OPTIONS__HTTP_PORT"), ("POOL_OPTIONS__HTTPORT", "POOL_OPTIONS__HTTP_PORT")],
)
async def test_a_hint_spells_renamed_fields_by_their_words(name, meant):
    (note,) = await noted(Root, Env("S_", environ={f"S_{name}": "1"}))
    assert note == f"; did you mean S_{meant}? (environment S_{name})"


async def test_a_document_is_told_the_name_that_the_configuration_has():
    (note,) = await noted(Root, Memory({"pool_options": {"max_size": 1}}))
    assert note.startswith("; did you mean maxSize? (")


class Other(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    workers: int = msgspec.field(default=1, name="processes")


async def test_the_name_that_a_field_has_in_python_is_told_the_one_of_the_configuration():
    kind = msgspec.defstruct("Around", [("part", Other, Other())])
    (note,) = await noted(kind, Env("S_", environ={"S_PART__WORKERS": "1"}))
    assert note == "; did you mean S_PART__PROCESSES? (environment S_PART__WORKERS)"
    with pytest.raises(StartupError, match=r"got an unknown name, did you mean part\.processes\?"):
        await noted(kind, Memory({"part": {"workers": 1}}))
    (note,) = await noted(Root, Memory({"pool_options": {"http_port": 1}}))
    assert note.startswith("; did you mean httpPort? (")


class Choices(pydantic.BaseModel):
    lives: int = pydantic.Field(9, validation_alias=pydantic.AliasChoices("catLives", "nine"))


@pytest.mark.parametrize(("kind", "path", "meant"), [(Other, "workers", "processes"), (Choices, "nine", "catLives")])
async def test_a_path_by_another_name_of_a_field_is_told_the_one_that_counts(kind, path, meant):
    async with open_config(kind, Memory()) as config:
        with pytest.raises(UnknownPath, match=rf"got {path}; did you mean {meant}\?"):
            config.select(path)


@pytest.mark.parametrize("name", ["A" + "_A" * 40 + "_B", "A" * 5000])
async def test_a_long_name_takes_no_time(name):
    (note,) = await noted(Self, Env("S_", environ={f"S_{name}": "1"}))
    assert note.startswith(" (environment S_A")
