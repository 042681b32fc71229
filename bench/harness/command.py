"""`python -m bench run`, `profile` and `compare`."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.harness.settings import GRIDS

OUT = Path("var/bench")

RUN = """\
Everybody that is compared has a process of its own and they take turns, round by round. The settings in
bench/config are live: an edit counts from the next round on. Writes result.json, table.md and pictures
(SVG and PNG) to --out; Ctrl-C keeps what was measured until then. The exit code is 1 if a case could not be run to
its end, and 130 if the run was interrupted; a missed aim is no failure.

  python -m bench run small --only read --rounds 3
  BENCH_CASES__PUT_TO_VISIBLE__RATE=500 python -m bench run full --only put_to_visible
"""

PROFILE = """\
Runs the load of a case with one subject alone, in a process of its own under cProfile, and only while that is
measured: shares of the time by room and by function. For cases that measure memory: who holds it, by room, file and
line. Prints a table and writes it to --out. Samples are those of the full grid.

  python -m bench profile one_change --at keys=100000
  python -m bench profile put_to_visible --at size=102400 --subject "raw stub"
"""

COMPARE = """\
Says what changed beyond the spread of both; ratios to rivals where there are some, so that the results may
come from different days. The exit code is 1 if something got worse by more than the threshold, or failed.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to the program's."""
    form = argparse.RawDescriptionHelpFormatter
    run = commands.add_parser("run", help="measure us beside our rivals", epilog=RUN, formatter_class=form)
    run.add_argument("grid", choices=GRIDS, help="small takes seconds a case, full half an hour")
    run.add_argument("--only", action="append", metavar="CASE", help="may be given several times; without it all run")
    run.add_argument("--rounds", type=_count, metavar="N", help="instead of what the settings say")
    run.add_argument("--out", type=Path, default=OUT, metavar="DIR", help=f"where results go (default {OUT})")
    run.set_defaults(run=_run)
    one = commands.add_parser("profile", help="say what limits a figure", epilog=PROFILE, formatter_class=form)
    one.add_argument("case", metavar="CASE")
    one.add_argument("--at", action="append", metavar="PARAM=VALUE", help="the point; may be given several times")
    one.add_argument("--subject", default="", metavar="NAME", help="whom; without it ours")
    one.add_argument("--rounds", type=_count, default=3, metavar="N", help="that are profiled (default 3)")
    one.add_argument("--top", type=_count, default=25, metavar="N", help="functions or files (default 25)")
    one.add_argument("--out", type=Path, default=OUT, metavar="DIR", help=f"where the text goes (default {OUT})")
    one.set_defaults(run=_profile)
    two = commands.add_parser("compare", help="say what got worse", epilog=COMPARE, formatter_class=form)
    two.add_argument("old", type=Path, metavar="OLD.json")
    two.add_argument("new", type=Path, metavar="NEW.json")
    two.add_argument("--threshold", type=float, default=0.1, help="how much worse a figure may get (default 0.1)")
    two.set_defaults(run=_compare)


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {count}")
    return count


# Numbers and pictures need the extra; the other programs of this package do not.


def _run(arguments: argparse.Namespace) -> int:
    try:
        from bench.harness.grid import run_grid
    except ModuleNotFoundError as missing:
        raise _extra(missing) from None
    return run_grid(arguments.grid, arguments.only or [], arguments.rounds, arguments.out)


def _profile(arguments: argparse.Namespace) -> int:
    try:
        from bench.harness.profile import run_profile
    except ModuleNotFoundError as missing:
        raise _extra(missing) from None
    asked = arguments
    return run_profile(asked.case, asked.at or [], asked.subject, asked.rounds, asked.top, asked.out)


def _compare(arguments: argparse.Namespace) -> int:
    try:
        from bench.harness.compare import compare_files
    except ModuleNotFoundError as missing:
        raise _extra(missing) from None
    return compare_files(arguments.old, arguments.new, arguments.threshold)


def _extra(missing: ModuleNotFoundError) -> SystemExit:
    return SystemExit(f'{missing.name} is not installed: pip install "reactive-config[bench]"')
