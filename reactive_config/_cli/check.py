"""`check`: does this content fit this type?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from reactive_config._cli.failures import OK, TROUBLE, NoConfiguration
from reactive_config._cli.opening import Opened, opened
from reactive_config._cli.output import Line, Output, StyledText, problem_fields, problem_line
from reactive_config._cli.redacted import count_values, show
from reactive_config._cli.source_options import OUTPUT, Options, SourceText
from reactive_config._core.redaction import spot_of
from reactive_config._core.status import SourceState
from reactive_config.errors import Problem

Strict = Annotated[bool, Parameter(negative="", group=OUTPUT, show_default=False)]


async def check(
    *sources: SourceText,
    strict: Strict = False,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Check that the content fits the type; list every problem with its place.

    Exits with 1 if something does not fit or a source cannot be read. Without --type only the formats are
    checked. While a file cannot be parsed, only what cannot be parsed is reported. A key that the type does not know
    and ignores is a warning.

    Args:
        sources: The lowest layer first; see `reactive-config --help`.
        strict: Exit with 1 for a warning, too.
    """
    out = Output(json=options.json)
    try:
        async with opened(out, sources, options) as session:
            return _report(out, session, strict)
    except NoConfiguration as failure:
        if failure.troubles or not failure.problems:
            raise
        _problems(out, failure.problems)
        for hint in failure.hints:
            out.note([StyledText("hint: ", "cyan"), hint])
        _result(out, len(failure.problems))
        return TROUBLE


def _report(out: Output, session: Opened, strict: bool) -> int:
    status = session.config.status()
    _warn(out, warnings := status.unknown, strict)
    _problems(out, held := [p for source in status.sources for unit in source.held for p in unit.problems])
    away = [
        (spec.optional, source)
        for spec, source in zip(session.specs, status.sources, strict=True)
        if source.state in (SourceState.STALE, SourceState.FAILED)
    ]
    unseen = [(source.name, source.state, source.reason) for optional, source in away if not optional]
    for name, state, reason in unseen:
        if out.json:
            out.record("source", source=name, state=state.value, reason=reason)
        else:
            out.line([StyledText(name, "bold"), f": expected its newest content, got none ({state.name}: {reason})"])
    if held or unseen:
        _result(out, len(held) + len(unseen), warnings)
        return TROUBLE
    if warnings and strict:
        _result(out, 0, warnings)
        return TROUBLE
    notes = [
        *(note for note in status.notes if note not in warnings),
        *(f"{s.name}: {n}" for s in status.sources for n in s.notes if not n.startswith("notifier:")),
    ]
    notes += [f"{source.name} is optional and away: {source.reason}" for _, source in away]
    for note in notes:
        out.note([StyledText("note: ", "yellow"), note])
    count = count_values(show(spot_of(session.config.current, session.kind)))
    if out.json:
        out.record("result", ok=True, problems=0, values=count, notes=[*warnings, *notes], warnings=warnings)
        return OK
    fits = f"fit {session.type}" if session.type else "can be read (without --type nothing more is checked)"
    many = f"{count} value{'s' * (count != 1)} from {len(session.specs)} source{'s' * (len(session.specs) > 1)} "
    out.line([StyledText("ok: ", "bold green"), many, fits])
    return OK


def _problems(out: Output, problems: list[Problem] | tuple[Problem, ...]) -> None:
    for problem in dict.fromkeys(problems):
        if out.json:
            out.record("problem", **problem_fields(problem))
        else:
            out.line(problem_line(problem))


def _warn(out: Output, warnings: Sequence[str], strict: bool) -> None:
    """Unknown keys: beside the result, or a part of it where they make it a failure."""
    for warning in warnings:
        line: Line = [StyledText("warning: ", "yellow"), warning]
        if strict and not out.json:
            out.line(line)
        else:
            out.note(line)


def _result(out: Output, count: int, warnings: Sequence[str] = ()) -> None:
    if out.json:
        out.record("result", ok=False, problems=count, warnings=warnings)
    elif count:
        out.line([StyledText(f"{count} problem{'s' * (count > 1)}", "bold red")])
    else:
        out.line([StyledText("unknown keys, which --strict does not allow", "bold red")])
