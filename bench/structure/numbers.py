"""Numbers that say how easily somebody finds their way: names, files, lines, exported symbols."""

from __future__ import annotations

import ast
import collections
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from bench.structure.files import PACKAGE, trees


class Numbers(msgspec.Struct, frozen=True):
    """Of all files of the package.

    Attributes:
        files: How many.
        median: Lines of a file.
        short: Files below 60 lines.
        longest: The longest file, with its lines.
        shared: Class names that occur in more than one file, with the files; an underscore makes no other name of it.
    """

    files: int
    median: float
    short: int
    longest: tuple[str, int]
    shared: dict[str, list[str]]


class Exported(msgspec.Struct, frozen=True):
    """What basedpyright says of the symbols that programs may use.

    Attributes:
        symbols: How many.
        ambiguous: Of these, whose type checkers might infer differently.
        unknown: Of these, whose type is not known in full.
        names: Of the unknown ones.
    """

    symbols: int
    ambiguous: int
    unknown: int
    names: list[str]


SHORT = 60


def count() -> Numbers:
    """Count files, lines and names."""
    lines = {str(file): len((PACKAGE / file).read_text().splitlines()) for file in trees()}
    homes: dict[str, set[str]] = collections.defaultdict(set)
    for file, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                homes[node.name.lstrip("_")].add(str(file))
    return Numbers(
        files=len(lines),
        median=statistics.median(lines.values()),
        short=sum(length < SHORT for length in lines.values()),
        longest=max(lines.items(), key=lambda item: item[1]),
        shared={name: sorted(files) for name, files in sorted(homes.items()) if len(files) > 1},
    )


def exported() -> Exported | None:
    """Ask basedpyright; None where it is not installed."""
    if importlib.util.find_spec("basedpyright") is None:
        return None
    command = [sys.executable, "-m", "basedpyright", "--verifytypes", PACKAGE.name, "--ignoreexternal", "--outputjson"]
    # It takes the first `python` on the PATH, whatever --pythonpath says; of another one it would know no library.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(PACKAGE.parent)}
    with tempfile.TemporaryDirectory() as home:  # without settings of a checkout
        done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)["typeCompleteness"]
    counts = told["exportedSymbolCounts"]
    known, ambiguous, unknown = (counts[f"with{kind}Type"] for kind in ("Known", "Ambiguous", "Unknown"))
    exported = (symbol for symbol in told["symbols"] if symbol["isExported"])
    names = [one["name"] for one in exported if not one["isTypeKnown"] and not one["isTypeAmbiguous"]]
    return Exported(known + ambiguous + unknown, ambiguous, unknown, sorted(names))


def report(numbers: Numbers, symbols: Exported | None) -> list[str]:
    """Lines for people."""
    longest, length = numbers.longest
    lines = [
        f"class names in more than one file: {len(numbers.shared)}",
        *(f"  {name}: {', '.join(files)}" for name, files in numbers.shared.items()),
        f"files: {numbers.files}",
        f"lines of a file, median: {numbers.median:g}",
        f"files below {SHORT} lines: {numbers.short}",
        f"longest file: {longest}, {length} lines",
    ]
    if symbols is None:
        return [*lines, "exported symbols: basedpyright is not installed"]
    return [
        *lines,
        f"exported symbols: {symbols.symbols:,}, of unknown type {symbols.unknown:,}, ambiguous {symbols.ambiguous:,}",
        *(f"  unknown: {name}" for name in symbols.names),
    ]
