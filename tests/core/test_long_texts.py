"""Long texts and odd names are taken or held, and told in few printable words."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import msgspec
import pytest

from reactive_config import Env, Memory, Rejected, Secret, StartupError, open_config
from reactive_config._core.delta import Bare, Entry, Malformed, Patch
from reactive_config._core.paths import format_path
from reactive_config.testing import Scripted

TEN_MEGABYTES = 10_000_000
NAMES = [
    "", " ", ".", "..", "a.b", "/", "a/b", '"', "\\", "[0]", "$", "__proto__", "__class__", "_", "\0", "\n", "\x1b[2J",
    "\x9b31m", "\u202e", "\u2028", "\ufeff", "\ud800", "é", "名前", "\U0001f600", "%s", "{0}", "n" * 65_535,
    "\x1b" * 65_535, "n" * 1_000_000,
]  # fmt: skip


class App(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str = ""
    size: int = 0
    part: float = 0.0
    exact: Decimal = Decimal(0)
    wait: timedelta = timedelta()
    flag: bool = False
    day: date | None = None
    uuid: UUID | None = None
    one: Literal["a", 1] = "a"
    either: int | str = 0
    items: list[int] = []
    secret: Secret[int] | None = None
    free: Any = None
    table: dict[str, int] = {}
    beat: int = 0


async def sent(source, delta):
    """What is told of a delta; empty if it is taken."""
    try:
        await source.send(delta)
    except Rejected as error:
        return str(error)
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("size", [TEN_MEGABYTES // 5, pytest.param(TEN_MEGABYTES, marks=pytest.mark.storm)])
@pytest.mark.parametrize("text", ["x", "1", "1s ", "[", "\x1b"])
async def test_a_bare_value_of_megabytes_is_text_or_a_short_refusal(text, size, caplog):
    long = text * (size // len(text))
    plain, memory = Scripted({}, name="plain"), Memory()
    async with open_config(App, plain, memory) as config:
        for number, name in enumerate(App.__struct_fields__[:-1], 2):
            told = await sent(plain, Patch({name: Entry((name,), Bare(long), number, number)}, {}, number))
            assert (told == "") is (name in ("text", "either", "free") or (name, text) == ("exact", "1"))
            assert len(told) < 500
            await memory.patch({"beat": number})
            assert config.current.beat == number
            await plain.replace({})
    assert all(len(message) < 500 and message.isprintable() for message in caplog.messages)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:9]))
async def test_any_name_is_taken_where_names_are_free_and_told_shortly_where_not(name, caplog):
    memory = Memory({"table": {name: 1}})
    async with open_config(App, memory) as config:
        path = format_path(("table", name))
        assert config.current.table == {name: 1}
        assert config.explain(path)[0].value == 1
        for wrong in ({"table": {name: "x"}}, {name: 1}):
            with pytest.raises(Rejected) as refused:
                await memory.patch(wrong)
            told = str(refused.value)
            assert len(told) < 1_500
            assert told.replace("\n  ", "").isprintable()
            await memory.replace({})
        assert config.current.table == {}
    assert caplog.messages
    assert all(len(message) < 1_500 and message.isprintable() for message in caplog.messages)


@pytest.mark.parametrize("name", [name for name in NAMES if "\0" not in name], ids=lambda name: ascii(name[:9]))
async def test_a_variable_of_any_name_is_taken_or_told_shortly(name):
    variables = Env("S_", environ={f"S_TABLE__{name}": "1", "S_SIZE": "2"})
    if name in ("", "__proto__", "__class__", "\ud800"):  # an empty part between two separators, or no text
        with pytest.raises(StartupError) as refused:
            async with open_config(App, variables):
                pass
        assert str(refused.value).replace("\n  ", "").isprintable()
        return
    async with open_config(App, variables) as config:
        assert config.current.table == {name.lower(): 1}


async def test_a_unit_and_a_place_of_any_name_are_told_shortly(caplog):
    odd = "\x1b[2J\n" + "u" * 100_000
    scripted = Scripted({}, name="odd")
    async with open_config(dict, scripted) as config:
        bad = Entry(("a",), Malformed(f"no {odd}", odd), odd, 7, place=odd)
        with pytest.raises(Rejected):
            await scripted.send(Patch({"a": bad}, {}, 7))
        scripted.state(config.status().sources[0].state, f"away: {odd}")
        status = config.status().sources[0]
        assert len(status.held[0].unit) < 300
        assert len(status.reason) < 1_000
        assert (status.held[0].unit + status.reason + caplog.messages[0]).isprintable()
