"""`python -m bench fuzz`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import time
from collections.abc import Callable

from bench.fuzz.driving import drive
from bench.fuzz.recorder import FuzzRecorder
from reactive_config._testing.etcd_server import etcd_binaries, etcd_server

EPILOG = """\
One configuration is open for each type in turn, over a custom source, memory, directories of files in every format,
a directory of values, and a real etcd if one is installed; others are opened with odd variables and files. After
every odd content a good key has to come into force elsewhere. Broken is: what leaves the context, a good key that
stops, work that is not bounded, and a message that is long or not printable.

The table counts what was tried. It ends with what was broken and the seed of that round; the exit code is 1 then.

  python -m bench fuzz --seconds 3600 --seed 7
"""

_ROUND = 2_000
"""Contents for one open configuration; then the next one is opened, from another seed."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "fuzz",
        help="say odd things to open configurations and see that they go on",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default 60)")
    parser.add_argument("--seed", type=int, default=1, help="of the first round; each round takes the next (default 1)")
    parser.add_argument("--without-etcd", action="store_true", help="start no etcd")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run what was asked for; 1 if something was broken."""
    with_etcd = bool(etcd_binaries()) and not arguments.without_etcd
    recorder, seed = asyncio.run(rounds(arguments.seed, until(arguments.seconds), with_etcd=with_etcd))
    print(text(recorder))
    if recorder.breaches:
        print(f"broken in the round of seed {seed}:", *recorder.breaches, sep="\n  ")
    return 1 if recorder.breaches else 0


def until(seconds: float) -> Callable[[], bool]:
    """Whether so many seconds are not over."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


async def rounds(seed: int, more: Callable[[], bool], *, with_etcd: bool) -> tuple[FuzzRecorder, int]:
    """Rounds from one seed to the next, as long as there is to be more and nothing was broken.

    Returns:
        What was tried, and the seed of the last round.
    """
    recorder, logger = FuzzRecorder(), logging.getLogger("reactive_config")
    logger.addHandler(recorder)
    propagate, logger.propagate = logger.propagate, False
    try:
        while more() and not recorder.breaches:
            if with_etcd:
                async with etcd_server() as server:
                    await drive(seed, recorder, lambda number: number < _ROUND and more(), etcd=server)
            else:
                await drive(seed, recorder, lambda number: number < _ROUND and more())
            seed += 1
    finally:
        logger.removeHandler(recorder)
        logger.propagate = propagate
    return recorder, seed - 1


def text(recorder: FuzzRecorder) -> str:
    """The table of what was tried."""
    lines = [f"{name:<12}{count:>12,}" for name, count in recorder.counts.items()]
    longest = f"longest work {recorder.work:.3f} s of the processor: {recorder.worst}"
    return "\n".join([*lines, longest])
