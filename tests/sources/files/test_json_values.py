"""Tables that a mounted value, or a line of a dotenv file, spells in JSON: they merge as those of variables do."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reactive_config import Files, Memory, Secret, StartupError, open_config
from reactive_config._core.delta import Bare
from reactive_config._sources.files import file_documents
from reactive_config._sources.json_tables import read_table

pytestmark = pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": False})])


class Database(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    dsn: Secret[str] = Secret("")
    max_size: int = 10
    name: str = "n"


class App(msgspec.Struct, frozen=True):
    database: Database = Database()
    maybe: Database | None = None
    free: dict[str, dict[str, int]] = {}
    open: Any = None
    either: Database | str = ""
    text: str = ""
    names: list[str] = []


LOWER = {"database": {"max_size": 8, "name": "low"}, "free": {"a": {"x": 1}}}


def mounted(directory: Path, **contents: str) -> Files:
    for name, text in contents.items():
        (directory / name).write_text(text)
    return Files(directory, values=True, settle=0.02)


def dotenv(directory: Path, **contents: str) -> Files:
    (directory / "app.env").write_text("".join(f"{name}='{text}'\n" for name, text in contents.items()))
    return Files(directory / "app.env", settle=0.02)


@pytest.mark.parametrize("made", [mounted, dotenv])
async def test_a_table_is_laid_over_that_of_a_lower_layer(made: Any, tmp_path: Path) -> None:
    files = made(tmp_path, database='{"dsn": "canary", "name": "hello"}', free='{"a": {"y": 2}, "b": {}}')
    async with open_config(App, Memory(LOWER), files) as config:
        assert config.current.database == Database(Secret("canary"), 8, "hello")
        assert config.current.free == {"a": {"x": 1, "y": 2}, "b": {}}
        assert "canary" not in repr([config.explain("database"), config.describe(), config.status()])


@pytest.mark.parametrize("made", [mounted, dotenv])
async def test_what_may_be_a_text_keeps_it(made: Any, tmp_path: Path) -> None:
    text = '{"name": "x"}'
    async with open_config(App, made(tmp_path, open=text, either="{hello}", text=text, names='["a"]')) as config:
        current = config.current
        assert (current.open, current.either, current.text, current.names) == (text, "{hello}", text, ["a"])


@pytest.mark.parametrize("made", [mounted, dotenv])
async def test_null_is_no_table(made: Any, tmp_path: Path) -> None:
    async with open_config(App, made(tmp_path, maybe="null")) as config:
        assert config.current.maybe is None


async def test_a_value_of_a_mounted_table_is_explained_by_its_file_and_place(tmp_path: Path) -> None:
    files = mounted(tmp_path, database='{"dsn": "canary",\n  "name": "hello"}')
    async with open_config(App, Memory(LOWER), files) as config:
        first, second = config.explain("database.name")
        place = f"{tmp_path}/database"
        assert (first.value, first.in_force, first.origin.place, first.origin.line) == ("hello", True, place, 2)
        assert (second.value, second.in_force) == ("low", False)
        [only] = config.explain("database.max_size")
        assert (only.value, only.in_force) == (8, True)
        settings = {setting.path: setting.origin for setting in config.describe()}
        origin = settings["database.name"]
        assert origin is not None
        assert origin.place == place


async def test_a_value_of_a_dotenv_table_is_explained_by_its_line(tmp_path: Path) -> None:
    files = dotenv(tmp_path, TEXT="x", DATABASE='{"name": "hello", "max_size": 5}', DATABASE__MAX_SIZE="6")
    async with open_config(App, files) as config:
        assert config.current.database == Database(name="hello", max_size=6)
        assert [config.explain(f"database.{name}")[0].origin.line for name in ("name", "max_size")] == [2, 3]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(("name", "kind"), [("database", Database), ("maybe", Database), ("either", Database)])
async def test_a_deeper_line_of_dotenv_is_laid_over_it(order: int, name: str, kind: Any, tmp_path: Path) -> None:
    lines = {name.upper(): '{"name": "x", "max_size": 1}', f"{name.upper()}__MAX_SIZE": "2"}
    files = dotenv(tmp_path, **dict(list(lines.items())[::order]))
    async with open_config(App, files) as config:
        assert getattr(config.current, name) == kind(name="x", max_size=2)


async def test_dotenv_tables_at_several_depths_merge_from_the_shallow_to_the_deep(tmp_path: Path) -> None:
    files = dotenv(tmp_path, A__B='{"d": 2}', A='{"b": {"c": 1, "e": 0}, "f": 4}', A__F__G="5", A__B__E="3")
    async with open_config(dict[str, dict[str, Any]], files) as config:
        assert config.current == {"a": {"b": {"c": 1, "d": 2, "e": 3}, "f": {"g": 5}}}


async def test_a_dotenv_line_below_a_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartupError) as caught:
        async with open_config(App, dotenv(tmp_path, TEXT='{"v1": 1}', TEXT__V2="2")):
            pass
    [problem] = caught.value.problems
    assert (problem.expected, problem.got) == ("each name to be a value or a table", "both, from TEXT and TEXT__V2")


@pytest.mark.parametrize(
    ("text", "expected", "line", "column"),
    [
        ('\n{"name": canary}', "valid JSON", 2, 10),
        ('{"name": "canary", "name": 2}', "every key once in its table", 1, 20),
        ('{"max_size": 99999999999999999999}', "an integer of at most 64 bits", 1, 14),
    ],
)
async def test_a_mounted_table_that_cannot_be_read_names_its_place(
    text: str, expected: str, line: int, column: int, tmp_path: Path
) -> None:
    with pytest.raises(StartupError) as caught:
        async with open_config(App, mounted(tmp_path, database=text)):
            pass
    [problem] = caught.value.problems
    assert problem.origin is not None
    place = problem.origin
    assert (problem.path, problem.expected) == ("database", expected)
    assert (place.place, place.line, place.column) == (f"{tmp_path}/database", line, column)
    assert "canary" not in str(caught.value)


async def test_a_dotenv_table_that_cannot_be_read_names_its_variable_and_line(tmp_path: Path) -> None:
    with pytest.raises(StartupError) as caught:
        async with open_config(App, dotenv(tmp_path, TEXT="x", DATABASE='{"name": canary}')):
            pass
    [problem] = caught.value.problems
    assert problem.origin is not None
    assert (problem.expected, problem.origin.line) == ("valid JSON in DATABASE", 2)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("made", [mounted, dotenv])
@pytest.mark.parametrize("text", ['{"x": ' * levels + "1" + "}" * levels for levels in (128, 129)])
async def test_a_table_that_nests_too_deep_is_refused(made: Any, text: str, tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="nested at most 128 deep"):
        async with open_config(dict[str, dict[str, Any]], made(tmp_path, a=text)):
            pass


@pytest.mark.parametrize("made", [mounted, dotenv])
async def test_a_table_as_deep_as_it_may_be_is_taken(made: Any, tmp_path: Path) -> None:
    text = '{"x": ' * 127 + "1" + "}" * 127
    async with open_config(dict[str, dict[str, Any]], made(tmp_path, a=text)) as config:
        assert list(config.current) == ["a"]


@pytest.mark.parametrize(("names", "on_loop"), [(10, True), (20_000, False)])
async def test_a_long_table_is_read_in_a_thread(
    names: int, on_loop: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def read(value: Bare) -> Any:
        threads.append(threading.current_thread())
        return read_table(value)

    monkeypatch.setattr(file_documents, "read_table", read)
    text = msgspec.json.encode({f"k{number}": {"n": number} for number in range(names)}).decode()
    async with open_config(App, mounted(tmp_path, free=text)) as config:
        assert len(config.current.free) == names
    assert [thread is threading.main_thread() for thread in threads] == [on_loop]
