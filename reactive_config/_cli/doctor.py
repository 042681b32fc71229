"""`doctor`: which sources answer, what the machine allows, and what is installed."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import platform
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from reactive_config._cli.failures import OK, TROUBLE
from reactive_config._cli.opening import hint, no_configuration
from reactive_config._cli.output import Output, StyledText, problem_fields, problem_line
from reactive_config._cli.project import find_project, tell_project
from reactive_config._cli.redacted import count_values, show
from reactive_config._cli.source_events import Event, observed, wait_seen
from reactive_config._cli.source_options import Options, SourceText
from reactive_config._cli.sources import SourceSpec, make_sources, names_sources, read_specs
from reactive_config._cli.type_loading import decoders_reference, load_decoders, load_kind, type_reference
from reactive_config._core.redaction import spot_of
from reactive_config._core.runtime.config import open_config
from reactive_config._core.source import Source
from reactive_config._core.status import SourceState, SourceStatus
from reactive_config._core.types.env_fields import NamedVariable, named_variables
from reactive_config.errors import Problem, StartupError

_PACKAGES = (
    "reactive-config",
    "aetcd",
    "grpcio",
    "watchfiles",
    "anyio",
    "msgspec",
    "orjson",
    "uvloop",
    "ryaml",
    "PyYAML",
    "pydantic",
)
_INOTIFY = Path("/proc/sys/fs/inotify")


def versions() -> dict[str, str | None]:
    """Everything that matters here to its version; None where it is not installed."""
    found: dict[str, str | None] = {"python": f"{platform.python_version()} ({platform.python_implementation()})"}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    found["platform"] = platform.platform()
    return found


def inotify_limits() -> dict[str, int | None]:
    """What one user may have, and what this user has; None where it cannot be read, empty where there is no inotify.

    In use counts the processes whose descriptors may be read, which without root are one's own.
    """
    if not _INOTIFY.is_dir():
        return {}
    limits = {
        name: _number(_INOTIFY / name) for name in ("max_user_instances", "max_user_watches", "max_queued_events")
    }
    instances = watches = 0
    for count in _instances():
        instances, watches = instances + 1, watches + count
    return {**limits, "instances_in_use": instances, "watches_in_use": watches}


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _instances() -> Iterator[int]:
    """The number of watches of every inotify instance of this user's processes."""
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if process.stat().st_uid != os.getuid():
                continue
            for descriptor in (process / "fd").iterdir():
                if str(descriptor.readlink()) == "anon_inode:inotify":
                    info = (process / "fdinfo" / descriptor.name).read_text(encoding="ascii", errors="replace")
                    yield info.count("inotify wd:")
        except OSError:
            continue  # ended meanwhile, or not ours to read


_TIMEOUT = 5.0
_BAD = {False: StyledText("FAIL  ", "bold red"), True: StyledText("away  ", "yellow")}


class Finding(msgspec.Struct, frozen=True):
    """What one source did when it was opened alone.

    Attributes:
        name: Of the source.
        text: As it was written.
        optional: Whether it may be missing.
        seconds: Until it answered, or until it was given up.
        status: Where it stood; None if nothing came.
        values: How many it brought.
        trouble: Why nothing came.
        problems: What is wrong with what came.
        hints: What to try.
    """

    name: str
    text: str
    optional: bool
    seconds: float = 0.0
    status: SourceStatus | None = None
    values: int = 0
    trouble: str = ""
    problems: tuple[Problem, ...] = ()
    hints: tuple[str, ...] = ()

    @property
    def answers(self) -> bool:
        return self.status is not None and self.status.state is SourceState.SYNCED


async def doctor(*sources: SourceText, options: Options = Options()) -> int:  # noqa: B008 - frozen
    """Find out which sources answer; show inotify's limits and all versions.

    Each source is opened by itself. Exits with 1 if one that is not optional does not answer or has no usable content.

    Args:
        sources: See `reactive-config --help`. Where nobody names one, only the machine is looked at.
    """
    out = Output(json=options.json)
    ill = False
    specs = _sources(out, sources, options)
    variables = _variables(options) if any(spec.kind == "env" for spec, _ in specs) else ()
    for spec, source in specs:
        finding = await examine(spec, source, options.timeout or _TIMEOUT, variables)
        ill |= not finding.answers and not spec.optional
        _tell(out, finding)
    _tell_machine(out, options)
    if out.json:
        out.record("result", ok=not ill)
    return TROUBLE if ill else OK


def _sources(out: Output, texts: tuple[str, ...], options: Options) -> list[tuple[SourceSpec, Source]]:
    project = None
    if not names_sources(texts):
        project = None if options.no_project else find_project(Path.cwd())
        if project is None or not project.sources:
            return []
    specs = read_specs(texts, options, project)
    if project is not None:
        tell_project(out, project, sources=True, type=False)
    return list(zip(specs, make_sources(specs, options), strict=True))


