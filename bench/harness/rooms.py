"""Whose code a file or a function is: ours by room, libraries by name. Pure."""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

import reactive_config

OURS = Path(reactive_config.__file__).parent

BENCH = Path(__file__).parents[1]

STANDARD = Path(sysconfig.get_path("stdlib"))

IMPORTS = "imports"

STEPS = "steps of tasks, in C"
"""asyncio's own, and what it runs that has no Python code: gRPC's coroutines above all."""

ASYNC = {"_asyncio", "_contextvars"}

_FULL_NAME = re.compile(r"built-in method ([\w.]+)|of '([\w.]+)' objects")


def room_of(file: str) -> str:
    """The room of a file: `reactive_config._sources.etcd`, `grpc`, `asyncio`, `standard library`."""
    if file.startswith("<frozen importlib"):
        return IMPORTS
    path = Path(file)
    if path.is_relative_to(OURS):
        return ".".join(("reactive_config", *path.relative_to(OURS).parts[:-1]))
    if path.is_relative_to(BENCH):
        return "bench"
    parts = path.parts
    for packages in ("site-packages", "dist-packages"):
        if packages in parts:
            return parts[parts.index(packages) + 1].removesuffix(".py")
    if path.is_relative_to(STANDARD):
        return "asyncio" if path.relative_to(STANDARD).parts[0] == "asyncio" else "standard library"
    return "made by exec" if file.startswith("<") else file


def room_of_builtin(name: str) -> str | None:
    """The room of a function without Python code; None for what is nobody's: it belongs to who calls it.

    Args:
        name: As a profile has it: `<method 'decode' of 'msgspec.json.Decoder' objects>`.
    """
    found = _FULL_NAME.search(name)
    top, _, rest = (found[1] or found[2]).partition(".") if found else ("", "", "")
    if top in ASYNC:
        return STEPS
    if not rest or top in sys.stdlib_module_names:
        return None
    return top


def where(file: str, line: int, name: str) -> str:
    """A place as it is printed: `_core/layers.py:120 apply`."""
    if file == "~":
        return name.strip("<>").replace("built-in method ", "")
    path = Path(file)
    for root in (OURS, BENCH.parent, STANDARD):
        if path.is_relative_to(root):
            return f"{path.relative_to(root)}:{line} {name}"
    return f"{'/'.join(path.parts[-3:])}:{line} {name}"
