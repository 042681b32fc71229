"""Removing the last override: deletions that are seen one by one are meant, everything else is held."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager

import msgspec
import orjson
import pytest

from reactive_config import Etcd, Memory, Rejected, StartupError, open_config
from reactive_config.status import SourceState

pytestmark = [pytest.mark.etcd, pytest.mark.half_grid]


class App(msgspec.Struct, frozen=True):
    size: int = 0
    log: dict[str, str] = {}


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def told(config):
    return config.status().sources[-1]


@asynccontextmanager
async def overriding(endpoint, prefix, **options):
    """A configuration of a program with `Etcd` above a source that always has all of it; and that source."""
    memory = Memory({"size": 1})
    async with open_config(App, memory, Etcd(endpoint, prefix=prefix, **options)) as config:
        yield config, memory


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def test_the_last_key_that_is_deleted_brings_the_lower_value_back(server, prefix, caplog):
    await server.txn({f"{prefix}size": "9", f"{prefix}log": '{"a": "INFO"}'})
    async with overriding(server.endpoint, prefix) as (config, memory):
        assert config.current == App(9, {"a": "INFO"})
        await config.wait_revision("etcd", await server.delete(f"{prefix}log"))
        assert (config.current, warnings(caplog)) == (App(9), [])
        await config.wait_revision("etcd", await server.delete(f"{prefix}size"))
        assert config.current == App(1)
        await memory.patch({"size": 2})
        assert config.current == App(2)
        text = (
            f"{prefix}: the last key was deleted, and by itself, so this is accepted as empty; "
            "a new start needs optional=True or a key with the value {}"
        )
        await until(lambda: told(config).notes)
        assert warnings(caplog) == [f"etcd: {text}"]
        assert told(config).notes == (text,)
        await config.wait_revision("etcd", await server.put(f"{prefix}size", "7"))
        assert config.current == App(7)
        assert told(config).notes == ()


async def test_a_new_start_needs_optional_or_an_empty_table(server, prefix, caplog):
    await server.put(f"{prefix}size", "9")
    await server.delete(f"{prefix}size")
    with pytest.raises(StartupError, match="expected some content"):
        async with overriding(server.endpoint, prefix):
            pass
    async with overriding(server.endpoint, prefix, optional=True) as (config, _):
        assert config.current == App(1)
        await config.wait_revision("etcd", await server.put(f"{prefix}size", "9"))
        await config.wait_revision("etcd", await server.delete(f"{prefix}size"))
        assert (config.current, warnings(caplog)) == (App(1), [])
    await server.put(f"{prefix}log", "{}")
    async with overriding(server.endpoint, prefix) as (config, _):
        assert config.current == App(1)


async def test_a_transaction_that_deletes_all_keys_is_held(server, prefix):
    keys = [f"{prefix}size", f"{prefix}log"]
    await server.txn({keys[0]: "9", keys[1]: "{}"})
    async with overriding(server.endpoint, prefix) as (config, memory):
        revision = await server.delete(*keys)
        await until(lambda: told(config).revision >= revision and told(config).held)
        await memory.patch({"log": {"a": "INFO"}})
        assert config.current == App(9, {"a": "INFO"})
        assert "expected some content" in str(told(config).held[0].problems[0])


async def test_each_layer_is_looked_at_by_itself(server, prefix):
    source = Etcd(server.endpoint, prefix=prefix, layers=["low", "high"])
    await server.txn({f"{prefix}low/size": "1", f"{prefix}high/size": "2", f"{prefix}high/log": "{}"})
    async with open_config(App, source) as config:
        for key in ("size", "log"):
            await config.wait_revision("etcd", await server.delete(f"{prefix}high/{key}"))
        assert config.current == App(1)
        await until(lambda: told(config).notes)
        assert told(config).notes[0].startswith("high: the last key was deleted")


class Strict(msgspec.Struct, frozen=True):
    size: int


async def test_the_one_key_of_a_source_may_go_unless_what_is_left_does_not_fit(server, prefix):
    key = f"{prefix}config"
    await server.put(key, '{"size": 9}')
    source = Etcd(server.endpoint, key=key)
    async with open_config(App, Memory({"size": 1}), source) as both, open_config(Strict, source) as alone:
        revision = await server.delete(key)
        await both.wait_revision("etcd", revision)
        assert both.current == App(1)
        with pytest.raises(Rejected, match="size: expected int, got nothing"):
            await alone.wait_revision("etcd", revision)
        assert alone.current == Strict(9)


async def test_only_a_deletion_that_is_accepted_is_told_as_one(server, prefix, caplog):
    await server.put(f"{prefix}size", "9")
    memory = Memory({})
    async with open_config(Strict, memory, Etcd(server.endpoint, prefix=prefix)) as config:
        revision = await server.delete(f"{prefix}size")
        await until(lambda: told(config).held)
        (held,) = warnings(caplog)
        deleted = f"{prefix}size was deleted at revision {revision}"
        assert held == f"held revision {revision} of etcd: size: expected int, got nothing, as {deleted}"
        assert (config.current, told(config).notes) == (Strict(9), ())
        await memory.patch({"size": 1})
        await until(lambda: told(config).notes)
        assert config.current == Strict(1)
        assert warnings(caplog)[1].startswith(f"etcd: {prefix}: the last key was deleted, and by itself, so")


async def test_a_reconnect_that_finds_it_still_empty_goes_on(server, prefix, proxy):
    await server.put(f"{prefix}size", "9")
    async with overriding(proxy.endpoint, prefix) as (config, memory):
        await config.wait_revision("etcd", await server.delete(f"{prefix}size"))
        proxy.refuse()
        await until(lambda: told(config).state is SourceState.STALE)
        await server.compact(await server.put("/elsewhere", "1"))
        await proxy.listen()
        await until(lambda: told(config).counters.get("relists") and told(config).state is SourceState.SYNCED)
        await memory.patch({"size": 2})
        assert config.current == App(2)
        assert not told(config).held
        await config.wait_revision("etcd", await server.put(f"{prefix}size", "5"))
        assert config.current == App(5)


async def test_a_relist_that_finds_it_newly_empty_is_held(server, prefix, proxy):
    await server.put(f"{prefix}size", "9")
    async with overriding(proxy.endpoint, prefix) as (config, _):
        proxy.refuse()
        await until(lambda: told(config).state is SourceState.STALE)
        await server.compact(await server.delete(f"{prefix}size"))
        await proxy.listen()
        await until(lambda: told(config).held)
        assert config.current == App(9)
        await config.wait_revision("etcd", await server.put(f"{prefix}log", "{}"))
        await until(lambda: not told(config).held)
        assert config.current == App(1)


async def test_a_deletion_that_a_resumed_watch_brings_is_one_that_was_seen(server, prefix, proxy):
    await server.put(f"{prefix}size", "9")
    async with overriding(proxy.endpoint, prefix) as (config, _):
        proxy.refuse()
        await until(lambda: told(config).state is SourceState.STALE)
        revision = await server.delete(f"{prefix}size")
        await proxy.listen()
        await config.wait_revision("etcd", revision)
        assert config.current == App(1)


async def test_the_mirror_remembers_it_through_a_hand_edit(server, prefix, proxy, tmp_path):
    """P8: the edit goes when it is taken back, and when etcd is back; neither is a loss of all keys."""
    mirror = tmp_path / "m.json"
    await server.put(f"{prefix}size", "9")
    async with overriding(proxy.endpoint, prefix, mirror=mirror, mirror_after=0.05) as (config, _):
        await config.wait_revision("etcd", await server.delete(f"{prefix}size"))
        await until(lambda: mirror.exists() and orjson.loads(mirror.read_bytes())["empty"] == [prefix])
        written = mirror.read_bytes()
        assert orjson.loads(written)["keys"] == {}
        for back in ("edit", "etcd"):
            proxy.refuse()
            await until(lambda: told(config).state is SourceState.STALE)
            document = orjson.loads(written)
            document["keys"][f"{prefix}size"] = "5"
            mirror.write_bytes(orjson.dumps(document))
            await until(lambda: config.current == App(5))
            if back == "edit":
                mirror.write_bytes(written)
            else:
                await proxy.listen()
            await until(lambda: config.current == App(1))
            await proxy.listen()
            await until(lambda: told(config).state is SourceState.SYNCED)
            assert not told(config).held
            await until(lambda: mirror.read_bytes() == written)
    with pytest.raises(StartupError, match="expected some content"):
        async with overriding("127.0.0.1:1", prefix, mirror=mirror, mirror_after=0.05):
            pass
