"""The shape of the package: public names, floors, and what an import brings in."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

import reactive_config

ROOT = Path(reactive_config.__file__).parent

FLOORS = {
    "printable": 0,
    "extras": 0,
    "errors": 0,
    "core": 1,
    "formats": 1,
    "secrets": 1,
    "etcd": 1,
    "sources": 2,
    "bindings": 2,
    "releases": 2,
    "testing": 2,
    "web": 3,
    "service": 3,
    "gateway": 3,
    "cli": 4,
}

# Rooms that say what a snapshot is, what a tree is made of, or how a text is shown; their whole floor may name it.
OFFERED = {"core", "printable"}

OUTSIDE = {"core": {"anyio", "msgspec"}, "errors": {"msgspec"}}


@functools.cache
def imports():
    return list(_imports())


def _imports():
    for file in ROOT.rglob("*.py"):
        room = file.relative_to(ROOT).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{file}: relative import"
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                yield file, room, name


def test_imports_point_down_only():
    wrong = []
    for file, room, name in imports():
        parts = name.split(".")
        if parts[0] != "reactive_config" or (len(parts) < 3 and parts[-1] not in FLOORS):
            continue
        target = parts[1]
        if target == room or target not in FLOORS:
            continue
        if FLOORS[target] > FLOORS[room] or (
            FLOORS[target] == FLOORS[room] and target not in OFFERED | ({"sources"} if room == "testing" else set())
        ):
            wrong.append(f"{file.relative_to(ROOT)} imports {name}")
    assert wrong == []


def test_the_core_needs_no_library_but_anyio_and_msgspec():
    ours = {"reactive_config"} | set(sys.stdlib_module_names)
    inside_functions = {"attrs", "pydantic", "pydantic_core"}  # asked for only where a type of theirs is given
    for file, room, name in imports():
        if room in OUTSIDE:
            assert name.split(".")[0] in ours | OUTSIDE[room] | inside_functions, f"{file}: {name}"


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("aetcd", {"etcd"}),
        ("grpc", {"etcd", "bindings"}),
        ("watchfiles", {"sources"}),
        ("ryaml", {"formats"}),
        ("prometheus_client", {"web"}),
        ("opentelemetry", {"web"}),
        ("redis", {"bindings"}),
        ("cronsim", {"bindings"}),
    ],
)
def test_an_outside_library_has_one_room(library, rooms):
    assert {room for _, room, name in imports() if name.split(".")[0] == library} <= rooms


def test_the_public_names_are_these():
    assert set(reactive_config.__all__) == {
        "Apply", "Bare", "BindingState", "BindingStatus", "Closed", "Config", "ConfigError", "Env", "Etcd",
        "Explanation", "Files", "Gap", "Guard", "Held", "InvalidPath", "Live", "Memory", "Observer", "Origin",
        "ParseError", "Problem", "ReactiveConfigError", "Rebuild", "Rejected", "Secret", "Setting", "Snapshot",
        "Shown", "SourceError", "SourceStatus", "StartupError", "State", "Status", "TLS", "TypeNotSupported", "Unfit",
        "UnknownPath", "Updates", "WrongProcess", "open_config",
    }  # fmt: skip
    assert all(hasattr(reactive_config, name) for name in reactive_config.__all__)


def test_importing_brings_no_extra_and_no_grpc():
    """Also not when an etcd source is made: grpc comes when it runs."""
    program = (
        "import sys, reactive_config\n"
        "reactive_config.Etcd('localhost:1', prefix='/x/')\n"
        "import reactive_config.bindings, reactive_config.bindings.pools, reactive_config.bindings.limits\n"
        "import reactive_config.bindings.openfeature, reactive_config.web\n"
        "heavy = {'grpc', 'aetcd', 'google', 'watchfiles', 'ryaml', 'yaml', 'rich', 'cyclopts', 'pytest', 'attrs',\n"
        "  'asyncpg', 'psycopg', 'psycopg_pool', 'sqlalchemy', 'redis', 'limits', 'httpx', 'aiohttp', 'cronsim',\n"
        "  'openfeature', 'starlette', 'fastapi', 'litestar', 'prometheus_client', 'opentelemetry'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"