def _variables(options: Options) -> Sequence[NamedVariable]:
    """The variables that fields of the configuration's type name."""
    project = None if options.no_project or options.type is not None else find_project(Path.cwd())
    decoders = load_decoders(decoders_reference(options.decoders, project))
    return named_variables(load_kind(type_reference(options.type, project), decoders))


async def examine(spec: SourceSpec, source: Source, timeout: float, variables: Sequence[NamedVariable] = ()) -> Finding:
    """Open one source by itself, untyped.

    Args:
        spec: As it was written.
        source: The source.
        timeout: Seconds that it has.
        variables: Those that fields of the configuration's type name, which the source reads too.
    """
    start = time.monotonic()
    events: asyncio.Queue[Event] = asyncio.Queue()
    finding = Finding(source.name, spec.text, spec.optional)
    replace = msgspec.structs.replace
    try:
        async with open_config(dict, observed(source, events.put_nowait, variables), startup_timeout=timeout) as config:
            await wait_seen(config, events, timeout - (time.monotonic() - start))
            status = config.status().sources[0]
            values = count_values(show(spot_of(config.current, dict))) if config.current else 0
            finding = replace(finding, status=status, values=values, trouble=status.reason)
            if finding.answers and not values:
                finding = replace(finding, hints=(_nothing_found(spec),))
    except StartupError as error:
        told = no_configuration(error, [spec], [source])
        trouble = told.troubles.get(source.name, "")
        finding = replace(finding, trouble=trouble, problems=told.problems, hints=told.hints)
    return replace(finding, seconds=time.monotonic() - start)


def _nothing_found(spec: SourceSpec) -> str:
    """What a person is told of a source that is fine and empty: perhaps it is not the place that they mean."""
    if spec.kind == "env":
        return f"no variable that begins with {spec.target} is set"
    if spec.kind == "environment":
        directory, env = os.path.split(spec.target)
        found = Path(directory).is_dir()
        return f"nothing for {env} was found in {directory}" if found else f"there is no {directory}"
    return hint(spec) or f"no value was found in {spec.target}"


def _tell(out: Output, finding: Finding) -> None:
    status = finding.status
    if out.json:
        out.record(
            "source",
            source=finding.name,
            spec=finding.text,
            optional=finding.optional,
            answers=finding.answers,
            state=status.state.value if status else None,
            seconds=round(finding.seconds, 3),
            revision=status.revision if status else 0,
            values=finding.values,
            reason=finding.trouble,
            problems=[problem_fields(problem) for problem in finding.problems],
            notes=list(status.notes) if status else [],
            hints=list(finding.hints),
        )
        return
    good = finding.answers
    mark = StyledText("ok    ", "bold green") if good else _BAD[finding.optional]
    out.line([mark, StyledText(finding.text, "bold"), StyledText(f"  {_summary(finding)}", "dim" if good else "")])
    for line in _details(finding):
        out.line(line, indent=6)


def _summary(finding: Finding) -> str:
    status = finding.status
    if status is None:
        return f"after {finding.seconds:.1f} s"
    revision = f", revision {status.revision}" if status.revision else ""
    many = f"{finding.values} value{'s' * (finding.values != 1)}"
    return f"{status.state.name}{revision}, {many}, {finding.seconds * 1000:.0f} ms"


def _details(finding: Finding) -> list[Any]:
    lines: list[Any] = [finding.trouble] if finding.trouble else []
    lines += map(problem_line, finding.problems)
    lines += [[StyledText(note, "dim")] for note in (finding.status.notes if finding.status else ())]
    return lines + [[StyledText("hint: ", "cyan"), text] for text in finding.hints]


def _tell_machine(out: Output, options: Options) -> None:
    from reactive_config._sources.files.notifiers.fallback import choose

    limits, found, notifier = inotify_limits(), versions(), choose(options.notifier)
    if out.json:
        out.record("machine", notifier=notifier, inotify=limits or None, versions=found)
        return
    out.line()
    out.line(
        [StyledText("files    ", "bold"), f"notifier {notifier}" + (" (auto)" if options.notifier == "auto" else "")]
    )
    if limits:
        for name, used in (("instances", "instances_in_use"), ("watches", "watches_in_use")):
            limit = limits[f"max_user_{name}"]
            out.line(f"inotify {name}: {limits[used]} in use by this user, of {limit or 'an unknown number'}", indent=9)
    out.line()
    out.table(
        ["", ""],
        [[StyledText(name, "bold"), version or StyledText("not installed", "dim")] for name, version in found.items()],
    )
