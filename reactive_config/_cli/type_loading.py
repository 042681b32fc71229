"""`module:Class` and `module:decoders`, loaded; and what their module raised, in words that quote nothing of it."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from reactive_config._cli.failures import UsageError
from reactive_config._cli.project import Project
from reactive_config._core.decoding.compiling import compile_plan
from reactive_config._core.decoding.conversion import Decoders
from reactive_config._core.decoding.refused_types import check_decoders
from reactive_config.errors import TypeNotSupported

_IMPORTLIB = "<frozen importlib"
_NOT_THEIRS = (str(Path(__file__).parents[1]), str(importlib.__file__), _IMPORTLIB)

_CANNOT_IMPORT = re.compile(r"cannot import name '\w+' from (?:partially initialized module )?'[\w.]+'")
_RUNS_A_LOOP = (
    "asyncio.run() cannot be called from a running event loop",
    "Runner.run() cannot be called from a running event loop",
    "This event loop is already running",
    "Cannot run the event loop while another loop is running",
    "Already running asyncio in this thread",
)
_DECODERS_ARGUMENT = re.compile(r"write open_config\(\.\.\., decoders=(\{\w+: FUNCTION\})\)")
"""What the text of `TypeNotSupported` advises a program to write."""

_SYNTAX_ERRORS = (SyntaxError, IndentationError, TabError)


def raised(error: BaseException, file: str | None = None) -> str:
    """The exception's type, the line of the module, and what Python itself says of syntax and imports.

    Args:
        error: What the module raised.
        file: The module's; None while it is imported, and so the first one that is not ours or Python's.
    """
    frames = traceback.extract_tb(error.__traceback__)
    if type(error) in _SYNTAX_ERRORS and frames and frames[-1].filename.startswith(_IMPORTLIB):
        assert isinstance(error, SyntaxError)
        return f"{type(error).__name__} ({error.filename}:{error.lineno}): {error.msg}"
    words = _CANNOT_IMPORT.match(str(error)) if type(error) is ImportError else None
    own = [frame for frame in frames if not frame.filename.startswith(_NOT_THEIRS)]
    file = file or (own[0].filename if own else None)
    lines = [f" ({frame.filename}:{frame.lineno})" for frame in own if frame.filename == file]
    return f"{type(error).__name__}{lines[-1] if lines else ''}{f': {words[0]}' if words else ''}"


class NameReference(NamedTuple):
    """A type or decoders by their name, and who named them.

    Attributes:
        text: MODULE:NAME.
        place: What messages call it: the option, or a key of a pyproject.toml.
        directory: Where its module can be imported from, beside where Python looks.
    """

    text: str
    place: str
    directory: Path

    def __str__(self) -> str:
        return f"{self.place} {self.text}"


def type_reference(option: str | None, project: Project | None) -> NameReference | None:
    """The type that the command line (or the environment) names, else the project's; None where nobody names one."""
    return _reference("type", option, None if project is None else project.type, project)


def decoders_reference(option: str | None, project: Project | None) -> NameReference | None:
    """The same for decoders."""
    return _reference("decoders", option, None if project is None else project.decoders, project)


def _reference(key: str, option: str | None, text: str | None, project: Project | None) -> NameReference | None:
    if option is not None:
        return NameReference(option, f"--{key}", Path.cwd())
    if project is not None and text is not None:
        return NameReference(text, project.place(key), project.directory)
    return None


def load_kind(named: NameReference | None, decoders: Decoders | None = None) -> Any:
    """The configuration's type; `dict` (untyped) for None.

    Args:
        named: The type.
        decoders: Functions for types of the program's own.

    Raises:
        Usage: There is no such module or class, the module cannot be imported, or the type cannot be decoded.
    """
    return dict if named is None else _load(named, "MODULE:CLASS such as shop.settings:App", _compiling(decoders))


def _compiling(decoders: Decoders | None) -> Callable[[Any], object]:
    return lambda kind: compile_plan(kind, decoders)


def load_decoders(named: NameReference | None) -> Decoders:
    """The decoders of a program; none for None.

    Raises:
        Usage: There is no such module or name, the module cannot be imported, or what stands there are no decoders.
    """
    return {} if named is None else _load(named, "MODULE:NAME", _check_mapping)


def _check_mapping(value: Any) -> None:
    if not isinstance(value, Mapping):
        raise TypeNotSupported(f"expected a dict of functions by class, got {type(value).__name__}")
    try:
        check_decoders(value)
    except TypeError as error:
        raise TypeNotSupported(str(error)) from None


def _load(named: NameReference, wanted: str, check: Callable[[Any], object]) -> Any:
    module_name, colon, names = named.text.partition(":")
    if not (module_name and colon and names):
        raise UsageError(f"{named.place}: expected {wanted}, got {named.text}")
    try:
        # What the module prints is not what the command prints.
        with contextlib.redirect_stdout(sys.stderr):
            value: Any = _module(module_name, named)
            for name in names.split("."):
                value = _member(value, name, named)
            check(value)
    except TypeNotSupported as error:
        raise UsageError(f"{named}: {_for_the_command(str(error))}") from None
    except (UsageError, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 - whatever the module does, SystemExit included
        file = getattr(sys.modules.get(module_name), "__file__", None)
        raise UsageError(f"{named} cannot be loaded: {raised(error, file)}") from None
    return value


def _for_the_command(text: str) -> str:
    """The text of a `TypeNotSupported`, with the option where it names an argument of `open_config`."""
    option = "write {} into the dict that --decoders MODULE:NAME names (or `decoders` in [tool.reactive-config])"
    return _DECODERS_ARGUMENT.sub(lambda found: option.format(found[1]), text)


def _module(name: str, named: NameReference) -> Any:
    place, here = named.place, str(named.directory)
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            hints = _near_modules(name, named.directory)
            raise UsageError(f"{place}: there is no module {error.name}", hints=hints) from None
        if error.name is None:  # the module raised it by itself
            raise UsageError(f"{place}: {name} cannot be imported: {raised(error)}") from None
        raise UsageError(f"{place}: {name} imports {error.name}, which is not installed") from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever the module does, SystemExit included
        raise UsageError(f"{place}: {name} cannot be imported: {raised(error)}", hints=_guard(error)) from None


def _guard(error: BaseException) -> list[str]:
    """What to write in a module that runs its program when it is imported."""
    if type(error) is not RuntimeError or str(error) not in _RUNS_A_LOOP:
        return []
    return ['it runs an event loop when it is imported: put that under `if __name__ == "__main__":`']


def _near_modules(name: str, directory: Path) -> list[str]:
    known = [path.stem for path in directory.glob("*.py")]
    known += [path.parent.name for path in directory.glob("*/__init__.py")]
    near = difflib.get_close_matches(name.partition(".")[0], known, 1)
    return [f"did you mean {near[0]}?"] if near else [f"looked in {directory} and where Python looks"]


def _member(holder: Any, name: str, named: NameReference) -> Any:
    try:
        return getattr(holder, name)
    except AttributeError:
        near = difflib.get_close_matches(name, [n for n in dir(holder) if not n.startswith("_")], 1)
        hints = [f"did you mean {near[0]}?"] if near else []
        raise UsageError(f"{named}: {holder.__name__} has no {name}", hints=hints) from None
