"""What the status, the log and `explain` say of hand edits of the mirror, and of a mirror that is lost (P8, P13)."""

from __future__ import annotations

import asyncio
import logging
import shutil
from contextlib import asynccontextmanager

import msgspec
import orjson
import pytest

from reactive_config import Etcd, Memory, StartupError, open_config
from reactive_config._sources.etcd import mirror_runner
from reactive_config._sources.etcd.mirror import Mirror
from reactive_config._sources.etcd.mirror_copies import CopyRow, MirrorCopy
from reactive_config._testing.etcd_server import etcd_server
from reactive_config._testing.tcp_proxy import tcp_proxy
from reactive_config.status import SourceState

pytestmark = [pytest.mark.etcd, pytest.mark.half_grid]


class App(msgspec.Struct, frozen=True):
    a: int = 0
    b: int = 0


@pytest.fixture
def file(tmp_path):
    return tmp_path / "var" / "m.json"


def told(config):
    return config.status().sources[-1]


def held(config):
    return [line for unit in told(config).held for line in unit.lines()]


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def edit(file, **keys):
    document = orjson.loads(file.read_bytes())
    document["keys"].update(keys)
    file.write_bytes(orjson.dumps(document))


def logged(caplog, word):
    return [(record.levelname, record.getMessage()) for record in caplog.records if word in record.getMessage()]


@asynccontextmanager
async def away(proxy, prefix, file, kind=App, **options):
    """A program that etcd has left, with a mirror."""
    async with open_config(
        kind, Etcd(proxy.endpoint, prefix=prefix, mirror=file, mirror_after=0.05, **options)
    ) as config:
        await until(lambda: told(config).counters.get("mirror_writes"))
        proxy.refuse()
        await until(lambda: told(config).state is SourceState.STALE)
        yield config


async def test_an_edit_that_is_held_is_not_what_runs(server, prefix, proxy, file, caplog):
    await server.put(f"{prefix}a", "1")
    async with away(proxy, prefix, file) as config:
        edit(file, **{f"{prefix}a": "lots"})
        await until(lambda: "is held" in told(config).reason)
        assert f"a hand edit of the mirror {file}, made on revision" in told(config).reason
        assert "running on" not in told(config).reason
        assert "mirror_reads" not in told(config).counters
        assert held(config) == [f"a: expected int, got 'lots' (etcd hand edit of the mirror {file}: {prefix}a)"]
        assert not logged(caplog, "is in force")
        edit(file, **{f"{prefix}a": "2"})
        await until(lambda: "running on a hand edit" in told(config).reason)
        assert config.current == App(2)
        assert "is held" not in told(config).reason
        assert told(config).counters["mirror_reads"] == 1
        edit(file, **{f"{prefix}a": "many"})
        await until(lambda: "is held" in told(config).reason)
        assert "running on a hand edit" in told(config).reason
        assert config.current == App(2)


async def test_an_edit_that_comes_and_goes_is_logged(server, prefix, proxy, file, caplog):
    caplog.set_level(logging.INFO, "reactive_config")
    await server.put(f"{prefix}a", "1")
    async with away(proxy, prefix, file) as config:
        edit(file, **{f"{prefix}a": "2"})
        await until(lambda: "running on a hand edit" in told(config).reason)
        await proxy.listen()
        await until(lambda: list(file.parent.glob("*.edited-*")))
        await until(lambda: logged(caplog, "set aside"))
    [(level, text)] = logged(caplog, "is in force")
    assert (level, f"a hand edit of the mirror {file}" in text) == ("WARNING", True)
    assert logged(caplog, "gives way") == [("INFO", f"etcd: the hand edit of the mirror {file} gives way to etcd")]
    assert [level for level, _ in logged(caplog, "set aside")] == ["WARNING"]


@pytest.mark.parametrize("mends", ["removed", "put back", "broken"])
async def test_an_edit_that_is_held_goes_with_its_file(server, prefix, proxy, file, mends):
    await server.put(f"{prefix}a", "1")
    async with away(proxy, prefix, file) as config:
        good = file.read_bytes()
        edit(file, **{f"{prefix}a": "lots", f"{prefix}b": "2"})
        await until(lambda: "is held" in told(config).reason)
        if mends == "removed":
            file.unlink()
        else:
            file.write_bytes(good if mends == "put back" else good[:-9])
        await until(lambda: not told(config).held and "is held" not in told(config).reason)
        assert config.current == App(1)
        file.write_bytes(good)
        edit(file, **{f"{prefix}a": "3"})
        await until(lambda: config.current == App(3))
        await proxy.listen()
        await until(lambda: config.current == App(1) and told(config).state is SourceState.SYNCED)


