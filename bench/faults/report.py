"""A run as a table."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from bench.faults.checker import reasons, tally
from bench.faults.history import Missed, Recovery
from bench.faults.run import Result

SHOWN = 20
"""Breaches that are printed; the table counts all of them."""

SLOWEST = 5
"""Recoveries that are printed with what the source said meanwhile."""

P50_TARGET, MAX_TARGET = 0.3, 3.0
"""Seconds from a healthy server to a follower in sync."""


def rows(result: Result) -> list[tuple[str, str]]:
    """What and how much, in the order in which it is read."""
    recorder, plan = result.recorder, result.plan
    acknowledged = f"{recorder.acknowledged} ({recorder.acknowledged / result.seconds:.0f} a second)"
    found = sum(1 for write in recorder.history.writes if not write.acknowledged)
    table = [
        ("etcd", plan.label),
        ("seed, seconds", f"{plan.seed}, {result.seconds:.0f}"),
        ("transactions attempted", f"{recorder.tried} ({plan.rate:.0f} a second wanted, while etcd serves)"),
        ("acknowledged", acknowledged),
        ("without an answer, found later", str(found)),
        ("failed or unknown", str(recorder.failed)),
        ("undone by a restore or wipe", str(recorder.undone)),
        ("lost by etcd itself", str(len(recorder.lost_by_etcd)) + _once_more(result)),
        *((f"fault: {name.replace('_', ' ')}", str(number)) for name, number in sorted(result.faults.items())),
        *_followers(result),
        *_recovery(result.recoveries),
    ]
    return table + [(f"breach: {kind}", str(number)) for kind, number in tally(result.breaches).items()]


def _once_more(result: Result) -> str:
    return f"; {result.differs}" if result.differs else ""


def _followers(result: Result) -> list[tuple[str, str]]:
    logs = [log for follower in result.followers for log in follower.logs]
    seen = sum(len(log.seen) for log in logs)
    gaps = sum(isinstance(one, Missed) for log in logs for one in log.seen)
    total: Counter[str] = Counter()
    for follower in result.followers:
        for source in follower.sources:
            total.update(source.counters)
    lives = sum(len(follower.sources) for follower in result.followers)
    relists = ", ".join(f"{reason} {number}" for reason, number in sorted(reasons(total).items())) or "none"
    failures = [failure for follower in result.followers for failure in follower.start_failures]
    return [
        ("configurations opened", f"{lives}" + (f", {len(failures)} not: {failures[0]}" if failures else "")),
        ("snapshots seen", f"{seen} by {len(logs)} subscribers, {gaps} gaps"),
        ("reconnects", str(total["reconnects"])),
        ("relists", f"{total['relists']} ({relists})"),
        ("restores recognised", str(total["restores"])),
    ]


def _recovery(recoveries: Sequence[Recovery]) -> list[tuple[str, str]]:
    if not recoveries:
        return [("recovery", "nobody was cut off")]
    seconds = [recovery.seconds for recovery in recoveries]
    p50, worst = statistics.median(seconds), max(seconds)
    met = "met" if p50 <= P50_TARGET and worst <= MAX_TARGET else "missed"
    text = f"p50 {p50:.3f} s, worst {worst:.3f} s, of {len(seconds)}"
    return [("recovery", f"{text} (target {P50_TARGET:g} and {MAX_TARGET:g}: {met})")]


def slowest(recoveries: Sequence[Recovery]) -> list[Recovery]:
    """The worst ones, and why: those that took more than the target for the half of all."""
    worst = sorted(recoveries, key=lambda recovery: recovery.seconds, reverse=True)
    return [recovery for recovery in worst[:SLOWEST] if recovery.seconds > P50_TARGET]


def text(result: Result) -> str:
    """The table, and a line for each breach."""
    table = rows(result)
    width = max(len(name) for name, _ in table)
    lines = [f"{name:<{width}}  {value}" for name, value in table]
    lines += [f"slow: {recovery}" for recovery in slowest(result.recoveries)]
    lines += [str(breach) for breach in result.breaches[:SHOWN]]
    if len(result.breaches) > SHOWN:
        lines.append(f"... and {len(result.breaches) - SHOWN} more")
    lines.append("OK" if not result.breaches else f"{len(result.breaches)} BREACHES")
    return "\n".join(lines)
