"""With the real runtime: what a program sees."""

from __future__ import annotations

import asyncio
import os
import time

import msgspec
import orjson
import pytest

from reactive_config import TLS, Etcd, Rejected, Secret, StartupError, open_config
from reactive_config.status import SourceState

pytestmark = [pytest.mark.etcd, pytest.mark.half_grid]


class Pool(msgspec.Struct, frozen=True):
    size: int = 1


class App(msgspec.Struct, frozen=True):
    pool: Pool = Pool()
    name: str = ""


async def until(config, condition, timeout=10.0):
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.01)


def told(config):
    return config.status().sources[0]


async def test_a_bad_transaction_is_held_and_a_good_one_beside_it_taken(server, prefix):
    await server.txn({f"{prefix}pool/size": "5", f"{prefix}name": "1.10"})
    async with open_config(App, Etcd(server.endpoint, prefix=prefix)) as config:
        assert config.current == App(Pool(5), "1.10")
        bad = await server.txn({f"{prefix}pool/size": "many", f"{prefix}name": "bad"})
        with pytest.raises(Rejected) as refused:
            await config.wait_revision("etcd", bad)
        assert f"etcd {prefix}pool/size, revision {bad}" in str(refused.value)
        good = await server.put(f"{prefix}pool/size", "7")
        await config.wait_revision("etcd", good)
        assert config.current == App(Pool(7), "bad")


@pytest.mark.parametrize("kind", [dict, dict[str, dict[str, dict[str, int]]]])
async def test_the_table_of_a_key_and_the_keys_below_it_are_one_table(server, prefix, kind):
    await server.txn({f"{prefix}a": '{"b": {"c": 1, "e": 0}}', f"{prefix}a/b": '{"d": 2}', f"{prefix}a/b/e": "3"})
    async with open_config(kind, Etcd(server.endpoint, prefix=prefix)) as config:
        assert config.current == {"a": {"b": {"c": 1, "d": 2, "e": 3}}}
        await config.wait_revision("etcd", await server.delete(f"{prefix}a/b/e"))
        assert config.current == {"a": {"b": {"c": 1, "d": 2, "e": 0}}}


async def test_a_relist_with_equal_content_makes_no_generation(server, prefix, proxy):
    await server.put(f"{prefix}pool/size", "5")
    async with open_config(App, Etcd(proxy.endpoint, prefix=prefix)) as config:
        before = config.snapshot
        proxy.refuse()
        await until(config, lambda: told(config).state is SourceState.STALE)
        await server.compact(await server.put("/elsewhere", "1"))
        await proxy.listen()
        await until(
            config, lambda: told(config).counters.get("relists") == 1 and told(config).state is SourceState.SYNCED
        )
        assert config.snapshot is before


async def test_a_start_that_cannot_be_says_why_at_once(server, prefix):
    with pytest.raises(StartupError, match=r"holds no PEM block|cannot be read"):
        async with open_config(App, Etcd(server.endpoint, prefix=prefix, tls=TLS(ca="/no/such"))):
            pass
    with pytest.raises(StartupError, match="Connection refused"):
        async with open_config(App, Etcd("127.0.0.1:1", prefix=prefix), startup_timeout=0.5):
            pass


async def test_a_bad_key_and_a_restart_do_not_take_the_program_down(server, prefix, tmp_path):
    """P8: content that does not fit at the start is held, and the mirror's last good state is in force."""
    mirror = tmp_path / "mirror.json"
    await server.txn({f"{prefix}pool/size": "5", f"{prefix}name": "a"})
    async with open_config(App, Etcd(server.endpoint, prefix=prefix, mirror=mirror)) as config:
        await until(config, lambda: told(config).counters.get("mirror_writes"))
    await server.put(f"{prefix}pool/size", "many")
    await server.put(f"{prefix}name", "b")
    async with open_config(App, Etcd(server.endpoint, prefix=prefix, mirror=mirror)) as config:
        assert config.current == App(Pool(5), "b")
        assert told(config).held
        await until(config, lambda: told(config).counters.get("mirror_writes"))
        keys = {key: row["value"] for key, row in orjson.loads(mirror.read_bytes())["keys"].items()}
        assert keys == {f"{prefix}pool/size": "5", f"{prefix}name": "b"}
        await server.put(f"{prefix}pool/size", "6")
        await until(config, lambda: config.current == App(Pool(6), "b"))
    with pytest.raises(StartupError):
        await server.put(f"{prefix}pool/size", "many")
        async with open_config(App, Etcd(server.endpoint, prefix=prefix)):
            pass