@pytest.mark.parametrize("mends", ["removed", "put back"])
async def test_the_note_about_an_edit_with_a_slip_goes_with_it(server, prefix, proxy, file, mends):
    await server.put(f"{prefix}a", "1")
    async with away(proxy, prefix, file) as config:
        good = file.read_bytes()
        file.write_bytes(good.replace(b'"value"', b"value"))
        await until(lambda: any("expected valid JSON, got " in note for note in told(config).notes))
        if mends == "removed":
            file.unlink()
            await until(lambda: told(config).notes == (f"{file} is not there",))
        else:
            file.write_bytes(good)
            await until(lambda: told(config).notes == ())


LAYERS = ["common", "production"]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("prodution/b", "under no layer"),
        ("b", "under no layer"),
        ("_production/b", "in the control area (names that begin with _)"),
        ("production/_b", "in the control area (names that begin with _)"),
    ],
)
async def test_a_key_of_an_edit_that_is_left_out_is_told(server, prefix, proxy, file, caplog, key, reason):
    await server.txn({f"{prefix}common/a": "1", f"{prefix}production/b": "2"})
    async with away(proxy, prefix, file, layers=LAYERS) as config:
        good = file.read_bytes()
        edit(file, **{f"{prefix}{key}": "9"})
        note = f"hand edit of the mirror {file}: 1 key is left out, {reason}: {prefix}{key}"
        await until(lambda: told(config).notes == (note,))
        assert logged(caplog, "left out") == [("WARNING", f"etcd: {note}")]
        file.write_bytes(good)
        await until(lambda: told(config).notes == ())
        edit(file, **{f"{prefix}{key}": "9"})
        await until(lambda: told(config).notes == (note,))
        await proxy.listen()
        await until(lambda: told(config).state is SourceState.SYNCED)
        await until(lambda: told(config).notes == ())


async def test_the_origin_of_an_edited_value_is_the_file(server, prefix, proxy, file):
    revision = await server.txn({f"{prefix}a": "1", f"{prefix}b": '{"x": 1, "y": 2}'})
    async with away(proxy, prefix, file, kind=dict) as config:
        edit(file, **{f"{prefix}b": {"x": 1, "y": 3}})
        await until(lambda: config.current["b"]["y"] == 3)
        place = f"etcd hand edit of the mirror {file}: {prefix}b"
        assert f"{config.explain('b.y')[0].origin}" == f"{place}:1:12"
        assert f"{config.explain('a')[0].origin}" == f"etcd {prefix}a, revision {revision}"
        edit(file, **{f"{prefix}b": "{broken"})
        await until(lambda: told(config).held)
        assert place in held(config)[0]


@pytest.mark.parametrize("lost", ["the file", "the folder", "its content"])
async def test_a_mirror_that_is_lost_is_written_again_and_told(server, prefix, file, caplog, monkeypatch, lost):
    monkeypatch.setattr(mirror_runner, "LOOK_PAUSE", 0.05)
    await server.put(f"{prefix}a", "1")
    async with open_config(App, Etcd(server.endpoint, prefix=prefix, mirror=file)) as config:
        await until(lambda: told(config).counters.get("mirror_writes"))
        written = file.read_bytes()
        if lost == "the folder":
            shutil.rmtree(file.parent)
        elif lost == "the file":
            file.unlink()
        else:
            file.write_bytes(b"")
        await until(lambda: file.exists() and file.read_bytes() == written)
        await until(lambda: told(config).counters["mirror_writes"] == 2 and not told(config).notes)
    text = f"etcd: {file} is not there, or empty; it is written anew"
    assert logged(caplog, "written anew") == [("WARNING", text)]


async def test_an_edit_made_while_etcd_is_there_stays_until_the_next_write(server, prefix, file, monkeypatch):
    monkeypatch.setattr(mirror_runner, "LOOK_PAUSE", 0.01)
    looks = 0
    really = mirror_runner.Mirror.is_lost

    def is_lost(mirror):
        nonlocal looks
        looks += 1
        return really(mirror)

    monkeypatch.setattr(mirror_runner.Mirror, "is_lost", is_lost)
    await server.put(f"{prefix}a", "1")
    async with open_config(App, Etcd(server.endpoint, prefix=prefix, mirror=file)) as config:
        await until(lambda: told(config).counters.get("mirror_writes"))
        edit(file, **{f"{prefix}a": "2"})
        edited, begin = file.read_bytes(), looks
        await until(lambda: looks > begin + 3)
        assert file.read_bytes() == edited


