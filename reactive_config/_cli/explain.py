"""`explain`: which layer says what about a value."""

from __future__ import annotations

from reactive_config._cli.failures import OK
from reactive_config._cli.get import PathText, find, read_path
from reactive_config._cli.opening import opened
from reactive_config._cli.output import Output, StyledText, compact, origin_fields
from reactive_config._cli.redacted import show
from reactive_config._cli.source_options import Options, SourceText
from reactive_config._core.paths import Path, format_path
from reactive_config._core.runtime.config import Explanation


async def explain(
    path: PathText,
    /,
    *sources: SourceText,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Show what every layer says about a value, the winner first.

    Values are as the sources have them, before they are decoded.

    Args:
        path: Dotted, comes before the sources; `.` is the whole. A name with a dot is quoted: `log."a.b"`.
        sources: The lowest layer first; see `reactive-config --help`.
    """
    out = Output(json=options.json)
    at = read_path(path, sources)
    async with opened(out, sources, options) as session:
        session.warn(out)
        spot = find(session, at)
        said = session.config.explain(format_path(at))
        if options.json:
            for entry in said:
                out.record(
                    "layer",
                    path=entry.path,
                    value=entry.value,
                    in_force=entry.in_force,
                    origin=origin_fields(entry.origin),
                )
            if not said:
                out.record("layer", path=format_path(at), value=show(spot), in_force=True, origin=None)
        else:
            _table(out, at, said)
            if not said:
                out.line(
                    [
                        StyledText(format_path(at), "bold"),
                        " = ",
                        compact(show(spot)),
                        StyledText("  the type's default", "dim"),
                    ]
                )
    return OK


def _table(out: Output, at: Path, said: tuple[Explanation, ...]) -> None:
    if not said:
        return
    rows = [_row(out, entry) for entry in said]
    headers = ["", "VALUE", "SOURCE", "WHERE", "REVISION"]
    if any(entry.path != format_path(at) for entry in said):
        headers.insert(1, "PATH")
    else:
        rows = [[row[0], *row[2:]] for row in rows]
    if not any(entry.origin.revision for entry in said):
        headers, rows = headers[:-1], [row[:-1] for row in rows]
    out.table(headers, rows)


def _row(out: Output, entry: Explanation) -> list[StyledText]:
    style = "bold green" if entry.in_force else "dim"
    origin = entry.origin
    where = origin.place + (f":{origin.line}" if origin.line else "") + (f":{origin.column}" if origin.column else "")
    return [
        StyledText(("▶" if out.terminal else ">") if entry.in_force else "", style),
        StyledText(entry.path, style),
        StyledText(compact(entry.value), style),
        StyledText(origin.source, "" if entry.in_force else "dim"),
        StyledText(where, "" if entry.in_force else "dim"),
        StyledText(str(origin.revision or ""), "" if entry.in_force else "dim"),
    ]
