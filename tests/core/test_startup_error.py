"""What a start that fails says: the cause first, then what it may explain, on one screen, at the right place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import pytest

from reactive_config import Env, EnvName, Files, Memory, Secret, StartupError, open_config
from reactive_config.errors import Problem
from reactive_config.sources import Bare, Malformed, Replace, Source
from reactive_config.status import SourceState


class Database(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    dsn: Secret[str]
    host: str
    port: int = 5432


class App(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    database: Database
    name: str
    region: str
    log: dict[str, str] = {}


OPTIONAL = "(or optional=True for the source)"
SUFFIXES = ".env, .json, .toml, .yaml, .yml"
GOOD = "database:\n  dsn: x\n  host: y\nname: shop\nregion: eu\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory of a program, without a file."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


async def failure(*sources, kind=App) -> StartupError:
    with pytest.raises(StartupError) as caught:
        async with open_config(kind, *sources, startup_timeout=5):
            pass
    return caught.value


def lines(error: StartupError) -> list[str]:
    head, *rest = str(error).split("\n  ")
    assert head == "no first configuration:"
    return rest


async def test_directories_that_do_not_exist_are_the_cause_and_missing_fields_one_line(folder):
    error = await failure(Files("config/common", "config/production"))
    assert lines(error) == [
        f"(root): expected a directory (or optional=True for the source), got none at {folder}/{layer} (files {layer})"
        for layer in ("config/common", "config/production")
    ] + ["3 required values are missing, perhaps because of that: database, name, region"]
    assert [problem.path for problem in error.problems] == ["", ""]
    assert error.missing == ("database", "name", "region")


@pytest.mark.parametrize(
    ("path", "values", "said"),
    [
        ("app.toml", False, f"a file {OPTIONAL}, got none at {{folder}}/app.toml (files app.toml)"),
        ("empty", False, f"a file in the directory that ends in {SUFFIXES} {OPTIONAL}, got none (files empty)"),
        ("empty", True, f"a file in the directory {OPTIONAL}, got none (files empty)"),
    ],
)  # fmt: skip
async def test_what_is_looked_for_is_told(folder, path, values, said):
    (folder / "empty").mkdir()
    (folder / "empty/subdirectory").mkdir()
    (folder / "empty/app.conf").write_text("x")
    if values:
        (folder / "empty/app.conf").unlink()
    error = await failure(Files(path, values=values))
    assert lines(error)[0] == f"(root): expected {said.format(folder=folder)}"


async def test_an_optional_source_that_has_nothing_is_named_first(folder):
    error = await failure(Files("config/common", optional=True), Env("SHOP_", environ={"SHOP_NAME": "x"}))
    assert lines(error) == [
        "files config/common: nothing is there, which optional=True allows",
        "database: expected table, got nothing",
        "region: expected str, got nothing: write it into a layer, or set SHOP_REGION",
    ]
    assert error.missing == ()


class Named(msgspec.Struct, frozen=True):
    token: Annotated[Secret[str], EnvName("OLD_TOKEN"), EnvName("API_TOKEN")]
    pool: dict[str, int] = {}
    database: Database | None = None


async def test_a_missing_value_names_its_own_variable_and_no_place_that_has_nothing_to_do_with_it(folder):
    write("e.yaml", "# a comment\npool: {}\n")
    error = await failure(Files("e.yaml"), Env("SHOP_", environ={"PATH": "x"}), kind=Named)
    assert lines(error) == ["token: expected a secret str, got nothing: write it into a layer, or set OLD_TOKEN"]


async def test_without_variables_none_is_named(folder):
    write("e.yaml", "pool: {}\n")
    assert lines(await failure(Files("e.yaml"), kind=Named)) == ["token: expected a secret str, got nothing"]


async def test_a_missing_value_in_a_table_names_the_place_of_the_table(folder):
    write("e.yaml", "token: x\ndatabase:\n  dsn: y\n")
    assert lines(await failure(Files("e.yaml"), Env("SHOP_", environ={}), kind=Named)) == [
        "database.host: expected str, got nothing: write it into a layer, or set SHOP_DATABASE__HOST (files e.yaml:2:1)"
    ]


async def test_a_file_that_cannot_be_read_explains_what_is_missing(folder):
    write("config/app.yaml", GOOD.replace("  dsn", "\tdsn"))
    error = await failure(Files("config"), Env("SHOP_", environ={"SHOP_NAME": "x"}))
    assert lines(error) == [
        "(root): expected valid YAML, got a tab that indents this line (YAML wants spaces) (files config/app.yaml:2:1)",
        "2 required values are missing, perhaps because of that: database, region",
    ]


async def test_a_layer_whose_only_file_cannot_be_read_is_not_told_to_be_empty_but_another_one_is(folder):
    write("config/app.json", "{,}")
    error = await failure(Files("config", "other"))
    assert [problem.expected[:10] for problem in error.problems] == ["valid JSON", "a director"]


async def test_a_misspelt_table_stands_where_its_key_does_and_explains_what_is_missing(folder):
    write("config/app.yaml", GOOD.replace("database", "databse"))
    got = "got an unknown name, did you mean database? (files config/app.yaml:1:1)"
    assert lines(await failure(Files("config"))) == [
        f"databse: expected one of the names database, name, region, log, {got}",
        "1 required value is missing, perhaps because of that: database",
    ]


DOCUMENTS = {
    "app.yaml": ("database:\n  dsn: x\n  hots: y\nname: x\nregion: y\n", "3:3"),
    "app.json": ('{\n "name": "x", "region": "y",\n "database": {\n  "dsn": "x",\n  "hots": "y"}}', "5:3"),
    "app.toml": ('name = "x"\nregion = "y"\n[database]\ndsn = "x"\n  hots = "y"\n', "5:3"),
    ".env": ("NAME=x\nREGION=y\nDATABASE__DSN=x\nexport DATABASE__HOTS=y\n", "4:8"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_an_unknown_key_is_told_where_it_stands(folder, name):
    text, place = DOCUMENTS[name]
    write(name, text)
    (problem,) = (await failure(Files(name))).problems
    assert str(problem.origin) == f"files {name}:{place}"
    assert problem.got == "an unknown name, did you mean host?"


async def test_what_is_wrong_comes_before_what_is_missing(folder):
    write("config/app.yaml", "database:\n  port: lots\n  dsn: x\nname: 7\n")
    assert lines(await failure(Files("config"))) == [
        "database.port: expected int, got 'lots' (files config/app.yaml:2:9)",
        "name: expected str, got 7 (files config/app.yaml:4:7)",
        "database.host: expected str, got nothing (files config/app.yaml:1:1)",
        "region: expected str, got nothing",
    ]


async def test_nothing_is_guessed_of_a_name_that_is_near_to_none():
    error = await failure(Memory({"database": {"dsn": "x", "host": "y"}, "name": "x", "region": "y", "zzz": 1}))
    assert error.problems[0].got == "an unknown name"


async def test_many_problems_are_a_screenful():
    error = await failure(Memory({f"k{number}": 1 for number in range(100)}), kind=App)
    told = str(error).split("\n")
    assert len(told) <= 24
    assert told[-1] == "  ... and 82 more"
    assert len(error.problems) == 103
    # Only the first ones are looked at for what they may mean.
    assert "did you mean" not in error.problems[50].got


def test_sources_and_hints_count_as_lines_too():
    troubles = {f"etcd{number}": "stale: no route" for number in range(15)}
    problems = [Problem(f"p{number}", "int", "text") for number in range(15)]
    error = StartupError(problems, troubles, missing=[f"m{number}" for number in range(9)], hints=["a hint"])
    told = str(error).split("\n  ")
    assert len(told) == 24
    assert told[1] == "etcd0: stale: no route"
    assert told[16] == "a hint"
    assert told[-2:] == [
        "... and 10 more",
        "9 required values are missing, perhaps because of that: m0, m1, m2, m3, m4 and 4 more",
    ]


async def test_a_source_of_the_program_says_what_its_empty_layer_lacks():
    class Bucket(Source):
        name, layers, places = "bucket", ("all",), ("s3://shop",)

        async def run(self, feed):
            feed.send(Replace({}, absent={0: Malformed("a bucket", "none of that name")}))
            feed.state(SourceState.SYNCED)

    error = await failure(Bucket(), kind=dict)
    assert lines(error) == ["(root): expected a bucket, got none of that name (bucket s3://shop)"]


async def test_names_below_a_secret_get_no_hint():
    class Vault(msgspec.Struct, frozen=True):
        inner: Secret[Database]

    error = await failure(Memory({"inner": {"dsn": Bare("x"), "hots": 1}}), kind=Vault)
    assert not any("did you mean" in problem.got for problem in error.problems)
