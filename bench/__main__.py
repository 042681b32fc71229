"""`python -m bench`: which program to run."""

from __future__ import annotations

import argparse
import sys

from bench import herd
from bench.counts import command as counts
from bench.faults import command as faults
from bench.fuzz import command as fuzz
from bench.harness import command as harness
from bench.scale import command as scale
from bench.structure import command as structure


def main() -> int:
    """Run what the command line names; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Programs that measure reactive_config.")
    commands = parser.add_subparsers(required=True, metavar="command")
    harness.add(commands)
    counts.add(commands)
    faults.add(commands)
    fuzz.add(commands)
    herd.add(commands)
    scale.add(commands)
    structure.add(commands)
    arguments = parser.parse_args()
    try:
        code: int = arguments.run(arguments)
    except KeyboardInterrupt:
        return 130  # as shells have it
    return code


if __name__ == "__main__":
    sys.exit(main())
