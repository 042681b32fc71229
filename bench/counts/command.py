"""`python -m bench counts`."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from bench.counts import expected
from bench.counts.scenarios import SCENARIOS
from bench.counts.tally import Counts, count

EPILOG = """\
Seconds differ from machine to machine and from run to run; these numbers do not, so that a regression fails
reliably. They are compared with bench/counts/expected.json, which has a set for each minor version of Python; the
exit code is 1 if any of them grew by more than a few percent, and 2 if there are none for this Python. Numbers
that fell are told: write them down with --update, so that they stay low.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "counts",
        help="count what fixed scenarios do, and say what grew",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--update", action="store_true", help="expect from now on what is counted now")
    parser.add_argument("--expected", type=Path, default=expected.EXPECTED, help="the expected numbers (JSON)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Count and compare; 1 if something grew."""
    counted = asyncio.run(count_all())
    print(_table(counted))
    if arguments.update:
        expected.store(counted, arguments.expected)
        return 0
    try:
        wanted = expected.load(arguments.expected)
    except LookupError as unknown:
        print(unknown.args[0])
        return 2
    found = list(expected.differences(wanted, counted))
    for difference in found:
        print("GREW " if difference.grew else "fell ", difference)
    return 1 if any(difference.grew for difference in found) else 0


async def count_all() -> dict[str, Counts]:
    """Every scenario's counts, by name."""
    counted = {}
    for name, scenario in SCENARIOS.items():
        async with scenario() as step:
            counted[name] = await count(step)
    return counted


def _table(counted: dict[str, Counts]) -> str:
    names = Counts.__struct_fields__
    lines = [f"{'':30}" + "".join(f"{name:>14}" for name in names)]
    for scenario, counts in counted.items():
        lines.append(f"{scenario:30}" + "".join(f"{getattr(counts, name):>14,}" for name in names))
    return "\n".join(lines)
