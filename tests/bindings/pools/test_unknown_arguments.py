"""An argument that a library does not take is named, with what may be meant, before anything is opened."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from reactive_config import Live, Memory, Secret, open_config
from reactive_config._bindings.pools.known_arguments import KnownArguments, named_in, names_of, refuse_unknown
from reactive_config._core.status import BindingState
from reactive_config.bindings import pools
from reactive_config.errors import InvalidValue

PACKAGES = {
    "asyncpg_pool": "asyncpg", "psycopg_pool": "psycopg_pool", "sqlalchemy_engine": "sqlalchemy",
    "redis_client": "redis", "httpx_client": "httpx", "aiohttp_session": "aiohttp", "grpc_channel": "grpc",
}  # fmt: skip
DSN = "postgresql://127.0.0.1:1/shop"
IN_IT = "max_size, belongs beside the others: give options="

SAID = [
    ("asyncpg_pool", {"dsn": DSN, "time_out": 3},
     "asyncpg.create_pool, got dsn, time_out (unknown; did you mean timeout?)"),
    ("asyncpg_pool", {"dsn": DSN, "pool": {"max_size": 3}},
     f"asyncpg.create_pool, got dsn, pool (unknown; what is in it, {IN_IT})"),
    ("psycopg_pool", {"dsn": DSN, "pool": {"max_size": 3}},
     ("psycopg_pool.AsyncConnectionPool, got dsn (unknown; did you mean conninfo?), "
      f"pool (unknown; what is in it, {IN_IT})")),
    ("sqlalchemy_engine", {"dsn": DSN},
     "sqlalchemy.create_async_engine with url, got dsn (did you mean url?)"),
    ("redis_client", {"hots": "127.0.0.1"},
     "redis.asyncio.Redis, got hots (unknown; did you mean host?)"),
    ("httpx_client", {"base_url": "http://x", "time_out": 3},
     "httpx.AsyncClient, got base_url, time_out (unknown; did you mean timeout?)"),
    ("aiohttp_session", {"base_url": "http://x", "time_out": 3},
     "aiohttp.ClientSession, got base_url, time_out (unknown; did you mean timeout?)"),
    ("grpc_channel", {},
     "grpc.aio.secure_channel with target, got none"),
]  # fmt: skip
BELOW = [
    ("httpx_client", {"limits": {"max_conections": 3}},
     "limits: expected arguments of httpx.Limits, got max_conections (unknown; did you mean max_connections?)"),
    ("httpx_client", {"timeout": {"conect": 3}},
     "timeout: expected arguments of httpx.Timeout, got conect (unknown; did you mean connect?)"),
    ("aiohttp_session", {"connector": {"limt": 3}},
     "connector: expected arguments of aiohttp.TCPConnector, got limt (unknown; did you mean limit?)"),
    ("grpc_channel", {"target": "127.0.0.1:1", "credentials": {"privat": "canary"}},
     ("credentials: expected arguments of the credentials (root_certificates, private_key, certificate_chain), "
      "got *** (unknown)")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "given", "said"), [(k, g, f"expected arguments of {s}") for k, g, s in SAID] + BELOW)
async def test_it_is_named(kind, given, said):
    pytest.importorskip(PACKAGES[kind])
    with pytest.raises(InvalidValue) as refused:
        async with getattr(pools, kind)(Live.constant(given), name="database"):
            pass
    assert str(refused.value) == f"database: {said}"
    assert refused.value.__context__ is None


class Pool(msgspec.Struct, frozen=True):
    min_size: int = 1
    max_size: int = 10


class Database(msgspec.Struct, frozen=True):
    dsn: Secret[str]
    pool: Pool = Pool()


class App(msgspec.Struct, frozen=True):
    database: Database


async def test_the_tables_of_the_readme_are_told_apart():
    pytest.importorskip("asyncpg")
    memory = Memory({"database": {"dsn": "canary"}})
    async with open_config(App, memory) as config:
        with pytest.raises(InvalidValue) as refused:
            async with pools.asyncpg_pool(config.select("database")):
                pass
    assert str(refused.value) == (
        "asyncpg_pool(select(database)): expected arguments of asyncpg.create_pool, got dsn, pool (unknown;"
        " what is in it, min_size, max_size, belongs beside the others: give options=)"
    )


async def test_a_change_that_brings_one_is_told_in_status_and_log_and_not_tried_again(caplog):
    """It is no outage, which time would mend: only another value does."""
    pytest.importorskip("httpx")
    memory = Memory({"site": {"base_url": "http://127.0.0.1:1"}})
    async with open_config(dict, memory) as config:
        site = pools.httpx_client(config.select(lambda app: app["site"]), name="site")
        async with site:
            await memory.patch({"site": {"time_out": 3}})
            while not (found := site.status()).error:
                await asyncio.sleep(0)
            assert found.state is BindingState.REFUSED
            assert "got base_url, time_out (unknown; did you mean timeout?)" in found.error
            assert "time_out (unknown; did you mean timeout?); the old one stays in use" in caplog.text


@pytest.mark.parametrize("kind", ["sqlalchemy_engine", "redis_client"])
async def test_where_no_signature_tells_the_librarys_error_is_asked_for_our_names_alone(kind):
    pytest.importorskip(PACKAGES[kind])
    url = {"sqlalchemy_engine": "postgresql+asyncpg://127.0.0.1:1/x", "redis_client": "redis://127.0.0.1:1"}[kind]
    with pytest.raises(ValueError, match=r"(?m)got TypeError about pool_sise$"):
        async with getattr(pools, kind)(Live.constant({"url": url, "pool_sise": "canary"}), name="database"):
            pass


def test_only_names_that_were_given_are_taken_from_an_error():
    error = TypeError("invalid 'a', 'b' and 'canary'")
    assert named_in(error, {"a": "canary", "c": 1}) == " about a"
    assert named_in(ValueError("'a'"), {"a": 1}) == ""
    assert named_in(error, {"c": 1}) == ""


def test_names_go_on_in_the_function_that_gets_the_rest():
    def last(c: int, *, d: int = 1) -> None: ...

    def first(a: int, *args: int, b: int = 1, **rest: int) -> None: ...

    assert names_of(first, last) == ("a", "b", "c", "d")
    assert names_of(first) is None
    assert names_of(type("Opaque", (), {"__signature__": 7})) is None


def test_long_and_many_names_are_bounded():
    known = KnownArguments("f", tuple(f"n{number}" for number in range(20)))
    given = {**{f"n{number}": 1 for number in range(20)}, "x" * 500: 1, "\x1b[2J": 1}
    with pytest.raises(InvalidValue) as refused:
        refuse_unknown("b", given, known)
    text = str(refused.value)
    assert text.startswith("b: expected arguments of f (n0, n1, n2, n3, n4, n5, n6, n7 and 12 more), got xxx")
    assert text.endswith("and 14 more")
    assert "\x1b" not in text
    assert len(text) < 500


def test_an_argument_that_changes_the_others_is_trusted():
    refuse_unknown("b", {"connect": print, "odd": 1}, KnownArguments("f", ("dsn",), unless="connect"))
