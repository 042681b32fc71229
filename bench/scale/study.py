"""One study: small points give the prices, larger ones check the model, and the model goes on from there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench.harness.machine import Machine, this_machine
from bench.scale.check import Row, check
from bench.scale.measure import busy_ask, measure
from bench.scale.model import Fleet, Load, Prices, Shape, load
from bench.scale.points import Plan, Point
from bench.scale.prices import base_of, prices
from bench.scale.relay import PAUSE
from reactive_config._testing.etcd_server import EtcdBinary

SIZES = (1, 100, 10_000, 1_000_000)

BETWEEN = 50
"""Runtimes for each server between at the points that check."""


class Study(msgspec.Struct, frozen=True):
    """What one run found; written as JSON, and its `prices` may be edited and used again.

    Attributes:
        machine, etcd: Where, and its version.
        prices: From `small`: without runtimes, direct, one proxy, one relay.
        large: One a topology, for `checks`.
    """

    machine: Machine
    etcd: str
    prices: Prices
    small: list[Point]
    large: list[Point]

    def checks(self) -> Iterator[tuple[Point, list[Row]]]:
        """The large points, and what the model says of each."""
        for point in self.large:
            yield point, check(point, base_of(self.small[0]), self.prices, self.machine.cores)


async def study(binary: EtcdBinary, plan: Plan, runtimes: int) -> Study:
    """Measure everything.

    Args:
        binary: Which etcd.
        plan: The small points'; its topology and counts are set here.
        runtimes: Of the points that check.
    """
    machine = this_machine()

    async def point(topology: str, count: int, *counts: int) -> Point:
        print(f"measuring {topology}, {count} runtimes", flush=True)
        asked = msgspec.structs.replace(plan, topology=topology, runtimes=count, counts=counts)
        return await measure(asked, binary)

    small = [
        await point("direct", 0),
        await point("direct", plan.runtimes),
        await point("proxy", plan.runtimes, 1),
        await point("relay", plan.runtimes, 1),
    ]
    found = prices(small[0], small[1], small[2], small[3], await busy_ask(plan, binary))
    leaves = -(-runtimes // BETWEEN)
    large = [
        await point("direct", runtimes),
        await point("proxy", runtimes, -(-leaves // 2)),
        await point("relay", runtimes, 1, leaves),
    ]
    return Study(machine, binary.version, found, small, large)


def shapes(fan_out: int) -> tuple[Shape, ...]:
    """Those that are compared."""
    return (
        Shape(name="direct"),
        Shape(name="proxy", fan_out=fan_out),
        Shape(name="relay", fan_out=fan_out, top=fan_out, asks=1 / PAUSE),
    )


def forecast(found: Prices, fleet: Fleet, fan_out: int, cores: float) -> Iterator[tuple[int, Shape, Load]]:
    """What the model says of every size and shape."""
    for processes in SIZES:
        for shape in shapes(fan_out):
            yield processes, shape, load(msgspec.structs.replace(fleet, processes=processes), shape, found, cores=cores)


def save(one: Study, path: Path) -> None:
    """Write it as JSON, to be read again by `read`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(one)) + b"\n")


def read(path: Path) -> Study:
    """What `save` wrote.

    Raises:
        msgspec.ValidationError: It is no study.
    """
    return msgspec.json.decode(path.read_bytes(), type=Study)
