"""What became of a change, and how two releases differ: in lines for people, and in records for programs."""

from __future__ import annotations

from typing import Any

from reactive_config._cli.failures import OK, TROUBLE
from reactive_config._cli.output import Line, Output, StyledText, compact
from reactive_config._cli.redacted import count_values, without_secrets
from reactive_config._cli.release_client import FORCE_HINT
from reactive_config._core.paths import format_path

LONGEST = 200
"""Characters of a value, or of a message, in a line for people."""


def wanted_line(wanted: dict[str, Any]) -> Line:
    """What was to be set or deleted in one line; secrets are hidden already."""
    path = _path(wanted)
    return ["set ", path, f" = {_short(wanted['set'])}"] if "set" in wanted else ["delete ", path]


def cut(text: str) -> str:
    """A text for one line for people; its line breaks are blanks, and its end is left out if it is long."""
    line = " ".join(text.split("\n"))
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}... ({len(text):,} characters)"


def tell_outcome(out: Output, outcome: dict[str, Any], kind: Any = dict) -> int:
    """Show what became of a change.

    Args:
        out: Where.
        outcome: As the service answers.
        kind: The configuration's type, if it is known.

    Returns:
        The exit code: that of a refusal where a dry run says that the change would be refused.
    """
    refusals = list(outcome.get("violations", ()))
    code = TROUBLE if refusals else OK
    if out.json:
        out.record("release", **{**outcome, "changes": [without_secrets(told, kind) for told in outcome["changes"]]})
        return code
    for told in outcome["changes"]:
        tell_change(out, told, kind)
    release = outcome["release"]
    if refusals:
        tell_refusals(out, refusals)
    elif outcome["dry_run"]:
        out.line("nothing was written: --dry-run" if outcome["changes"] else "nothing would change")
    elif release is None:
        out.line("nothing had to be changed")
    else:
        out.line([StyledText(f"release {release['number']}", "bold"), f" of revision {release['revision']}"])
    return code


def tell_refusals(out: Output, refusals: list[dict[str, Any]]) -> None:
    """Why a change of a dry run would be refused, and what to do about it."""
    for refusal in refusals:
        out.line([StyledText("would be refused: ", "bold red"), str(refusal["detail"])])
    if any(refusal["kind"] == "needs-force" for refusal in refusals):
        out.line([StyledText("hint: ", "cyan"), FORCE_HINT], indent=2)


def tell_change(out: Output, change: dict[str, Any], kind: Any = dict) -> None:
    """Show one difference."""
    out.line(change_line(change, kind))


def change_line(change: dict[str, Any], kind: Any = dict) -> Line:
    """One difference in one line. What is a secret, or sounds like one, is hidden."""
    change = without_secrets(change, kind)
    path = _path(change)
    before, after = (_short(change[side]) if side in change else None for side in ("before", "after"))
    if before is None:
        return [StyledText("+ ", "green"), path, f" = {after}"]
    if after is None:
        return [StyledText("- ", "red"), path, f" (was {before})"]
    return [StyledText("~ ", "yellow"), path, f" = {after} (was {before})"]


def _path(change: dict[str, Any]) -> StyledText:
    return StyledText(cut(format_path(tuple(change["path"]))) or "(root)", "cyan")


def _short(value: Any) -> str:
    text = compact(value)
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}... ({count_values(value):,} values, {len(text):,} characters)"
