"""`check`: does this content fit this type?"""

from __future__ import annotations

from reactive_config._cli.failures import OK, TROUBLE, NoConfiguration
from reactive_config._cli.opening import Opened, opened
from reactive_config._cli.output import Output, StyledText, problem_fields, problem_line
from reactive_config._cli.redacted import count_values, show
from reactive_config._cli.source_options import Options, SourceText
from reactive_config._core.redaction import spot_of
from reactive_config._core.status import SourceState
from reactive_config.errors import Problem


async def check(*sources: SourceText, options: Options = Options()) -> int:  # noqa: B008 - frozen
    """Check that the content fits the type; list every problem with its place.

    Exits with 1 if something does not fit or a source cannot be read. Without --type only the formats are
    checked. While a file cannot be parsed, only what cannot be parsed is reported.

    Args:
        sources: The lowest layer first; see `reactive-config --help`.
    """
    out = Output(json=options.json)
    try:
        async with opened(sources, options) as session:
            return _report(out, session, options)
    except NoConfiguration as failure:
        if failure.troubles or not failure.problems:
            raise
        _problems(out, failure.problems)
        for hint in failure.hints:
            out.note([StyledText("hint: ", "cyan"), hint])
        _result(out, len(failure.problems))
        return TROUBLE


def _report(out: Output, session: Opened, options: Options) -> int:
    status = session.config.status()
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
        _result(out, len(held) + len(unseen))
        return TROUBLE
    notes = [
        *status.notes,
        *(f"{s.name}: {n}" for s in status.sources for n in s.notes if not n.startswith("notifier:")),
    ]
    notes += [f"{source.name} is optional and away: {source.reason}" for _, source in away]
    for note in notes:
        out.note([StyledText("note: ", "yellow"), note])
    count = count_values(show(spot_of(session.config.current, session.kind)))
    if out.json:
        out.record("result", ok=True, problems=0, values=count, notes=notes)
        return OK
    fits = f"fit {options.type}" if options.type else "can be read (without --type nothing more is checked)"
    many = f"{count} value{'s' * (count != 1)} from {len(session.specs)} source{'s' * (len(session.specs) > 1)} "
    out.line([StyledText("ok: ", "bold green"), many, fits])
    return OK


def _problems(out: Output, problems: list[Problem] | tuple[Problem, ...]) -> None:
    for problem in dict.fromkeys(problems):
        if out.json:
            out.record("problem", **problem_fields(problem))
        else:
            out.line(problem_line(problem))


def _result(out: Output, count: int) -> None:
    if out.json:
        out.record("result", ok=False, problems=count)
    else:
        out.line([StyledText(f"{count} problem{'s' * (count > 1)}", "bold red")])
