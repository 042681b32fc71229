"""`python -m bench structure`."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from bench.structure import drawing, numbers, walk
from bench.structure.files import CHECKOUT

EPILOG = """\
walk     what one event of etcd and one saved file pass on their way to the subscriber
numbers  class names that occur twice, files, lines, exported symbols
drawing  writes docs/architecture.svg from the imports; the tests fail when it is not current
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program's."""
    parser = commands.add_parser(
        "structure",
        help="how the package is built: a walk, numbers, a drawing",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parts = parser.add_subparsers(required=True, metavar="part")
    walked = parts.add_parser("walk", help="files and functions that one change passes")
    walked.add_argument("--list", action="store_true", dest="listed", help="name them, in order of first call")
    walked.set_defaults(run=run_walk)
    parts.add_parser("numbers", help="names, files, lines, symbols").set_defaults(run=run_numbers)
    drawn = parts.add_parser("drawing", help="the rooms and who imports whom, as SVG")
    drawn.add_argument("--file", type=Path, default=CHECKOUT / drawing.FILE, help="where it is written")
    drawn.set_defaults(run=run_drawing)


def run_walk(arguments: argparse.Namespace) -> int:
    """Print both walks; without an etcd the one of a file."""
    lines = walk.report("one saved file", asyncio.run(walk.saved_file()), listed=arguments.listed)
    why = walk.missing()
    if why:
        lines.append(f"one etcd event: skipped, {why}")
    else:
        lines += walk.report("one etcd event", asyncio.run(walk.etcd_event()), listed=arguments.listed)
    print("\n".join(lines))
    return 0


def run_numbers(_: argparse.Namespace) -> int:
    """Print the numbers."""
    print("\n".join(numbers.report(numbers.count(), numbers.exported())))
    return 0


def run_drawing(arguments: argparse.Namespace) -> int:
    """Write the drawing; 1 if there is an import upwards."""
    graph = drawing.package_graph()
    arguments.file.write_text(drawing.svg(graph))
    print(f"wrote {arguments.file}")
    upwards = graph.upwards()
    for source, target in upwards:
        print(f"UPWARDS  {source} imports {target}")
    return 1 if upwards else 0
