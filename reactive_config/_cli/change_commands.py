"""`set`, `unset`, `apply` and `rollback`: changes, each one release."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated, Any

from cyclopts import Group, Parameter

from reactive_config._cli.change_arguments import (
    count_leaves,
    pointer,
    read_assignment,
    read_number,
    read_release_path,
    read_tree,
)
from reactive_config._cli.etcd_login import EtcdLoginOptions
from reactive_config._cli.failures import OK, UsageError
from reactive_config._cli.output import Output, StyledText, compact
from reactive_config._cli.release_target import (
    ConflictAnswer,
    ReleaseClient,
    is_prefix,
    opened_target,
    read_target,
    target_and_rest,
    target_text,
)
from reactive_config._cli.source_options import OUTPUT, DecodersName, TypeName
from reactive_config._cli.type_loading import decoders_reference, load_decoders, load_kind, type_reference
from reactive_config._cli.typed_values import TypedValues
from reactive_config._core.paths import Path, format_path
from reactive_config._core.trees import ABSENT
from reactive_config._printable import printable

_CHANGE = Group("Change", sort_key=2)

_MANY = 1_000
"""Values of which a person wants to know that they are being applied."""

ChangeText = Annotated[str, Parameter(name="ARGUMENT")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ChangeOptions(EtcdLoginOptions):
    """Settings of all commands that change something."""

    message: Annotated[str, Parameter(name=["--message", "-m"], group=_CHANGE, show_default=False)] = ""
    """Why; it stands in the history."""
    dry_run: Annotated[bool, Parameter(negative="", group=_CHANGE, show_default=False)] = False
    """Show what would change, and change nothing."""
    force: Annotated[str, Parameter(metavar="REASON", group=_CHANGE, show_default=False)] = ""
    """Why the change may be larger than usual; it stands in the history."""
    create: Annotated[bool, Parameter(negative="", group=_CHANGE, show_default=False)] = False
    """Make the environment, if there is none."""
    token_file: Annotated[str | None, Parameter(metavar="FILE", group=_CHANGE)] = None
    """A file with the token of the service; else $REACTIVE_CONFIG_TOKEN."""
    json: Annotated[bool, Parameter(negative="", group=OUTPUT, show_default=False)] = False
    """JSON lines; errors too."""

    @property
    def query(self) -> dict[str, str]:
        """What a request says of it."""
        told = {"message": self.message, "force": self.force, "dry_run": "true" if self.dry_run else ""}
        return {name: text for name, text in told.items() if text}


async def set_values(
    *arguments: ChangeText,
    type: TypeName = None,  # noqa: A002
    decoders: DecodersName = None,
    options: ChangeOptions = ChangeOptions(),
) -> int:
    """Set values, all in one release.

    A VALUE is JSON if it reads as JSON (20, true, null, "text", [1, 2], {"a": 1}), and text if not. With --type it is
    whichever of the two fits the field.

    Args:
        arguments: TARGET, and one PATH=VALUE or several. PATH is dotted. TARGET may be a prefix of etcd, too.
        type: The configuration's type. The current directory can be imported from.
        decoders: The dict that the program gives to open_config(decoders=...), for types of its own.
    """
    target, texts = target_text(arguments)
    typed = TypedValues(load_kind(type_reference(type, None)), load_decoders(decoders_reference(decoders, None)))
    setting = dict(read_assignment(text, typed) for text in texts)
    if not setting:
        raise UsageError("expected PATH=VALUE, got none", hints=[f"{printable(target)} database.pool.max_size=20"])
    return await _change_either(target, options, setting)


async def unset_values(*arguments: ChangeText, options: ChangeOptions = ChangeOptions()) -> int:
    """Delete what stands at some paths, all in one release.

    Args:
        arguments: TARGET, and one PATH or several. TARGET may be a prefix of etcd, too.
    """
    target, texts = target_text(arguments)
    if not texts:
        raise UsageError("expected PATH, got none")
    return await _change_either(target, options, dict.fromkeys(map(read_release_path, texts), ABSENT))


async def _change_either(target: str, options: ChangeOptions, wanted: dict[Path, Any]) -> int:
    """Change an environment, or an ordinary prefix of etcd; ABSENT deletes."""
    if is_prefix(target):
        return await change_prefix(target, options, wanted)
    setting = {path: value for path, value in wanted.items() if value is not ABSENT}
    deleting = [path for path in wanted if path not in setting]
    async with opened_target(read_target(target), options.token_file, options) as client:
        return await change(client, options, setting=setting, deleting=deleting)


async def change_prefix(target: str, options: ChangeOptions, wanted: dict[Path, Any]) -> int:
    """Change a prefix of etcd, of which no store keeps releases."""
    from reactive_config._releases.client_views import changes_json
    from reactive_config._releases.opening_store import etcd_store
    from reactive_config._releases.ordinary_prefix import open_prefix
    from reactive_config._releases.path_edits import edits_of_several

    out = Output(json=options.json)
    if options.message:
        out.note("a prefix has no history: the message is not kept")
    try:
        store = etcd_store(target, options.login())
    except ValueError as error:
        raise UsageError(f"TARGET: {error}") from None
    async with open_prefix(store) as prefix:
        outcome = await prefix.change(
            lambda contents: edits_of_several(contents, wanted), forced=bool(options.force), dry_run=options.dry_run
        )
    changes = changes_json(outcome.changes)
    if out.json:
        out.record("change", changes=changes, dry_run=options.dry_run, revision=outcome.revision)
        return OK
    for told in changes:
        tell_change(out, told)
    if options.dry_run:
        out.line("nothing was written: --dry-run" if changes else "nothing would change")
    else:
        out.line(f"revision {outcome.revision}" if outcome.written else "nothing had to be changed")
    return OK


async def apply_files(
    *arguments: ChangeText,
    prune: Annotated[bool, Parameter(negative="", group=_CHANGE, show_default=False)] = False,
    owner: Annotated[str, Parameter(metavar="NAME", group=_CHANGE, show_default=False)] = "",
    type: TypeName = None,  # noqa: A002
    decoders: DecodersName = None,
    options: ChangeOptions = ChangeOptions(),
) -> int:
    """Make the environment say what a file or a directory says, in one release; in none if it does already.

    Args:
        arguments: TARGET, and a file or a directory, whose files merge in the order of their names.
        prune: Delete top-level names that the files do not have; with --owner only those that this owner once applied.
        owner: Who applies, as the name of a repository. The store remembers which names it applied.
        type: The configuration's type, for the values of .env files. The current directory can be imported from.
        decoders: The dict that the program gives to open_config(decoders=...), for types of its own.
    """
    target, texts = target_and_rest(arguments)
    if len(texts) != 1:
        raise UsageError(f"expected one FILE or DIRECTORY, got {len(texts)}")
    typed = TypedValues(load_kind(type_reference(type, None)), load_decoders(decoders_reference(decoders, None)))
    with Output(json=options.json).progress() as progress:
        tree = read_tree(FilePath(texts[0]), typed, progress)
        count = count_leaves(tree)
        progress(f"applying {count:,} values", worth_a_line=count >= _MANY)
        setting: dict[Path, Any] = {(name,): value for name, value in tree.items()}
        async with opened_target(target, options.token_file, options) as client:
            return await change(client, options, setting=setting, deleting=[], prune=prune, owner=owner)


async def rollback(*arguments: ChangeText, options: ChangeOptions = ChangeOptions()) -> int:
    """Make everything as it was after a release; this is a release, too.

    Args:
        arguments: TARGET, and the number of the release.
    """
    target, texts = target_and_rest(arguments)
    number = read_number(texts)
    async with opened_target(target, options.token_file, options) as client:
        answer = await client.ask("POST", f"/releases/{number}/restore", params=options.query)
        return tell_outcome(Output(json=options.json), answer.json())


async def change(
    client: ReleaseClient,
    options: ChangeOptions,
    *,
    setting: dict[Path, Any],
    deleting: list[Path],
    prune: bool = False,
    owner: str = "",
) -> int:
    """One release of some paths.

    Raises:
        ConflictAnswer: Somebody else changed it meanwhile; both sides are shown.
    """
    out = Output(json=options.json)
    body: dict[str, Any] = {
        "set": {pointer(path): value for path, value in setting.items()},
        "delete": [pointer(path) for path in deleting],
    }
    if prune or owner:
        body |= {"prune": prune, "owner": owner}
    headers = {"If-None-Match": "*"} if options.create and not await _exists(client) else {}
    try:
        answer = await client.ask("POST", "/releases", params=options.query, json=body, headers=headers)
    except ConflictAnswer as conflict:
        out.note(f"wanted: {compact(body)}")
        out.note(f"there is: {compact(conflict.body.get('current'))}")
        raise
    return tell_outcome(out, answer.json())


async def _exists(client: ReleaseClient) -> bool:
    from reactive_config._cli.release_target import ProblemAnswer

    try:
        await client.ask("GET", "/releases", params={"limit": "1"})
    except ProblemAnswer as problem:
        if problem.word == "no-such-environment":
            return False
        raise
    return True


def tell_outcome(out: Output, outcome: dict[str, Any]) -> int:
    """Show what became of a change."""
    if out.json:
        out.record("release", **outcome)
        return OK
    for told in outcome["changes"]:
        tell_change(out, told)
    release = outcome["release"]
    if outcome["dry_run"]:
        out.line("nothing was written: --dry-run" if outcome["changes"] else "nothing would change")
    elif release is None:
        out.line("nothing had to be changed")
    else:
        out.line([StyledText(f"release {release['number']}", "bold"), f" of revision {release['revision']}"])
    return OK


def tell_change(out: Output, change: dict[str, Any]) -> None:
    """Show one difference."""
    path = StyledText(format_path(tuple(change["path"])) or "(root)", "cyan")
    before, after = (compact(change[side]) if side in change else None for side in ("before", "after"))
    if before is None:
        out.line([StyledText("+ ", "green"), path, f" = {after}"])
    elif after is None:
        out.line([StyledText("- ", "red"), path, f" (was {before})"])
    else:
        out.line([StyledText("~ ", "yellow"), path, f" = {after} (was {before})"])