async def test_one_bad_key_at_the_start_is_as_one_that_is_put_while_running(server, prefix, file):
    await server.txn({f"{prefix}a": "1", f"{prefix}b": "1"})
    source = Etcd(server.endpoint, prefix=prefix, mirror=file)
    async with open_config(App, source) as config:
        await until(lambda: told(config).counters.get("mirror_writes"))
    await server.put(f"{prefix}a", "2")
    bad = await server.put(f"{prefix}b", "bad")
    async with open_config(App, source) as config:
        await until(lambda: told(config).state is SourceState.SYNCED and config.current == App(2, 1))
        assert told(config).reason == ""
        assert [unit.unit for unit in told(config).held] == [f"revision {bad}"]
        assert "its content did not fit at the start, so that began with the last good state" in told(config).notes
        await config.wait_revision("etcd", await server.put(f"{prefix}b", "3"))
        assert (config.current, told(config).notes) == (App(2, 3), ())


async def test_after_a_wipe_that_is_held_the_mirror_is_of_its_own_revision(binary, tmp_path, file, caplog):
    async with etcd_server(binary) as old, etcd_server(binary) as new, tcp_proxy(old.endpoint) as proxy:
        for number in range(9):
            last = await old.put("/s/a", str(number))
        async with away(proxy, "/s/", file) as config:
            host, port = new.endpoint.split(":")
            proxy._target = (host, int(port))
            await proxy.listen()
            await until(lambda: told(config).state is SourceState.SYNCED and told(config).held)
            assert config.current == App(8)
            await until(lambda: any("is held" in note for note in told(config).notes))
            assert not any("taken anew" in note for note in told(config).notes)
            assert [level for level, _ in logged(caplog, "etcd was restored")] == ["WARNING"]
        assert orjson.loads(file.read_bytes())["revision"] == last
        async with away_again(new, file) as config:
            revision = await new.put("/s/a", "5")
            await until(lambda: config.current == App(5) and not told(config).held)
            await until(lambda: orjson.loads(file.read_bytes())["revision"] == revision)


@asynccontextmanager
async def away_again(server, file):
    async with open_config(App, Etcd(server.endpoint, prefix="/s/", mirror=file)) as config:
        await until(lambda: told(config).held)
        yield config


async def test_a_mirror_of_another_cluster_is_written_over_once_something_fits(own, file):
    old = MirrorCopy("/s/", 1, 1000, 1000, {"/s/a": CopyRow("8", 900)})
    Mirror(file, "/s/").save(old, set_aside=True, rewound=False)
    await own.put("/s/a", "bad")
    async with open_config(App, Etcd(own.endpoint, prefix="/s/", mirror=file)) as config:
        await until(lambda: told(config).state is SourceState.SYNCED and told(config).held)
        assert Mirror(file, "/s/").load() == old
        for key, values in (("b", {"a": "8", "b": "5"}), ("a", {"a": "5", "b": "5"})):
            revision = await own.put(f"/s/{key}", "5")
            await until(lambda revision=revision: Mirror(file, "/s/").load().revision == revision)
            assert {name[3:]: row.value for name, row in Mirror(file, "/s/").load().keys.items()} == values


async def test_a_key_that_is_held_keeps_its_layer_from_being_empty(server, prefix):
    await server.txn({f"{prefix}a": "1", f"{prefix}b": "1"})
    memory = Memory({"a": 7, "b": 7})
    async with open_config(App, memory, Etcd(server.endpoint, prefix=prefix)) as config:
        await server.delete(f"{prefix}b")
        bad = await server.put(f"{prefix}b", "{bad")
        await until(lambda: told(config).held)
        await config.wait_revision("etcd", await server.delete(f"{prefix}a"))
        await until(lambda: config.current.a == 7)
        assert [unit.unit for unit in told(config).held] == [f"revision {bad}"]


async def test_an_empty_layer_is_named_with_its_place_and_what_to_do(server, prefix):
    await server.put(f"{prefix}production/a", "1")
    with pytest.raises(StartupError) as refused:
        async with open_config(App, Etcd(server.endpoint, prefix=prefix, layers=LAYERS)):
            pass
    expected = "expected some content, if only {}, or optional=True for the source, got nothing"
    assert f"(root): {expected} (etcd {prefix}common/)" in str(refused.value)
