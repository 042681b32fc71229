"""The log of a program on etcd over an outage, a mistake and starts without etcd, as its operator reads it (P13)."""

from __future__ import annotations

import asyncio
import logging
import re

import msgspec
import pytest

from reactive_config import Etcd, Files, open_config
from reactive_config._core.runtime import logbook
from reactive_config.status import SourceState

pytestmark = [pytest.mark.etcd, pytest.mark.half_grid]


class App(msgspec.Struct, frozen=True):
    a: int = 0
    b: int = 0


TIME = re.compile(r"^(no longer held: .*)after [\d.]+s")


@pytest.fixture
def log(caplog):
    """Takes what was logged since it was asked last."""
    caplog.set_level(logging.INFO, "reactive_config")

    def take():
        found = [
            (r.levelname, TIME.sub(r"\1after TIME", r.getMessage()))
            for r in caplog.records
            if r.name == "reactive_config"
        ]
        caplog.clear()
        return found

    return take


def told(config):
    return config.status().sources[-1]


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_changes_a_mistake_and_an_outage(server, prefix, proxy, log):
    first = await server.put(f"{prefix}a", "1")
    async with open_config(App, Etcd(proxy.endpoint, prefix=prefix)) as config:
        assert log() == [("INFO", f"generation 1 from etcd ({prefix}, revision {first})")]
        revision = await server.txn({f"{prefix}a": "2", f"{prefix}b": "3"})
        await until(lambda: config.current == App(2, 3))
        assert log() == [
            (
                "INFO",
                f"generation 2: a (etcd {prefix}a, revision {revision}), b (etcd {prefix}b, revision {revision})",
            )
        ]
        bad = await server.put(f"{prefix}b", "lots")
        await until(lambda: told(config).held)
        assert log() == [
            (
                "WARNING",
                f"held revision {bad} of etcd: b: expected int, got 'lots' (etcd {prefix}b, revision {bad})",
            )
        ]
        good = await server.put(f"{prefix}b", "4")
        await until(lambda: config.current == App(2, 4))
        assert log() == [
            ("INFO", f"no longer held: revision {bad} of etcd (overwritten or taken back, after TIME)"),
            ("INFO", f"generation 3: b (etcd {prefix}b, revision {good})"),
        ]
        proxy.refuse()
        await until(lambda: told(config).state is SourceState.STALE)
        ((level, text),) = log()
        assert level == "WARNING"
        assert re.fullmatch(rf"etcd is STALE: .*{re.escape(proxy.endpoint)}.*; the last state stays in force", text)
        missed = await server.put(f"{prefix}a", "9")
        await until(lambda: "refused" in told(config).reason)
        assert log() == []  # more reasons of the same state
        await proxy.listen()
        await until(lambda: config.current == App(9, 4) and told(config).state is SourceState.SYNCED)
        back, change = sorted(log())
        assert re.fullmatch(r"etcd is SYNCED, after \d+(\.\d)?s away", back[1])
        assert change == ("INFO", f"generation 4: a (etcd {prefix}a, revision {missed})")


async def test_a_start_without_etcd_says_within_seconds_what_it_waits_for(server, prefix, proxy, log, monkeypatch):
    monkeypatch.setattr(logbook, "FIRST_WORD", 0.05)
    await server.put(f"{prefix}a", "1")
    proxy.refuse()
    context = open_config(App, Etcd(proxy.endpoint, prefix=prefix))
    opening = asyncio.create_task(context.__aenter__())
    waits = []

    def refused():
        waits.extend(log())
        return any("refused" in text for _, text in waits)

    await until(refused)
    assert {level for level, _ in waits} == {"WARNING"}
    assert re.fullmatch(
        rf"the start waits for etcd: connecting: {re.escape(proxy.endpoint)}: .*[Cc]onnection refused.* \(.*s of 30s\)",
        waits[-1][1],
    )
    await proxy.listen()
    config = await opening
    assert config.current == App(1)
    await until(lambda: told(config).state is SourceState.SYNCED)
    assert log()[-1][1].startswith("generation 1 from etcd (")
    await context.__aexit__(None, None, None)


async def test_a_start_from_the_mirror_says_what_the_program_runs_on_and_when_etcd_is_back(
    server, prefix, proxy, tmp_path, log
):
    file = tmp_path / "m.json"
    revision = await server.put(f"{prefix}a", "1")
    async with open_config(App, Etcd(server.endpoint, prefix=prefix, mirror=file)) as config:
        await until(lambda: told(config).counters.get("mirror_writes"))
    log()
    proxy.refuse()
    source = Etcd(proxy.endpoint, prefix=prefix, mirror=file, mirror_after=0.05)
    async with open_config(App, source) as config:
        away, first = log()
        assert away[0] == "WARNING"
        assert re.fullmatch(rf"etcd is STALE: .*; running on the mirror {file}, revision {revision}", away[1])
        assert first == ("INFO", f"generation 1 from etcd ({prefix}, revision {revision})")
        await proxy.listen()
        await until(lambda: told(config).state is SourceState.SYNCED)
        ((level, text),) = log()
        assert level == "INFO"
        assert re.fullmatch(r"etcd is SYNCED, after \d+(\.\d)?s away", text)


async def test_a_start_on_bad_content_names_the_mirror_and_what_of_it_runs(server, prefix, proxy, tmp_path, log):
    file = tmp_path / "m.json"
    mirrored = {"prefix": prefix, "mirror": file, "mirror_after": 0.05}
    first = await server.put(f"{prefix}a", "1")
    async with open_config(App, Etcd(server.endpoint, **mirrored)) as config:
        bad = await server.put(f"{prefix}b", "lots")
        newer = await server.put(f"{prefix}a", "2")
        await until(lambda: config.current == App(2) and told(config).held)
    log()
    beside = f"revision {first} with values up to revision {newer} beside what was held"
    async with open_config(App, Etcd(server.endpoint, **mirrored)):
        good, start, generation, *_ = [text for _, text in log()]
    assert good == f"etcd: its last good state is the mirror {file}, {beside}"
    assert start == "etcd: its content does not fit; the program starts from its last good state"
    held = f"what does not fit of revision {newer} is held"
    assert generation == f"generation 1 from etcd ({prefix}, the last good state, {beside}; {held})"
    assert bad < newer
    proxy.refuse()
    async with open_config(App, Etcd(proxy.endpoint, **mirrored)):
        assert log()[0][1].endswith(f"; running on the mirror {file}, {beside}")


async def test_authentication_that_is_turned_on_without_a_user_is_told_as_failed(own, prefix, log):
    await own.put(f"{prefix}a", "1")
    async with open_config(App, Etcd(own.endpoint, prefix=prefix, keepalive=2.0)) as config:
        log()
        await asyncio.to_thread(own.enable_auth)
        await until(lambda: told(config).state is SourceState.FAILED)
        found = log()
    assert found[-1][0] == "WARNING"
    assert found[-1][1].startswith(f"etcd is FAILED: {own.endpoint}: ")


async def test_etcd_that_may_be_missing_above_files(prefix, tmp_path, log):
    (tmp_path / "app.toml").write_text("a = 1\n")
    layers = Files(tmp_path), Etcd("127.0.0.1:1", prefix=prefix, optional=True, mirror_after=0.05)
    async with open_config(App, *layers) as config:
        assert config.current == App(1)
        away, first = log()
    assert away[0] == "WARNING"
    assert re.fullmatch(r"etcd is STALE: .*127\.0\.0\.1:1.*; the program goes on without it", away[1])
    assert first == ("INFO", f"generation 1 from files ({tmp_path})")
