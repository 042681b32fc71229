"""`doctor`: which sources answer, and what the machine has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reactive_config._testing.etcd_server import EtcdServer

Run = Callable[..., Any]


def test_without_sources_only_the_machine_is_looked_at(cli: Run) -> None:
    result = cli("doctor")
    assert (result.code, result.err) == (0, "")
    for word in ("notifier", "python", "reactive-config", "aetcd", "grpcio", "watchfiles", "platform"):
        assert word in result.out


def test_every_source_is_opened_by_itself(quick: Run, shop: Path) -> None:
    (shop / "config/common/app.yaml").write_text("a: [\n")
    result = quick(
        "doctor", "config/common", "config/production", "optional:config/local", "etcd://127.0.0.1:1/x/",
        "--timeout", "0.5", "--json",
    )  # fmt: skip
    *sources, machine, end = result.records
    assert result.code == 1
    assert [(s["source"], s["answers"]) for s in sources] == [
        ("config/common", False),
        ("config/production", True),
        ("config/local", True),
        ("etcd", False),
    ]
    assert [s["optional"] for s in sources] == [False, False, True, False]
    assert sources[0]["problems"][0]["origin"]["place"] == "config/common/app.yaml"
    assert sources[1]["notes"]
    assert sources[3]["reason"]
    assert machine["versions"]["msgspec"]
    assert set(machine["inotify"] or {}) <= {
        "max_user_instances", "max_user_watches", "max_queued_events", "instances_in_use", "watches_in_use",
    }  # fmt: skip
    assert end == {"event": "result", "ok": False}


def test_an_optional_source_that_is_away_is_no_failure(quick: Run) -> None:
    result = quick("doctor", "optional:etcd://127.0.0.1:1/x/", "--timeout", "0.4")
    assert result.code == 0
    assert result.out.startswith("away  etcd://127.0.0.1:1/x/")


@pytest.mark.etcd
def test_a_real_etcd_answers(cli: Run, etcd: EtcdServer) -> None:
    etcd.ctl("put", "/doctor/a", "1")
    result = cli("doctor", "config/common", f"etcd://{etcd.endpoint}/doctor/")
    assert result.code == 0, result.out + result.err
    assert f"ok    etcd://{etcd.endpoint}/doctor/  SYNCED, revision " in result.out


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("optional:environment:confg/production", "there is no confg"),
        ("optional:environment:settings/production", "nothing for production was found in settings"),
        ("optional:confg/common", "there is no confg/common"),
        ("empty.json", "no value was found in empty.json"),
        ("env:NOWHERE_", "no variable that begins with NOWHERE_ is set"),
    ],
)
def test_a_source_that_is_fine_and_empty_says_so(quick: Run, shop: Path, source: str, said: str) -> None:
    (shop / "settings").mkdir()
    (shop / "empty.json").write_text("{}")
    result = quick("doctor", source, "--json")
    assert result.records[0]["hints"] == [said]
    assert result.code == 0
    assert f"hint: {said}" in quick("doctor", source).out