async def test_away_edited_and_back_are_one_snapshot_each(server, prefix, proxy, tmp_path):
    mirror = tmp_path / "mirror.json"
    await server.txn({f"{prefix}pool/size": "5", f"{prefix}name": "a"})
    async with open_config(App, Etcd(proxy.endpoint, prefix=prefix, mirror=mirror, mirror_after=0.1)) as config:
        await until(config, lambda: told(config).counters.get("mirror_writes"))
        updates = config.updates()
        proxy.refuse()
        document = orjson.loads(mirror.read_bytes())
        document["keys"][f"{prefix}pool/size"] = 9
        document["keys"][f"{prefix}name"]["value"] = "hand"
        mirror.write_bytes(orjson.dumps(document))
        await until(config, lambda: config.current == App(Pool(9), "hand"))
        await until(config, lambda: "hand edit" in told(config).reason)
        await proxy.listen()
        await until(config, lambda: config.current == App(Pool(5), "a"))
        await until(config, lambda: list(tmp_path.glob("mirror.json.edited-*")))
        values = [(await anext(updates)).value for _ in range(3)]
        assert values == [App(Pool(5), "a"), App(Pool(9), "hand"), App(Pool(5), "a")]


async def test_a_mirror_starts_the_program_without_etcd(server, prefix, tmp_path):
    mirror = tmp_path / "mirror.json"
    await server.txn({f"{prefix}pool/size": "5"})
    async with open_config(App, Etcd(server.endpoint, prefix=prefix, mirror=mirror)) as config:
        await until(config, lambda: told(config).counters.get("mirror_writes"))
    async with open_config(App, Etcd("127.0.0.1:1", prefix=prefix, mirror=mirror, mirror_after=0.1)) as config:
        assert config.current.pool.size == 5
        assert told(config).state is SourceState.STALE
        assert "running on the mirror" in told(config).reason


@pytest.mark.parametrize("optional", [False, True])
@pytest.mark.parametrize(
    ("make", "got"),
    [
        (lambda path: path.mkdir(), "a directory"),
        (os.mkfifo, "a pipe"),
        (lambda path: path.write_text("[database]\nsize = 1"), "another file"),
    ],
)
async def test_a_start_with_something_else_in_place_of_a_mirror_is_one_clear_error(
    server, prefix, tmp_path, make, got, optional
):
    mirror = tmp_path / "m.json"
    make(mirror)
    await server.put(f"{prefix}name", "a")
    source = Etcd(server.endpoint, prefix=prefix, mirror=mirror, optional=optional)
    with pytest.raises(StartupError) as refused:
        async with open_config(App, source):
            pass
    expected = f"etcd: mirror= {mirror}: expected the mirror of {prefix}, or nothing, got {got}; it is left as it is"
    assert str(refused.value).splitlines()[1:] == [f"  {expected}"]
    assert [path.name for path in tmp_path.iterdir()] == ["m.json"]


@pytest.mark.parametrize(
    ("options", "cause"), [({}, "Connection refused"), ({"tls": TLS(ca="/no/such")}, "CA file /no/such cannot be read")]
)
async def test_a_start_without_etcd_names_a_slip_in_the_edited_mirror_at_once_and_first(
    server, prefix, tmp_path, caplog, options, cause
):
    mirror = tmp_path / "m.json"
    await server.put(f"{prefix}name", "a")
    async with open_config(App, Etcd(server.endpoint, prefix=prefix, mirror=mirror)) as config:
        await until(config, lambda: told(config).counters.get("mirror_writes"))
    mirror.write_bytes(mirror.read_bytes().replace(b'"value"', b"value"))
    caplog.clear()
    opened = asyncio.create_task(
        open_config(
            App, Etcd("127.0.0.1:1", prefix=prefix, mirror=mirror, mirror_after=0.05, **options), startup_timeout=1.0
        ).__aenter__()
    )
    trouble = f"{mirror} cannot be used: line 13, column 7: expected valid JSON"
    begin = time.monotonic()
    async with asyncio.timeout(0.9):
        while not [record for record in caplog.records if trouble in record.getMessage()]:
            await asyncio.sleep(0.01)
    assert time.monotonic() - begin < 0.5
    with pytest.raises(StartupError) as refused:
        await opened
    line = str(refused.value).splitlines()[1]
    assert line.removeprefix("  etcd: ").removeprefix("connecting: ").startswith(trouble)
    assert line.index(cause) > line.index(trouble)
    assert len([record for record in caplog.records if trouble in record.getMessage()]) == 1


class Vault(msgspec.Struct, frozen=True):
    dsn: Secret[str] = Secret("")


async def test_the_status_warns_of_secrets_that_a_mirror_has_in_plain(server, prefix, tmp_path):
    await server.put(f"{prefix}dsn", "canary")
    mirror = tmp_path / "m.json"
    async with open_config(Vault, Etcd(server.endpoint, prefix=prefix, mirror=mirror)) as config:
        assert f"plain in {mirror}" in told(config).notes[0]
        assert "canary" not in repr(config.status())
    async with open_config(App, Etcd(server.endpoint, prefix=prefix, mirror=mirror)) as config:
        assert told(config).notes == ()


async def test_one_newline_at_the_end_of_a_bare_value_does_not_count(server, prefix):
    """`echo 5 | etcdctl put` writes one."""
    await server.txn({f"{prefix}pool/size": "5\n", f"{prefix}name": "one\ntwo\n\n"})
    async with open_config(App, Etcd(server.endpoint, prefix=prefix)) as config:
        assert config.current == App(Pool(5), "one\ntwo\n")
        (explained,) = config.explain("name")
        assert (explained.origin.place, explained.value) == (f"{prefix}name", "one\ntwo\n")
