"""What type checkers infer of the public names: pyright is asked here, if it is installed, and mypy in `make lint`."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TypeVar, get_args, get_type_hints

import pytest

import reactive_config
from reactive_config import Live

TYPING = Path(__file__).parent / "typing"
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
PYRIGHT = shutil.which("basedpyright", path=PATH) or shutil.which("pyright", path=PATH)
UNKNOWN = ("Argument", "Lambda", "Member", "Parameter", "Variable")


def type_variables(annotation: object) -> set[object]:
    inner = set().union(*(type_variables(argument) for argument in get_args(annotation)))
    return inner | {annotation} if isinstance(annotation, TypeVar) else inner


def generic_classes() -> set[type]:
    modules = [
        importlib.import_module(m.name) for m in pkgutil.walk_packages(reactive_config.__path__, "reactive_config.")
    ]
    found = {one for module in modules for _, one in inspect.getmembers(module, inspect.isclass)}
    return {
        one for one in found if one.__module__.startswith("reactive_config.") and getattr(one, "__parameters__", ())
    }


def test_no_class_method_has_its_own_classs_type_variables():
    """`Live.constant(5)`: pyright takes the class's variable for unknown there, and does not look at the argument."""
    assert Live in generic_classes()
    wrong = [
        f"{one.__name__}.{name}"
        for one in generic_classes()
        for name, member in vars(one).items()
        if isinstance(member, classmethod)
        for hint in get_type_hints(member.__func__).values()
        if type_variables(hint) & set(one.__parameters__)
    ]
    assert wrong == []


@pytest.mark.slow
@pytest.mark.skipif(PYRIGHT is None, reason="neither basedpyright nor pyright is installed")
def test_pyright_knows_the_type_of_every_public_name(tmp_path):
    settings = {
        "include": [str(TYPING / name) for name in ("public_api.py", "bindings_api.py")],
        "pythonVersion": "3.11",
        "typeCheckingMode": "standard",
        **{f"reportUnknown{what}Type": "error" for what in UNKNOWN},
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [PYRIGHT, "--outputjson", "--pythonpath", sys.executable, "-p", str(tmp_path)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    assert found["summary"]["filesAnalyzed"] >= 2
    assert [
        f"{Path(d['file']).name}:{d['range']['start']['line'] + 1}: {d['message']}" for d in found["generalDiagnostics"]
    ] == []
