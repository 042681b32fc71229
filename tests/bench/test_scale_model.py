"""The model's arithmetic, against cases worked out by hand."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import pytest

from bench.harness.machine import this_machine
from bench.scale import command
from bench.scale.check import check
from bench.scale.model import Costs, Fleet, Prices, Shape, load, tiers
from bench.scale.points import SETTLE, Plan, Point, Spent, quantile
from bench.scale.prices import Base, base_of, prices, shape_of
from bench.scale.study import Study, save
from bench.scale.table import scaled, seconds

PRICES = Prices(
    etcd=Costs(send=50, ask=1000, back=2000, hop=2),
    behind=Costs(send=0, ask=500, back=1000),
    proxy=Costs(send=20, ask=300, back=400, hop=1, again=5),
    relay=Costs(send=100, ask=600, back=800, hop=3, again=0.5),
    client=Costs(send=200, ask=700, back=900),
    put=500,
    ask_busy=200,
    memory=100_000,
    event_bytes=50,
    ask_bytes=40,
    back_bytes=300,
)

DIRECT = Shape(name="direct")


def fleet(processes: int, **more: Any) -> Fleet:
    """One with a heartbeat every 4 s, 10 keys, and 100 bytes for each key and value together."""
    return Fleet(processes=processes, keys=10, key_bytes=10, value_bytes=90, keepalive=4 / 0.425, **more)


def test_direct_every_process_is_a_client_of_etcd() -> None:
    """Messages, bytes, CPU and questions grow with the fleet."""
    said = load(fleet(400), DIRECT, PRICES, cores=2)
    assert (said.clients, said.streams, said.watches, said.messages) == (400, 400, 400, 400)
    assert said.bytes == 400 * (100 + 50)
    assert said.change_cpu == (500 + 400 * 50) / 1000
    assert said.asked == pytest.approx(100)
    assert said.asked_bytes == pytest.approx(100 * 40)
    assert said.memory == 40_000_000
    assert said.last == 2 + 400 * 50 / 2 / 1000
    assert said.back_ranges == 1200
    assert said.back_bytes == 400 * (10 * 100 + 300)
    assert said.back_cpu == 0.8
    assert said.back_seconds == 0.25 + 0.8 / 2


def test_a_question_costs_less_when_there_are_many() -> None:
    """Asked seldom it has the measured price, asked 500 times a second half of the way down to that of a busy one."""
    seldom, often, always = (load(fleet(n), DIRECT, PRICES) for n in (1, 2000, 4_000_000))
    assert seldom.asked_cpu / seldom.asked == pytest.approx(1000e-6, rel=0.001)
    assert often.asked_cpu / often.asked == pytest.approx(600e-6)
    assert always.asked_cpu / always.asked == pytest.approx(200e-6, rel=0.01)


def test_a_proxy_makes_one_watch_of_many_and_passes_questions_on() -> None:
    """1,000 processes behind 10 proxies: 10 messages a change, and the heartbeats and comebacks of all 1,000."""
    said = load(fleet(1000), Shape(name="proxy", fan_out=100), PRICES, cores=2)
    assert [(tier.count, tier.clients) for tier in said.tiers] == [(10, 100)]
    assert (said.streams, said.watches, said.messages) == (20, 30, 10)
    assert said.bytes == 10 * (2 * 100 + 50)  # it asks for the value before, too
    assert said.asked == pytest.approx(250)
    assert said.back_ranges == 3000
    assert said.back_bytes == 1000 * (10 * 100 + 300)
    assert said.last == 2 + 1 + (10 * 50 / 2 + 20 * 100) / 1000
    assert said.back_seconds == pytest.approx(0.25 + 5 + 1000 * 1000e-6 / 2 + 100 * 400e-6)
    assert said.busiest == pytest.approx(25 * 300e-6)


def test_relays_ask_for_all_below_them() -> None:
    """1,000 processes under 10 relays under 1: one client at etcd, which asks 4 times a second at most."""
    shape = Shape(name="relay", fan_out=100, top=100, asks=4)
    said = load(fleet(1000), shape, PRICES, cores=2)
    assert [(tier.count, tier.clients) for tier in said.tiers] == [(10, 100)]
    assert said.asked == pytest.approx(40)
    deeper = load(fleet(20_000), shape, PRICES, cores=2)
    assert [(tier.count, tier.clients) for tier in deeper.tiers] == [(2, 100), (200, 100)]
    assert [tier.asked for tier in deeper.tiers] == pytest.approx([400, 25])
    assert (deeper.clients, deeper.messages, deeper.back_ranges) == (2, 2, 6)
    assert deeper.asked == pytest.approx(8)
    assert deeper.last == 2 + 2 * 3 + (2 * 50 / 2 + 2 * 100 * 100) / 1000


def test_few_clients_ask_no_more_than_they_are_asked() -> None:
    """Two processes ask every 2 s together, and so does their relay."""
    (tier,) = tiers(fleet(2), Shape(name="relay", fan_out=100, top=100, asks=4))
    assert (tier.count, tier.clients) == (1, 2)
    assert tier.asks == pytest.approx(0.5)


def test_on_one_machine_everybody_waits_for_everybody() -> None:
    """What clients and servers between do is then in the latency and in the comeback."""
    said = load(fleet(100), DIRECT, PRICES, cores=2, together=2)
    assert said.last == 2 + 100 * (50 + 200) / 2 / 1000
    assert said.back_seconds == 0.25 + 100 * (2000 + 900) / 2 / 1e6


def spent(**more: Any) -> Spent:
    """A phase of 10 s."""
    usual = {"etcd": 0.0, "clients": 0.0, "tiers": (), "ranges": 0.0, "messages": 0.0, "sent": 0.0}
    return Spent(**{"seconds": 10.0, **usual, **more})


def point(topology: str, runtimes: int, counts: tuple[int, ...], idle: Spent, change: Spent, back: Spent) -> Point:
    """One with 10 changes, seen after 2 ms by the first."""
    plan = Plan(topology=topology, runtimes=runtimes, counts=counts, keys=10, value_bytes=88, changes=10)
    return Point(plan, runtimes, runtimes, 1e6 * runtimes, idle, change, back, [2.0], [2.0], [3.0], [0.3], 0)


def test_prices_are_differences() -> None:
    """Of points with and without runtimes; what etcd spends alone, and heartbeats, are taken off."""
    empty = point("direct", 0, (), spent(etcd=0.1), spent(etcd=0.2), spent(etcd=0.6))
    base = base_of(empty)
    assert (base.idle, base.put, base.start) == pytest.approx((0.01, 0.01, 0.5))
    beats, rest = 10 * 100 / 4.25, SETTLE * 100 / 4.25
    direct = point(
        "direct",
        100,
        (),
        spent(etcd=0.1 + 0.2, clients=beats * 0.001, ranges=200, sent=200 * 50),
        spent(
            etcd=0.1 + 0.2 + 0.1 + 0.05, clients=beats * 0.001 + 0.3, ranges=200, messages=1000, sent=10_000 + 150_000
        ),
        spent(
            etcd=0.1 + 0.5 + rest * 0.001 + 0.4,
            clients=rest * 0.001 + 0.5,
            ranges=rest + 300,
            sent=rest * 50 + 100 * 1500,
        ),
    )
    tier = {"tiers": (beats * 0.002,)}
    proxy = point("proxy", 100, (1,), spent(ranges=1, **tier), spent(messages=1, **tier), spent(tiers=(rest * 0.002,)))
    found = prices(empty, direct, proxy, proxy, 150.0)
    assert found.put == pytest.approx(10_000)
    assert (found.etcd.ask, found.etcd.send, found.etcd.back) == pytest.approx((1000, 50, 4000))
    assert found.etcd.asks == pytest.approx(3)
    assert (found.client.ask, found.client.send, found.client.back) == pytest.approx((1000, 300, 5000))
    assert (found.proxy.ask, found.proxy.send, found.proxy.back) == pytest.approx((2000, 0, 0), abs=1e-6)
    assert (found.ask_bytes, found.event_bytes, found.back_bytes) == pytest.approx((50, 50, 500))
    assert found.memory == 1e6


def test_the_check_sets_the_model_beside_the_point() -> None:
    """Rows of a point that is as the model says have no error."""
    change = spent(etcd=0.1 + 1 + 10 * (500 + 20 * 50) / 1e6, ranges=50, messages=200, sent=50 * 40 + 10 * 20 * 150)
    one = point("direct", 20, (), spent(etcd=0.1 + 1, ranges=50), change, spent())
    rows = {row.what: row for row in check(one, Base(0.01, 500e-6, 0.0), PRICES, 2.0)}
    assert rows["messages a change"].error == 0
    assert rows["bytes a change"].error == pytest.approx(0)
    assert rows["etcd's CPU a change"].error == pytest.approx(0)
    assert rows["heartbeats at etcd"].measured == 5
    assert math.isnan(rows["comeback: questions to etcd"].error)


def test_a_plan_is_a_shape() -> None:
    """Two proxies for 200 runtimes have 100 each; a second tier makes it deep."""
    assert shape_of(Plan(topology="proxy", runtimes=200, counts=(2,))).fan_out == 100
    deep = shape_of(Plan(topology="relay", runtimes=200, counts=(1, 4)))
    assert (deep.fan_out, deep.top, deep.asks) == (50, 1, 4)
    assert [(tier.count, tier.clients) for tier in tiers(fleet(200), deep)] == [(1, 4), (4, 50)]


def test_words() -> None:
    """Units that people read."""
    assert (scaled(950, "B"), scaled(3_200_000, "B"), scaled(5e13, "B")) == ("950 B", "3.2 MB", "50 TB")
    assert (seconds(3e-5), seconds(0.25), seconds(30), seconds(600), seconds(36_000)) == (
        "30 us",
        "250 ms",
        "30 s",
        "10 min",
        "10 h",
    )
    assert math.isnan(quantile([], 0.5))
    assert quantile([1, 2, 3], 0.99) == 3


def test_the_command_computes_from_a_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without measuring: the table, and the picture as SVG and PNG."""
    pytest.importorskip("matplotlib")
    empty = point("direct", 0, (), spent(), spent(), spent())
    one = point("direct", 20, (), spent(ranges=50), spent(messages=200), spent(ranges=1, sent=1, etcd=1))
    save(Study(this_machine(), "3.5.1", PRICES, [empty], [one]), tmp_path / "study.json")
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    asked = ["scale", "--study", str(tmp_path / "study.json"), "--out", str(tmp_path / "out"), "--fan-out", "100"]
    arguments = parser.parse_args(asked)
    assert arguments.run(arguments) == 0
    printed = capsys.readouterr().out
    assert printed.strip() == (tmp_path / "out/table.md").read_text().strip()
    assert "| 1,000,000 | relays 100 → 10,000 | 100 | 10 MB |" in printed
    assert "| messages a change | 20 | 20 | +0 % |" in printed
    assert {path.name for path in (tmp_path / "out").glob("scale.*")} == {"scale.svg", "scale.png"}


@pytest.mark.parametrize("asked", [["--keys", "501"], ["--value-bytes", "3000"], ["--small", "0"]])
def test_the_command_refuses_what_it_has_no_model_for(asked: list[str]) -> None:
    """Ranges that a comeback does not read, and a fleet of none."""
    pytest.importorskip("matplotlib")
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    arguments = parser.parse_args(["scale", *asked])
    with pytest.raises(SystemExit, match="expected"):
        arguments.run(arguments)
