"""The files of a new project: made of the templates beside this module, and written without overwriting anything.

A template is the file itself, with words such as `@name@` to be filled in. Its name ends in `-tpl`, so that no
tool takes it for a module of this package.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Literal, NamedTuple

ProjectKind = Literal["worker", "web"]


class ProjectFile(NamedTuple):
    """One file of a new project.

    Attributes:
        template: Where its template is, below `templates`, without `-tpl`.
        purpose: What it is for, in a few words.
    """

    template: str
    purpose: str


def _files(kind: ProjectKind, program: str) -> dict[str, ProjectFile]:
    return {
        "app.py": ProjectFile(f"{kind}/app.py", program),
        "config/app.toml": ProjectFile(f"{kind}/app.toml", "the configuration: save it while the program runs"),
        "config/app.local.toml": ProjectFile("both/app.local.toml", "a layer above it, yours alone: git ignores it"),
        "tests/test_app.py": ProjectFile(f"{kind}/test_app.py", "tests that change the configuration"),
        "tests/conftest.py": ProjectFile("both/conftest.py", "says that they run on asyncio"),
        "pyproject.toml": ProjectFile("both/pyproject.toml", "names the type and the sources for this command"),
        "README.md": ProjectFile(f"{kind}/README.md", "what to run"),
        ".gitignore": ProjectFile("both/gitignore", "leaves *.local.* out of git"),
    }


FILES: Mapping[ProjectKind, Mapping[str, ProjectFile]] = {
    "worker": _files("worker", "the class App, and a worker that follows it"),
    "web": _files("web", "the class App, and a web application that follows it"),
}
"""The files of each kind by their paths in the project, in the order in which a person is told."""

PACKAGES: Mapping[ProjectKind, tuple[str, ...]] = {"worker": (), "web": ("fastapi", "uvicorn")}
"""What the program of each kind needs beside this package; each is imported by the same name."""

TEST_PACKAGES: Mapping[ProjectKind, tuple[str, ...]] = {"worker": ("pytest",), "web": ("httpx", "pytest")}
"""What its tests need beside that."""


def project_name(directory: Path) -> str:
    """A name for the project in a directory, as pyproject.toml and loggers take it: `My Shop` gives `my-shop`."""
    name = re.sub(r"[^a-z0-9]+", "-", directory.resolve().name.lower()).strip("-")
    return name or "app"


def variable_prefix(name: str) -> str:
    """How names of environment variables begin, without the underscore at the end."""
    prefix = name.upper().replace("-", "_")
    # A variable cannot begin with a digit, and REACTIVE_CONFIG_SOURCES belongs to this command.
    return "APP" if prefix[0].isdigit() or prefix == "REACTIVE_CONFIG" else prefix


def contents(kind: ProjectKind, name: str) -> dict[str, str]:
    """The text of each file, by its path in the project."""
    words = {
        "@name@": name,
        "@PREFIX@": variable_prefix(name),
        "@dependencies@": _listed(PACKAGES[kind]),
        "@dev@": _listed(TEST_PACKAGES[kind]),
    }
    found = {}
    for path, file in FILES[kind].items():
        text = _template(file.template)
        for word, value in words.items():
            text = text.replace(word, value)
        found[path] = text
    return found


def _listed(packages: tuple[str, ...]) -> str:
    return ", ".join(f'"{package}"' for package in packages)


def _template(path: str) -> str:
    folder, name = path.split("/")
    return (resources.files(__package__) / "templates" / folder / f"{name}-tpl").read_text(encoding="utf-8")


def in_the_way(directory: Path, paths: Mapping[str, str]) -> list[str]:
    """What is there already, so that these files cannot be written; paths below the directory."""
    if os.path.lexists(directory) and not directory.is_dir():
        return ["."]
    taken: dict[str, None] = {}
    for path in paths:
        folder = Path(path).parent
        if folder != Path() and os.path.lexists(directory / folder) and not (directory / folder).is_dir():
            taken[folder.as_posix()] = None
        elif os.path.lexists(directory / path):
            taken[path] = None
    return list(taken)


def write_project(directory: Path, files: Mapping[str, str]) -> None:
    """Write all files, or none: if one fails, what was made until then is removed.

    Raises:
        OSError: One could not be written, or came into being meanwhile.
    """
    made: list[Path] = []
    try:
        for path, text in files.items():
            _make_folder((directory / path).parent, made)
            with (directory / path).open("x", encoding="utf-8", newline="\n") as file:
                made.append(directory / path)
                file.write(text)
    except BaseException:
        for path_made in reversed(made):
            path_made.rmdir() if path_made.is_dir() else path_made.unlink()
        raise


def _make_folder(folder: Path, made: list[Path]) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent, made)
    folder.mkdir()
    made.append(folder)
