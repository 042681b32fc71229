"""A configuration opened for a command, and what to tell a person when it does not open."""

from __future__ import annotations

import difflib
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from reactive_config._cli.etcd_login import PASSWORD_VARIABLE
from reactive_config._cli.failures import NoConfiguration
from reactive_config._cli.output import Output, StyledText, problem_line
from reactive_config._cli.project import find_project, tell_project
from reactive_config._cli.source_options import Options
from reactive_config._cli.sources import SourceSpec, make_sources, names_sources, read_specs
from reactive_config._cli.type_loading import decoders_reference, load_decoders, load_kind, type_reference
from reactive_config._core.runtime.config import Config, open_config
from reactive_config._core.source import Source
from reactive_config._core.status import SourceState, SourceStatus
from reactive_config._etcd.errors import NEEDS_USER, NO_CA
from reactive_config.errors import StartupError, missing_line

_TIMEOUT = 10.0


_OPTIONS = {
    NEEDS_USER: f"here: --username NAME, and --password-file FILE or {PASSWORD_VARIABLE}",
    NO_CA: "here: --ca FILE",
}
"""What a source names by its arguments, as options of the command."""

_KEYS = re.compile(r'set format="(yaml|toml)" on the source')


class Opened:
    """An open configuration and what it was made of.

    Attributes:
        config: The configuration.
        kind: Its type; `dict` for an untyped one.
        type: The type's name, as MODULE:CLASS; None for an untyped one.
        specs: Its sources as they were written, lowest layer first, and in the status's order.
    """

    def __init__(self, config: Config[Any], kind: Any, type: str | None, specs: Sequence[SourceSpec]) -> None:  # noqa: A002
        self.config = config
        self.kind = kind
        self.type = type
        self.specs = specs

    def warn(self, out: Output) -> None:
        """Tell a person where the configuration is not what the sources hold now."""
        for spec, source in zip(self.specs, self.config.status().sources, strict=True):
            if source.state in (SourceState.STALE, SourceState.FAILED) and not spec.optional:
                out.note([StyledText("warning: ", "yellow"), f"{source.name} is {source.state.name}: {source.reason}"])
            for held in source.held:
                out.note([StyledText("warning: ", "yellow"), f"held: {held.unit} of {source.name}"])
                for problem in held.problems:
                    out.note(["  ", *problem_line(problem)])
                if held.rest:
                    out.note(["  ", held.rest])


@asynccontextmanager
async def opened(
    out: Output, texts: Sequence[str], options: Options, wrap: Callable[[Source], Source] = lambda source: source
) -> AsyncIterator[Opened]:
    """Open what the command line names, and where it names nothing what the environment or the project does.

    Args:
        out: It is told what comes from the project.
        texts: The SOURCEs.
        options: The common ones.
        wrap: Put around every source.

    Raises:
        Usage: The command line is at fault.
        NoConfiguration: A source or its content is.
    """
    wants_sources, wants_type = not names_sources(texts), options.type is None
    project = None
    if (wants_sources or wants_type) and not options.no_project:
        project = find_project(Path.cwd())
    named = type_reference(options.type, project)
    decoders = load_decoders(decoders_reference(options.decoders, project))
    kind = load_kind(named, decoders)
    specs = read_specs(texts, options, project)
    if project is not None:  # now that no text of it may hold a password
        tell_project(out, project, sources=wants_sources, type=wants_type)
    sources = make_sources(specs, options)
    context = open_config(kind, *map(wrap, sources), startup_timeout=options.timeout or _TIMEOUT, decoders=decoders)
    try:
        config = await context.__aenter__()
    except StartupError as error:
        raise no_configuration(error, specs, sources) from None
    try:
        yield Opened(config, kind, None if named is None else named.text, specs)
    except BaseException as error:
        await context.__aexit__(type(error), error, error.__traceback__)
        raise
    await context.__aexit__(None, None, None)


def no_configuration(error: StartupError, specs: Sequence[SourceSpec], sources: Sequence[Source]) -> NoConfiguration:
    """What a person is told when nothing opens, with what they may have meant."""
    concerned = {problem.origin.source for problem in error.problems if problem.origin} | error.troubles.keys()
    hints = [hint(spec) for spec, source in zip(specs, sources, strict=True) if source.name in concerned]
    hints += [*error.hints, missing_line(error.missing)]
    hints += [text for part, text in _OPTIONS.items() if any(part in trouble for trouble in error.troubles.values())]
    hints += sorted(
        {f"here: --key-format {found[1]}" for problem in error.problems if (found := _KEYS.search(problem.got))}
    )
    return NoConfiguration(
        "no configuration: content was refused" if error.problems else "no configuration: a source is not ready",
        troubles=error.troubles,
        problems=error.problems,
        hints=[text for text in hints if text],
    )


def hint(spec: SourceSpec) -> str:
    """What may be wrong with a source that has nothing to say; empty if nothing comes to mind."""
    if spec.kind == "etcd":
        if spec.target.endswith("/"):
            return ""
        return f"{spec.target} is one key; if it is a prefix, end it in a slash: {spec.text}/"
    return "" if spec.kind in ("env", "environment") else _file_hint(spec)


def _file_hint(spec: SourceSpec) -> str:
    try:
        return _path_hint(spec, Path(spec.target))
    except OSError as error:  # a name that is too long, a directory that may not be read
        return f"{spec.target}: {error.strerror}"
    except ValueError:
        return f"{spec.target}: no file can have this name"


def _path_hint(spec: SourceSpec, path: Path) -> str:
    from reactive_config._formats.registry import SUFFIXES

    known = ", ".join(sorted(SUFFIXES))
    if path.is_symlink() and not path.exists():
        return f"{spec.target} is a link to nothing, or to itself"
    if not path.exists():
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, beside, 1)
        return f"there is no {spec.target}" + (f"; did you mean {path.parent / near[0]}?" if near else "")
    if spec.kind == "files" and path.is_file() and path.suffix.lower() not in SUFFIXES and path.name != ".env":
        return f"{spec.target}: no format goes by this suffix (known: {known})"
    found = [p.name for p in path.iterdir()] if path.is_dir() else [path.name]
    if spec.kind == "files" and not any(Path(name).suffix.lower() in SUFFIXES for name in [path.name, *found]):
        return f"{spec.target} has no file with a known suffix ({known})"
    return ""


def state_part(source: SourceStatus) -> StyledText:
    """A source's state in its colour."""
    styles = {SourceState.SYNCED: "green", SourceState.STALE: "yellow", SourceState.FAILED: "bold red"}
    return StyledText(source.state.name, styles.get(source.state, "dim"))
