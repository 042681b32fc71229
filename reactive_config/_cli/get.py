"""`get`: what is in force."""

from __future__ import annotations

import difflib
import os
import re
from typing import Annotated, Any

from cyclopts import Parameter

from reactive_config._cli.completion import path_candidates
from reactive_config._cli.failures import OK, NotThere, UsageError
from reactive_config._cli.opening import Opened, opened
from reactive_config._cli.output import Output, printable
from reactive_config._cli.quoting import may_hold_login
from reactive_config._cli.redacted import show
from reactive_config._cli.source_options import Options, SourceText
from reactive_config._core.lookup import selector
from reactive_config._core.paths import Path, format_path, parse_path
from reactive_config._core.redaction import Spot, below, spot_of
from reactive_config.errors import InvalidPath, UnknownPath

_SOURCE = re.compile(r"(optional|env|environment|values|etcds?):")

PathText = Annotated[str, Parameter(show_default=False, completer=path_candidates)]


async def get(path: PathText = ".", /, *sources: SourceText, options: Options = Options()) -> int:  # noqa: B008 - frozen
    """Print the value in force, defaults of the type included.

    A text is printed bare, everything else as JSON; with --json always as JSON.

    Args:
        path: Dotted, comes before the sources; `.` is the whole. A name with a dot is quoted: `log."a.b"`.
        sources: The lowest layer first; see `reactive-config --help`.
    """
    out = Output(json=options.json)
    at = read_path(path, sources)
    async with opened(out, sources, options) as session:
        session.warn(out)
        value = show(find(session, at))
        snapshot = session.config.snapshot
        if options.json:
            out.record("value", path=format_path(at), value=value, generation=snapshot.generation)
        elif isinstance(value, str):
            out.line(printable(value) if out.terminal else value)
        else:
            out.document(value)
    return OK


def read_path(text: str, sources: tuple[str, ...]) -> Path:
    """The path that PATH means; `.` is the whole.

    Raises:
        Usage: It is none, or a source stands where the path belongs.
    """
    if may_hold_login(text):
        raise UsageError("expected PATH, before the sources, got what may hold a password")
    if _SOURCE.match(text) or ("/" in text and os.path.exists(text)):  # noqa: PTH110 - any text, also an invalid path
        hints = [] if any(map(may_hold_login, sources)) else [f". {' '.join([text, *sources])}"]
        hints = [f"for the whole configuration: {hint}" for hint in hints]
        raise UsageError(f"expected PATH before the sources, got {text}", hints=hints)
    try:
        return () if text in ("", ".") else parse_path(text)
    except InvalidPath as error:
        raise UsageError(str(error)) from None


def find(session: Opened, path: Path) -> Spot:
    """What stands at a path.

    Raises:
        NotThere: The type has no such path, or leaves it open and nothing stands there.
    """
    try:
        selector(session.kind, path)
    except UnknownPath as error:
        raise NotThere(str(error)) from None
    spot = spot_of(session.config.current, session.kind)
    for depth, name in enumerate(path):
        table = below(spot)
        if table is None or name not in table:
            raise _absent(path, depth, table)
        spot = table[name]
    return spot


def _absent(path: Path, depth: int, table: dict[str, Any] | None) -> NotThere:
    where = format_path(path[:depth]) or "the configuration"
    if table is None:
        return NotThere(f"{format_path(path)}: nothing stands there; {where} is a value, not a table")
    near = difflib.get_close_matches(path[depth], table, 1)
    if near:
        hints = [f"did you mean {format_path((*path[:depth], near[0]))}?"]
    else:
        hints = [f"{where} has {', '.join(list(table)[:12])}{', ...' if len(table) > 12 else ''}"] if table else []
    return NotThere(f"{format_path(path)}: nothing stands there", hints=hints)
