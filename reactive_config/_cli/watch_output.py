"""What `watch` says, for people and as JSON lines."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from reactive_config._cli.opening import Opened, state_part
from reactive_config._cli.output import Output, StyledText, compact, origin_fields, problem_fields, problem_line
from reactive_config._cli.redacted import ValueChange, changes, count_values, show
from reactive_config._cli.source_events import StateSaid, Touch
from reactive_config._core.paths import Path, format_path
from reactive_config._core.redaction import spot_of
from reactive_config._core.runtime.snapshot import Snapshot
from reactive_config._core.runtime.updates import Gap
from reactive_config._core.secret import HIDDEN
from reactive_config._core.status import HeldUnit, SourceState, SourceStatus
from reactive_config._core.trees import ABSENT
from reactive_config.errors import Origin

_MOST_LINES = 60
_MOST_ORIGINS = 200
_PATIENCE = 0.5  # seconds
_LONGEST = 60
_WIDEST = 40


class Generation(NamedTuple):
    """A snapshot, the one that was told before it, and the documents that changed in between."""

    before: Snapshot[Any]
    after: Snapshot[Any]
    touches: tuple[Touch, ...]


def tell_start(out: Output, session: Opened, snapshot: Snapshot[Any]) -> None:
    """Where everything stands when the watching begins."""
    status = session.config.status()
    values = count_values(show(spot_of(snapshot.value, session.kind)))
    if out.json:
        sources = [
            {
                "source": s.name,
                "state": s.state.value,
                "reason": s.reason,
                "revision": s.revision,
                "notes": list(s.notes),
            }
            for s in status.sources
        ]
        out.record(
            "start",
            generation=snapshot.generation,
            published_at=_iso(snapshot.published_at),
            revisions=dict(snapshot.revisions),
            values=values,
            sources=sources,
        )
    else:
        out.table(["SOURCE", "STATE", "REVISION", ""], map(_source_row, status.sources))
        for note in status.notes:
            out.line([StyledText("note: ", "yellow"), note])
        many = f"{values} value{'s' * (values != 1)}"
        out.line(
            [StyledText(f"generation {snapshot.generation}", "bold"), f": {many}; ", StyledText("Ctrl-C ends", "dim")]
        )
    for source in status.sources:
        for held in source.held:
            tell_held(out, source.name, held)


def _source_row(source: SourceStatus) -> list[str | StyledText]:
    notes = "; ".join([*([source.reason] if source.reason else []), *source.notes])
    return [StyledText(source.name, "bold"), state_part(source), str(source.revision or ""), StyledText(notes, "dim")]


def tell_state(out: Output, said: StateSaid) -> None:
    """A source's state changed."""
    if out.json:
        out.record("source", source=said.source, state=said.state.value, reason=said.reason, at=_iso(datetime.now(UTC)))
        return
    styles = {SourceState.SYNCED: "green", SourceState.STALE: "yellow", SourceState.FAILED: "bold red"}
    reason = f": {said.reason}" if said.reason else " again" if said.state is SourceState.SYNCED else ""
    out.line(
        [
            _clock(),
            StyledText(said.source, "bold"),
            " is ",
            StyledText(said.state.name, styles.get(said.state, "")),
            reason,
        ]
    )


def tell_held(out: Output, source: str, held: HeldUnit, *, over: bool = False) -> None:
    """A unit was refused, or waits no longer."""
    if out.json:
        problems = [] if over else [problem_fields(problem) for problem in held.problems]
        word = "released" if over else "held"
        more = 0 if over else held.more
        out.record(word, source=source, unit=held.unit, problems=problems, more=more, since=_iso(held.since))
        return
    unit = f" {held.unit}" + (f" of {source}" if not held.unit.startswith(source) else "")
    if over:
        out.line([_clock(), StyledText("no longer held:", "green"), unit])
        return
    out.line(
        [_clock(), StyledText("HELD", "bold red"), unit, StyledText("; the last good values stay in force", "dim")]
    )
    for problem in held.problems:
        out.line(problem_line(problem), indent=9)
    if held.rest:
        out.line([StyledText(held.rest, "dim")], indent=9)


def tell_gap(out: Output, gap: Gap) -> None:
    """Generations came faster than they were written."""
    if out.json:
        out.record("gap", first=gap.first, last=gap.last)
    else:
        out.line(
            [_clock(), StyledText(f"generations {gap.first} to {gap.last} went by too fast to be shown", "yellow")]
        )


