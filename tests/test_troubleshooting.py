"""Every message of docs/troubleshooting.md is really said: each is made here, and compared with its words there."""

from __future__ import annotations

import asyncio
import html
import logging
import re
import sys
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from reactive_config import Env, Etcd, Files, Live, Memory, Rejected, StartupError, open_config
from reactive_config._formats.registry import parse
from reactive_config.bindings import Cron, rebuilt
from reactive_config.bindings.limits import RateRule, redis_rate_limiter
from reactive_config.bindings.pools import asyncpg_pool, sqlalchemy_engine
from reactive_config.errors import Closed, ParseError
from reactive_config.sources import Patch
from reactive_config.status import SourceState
from reactive_config.testing import Scripted

PAGE = (Path(__file__).parent.parent / "docs/troubleshooting.md").read_text()
CAPITALS = [
    "PATH",
    "TIME",
    "PLACE",
    "SOURCE",
    "TYPE",
    "VALUE",
    "NAME",
    "NAMES",
    "NUMBER",
    "REASON",
    "UNIT",
    "BINDING",
    "ERROR",
    "PACKAGE",
    "PACKAGES",
    "EXTRA",
    "LIBRARY",
]
FORMATS = {"In every format": ".json", "JSON": ".json", "YAML": ".yaml", "TOML": ".toml", "dotenv": ".env"}


def rows(title: str) -> list[list[str]]:
    """The cells of the tables that follow a title, up to the next one, without their heads."""
    section = re.split(r"\n#+ |\n(?=In every format:)", PAGE.partition(title)[2], maxsplit=1)[0]
    lines = re.findall(r"^\| (.*) \|$", section, re.MULTILINE)
    return [line.split(" | ") for line in lines if not line.startswith("message | ")]


def quoted(cell: str) -> str:
    return cell.strip("`")


def messages(*titles: str) -> list[str]:
    found = [quoted(row[0]) for title in titles for row in rows(title)]
    assert len(found) >= 3 * len(titles)
    return found


def says(template: str, line: str) -> bool:
    """Whether a line is what a template of the page stands for."""
    pieces = re.split(rf"\b({'|'.join(CAPITALS)})\b|(\.\.\.$)", template)
    pattern = "".join(".+" if piece in (*CAPITALS, "...") else re.escape(piece) for piece in pieces if piece)
    return re.fullmatch(pattern, line) is not None


# -- documents -------------------------------------------------------------------------------------


def documents():
    for title, suffix in FORMATS.items():
        for message, example, _ in rows(f"\n### {title}\n" if title != "In every format" else f"{title}:\n"):
            yield pytest.param(suffix, quoted(message), quoted(example), id=f"{title}-{quoted(message)[:40]}")


@pytest.mark.parametrize(("suffix", "message", "example"), list(documents()))
def test_a_document_of_the_page_is_refused_in_its_words(suffix, message, example):
    text = example.replace("\\\\", "\0").replace("\\n", "\n").replace("\\t", "\t").replace("\\u00a0", "\u00a0")
    with pytest.raises(ParseError) as refused:
        parse(html.unescape(text).replace("\0", "\\").encode(), suffix, table=False)
    assert refused.value.got == message


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_another_encoding_is_told(encoding):
    with pytest.raises(ParseError) as refused:
        parse('{"a": "é"}'.encode(encoding), ".json")
    expected, got = str(refused.value).partition(": ")[2].split(", got ")
    assert expected == "expected UTF-8 text"
    assert f"`{got}`" in PAGE or f"got {got}`" in PAGE


def test_the_page_has_many_of_them():
    assert len(list(documents())) > 50


# -- the start -------------------------------------------------------------------------------------


class Pool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    max_size: int = 10


