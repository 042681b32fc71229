"""`set`, `unset`, `apply` and `rollback`: changes, each one release."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from cyclopts import Group, Parameter
from cyclopts.validators import Number

from reactive_config._cli.change_arguments import (
    check_text,
    count_leaves,
    numbered,
    pointer,
    read_assignment,
    read_numbers,
    read_paths,
    read_release_path,
)
from reactive_config._cli.change_lines import change_line, tell_change, tell_outcome, tell_refusals, wanted_line
from reactive_config._cli.etcd_login import EtcdLoginOptions
from reactive_config._cli.failures import OK, TROUBLE, Failure, UsageError
from reactive_config._cli.output import Output
from reactive_config._cli.redacted import without_secrets
from reactive_config._cli.release_client import FORCE_HINT, ConflictAnswer, ProblemAnswer, ReleaseClient, opened_target
from reactive_config._cli.release_target import is_prefix, read_target, target_and_rest, target_text
from reactive_config._cli.source_options import OUTPUT, DecodersName, TypeName
from reactive_config._cli.type_loading import decoders_reference, load_decoders, load_kind, type_reference
from reactive_config._cli.typed_values import TypedValues
from reactive_config._core.paths import Path, format_path
from reactive_config._core.trees import ABSENT
from reactive_config._printable import printable
from reactive_config.errors import ReactiveConfigError

if TYPE_CHECKING:
    from reactive_config._releases.ordinary_prefix import PrefixOutcome

_CHANGE = Group("Change", sort_key=2)

_MEANWHILE = {"type": "urn:reactive-config:problem:changed-meanwhile"}
"""As the service answers where an environment is not what `If-Match` names."""

_MANY = 1_000
"""Values of which a person wants to know that they are being applied."""

AssignmentText = Annotated[str, Parameter(name="TARGET PATH=VALUE...")]
PathText = Annotated[str, Parameter(name="TARGET PATH...")]
FileText = Annotated[str, Parameter(name="TARGET FILE|DIRECTORY")]
NumberText = Annotated[str, Parameter(name="TARGET NUMBER")]


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
    at: Annotated[int | None, Parameter(metavar="NUMBER", validator=Number(gte=0), group=_CHANGE)] = None
    """Only if this is still the last release; else both sides are shown, and the exit code is 3."""
    token_file: Annotated[str | None, Parameter(metavar="FILE", group=_CHANGE)] = None
    """A file with the token of the service; else $REACTIVE_CONFIG_TOKEN."""
    json: Annotated[bool, Parameter(negative="", group=OUTPUT, show_default=False)] = False
    """JSON lines; errors too."""

    def check_texts(self) -> None:
        """Refuse what is no text, before anything is opened.

        Raises:
            UsageError: There is some.
        """
        check_text("--message", self.message)
        check_text("--force", self.force)

    @property
    def query(self) -> dict[str, str]:
        """What a request says of it."""
        self.check_texts()
        told = {"message": self.message, "force": self.force, "dry_run": "true" if self.dry_run else ""}
        return {name: text for name, text in told.items() if text}


class WantedChange(NamedTuple):
    """What is to be changed, all in one release.

    Attributes:
        setting: Path to value.
        deleting: Paths.
        prune: Delete other top-level names.
        owner: Who applies whole top-level names; empty for nobody in particular.
    """

    setting: dict[Path, Any]
    deleting: list[Path]
    prune: bool = False
    owner: str = ""

    def body(self) -> dict[str, Any]:
        """As the service takes it."""
        paths = {
            "set": {pointer(path): value for path, value in self.setting.items()},
            "delete": [pointer(path) for path in self.deleting],
        }
        return paths | {"prune": self.prune, "owner": self.owner} if self.prune or self.owner else paths

    def shown(self, kind: Any) -> list[dict[str, Any]]:
        """What is set and what is deleted, in two shapes that may be printed; nothing tells what was there before."""
        setting = [without_secrets({"path": list(path), "after": value}, kind) for path, value in self.setting.items()]
        return [{"path": one["path"], "set": one["after"]} for one in setting] + [
            {"path": list(path), "delete": True} for path in self.deleting
        ]


async def set_values(
    *arguments: AssignmentText,
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
    typed = _typed(type, decoders)
    setting = read_paths(read_assignment(place, text, typed) for place, text in numbered(arguments, texts))
    if not setting:
        raise UsageError("expected PATH=VALUE, got none", hints=[f"{printable(target)} database.pool.max_size=20"])
    return await _change_either(target, options, setting, typed.kind)


async def unset_values(
    *arguments: PathText,
    type: TypeName = None,  # noqa: A002
    decoders: DecodersName = None,
    options: ChangeOptions = ChangeOptions(),
) -> int:
    """Delete what stands at some paths, all in one release.

    Args:
        arguments: TARGET, and one PATH or several. TARGET may be a prefix of etcd, too.
        type: The configuration's type: its secrets are hidden in what is printed. It need not know the paths.
        decoders: The dict that the program gives to open_config(decoders=...), for types of its own.
    """
    target, texts = target_text(arguments)
    if not texts:
        raise UsageError("expected PATH, got none")
    kind = _typed(type, decoders).kind
    named = [(read_release_path(place, text), place) for place, text in numbered(arguments, texts)]
    places = read_paths(named)
    try:
        return await _change_either(target, options, dict.fromkeys(places, ABSENT), kind)
    except (ProblemAnswer, ReactiveConfigError) as error:
        raise _told_by_place(error, places) from None


def _told_by_place(error: ProblemAnswer | ReactiveConfigError, places: dict[Path, str]) -> Exception:
    """The error; that nothing is at a path is told by the argument, which may be a password that was taken for PATH."""
    from reactive_config._releases.path_edits import NothingThere

    if isinstance(error, NothingThere):
        return Failure(f"{places[error.path]}: there is nothing at this path")
    told = {format_path(path): place for path, place in places.items()}
    if isinstance(error, ProblemAnswer) and error.word == "no-such-path" and error.body.get("path") in told:
        error.message = f"{told[error.body['path']]}: there is nothing at this path"
    return error


def _typed(type: str | None, decoders: str | None) -> TypedValues:  # noqa: A002 - the option's name
    own = load_decoders(decoders_reference(decoders, None))
    return TypedValues(load_kind(type_reference(type, None), own), own)


async def _change_either(target: str, options: ChangeOptions, wanted: dict[Path, Any], kind: Any = dict) -> int:
    """Change an environment, or an ordinary prefix of etcd; ABSENT deletes."""
    options.check_texts()
    if is_prefix(target):
        return await change_prefix(target, options, wanted, kind)
    setting = {path: value for path, value in wanted.items() if value is not ABSENT}
    deleting = [path for path in wanted if path not in setting]
    async with opened_target(read_target(target), options.token_file, options, create=options.create) as client:
        outcome = await change(client, options, WantedChange(setting, deleting), kind)
    return tell_outcome(Output(json=options.json), outcome, kind)


async def change_prefix(target: str, options: ChangeOptions, wanted: dict[Path, Any], kind: Any = dict) -> int:
    """Change a prefix of etcd, of which no store keeps releases."""
    from reactive_config._releases.opening_store import etcd_store
    from reactive_config._releases.ordinary_prefix import open_prefix
    from reactive_config._releases.path_changes import NeedsForce
    from reactive_config._releases.path_edits import edits_of_several

    if options.at is not None:
        raise UsageError("--at: expected an environment with releases, got a prefix of etcd, which has none")
    out = Output(json=options.json)
    if options.message:
        out.note("a prefix has no history: the message is not kept")
    try:
        store = etcd_store(target, options.login())
    except ValueError as error:
        raise UsageError(f"TARGET: {error}") from None
    refusals: list[dict[str, str]] = []
    async with open_prefix(store) as prefix:
        ask = partial(prefix.change, lambda contents: edits_of_several(contents, wanted), dry_run=options.dry_run)
        try:
            outcome = await ask(forced=bool(options.force))
        except NeedsForce as refused:
            if not options.dry_run:
                raise Failure(str(refused), hints=[FORCE_HINT]) from None
            refusals = [{"kind": "needs-force", "detail": str(refused)}]
            outcome = await ask(forced=True)
    return _tell_prefix(out, outcome, refusals, options, kind)


def _tell_prefix(
    out: Output, outcome: PrefixOutcome, refusals: list[dict[str, str]], options: ChangeOptions, kind: Any
) -> int:
    """Show what became of a change of a prefix; return the exit code."""
    from reactive_config._releases.client_views import changes_json

    changes = changes_json(outcome.changes)
    if out.json:
        shown = [without_secrets(told, kind) for told in changes]
        more = {"violations": refusals} if refusals else {}
        out.record("change", changes=shown, dry_run=options.dry_run, revision=outcome.revision, **more)
    else:
        for told in changes:
            tell_change(out, told, kind)
        if refusals:
            tell_refusals(out, refusals)
        elif options.dry_run:
            out.line("nothing was written: --dry-run" if changes else "nothing would change")
        else:
            out.line(f"revision {outcome.revision}" if outcome.written else "nothing had to be changed")
    return TROUBLE if refusals else OK


async def apply_files(
    *arguments: FileText,
    prune: Annotated[bool, Parameter(negative="", group=_CHANGE, show_default=False)] = False,
    owner: Annotated[str | None, Parameter(metavar="NAME", group=_CHANGE)] = None,
    type: TypeName = None,  # noqa: A002
    decoders: DecodersName = None,
    options: ChangeOptions = ChangeOptions(),
) -> int:
    """Make the environment say what a file or a directory says, in one release; in none if it does already.

    Args:
        arguments: TARGET, and a file or a directory, whose files merge in the order of their names.
        prune: Delete top-level names that the files do not have; with --owner only those that this owner once applied.
        owner: Who applies, as the name of a repository. The store remembers which names it applied.
        type: The type that every value of the files must fit. The current directory can be imported from.
        decoders: The dict that the program gives to open_config(decoders=...), for types of its own.
    """
    target, texts = target_and_rest(arguments)
    if owner == "":
        raise UsageError("--owner: expected a name, got an empty one (is a variable of the shell empty?)")
    if len(texts) != 1:
        raise UsageError(f"expected one FILE or DIRECTORY, got {len(texts)}")
    check_text("--owner", owner or "")
    from reactive_config._cli.applied_files import read_tree  # the Files source with it, which no other verb needs

    typed = _typed(type, decoders)
    out = Output(json=options.json)
    with out.progress() as progress:
        tree = read_tree(texts[0], typed, progress, out.note)
        count = count_leaves(tree)
        progress(f"applying {count:,} values", worth_a_line=count >= _MANY)
        setting: dict[Path, Any] = {(name,): value for name, value in tree.items()}
        async with opened_target(target, options.token_file, options, create=options.create) as client:
            outcome = await change(client, options, WantedChange(setting, [], prune, owner or ""), typed.kind)
    return tell_outcome(out, outcome, typed.kind)


async def rollback(*arguments: NumberText, options: ChangeOptions = ChangeOptions()) -> int:
    """Make everything as it was after a release; this is a release, too.

    Args:
        arguments: TARGET, and the number of the release.
    """
    target, texts = target_and_rest(arguments)
    (number,) = read_numbers(arguments, texts)
    async with opened_target(target, options.token_file, options, create=options.create) as client:
        headers = {} if options.at is None else {"If-Match": await _tag_of_release(client, options.at)}
        answer = await client.ask("POST", f"/releases/{number}/restore", params=options.query, headers=headers)
        return tell_outcome(Output(json=options.json), answer.json())


async def change(
    client: ReleaseClient, options: ChangeOptions, wanted: WantedChange, kind: Any = dict
) -> dict[str, Any]:
    """Ask for one release of some paths; return what became of it.

    Raises:
        ConflictAnswer: Somebody else changed it meanwhile; both sides are shown.
    """
    headers = {"If-None-Match": "*"} if options.create and not await _exists(client) else {}
    try:
        if options.at is not None:
            headers["If-Match"] = await _tag_of_release(client, options.at)
        answer = await client.ask("POST", "/releases", params=options.query, json=wanted.body(), headers=headers)
    except ConflictAnswer:
        await _tell_conflict(Output(json=options.json), client, options, wanted, kind)
        raise
    except ProblemAnswer as problem:
        if problem.word == "no-such-environment":
            problem.hints = ("--create makes it",)
        raise
    outcome: dict[str, Any] = answer.json()
    return outcome


async def _tag_of_release(client: ReleaseClient, number: int) -> str:
    """The tag of what is there, if that is still what the release made.

    Raises:
        ConflictAnswer: It is not.
    """
    tag: str = (await client.ask("GET", "/config", params={"format": "json"})).headers["ETag"]
    (latest,) = (await client.ask("GET", "/releases", params={"limit": "1"})).json()["releases"] or [{"number": 0}]
    if latest["number"] != number:
        raise ConflictAnswer(f"expected release {number} to be the last one, got {latest['number']}", 412, _MEANWHILE)
    return tag


async def _tell_conflict(
    out: Output, client: ReleaseClient, options: ChangeOptions, wanted: WantedChange, kind: Any
) -> None:
    """Both sides: what was to be changed, and what others have changed since."""
    others = await _changed_since(client, options.at)
    if out.json:
        changed = None if others is None else [without_secrets(told, kind) for told in others]
        out.record("conflict", wanted=wanted.shown(kind), changed=changed)
        return
    out.note("wanted:")
    for one in wanted.shown(kind):
        out.note(wanted_line(one))
    if others is not None:
        out.note(f"changed since release {options.at}:")
        for change in others:
            out.note(change_line(change, kind))


async def _changed_since(client: ReleaseClient, number: int | None) -> list[dict[str, Any]] | None:
    """What was changed since a release; None where nobody can tell."""
    if number is None:
        return None
    try:
        changes: list[dict[str, Any]] = (await client.ask("GET", f"/releases/{number}/diff")).json()["changes"]
    except ProblemAnswer:
        return None  # there never was such a release, or it is kept no longer
    return changes


async def _exists(client: ReleaseClient) -> bool:
    try:
        await client.ask("GET", "/releases", params={"limit": "1"})
    except ProblemAnswer as problem:
        if problem.word == "no-such-environment":
            return False
        raise
    return True
