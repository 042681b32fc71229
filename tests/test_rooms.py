"""The shape of the package: public names, floors, and what an import brings in."""

from __future__ import annotations

import ast
import collections
import functools
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import reactive_config

ROOT = Path(reactive_config.__file__).parent

FLOORS = {
    "_printable": 0,
    "_extras": 0,
    "errors": 0,
    "_core": 1,
    "_formats": 1,
    "_secrets": 1,
    "_etcd": 1,
    "_sources": 2,
    "_bindings": 2,
    "_releases": 2,
    "_testing": 2,
    "_web": 3,
    "_service": 3,
    "_gateway": 3,
    "_cli": 4,
}

PUBLIC = {
    "bindings",
    "bindings.limits",
    "bindings.openfeature",
    "bindings.pools",
    "errors",
    "observability",
    "sources",
    "status",
    "testing",
    "testing.plugin",
    "web",
    "web.aiohttp",
    "web.fastapi",
    "web.litestar",
}
"""Every module that a program may import, apart from the package itself. All but few only name what rooms define."""

# Rooms that say what a snapshot is, what a tree is made of, or how a text is shown; their whole floor may name it.
OFFERED = {"_core", "_printable"}

OUTSIDE = {"_core": {"anyio", "msgspec"}, "errors": {"msgspec"}}


@functools.cache
def imports():
    return list(_imports())


def _imports():
    for file in ROOT.rglob("*.py"):
        room = file.relative_to(ROOT).parts[0].removesuffix(".py")
        if room not in FLOORS:  # a public module, which names what any room defines
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
            FLOORS[target] == FLOORS[room] and target not in OFFERED | ({"_sources"} if room == "_testing" else set())
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
        ("aetcd", {"_etcd"}),
        ("grpc", {"_etcd", "_bindings"}),
        ("watchfiles", {"_sources"}),
        ("ryaml", {"_formats"}),
        ("prometheus_client", {"_web", "_service"}),
        ("opentelemetry", {"_web"}),
        ("redis", {"_bindings"}),
        ("cronsim", {"_bindings"}),
    ],
)
def test_an_outside_library_has_one_room(library, rooms):
    assert {room for _, room, name in imports() if name.split(".")[0] == library} <= rooms


def modules():
    """Every module by its name below the package, private ones too."""
    for file in ROOT.rglob("*.py"):
        yield ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").rstrip("."), file


def test_the_public_names_are_these():
    assert set(reactive_config.__all__) == {
        "ByteSize", "ChangeCallback", "ChangeLimits", "Closed", "Config", "ConfigError", "Env", "EnvName", "Etcd",
        "Files", "Gap", "InvalidValue", "Live", "Memory", "ReactiveConfigError", "Rejected", "Secret", "Shown",
        "Snapshot", "StartupError", "TLS", "Updates", "WrongProcess", "open_config",
    }  # fmt: skip
    assert all(hasattr(reactive_config, name) for name in reactive_config.__all__)


def test_the_public_modules_are_these():
    public = {name for name, _ in modules() if name and not any(part.startswith("_") for part in name.split("."))}
    assert public == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC - {"testing.plugin"}))
def test_a_public_module_has_what_it_names(name):
    module = importlib.import_module(f"reactive_config.{name}")
    if hasattr(module, "__all__"):
        assert sorted(module.__all__, key=str.lower)
        assert all(hasattr(module, one) for one in module.__all__)


def test_a_public_module_does_nothing_of_its_own():
    """It imports and lists names; `errors` and the adapters to one framework each define some."""
    for name in PUBLIC - {
        "errors",
        "testing.plugin",
        "web.aiohttp",
        "web.fastapi",
        "web.litestar",
        "bindings.openfeature",
    }:
        (file,) = (file for module, file in modules() if module == name)
        kinds = {type(node) for node in ast.parse(file.read_text()).body if not _for_loading(node)}
        assert kinds <= {ast.Expr, ast.ImportFrom, ast.Import, ast.Assign, ast.If}, name


def _for_loading(node):
    """`__getattr__` and `__dir__`, by which a module loads what is named when it is named."""
    return isinstance(node, ast.FunctionDef) and node.name in ("__getattr__", "__dir__")


def defined():
    """Every class of the package, underscored and inner ones too, with its file."""
    for _, file in modules():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef):
                yield node.name, file.relative_to(ROOT)


def test_a_class_name_means_one_thing():
    """`docs/glossary.md` has the words. An underscore makes no other word of it."""
    homes = collections.defaultdict(list)
    for name, file in defined():
        homes[name.lstrip("_")].append(str(file))
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}


def test_a_module_name_means_one_thing():
    """Public modules may be called as the private room that they open."""
    names = [file.stem for name, file in modules() if file.stem != "__init__" and name not in PUBLIC]
    assert [name for name, count in collections.Counter(names).items() if count > 1] == []


def test_no_file_is_longer_than_400_lines():
    long = {str(file): n for _, file in modules() if (n := len(file.read_text().splitlines())) > 400}
    assert long == {}


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
