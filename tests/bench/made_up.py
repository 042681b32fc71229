"""Results without a run."""

from __future__ import annotations

from datetime import UTC, datetime

from bench.harness import Case, Subject
from bench.harness.judging import Measured, judge
from bench.harness.machine import Machine
from bench.harness.results import CaseResult, Result

MACHINE = Machine(cpu="Z80", cores=1, governor="", system="CP/M 2.2", python="CPython 3.11", load=0.5)


def case(*labels, name="it", title="the thing", unit="ms"):
    """A case whose subjects never run."""
    return Case(name=name, title=title, unit=unit, subjects=dict.fromkeys(labels, Subject))


def case_result(one, points, aims=(), failure=""):
    """A case that was measured: points of params and label to rounds."""
    measured = [Measured(params, rounds) for params, rounds in points]
    return CaseResult(one.name, one.title, one.unit, judge(one, measured, aims), failure)


def result(*cases):
    """A run."""
    return Result(
        grid="small",
        began=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        seconds=12.3,
        machine=MACHINE,
        versions={"msgspec": "0.22.0", "etcd": "3.5.1"},
        cases=list(cases),
    )


def steady(figure, rounds=6, samples=3):
    """Rounds that are all alike."""
    return [[float(figure)] * samples] * rounds


def noisy(figure, rounds=8):
    """Rounds around a figure, 30 % up and down."""
    return [[figure * share] for share in (0.7, 0.8, 0.9, 1.0, 1.0, 1.1, 1.2, 1.3)[:rounds]]