def tell_generation(out: Output, session: Opened, new: Generation) -> None:
    """A new snapshot, as what differs from the one before."""
    found = list(changes(spot_of(new.before.value, session.kind), spot_of(new.after.value, session.kind)))
    causes = _causes(new.touches, found)
    origins = _origins(session, found[: _MOST_ORIGINS if out.json else _MOST_LINES])
    if out.json:
        out.record(
            "change",
            generation=new.after.generation,
            published_at=_iso(new.after.published_at),
            revisions=dict(new.after.revisions),
            causes=[{**origin_fields(cause.origin), "gone": cause.gone} for cause in causes],
            changes=[{**_change_fields(change), **_origin_fields(origins, change)} for change in found],
        )
        return
    named = [text for cause in causes[:4] for text in (", ", *_cause_parts(cause))][1:]
    more = [f" and {len(causes) - 4} more"] if len(causes) > 4 else []
    out.line([_clock(), StyledText(f"generation {new.after.generation}", "bold"), "  ", *named, *more])
    places = {cause.origin.place for cause in causes}
    told = found[:_MOST_LINES]
    width = min(max((len(format_path(change.path)) for change in told), default=0), _WIDEST)
    for change in told:
        whence = _whence(change, origins[change.path], places) if change.path in origins else ""
        out.line(_change_line(out, change, width, whence), indent=2)
    if len(found) > _MOST_LINES:
        out.line(StyledText(f"... and {len(found) - _MOST_LINES} more changes", "dim").text, indent=2)


def _causes(touches: Sequence[Touch], found: Sequence[ValueChange]) -> list[Touch]:
    """The documents that can have changed these values: mounted at, above or under one of them."""
    causes = [touch for touch in touches if any(touch.path[: len(c.path)] == c.path[: len(touch.path)] for c in found)]
    return list(dict.fromkeys(causes or touches))


def _cause_parts(cause: Touch) -> list[str | StyledText]:
    if not cause.gone:
        return [StyledText(str(cause.origin), "cyan")]
    origin = cause.origin
    at = f" at revision {origin.revision}" if origin.revision else ""
    return [StyledText(str(Origin(origin.source, origin.place)), "cyan"), f" is gone{at}"]


def _origins(session: Opened, found: Sequence[ValueChange]) -> dict[Path, Origin | None]:
    """Where the values in force stand now, by path; None where no layer says anything any more.

    Finding a line may read its document again, so it ends after a while: then the rest is lacking.
    """
    origins: dict[Path, Origin | None] = {}
    end = time.monotonic() + _PATIENCE
    for change in found:
        if time.monotonic() > end:
            break
        said = session.config.explain(format_path(change.path))
        origins[change.path] = said[0].origin if said else None
    return origins


def _origin_fields(origins: Mapping[Path, Origin | None], change: ValueChange) -> dict[str, Any]:
    if change.path not in origins:
        return {}
    origin = origins[change.path]
    return {"origin": None if origin is None else origin_fields(origin)}


def _change_fields(change: ValueChange) -> dict[str, Any]:
    fields: dict[str, Any] = {"path": format_path(change.path), "change": change.word}
    if change.before is not ABSENT:
        fields["before"] = change.before
    if change.after is not ABSENT:
        fields["after"] = change.after
    return fields


def _change_line(out: Output, change: ValueChange, width: int, whence: str) -> list[str | StyledText]:
    sign, style = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}[change.word]
    path = (format_path(change.path) or "(root)").ljust(width)
    line: list[str | StyledText] = [StyledText(f"{sign} {path}", style), "  "]
    if change.before is not ABSENT:
        line.append(StyledText(_short(change.before), "red"))
    if change.word == "changed":
        line.append(" → " if out.terminal else " -> ")
    if change.after is not ABSENT:
        line.append(StyledText(_short(change.after), "green"))
    return [*line, StyledText(whence, "dim")]


def _whence(change: ValueChange, origin: Origin | None, places: set[str]) -> str:
    """Where the value stands now, as far as the headline has not said it."""
    if origin is None:
        return "" if change.word == "removed" else "  (the type's default)"
    if origin.place not in places:
        return f"  (now from {origin})"
    return f"  ({origin.place}:{origin.line}:{origin.column})" if origin.line else ""


def _short(value: Any) -> str:
    text = compact(value)
    if value == HIDDEN:
        return HIDDEN  # without quotes: it is no text
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _clock() -> StyledText:
    return StyledText(datetime.now().astimezone().strftime("%H:%M:%S "), "dim")


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
