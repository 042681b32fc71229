"""`watch`, left running while files and etcd change."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from reactive_config._testing.etcd_server import EtcdServer

FILES = ("config/common", "config/production")
TYPED = (*FILES, "--type", "settings:App")


def test_a_change_is_a_diff_with_generation_and_source(cli: Any, shop: Path) -> None:
    with cli.start("watch", *TYPED, "--count", "2") as running:
        running.wait_line("^config/common .*SYNCED")
        running.wait_line("^generation 1: 7 values")
        (shop / "config/production/10.toml").write_text("workers = 9\n[database.pool]\nmax_size = 60\n")
        running.wait_line(r"generation 2  config/production/10\.toml$")
        assert running.wait_line("~") == "  ~ database.pool.max_size  50 -> 60  (config/production/10.toml:3:12)"
        assert running.wait_line("~") == "  ~ workers                 4 -> 9  (config/production/10.toml:1:11)"
        (shop / "config/production/10.toml").write_text("workers = 9\n")
        running.wait_line("generation 3")
        running.wait_line(r"max_size  60 -> 10  \(now from config/common/app.yaml:4:15\)")
        assert running.wait() == (0, "")


def test_rejections_show_when_they_come_and_when_they_are_over(cli: Any, shop: Path) -> None:
    path = shop / "config/production/10.toml"
    with cli.start("watch", *TYPED) as running:
        running.wait_line("generation 1")
        path.write_text("[database.pool]\nmax_size = 9000\n")
        running.wait_line("HELD config/production/10.toml")
        running.wait_line("10.toml:2:12: database.pool.max_size: expected int <= 500, got 9000")
        path.write_text("[database.pool\n")
        running.wait_line("HELD")
        running.wait_line("10.toml:1:.* expected")
        path.write_text("[database.pool]\nmax_size = 60\n")
        running.wait_line("no longer held: config/production/10.toml")
        running.wait_line("generation 2")
        assert running.end() == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_leaving_is_clean(cli: Any, number: signal.Signals) -> None:
    with cli.start("watch", "config/common") as running:
        running.wait_line("Ctrl-C ends")
        assert running.end(number) == (0, "")


def test_ctrl_c_is_clean_while_it_still_waits_for_a_source(cli: Any, shop: Path) -> None:
    (shop / "slow.py").write_text("import os\nos.write(1, b'imported\\n')\nApp = dict\n")
    with cli.start("watch", "etcd://127.0.0.1:1/x/", "--timeout", "60", "--type", "slow:App") as running:
        running.wait_line("imported")
        assert running.end() == (0, "")


def test_json_lines_have_the_documented_fields(cli: Any, shop: Path) -> None:
    with cli.start("watch", *FILES, "--json") as running:
        start = json.loads(running.wait_line("start"))
        assert start.keys() == {"event", "generation", "published_at", "revisions", "values", "sources"}
        (shop / "config/production/10.toml").write_text("[database.pool]\nmin_size = 2\n")
        change = json.loads(running.wait_line("change"))
        assert change.keys() == {"event", "generation", "published_at", "revisions", "causes", "changes"}
        by_path = {c["path"]: c for c in change["changes"]}
        added, changed = by_path["database.pool.min_size"], by_path["database.pool.max_size"]
        assert (added["change"], added["after"], "before" in added) == ("added", 2, False)
        assert (changed["before"], changed["after"]) == (50, 10)
        assert changed["origin"]["place"] == "config/common/app.yaml"
        (shop / "config/production/10.toml").write_text("= 2\n")
        held = json.loads(running.wait_line("held"))
        assert (held["unit"], held["problems"][0]["origin"]["line"]) == ("config/production/10.toml", 1)


def test_a_reader_that_leaves_ends_it_quietly(cli: Any) -> None:
    script = f"{cli.script} watch config/common | head -n 1; exit ${{PIPESTATUS[0]}}"
    with cli.start_any("bash", "-c", script) as running:
        running.wait_line("SOURCE")
        (cli.directory / "config/common/app.yaml").write_text("a: 1\n")
        assert running.wait() == (0, "")


@pytest.mark.etcd
def test_a_real_etcd_is_followed_through_an_outage(cli: Any, etcd: EtcdServer) -> None:
    etcd.ctl("put", "/watch/database/pool", '{"max_size": 20}')
    with cli.start("watch", "config/common", f"etcd://{etcd.endpoint}/watch/", "-t", "settings:App") as running:
        running.wait_line("^etcd +SYNCED")
        running.wait_line("generation 1")
        etcd.ctl("put", "/watch/database/pool/max_size", "30")
        running.wait_line(r"generation 2  etcd /watch/database/pool/max_size, revision \d+$")
        running.wait_line("max_size  20 -> 30")
        etcd.ctl("put", "/watch/nope", "1")
        running.wait_line(r"HELD revision \d+ of etcd")
        running.wait_line("nope: expected one of the names")
        etcd.ctl("del", "/watch/nope")
        running.wait_line("no longer held: revision")
        etcd.ctl("del", "/watch/database/pool/max_size")
        running.wait_line(r"max_size is gone at revision \d+$")
        running.wait_line(r"max_size  30 -> 20  \(now from etcd /watch/database/pool")
        etcd.kill()
        running.wait_line("etcd is STALE: ")
        etcd.start_blocking()
        running.wait_line("etcd is SYNCED again")
        etcd.ctl("put", "/watch/workers", "8")
        running.wait_line("workers  4 -> 8")
        assert running.end() == (0, "")
