"""A small fleet for real: what is measured is what the model counts."""

from __future__ import annotations

import pytest

from bench.scale.measure import measure
from bench.scale.points import Plan
from reactive_config._testing.etcd_server import etcd_binaries, missing_etcd

RUNTIMES = 6


@pytest.mark.etcd
@pytest.mark.slow
@pytest.mark.parametrize(
    ("topology", "counts", "clients", "watches"), [("direct", (), RUNTIMES, RUNTIMES), ("proxy", (1,), 1, 3)]
)
async def test_a_small_fleet(
    topology: str, counts: tuple[int, ...], clients: int, watches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every runtime sees the last change and comes back; etcd sends a change once to each of its own clients."""
    monkeypatch.setattr("bench.scale.measure.SETTLE", 0.1)
    if not etcd_binaries():
        raise missing_etcd()
    plan = Plan(topology=topology, runtimes=RUNTIMES, counts=counts, keys=20, idle=0.1, changes=5, rate=10.0, down=0.1)
    point = await measure(plan, etcd_binaries()[0])
    assert point.watches == watches
    assert point.change.messages == 5 * clients
    assert len(point.last) <= 5
    assert len(point.visible) >= RUNTIMES  # it conflates, but the last one is seen by all
    assert len(point.returned) == RUNTIMES
    assert point.relists == 0
    assert point.change.sent > 5 * clients * plan.value_bytes