class Database(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    dsn: str
    pool: Pool = Pool()


class App(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    database: Database
    name: str


class Server(msgspec.Struct, frozen=True):
    hosts: list[str] = []
    size: int = 1
    log: str = ""


class Part(msgspec.Struct, frozen=True):
    name: str = ""


class Lenient(msgspec.Struct, frozen=True):
    port: int = 1
    part: Part = Part()
    rate: RateRule = None
    job: Cron | None = None


class Needy(msgspec.Struct, frozen=True):
    port: int
    host: str


def lines_of(error: BaseException) -> list[str]:
    return [line.strip() for line in str(error).splitlines()]


async def failed_start(*sources, kind=App) -> list[str]:
    with pytest.raises(StartupError) as failed:
        async with open_config(kind, *sources, startup_timeout=1):
            pass
    head, *rest = lines_of(failed.value)
    assert head == "no first configuration:"
    return rest


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "app.yaml").write_text("database:\n  dsn: x\n  pol: {}\nname: 7\n")
    return tmp_path


class Refused(Scripted):
    """A source that needs a person before it has delivered anything."""

    async def run(self, feed):
        feed.state(SourceState.FAILED, "permission denied")
        await asyncio.Event().wait()


class Unreachable(Scripted):
    """A source that finds nobody."""

    async def run(self, feed):
        feed.state(SourceState.STALE, "no route")
        await asyncio.Event().wait()


async def test_what_a_failed_start_says(folder):
    env = Env("SHOP_", environ={"SHOP_PORT": "tcp://10.0.0.1:80"})
    twice = Env("SHOP_", environ={"SHOP_PORT": "1", "SHOP_port": "2"})
    (folder / "app.ini").write_text("[log]")
    said = [
        *await failed_start(Files("config"), Files("nothing.toml", name="more"), Files("empty", name="third")),
        *await failed_start(Files("empty", optional=True), Memory({"database": {"dsn": "x"}})),
        *await failed_start(Files("app.yaml")),
        *await failed_start(Files("app.ini")),
        *await failed_start(Etcd("127.0.0.1:1", prefix="/shop/")),
        *await failed_start(Refused({}, optional=False), kind=dict),
        *await failed_start(Memory({}), Scripted({}, optional=False), kind=dict),
        *await failed_start(Env("SHOP_", environ={}), Memory({"database": {"dsn": "x"}})),
        *await failed_start(Memory({"hosts": "a, b", "size": "${SIZE}"}), kind=Server),
        *await failed_start(env, kind=Lenient),
        *await failed_start(twice, kind=Lenient),
    ]
    compare(said, "## The program does not start")


def compare(said: list[str], *titles: str) -> None:
    """Every message of these sections was said, and nothing was said that is not there."""
    templates = messages(*titles)
    assert [one for one in templates if not any(says(one, line) for line in said)] == []
    assert [line for line in said if not any(says(one, line) for one in templates)] == []


# -- the call --------------------------------------------------------------------------------------


def raised(call, *arguments) -> str:
    expected = (TypeError, ValueError, AttributeError, ImportError, LookupError, RuntimeError, Closed)
    with pytest.raises(expected) as caught:
        call(*arguments)
    return str(caught.value)


def enter(manager) -> None:
    with manager:
        pass


async def test_what_a_wrong_call_says(tmp_path):
    class Odd:
        pass

    class Holder(msgspec.Struct):
        odd: Odd

    said = [
        raised(open_config, dict, "config"),
        raised(open_config, dict, {"a": 1}),
        raised(open_config, dict, Files),
        raised(open_config, dict),
        raised(open_config, dict, [Memory({})]),
        raised(open_config, Memory({}), dict),
        raised(open_config, Lenient(), Memory({})),
        raised(lambda: open_config(dict, Memory({}), startup_timeout="5s")),
        raised(lambda: open_config(dict, Memory({}), decoders=[Odd])),
        raised(lambda: Files("config", optional="no")),
        raised(lambda: Etcd("127.0.0.1", prefix="/shop/")),
        raised(lambda: Etcd("http://etcd:2379/shop/", prefix="/shop/")),
        raised(lambda: open_config(dict, Memory({})).current),
        raised(enter, open_config(dict, Memory({}))),
        raised(Env, ""),
        raised(lambda: Etcd("127.0.0.1:1", prefix="/shop")),
    ]
    with pytest.raises(TypeError) as awaited:
        await open_config(dict, Memory({}))
    with pytest.raises(TypeError) as refused:
        async with open_config(Holder, Memory({})):
            pass
    with pytest.raises(TypeError) as unconverted:
        async with open_config(msgspec.defstruct("Timed", [("every", timedelta, "5s")]), Memory({})):
            pass
    async with open_config(Lenient, Memory({})) as config:
        said += [raised(config.select, "prot"), raised(config.select, "a..b"), raised(iter, config.select("port"))]
        said += [raised(lambda: config.select("port").__await__())]
        said.append(await asyncio.to_thread(stray, config))
    said.append(raised(config.select, "port"))
    with pytest.raises(Exception, match="ended") as closed:
        await config.wait_revision("memory", 1)
    said += [str(error.value) for error in (awaited, refused, unconverted, closed)]
    compare(said, "## The type is refused, or the call is wrong")


def stray(config) -> str:
    try:
        config.select("port")
    except Exception as error:  # noqa: BLE001 - whatever it is, its text is compared
        return str(error)
    return ""


# -- what is missing -------------------------------------------------------------------------------


async def test_what_is_not_installed_says_how_to_get_it(folder, monkeypatch):
    missing = {"ryaml", "yaml", "cronsim", "asyncpg", "limits", "redis"}
    loaded = {name for name in sys.modules if name.partition(".")[0] in missing}  # by tests before
    for name in missing | loaded:
        monkeypatch.setitem(sys.modules, name, None)
    said = [
        (await failed_start(Files("app.yaml")))[0],
        *await failed_start(Memory({"job": {"cron": "0 3 * * *"}}), kind=Lenient),
        raised(asyncpg_pool, Live.constant({})),
        raised(lambda: redis_rate_limiter(Live.constant(None), "redis://127.0.0.1:1", space="shop")),
    ]
    compare(said, "## Something is not installed")


# -- while it runs ---------------------------------------------------------------------------------


async def test_what_the_log_says_while_it_runs(caplog, tmp_path):
    caplog.set_level(logging.WARNING, "reactive_config")
    memory, other = Memory({"port": 1, "prot": 2}), Scripted({})
    async with open_config(Lenient, memory, other) as config:
        with pytest.raises(Rejected):
            await memory.patch({"port": "lots"})
        for state in (SourceState.STALE, SourceState.SYNCED, SourceState.FAILED):
            other.state(state, "" if state is SourceState.SYNCED else "no route")
        await made_badly(config, memory)
    async with open_config(Lenient, Memory({}), Unreachable({}, optional=True)):
        pass
    (tmp_path / "app.toml").write_text("[rate]\nlimit = 3\n[part]\nport = 2\n")
    (tmp_path / "app.yaml").write_text("part.name: a\n")
    mistaken = Env("SHOP", environ={"SHOP_PORT": "3"})
    async with open_config(Lenient, Files(tmp_path / "app.toml"), Files(tmp_path / "app.yaml"), mistaken):
        pass
    async with open_config(Lenient, Scripted({"port": "x"}, last_good={"port": 1})):
        pass
    source = Scripted({"port": 1, "host": "a"})
    async with open_config(Needy, source):
        await source.send(Patch({}, {"port": "port.toml"}, 2))
    said = [r.getMessage() for r in caplog.records if r.name == "reactive_config" and r.levelno >= logging.WARNING]
    compare(said, "## It runs, and something is not as it should be")


async def made_badly(config, memory):
    """A binding that cannot take a change."""

    async def build(port: int) -> int:
        if port == 2:
            raise OSError
        return port

    async with rebuilt(config.select("port"), build=build, close=None) as binding:
        await memory.patch({"port": 2})
        while not binding.status().error:
            await asyncio.sleep(0)
        await memory.patch({"port": 3})


# -- bindings --------------------------------------------------------------------------------------


async def refused_pool(pool, given) -> str:
    with pytest.raises(ValueError, match="expected arguments") as refused:
        async with pool(Live.constant(given), name="database"):
            pass
    return str(refused.value)


async def failed_first_build() -> str:
    async def build(_: object) -> None:
        raise OSError

    with pytest.raises(OSError) as refused:
        async with rebuilt(Live.constant(1), build=build):
            pass
    return f"{refused.value.__notes__[0]}: OSError"  # as the log has it


async def test_what_bindings_and_limits_say():
    pytest.importorskip("asyncpg")
    pytest.importorskip("sqlalchemy")
    pytest.importorskip("cronsim")
    said = [
        raised(asyncpg_pool, Database("x")),
        await failed_first_build(),
        await refused_pool(asyncpg_pool, {"dsn": "x", "time_out": 1}),
        await refused_pool(asyncpg_pool, Database("x")),
        await refused_pool(asyncpg_pool, {"dsn": "nonsense"}),
        await refused_pool(sqlalchemy_engine, {"pool_size": 1}),
        *await failed_start(Memory({"rate": "fast"}), kind=Lenient),
        *await failed_start(Memory({"job": {"cron": "every day"}}), kind=Lenient),
    ]
    compare(said, "## Bindings and limits")
