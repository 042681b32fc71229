"""`init`: a small project that runs."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from pathlib import Path
from typing import Annotated, get_args

from cyclopts import Parameter

from reactive_config._cli.failures import OK, Failure, UsageError
from reactive_config._cli.output import Output, StyledText
from reactive_config._cli.scaffold import (
    FILES,
    PACKAGES,
    TEST_PACKAGES,
    ProjectKind,
    contents,
    in_the_way,
    project_name,
    write_project,
)
from reactive_config._cli.source_options import Json

_KINDS: tuple[ProjectKind, ...] = get_args(ProjectKind)


def init(
    directory: Annotated[Path, Parameter(show_default=False)] = Path(),
    /,
    *,
    kind: Annotated[ProjectKind | None, Parameter(name=["--kind", "-k"], show_default=False)] = None,
    json: Json = False,
) -> int:
    """Write a small project that runs: a typed configuration, layered files, a program and its tests.

    Nothing is overwritten. If a file is in the way, it is named, and nothing is written.

    Args:
        directory: Where the project goes. It is made if it is not there. [default: the current one]
        kind: A worker, or a web application (FastAPI). Asked on a terminal if it is not given.
        json: JSON lines; errors too.
    """
    out = Output(json=json)
    kind = kind or _ask(out)
    files = contents(kind, project_name(directory))
    taken = in_the_way(directory, files)
    if taken:
        raise Failure(
            f"{directory}: expected no file where a new one goes, got {', '.join(taken)}; nothing was written",
            hints=["name another directory, or move them away"],
        )
    write_project(directory, files)
    steps = _steps(directory, kind)
    if json:
        out.record("init", directory=str(directory), kind=kind, files=list(files), next=[step for step, _ in steps])
    else:
        _tell(out, directory, kind, steps)
    return OK


def _ask(out: Output) -> ProjectKind:
    if out.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("--kind: expected worker or web, got none")
    while True:
        print("A worker or a web application? [worker/web] ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:  # Ctrl-D
            print(file=sys.stderr)
            raise UsageError("--kind: expected worker or web, got none")
        for kind in _KINDS:
            if line.strip().lower() == kind:
                return kind


def _tell(out: Output, directory: Path, kind: ProjectKind, steps: list[tuple[str, str]]) -> None:
    what = "a worker" if kind == "worker" else "a web application"
    out.line([StyledText("made ", "bold green"), f"{what} {'here' if directory == Path() else f'in {directory}'}"])
    rows = [[StyledText(path, "bold"), StyledText(file.purpose, "dim")] for path, file in FILES[kind].items()]
    out.table(["", ""], rows, indent=2)
    out.line()
    out.line(StyledText("next", "bold").text)
    out.table(["", ""], [[StyledText(step, "cyan"), StyledText(why, "dim")] for step, why in steps], indent=2)


def _steps(directory: Path, kind: ProjectKind) -> list[tuple[str, str]]:
    """The commands to try, and what each is for."""
    steps = [] if directory.resolve() == Path.cwd() else [(f"cd {shlex.quote(str(directory))}", "")]
    missing = [name for name in (*PACKAGES[kind], *TEST_PACKAGES[kind]) if importlib.util.find_spec(name) is None]
    if missing:
        steps.append((f"pip install {' '.join(missing)}", "what this environment lacks"))
    follow = "runs; save config/app.toml with another greeting, and it follows"
    if kind == "web":
        steps += [("python app.py", "serves"), ("curl localhost:8000", "answers; " + follow.partition("; ")[2])]
    else:
        steps.append(("python app.py", follow))
    return [
        *steps,
        ("python -m pytest", "runs the tests"),
        ("reactive-config check --strict", "checks the files against the class App"),
        ("reactive-config watch", "shows every change as it happens"),
    ]
