"""The room brings in nothing before it is used, and stands on public names alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import reactive_config.web

PACKAGE = Path(reactive_config.web.__file__).parent.parent
FILES = [*(PACKAGE / "web").glob("*.py"), *(PACKAGE / "_web").glob("*.py")]
OPEN_TO_ALL = {
    "reactive_config",
    "reactive_config._core.runtime.operator_log",  # whoever writes lines of the log does so by it
    "reactive_config._extras",
    "reactive_config.bindings",
    "reactive_config.errors",
    "reactive_config.observability",
    "reactive_config.status",
}


def test_importing_it_brings_no_framework_and_no_extra():
    program = (
        "import sys, reactive_config.web\n"
        "heavy = {'starlette', 'fastapi', 'litestar', 'aiohttp', 'httpx', 'prometheus_client', 'opentelemetry'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"


def test_it_imports_only_what_every_user_may():
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("reactive_config"):
                room = node.module.startswith(("reactive_config._web", "reactive_config.web"))
                assert room or node.module in OPEN_TO_ALL, f"{file.name}: {node.module}"


def test_a_framework_is_imported_only_by_the_module_named_after_it():
    homes = {"starlette": "fastapi.py", "fastapi": "fastapi.py", "litestar": "litestar.py", "aiohttp": "aiohttp.py"}
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            named = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            named += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in named:
                assert homes.get(name.split(".")[0], file.name) == file.name, f"{file.name}: {name}"
