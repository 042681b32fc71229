"""The files of the package that is measured, and of this checkout."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import reactive_config

PACKAGE = Path(reactive_config.__file__).parent

CHECKOUT = Path(__file__).parents[2]


@cache
def trees() -> dict[Path, ast.Module]:
    """Every file of the package by its path below it, parsed; in order of the paths."""
    files = sorted(PACKAGE.rglob("*.py"))
    return {file.relative_to(PACKAGE): ast.parse(file.read_text()) for file in files}


def floors() -> dict[str, int]:
    """The floor of each room, from the one place that says so: `FLOORS` of tests/test_rooms.py."""
    for node in ast.parse((CHECKOUT / "tests/test_rooms.py").read_text()).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "FLOORS" for t in node.targets):
            found: dict[str, int] = ast.literal_eval(node.value)
            return found
    raise LookupError("tests/test_rooms.py: expected FLOORS")
