"""Keys that no type knows: each is a note while it stays and one line of the log, whichever library made the type."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any, Literal

import attrs
import msgspec
import pytest
from typing_extensions import TypedDict

from reactive_config import Env, Files, Memory, Rejected, Secret, StartupError, open_config
from reactive_config.sources import Bare

pydantic = pytest.importorskip("pydantic")


class Pool(msgspec.Struct, frozen=True):
    max_size: int = 10


class Outer(msgspec.Struct, frozen=True):
    """A Struct that decodes part by part."""

    pool: Pool = Pool()
    free: dict[str, str] = {}


@dataclass
class Plain:
    max_size: int = 10
    names: list[str] = field(default_factory=list)


@attrs.define
class Attrs:
    max_size: int = 10


class Typed(TypedDict, total=False):
    max_size: int


class Model(pydantic.BaseModel):
    max_size: int = 10


class Aliased(pydantic.BaseModel):
    max_size: int = pydantic.Field(10, alias="maxSize")


class Forbidding(pydantic.BaseModel, extra="forbid"):
    max_size: int = 10


class Allowing(pydantic.BaseModel, extra="allow"):
    max_size: int = 10


class Inheriting(pydantic.BaseModel, extra="allow"):
    table: Typed = Typed()


class Legacy(pydantic.BaseModel):
    """It is given the table before anybody looks at its names."""

    max_size: int = 10

    @pydantic.model_validator(mode="before")
    @classmethod
    def _renamed(cls, table: Any) -> Any:
        return {"max_size": table.get("max_sise", 10)} if isinstance(table, dict) else table


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    max_size: int = 10


class Renamed(msgspec.Struct, frozen=True, rename="camel"):
    max_size: int = 10


class Red(msgspec.Struct, tag="red"):
    max_size: int = 10


class Blue(msgspec.Struct, tag="blue"):
    depth: int = 1


class Cat(pydantic.BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(pydantic.BaseModel):
    kind: Literal["dog"] = "dog"
    max_size: int = 10


class Home(pydantic.BaseModel):
    pet: Cat | Dog


class Node(msgspec.Struct):
    """It may hold itself."""

    max_size: int = 10
    children: list[Node] = []


def holding(kind: Any) -> Any:
    """A root with one field of a type."""
    return msgspec.defstruct("Root", [("part", kind)])


TYPO = {"max_sise": 3}
MEANT = "unknown key, ignored; did you mean max_size?"


@pytest.mark.parametrize(
    ("kind", "part", "path"),
    [
        (Pool, TYPO, "part.max_sise"),
        (Outer, {"pool": TYPO}, "part.pool.max_sise"),
        (Plain, TYPO, "part.max_sise"),
        (Attrs, TYPO, "part.max_sise"),
        (Typed, TYPO, "part.max_sise"),
        (Model, TYPO, "part.max_sise"),
        (pydantic.dataclasses.dataclass(Plain), TYPO, "part.max_sise"),
        (pydantic.RootModel[list[Model]], [{}, TYPO], "part[1].max_sise"),
        (Outer | None, {"pool": TYPO}, "part.pool.max_sise"),
        (Attrs | None, TYPO, "part.max_sise"),
        (dict[str, Pool], {"a": {}, "b": TYPO}, "part.b.max_sise"),
        (dict[str, Outer], {"a": {}, "b": {"pool": TYPO}}, "part.b.pool.max_sise"),
        (dict[str, list[Attrs]], {"a.b": [TYPO]}, 'part."a.b"[0].max_sise'),
        (list[Pool], [{}, TYPO], "part[1].max_sise"),
        (tuple[int, Pool], [1, TYPO], "part[1].max_sise"),
        (list[list[Typed]], [[], [{}, TYPO]], "part[1][1].max_sise"),
        (Red | Blue, {"type": "red", **TYPO}, "part.max_sise"),
        (Home, {"pet": {"kind": "dog", **TYPO}}, "part.pet.max_sise"),
        (Node, {"children": [{"children": [TYPO]}]}, "part.children[0].children[0].max_sise"),
        (Pool, Bare('{"max_sise": 3}'), "part.max_sise"),
        (list[Pool], Bare('[{"max_sise": 3}]'), "part[0].max_sise"),
    ],
)
async def test_a_typo_is_named_whatever_the_type(kind, part, path):
    async with open_config(holding(kind), Memory({"part": part})) as config:
        assert [note.split(" (")[0] for note in config.status().notes] == [f"{path}: {MEANT}"]


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        (Allowing, TYPO),
        (Legacy, TYPO),
        (dict, {"a": TYPO}),
        (dict[str, int], TYPO),
        (Any, TYPO),
        (Outer, {"free": {"max_sise": "3"}}),
        (dict[str, Any] | None, TYPO),
        (Renamed, {"maxSize": 3}),
        (Aliased, {"maxSize": 3}),
        (Inheriting, {"table": TYPO}),
        (Red | Blue, {"type": "blue", "depth": 2}),
        (Home, {"pet": {"kind": "dog", "max_size": 2}}),
        (list[Red | Blue], [{"type": "red"}, {"type": "blue", "depth": 2}]),
        (str, Bare('{"max_sise": 3}')),
    ],
)
async def test_a_name_that_is_known_or_free_is_no_note(kind, part):
    async with open_config(holding(kind), Memory({"part": part})) as config:
        assert config.status().notes == ()


@pytest.mark.parametrize(("kind", "name"), [(Renamed, "max_size"), (Aliased, "max_size")])
async def test_fields_count_by_their_configured_names(kind, name):
    async with open_config(holding(kind), Memory({"part": {name: 3}})) as config:
        (note,) = config.status().notes
        assert note.startswith(f"part.{name}: unknown key, ignored; did you mean maxSize?")


@pytest.mark.parametrize("kind", [Strict, Forbidding])
async def test_a_type_that_forbids_still_refuses(kind):
    with pytest.raises(StartupError, match=r"part\.max_sise: expected one of the names max_size, got an unknown name"):
        async with open_config(holding(kind), Memory({"part": TYPO})):
            pass


async def test_it_is_logged_once_while_it_stays_and_the_note_goes_with_it(caplog):
    caplog.set_level(logging.WARNING, "reactive_config")
    memory = Memory({"pool": {"max_size": 1}})

    def logged() -> list[str]:
        found = [r.getMessage() for r in caplog.records if r.name == "reactive_config"]
        caplog.clear()
        return found

    async with open_config(Outer, memory) as config:
        assert (logged(), config.status().notes) == ([], ())
        await memory.patch({"pool": TYPO})
        note = f"pool.max_sise: {MEANT} (memory pool.max_sise, revision 2)"
        assert logged() == [note]
        assert config.status().notes == (note,) == config.status().unknown
        await memory.patch({"pool": {"max_sise": 4, "max_size": 2}, "free": {"a": "b"}})
        assert logged() == []
        assert config.status().notes == (f"pool.max_sise: {MEANT} (memory pool.max_sise, revision 3)",)
        await memory.replace({"pool": {"max_size": 2}})
        assert (logged(), config.status().notes) == ([], ())
        await memory.patch({"pool": TYPO})
        assert len(logged()) == 1


@pytest.mark.parametrize("env", [False, True])
async def test_a_value_is_never_told_and_a_name_in_a_secret_is_hidden(caplog, env):
    class App(msgspec.Struct):
        login: Secret[Pool] = Secret(Pool())
        name: str = ""

    tree = {"login": {"CANARY1": "CANARY2"}, "nmae": "CANARY3", "\x1b[2j": "CANARY4"}
    environ = {"S_LOGIN__CANARY1": "CANARY2", "S_NMAE": "CANARY3", "S_\x1b[2j": "CANARY4"}
    source = Env("S_", environ=environ) if env else Memory(tree)
    async with open_config(App, source) as config:
        odd, hidden, typo = config.status().notes
        assert odd.startswith('"\\u001b[2j": unknown key, ignored (')
        assert hidden == "login.***: unknown key, ignored"
        assert typo.startswith(f"nmae: unknown key, ignored; did you mean {'S_NAME' if env else 'name'}? (")
        assert "CANARY" not in caplog.text
        assert "\x1b" not in caplog.text


async def test_a_file_is_named_with_line_and_column_where_the_key_is_now(tmp_path):
    file = tmp_path / "app.yaml"
    file.write_text("pool:\n  max_size: 1\n  max_sise: 2\n")
    async with open_config(Outer, Files(file)) as config:
        assert config.status().notes == (f"pool.max_sise: {MEANT} (files {file}:3:3)",)
        revisions = aiter(config)
        await anext(revisions)
        file.write_text("# moved\n\npool:\n  max_size: 5\n  max_sise: 2\n")
        assert (await anext(revisions)).value.pool.max_size == 5
        assert config.status().notes == (f"pool.max_sise: {MEANT} (files {file}:5:3)",)


async def test_twenty_are_told_and_the_rest_is_counted(caplog):
    many = {f"odd-{number:05}": number for number in range(10_000)}
    memory = Memory({"pool": many})
    async with open_config(Outer, memory) as config:
        lines = [r.getMessage() for r in caplog.records if r.name == "reactive_config"]
        notes = config.status().notes
        assert len(notes) == len(lines) == 21
        assert notes[0].startswith("pool.odd-00000: unknown key, ignored (memory")
        assert notes[-1] == lines[-1] == "... and 9,980 more unknown keys"
        await memory.replace({"pool": dict(list(many.items())[:21])})
        assert config.status().notes[-1] == "... and 1 more unknown key"


async def test_a_flood_of_unknown_keys_does_not_flood_the_log(caplog):
    memory = Memory()
    async with open_config(Outer, memory) as config:
        for number in range(300):
            await memory.patch({"pool": {f"odd-{number}": number}})
        assert config.status().notes[-1] == "... and 280 more unknown keys"
    lines = [r.getMessage() for r in caplog.records if r.name == "reactive_config" and r.levelname == "WARNING"]
    assert len(lines) < 250
    assert lines[-1].endswith("more unknown keys are ignored; config.status() has the first")


class TaggedCat(msgspec.Struct, frozen=True, tag="cat"):
    lives: int = 9


class TaggedDog(msgspec.Struct, frozen=True, tag="dog"):
    bones: int = 0


async def test_a_name_of_another_member_is_not_what_somebody_meant():
    memory = Memory({"part": {"type": "cat", "bones": 1}})
    async with open_config(holding(TaggedCat | TaggedDog), memory) as config:
        (note,) = config.status().notes
        assert note.startswith("part.bones: unknown key, ignored (memory")
        await memory.replace({"part": {"type": "cat", "live": 1}})
        assert "did you mean lives?" in config.status().notes[0]
        await memory.replace({"part": {"type": "dog", "bones": 1}})
        assert config.status().notes == ()


async def test_no_unknown_key_is_missing_in_what_the_log_counts(caplog):
    memory = Memory()
    async with open_config(Outer, memory):
        for number in range(10):
            await memory.patch({"pool": {f"odd-{number}-{index}": 0 for index in range(1000)}})
    lines = [r.getMessage() for r in caplog.records if "unknown key" in r.getMessage()]
    counts = [int(line.removeprefix("... and ").split()[0].replace(",", "")) for line in lines if " more " in line]
    assert len(lines) <= 101
    assert len(lines) - len(counts) + sum(counts) == 10_000


async def test_no_line_is_worded_that_nobody_reads(caplog, monkeypatch):
    memory = Memory()
    async with open_config(Outer, memory) as config:
        caplog.set_level(logging.ERROR, "reactive_config")
        with monkeypatch.context() as patched:
            patched.setattr("reactive_config._core.runtime.unknown_notes.UnknownNotes._worded", None)
            await memory.patch({"pool": TYPO})
        assert len(config.status().unknown) == 1
    assert not caplog.records


async def test_a_very_long_name_is_shortened(caplog):
    async with open_config(Outer, Memory({"pool": {"x" * 100_000: 1}})) as config:
        (note,) = config.status().notes
        assert len(note) < 1000
        assert len(caplog.text) < 2000


async def test_one_typo_is_found_among_thousands_of_tables(caplog):
    """They are converted at once, by the thousand, and one by one; and later only what changed."""
    tables = {f"t{number}": {"max_size": number} for number in range(2500)}
    memory = Memory({"part": {**tables, "t1700": TYPO}})
    async with open_config(holding(dict[str, Pool]), memory) as config:
        assert config.current.part["t2499"] == Pool(2499)
        assert [note.split(" (")[0] for note in config.status().notes] == [f"part.t1700.max_sise: {MEANT}"]
        await memory.replace({"part": tables})
        assert config.status().notes == ()
        await memory.replace({"part": {**tables, "t3": TYPO}})
        assert [note.split(" (")[0] for note in config.status().notes] == [f"part.t3.max_sise: {MEANT}"]
        await memory.replace({"part": {"t4": {}}})
        assert config.status().notes == ()


async def test_a_key_that_only_a_held_change_brings_is_no_note(caplog):
    memory = Memory({"pool": {"max_size": 1}})
    async with open_config(Outer, memory) as config:
        with pytest.raises(Rejected):
            await memory.patch({"pool": {**TYPO, "max_size": "many"}})
        assert config.status().notes == ()
        assert "unknown key" not in caplog.text
        await memory.patch({"pool": {"max_size": 2}})
        assert len(config.status().unknown) == 1
