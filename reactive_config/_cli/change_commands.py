"""`set`, `unset`, `apply` and `rollback`: changes, each one release."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated, Any

import orjson
from cyclopts import Group, Parameter

from reactive_config._cli.etcd_login import EtcdLoginOptions
from reactive_config._cli.failures import OK, UsageError
from reactive_config._cli.output import Output, StyledText, compact
from reactive_config._cli.release_target import ConflictAnswer, ReleaseClient, opened_target, target_and_rest
from reactive_config._cli.source_options import OUTPUT
from reactive_config._core.paths import Path, format_path, parse_path
from reactive_config._formats import registry
from reactive_config._printable import printable
from reactive_config.errors import InvalidPath, ParseError

_CHANGE = Group("Change", sort_key=2)

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


async def set_values(*arguments: ChangeText, options: ChangeOptions = ChangeOptions()) -> int:
    """Set values, all in one release.

    A VALUE is JSON if it reads as JSON (20, true, null, "text", [1, 2], {"a": 1}), and text if not.

    Args:
        arguments: TARGET, and one PATH=VALUE or several. PATH is dotted.
    """
    target, texts = target_and_rest(arguments)
    setting = dict(map(read_assignment, texts))
    if not setting:
        raise UsageError("expected PATH=VALUE, got none", hints=[f"{target.text} database.pool.max_size=20"])
    async with opened_target(target, options.token_file, options) as client:
        return await change(client, options, setting=setting, deleting=[])


async def unset_values(*arguments: ChangeText, options: ChangeOptions = ChangeOptions()) -> int:
    """Delete what stands at some paths, all in one release.

    Args:
        arguments: TARGET, and one PATH or several.
    """
    target, texts = target_and_rest(arguments)
    if not texts:
        raise UsageError("expected PATH, got none")
    async with opened_target(target, options.token_file, options) as client:
        return await change(client, options, setting={}, deleting=[read_release_path(text) for text in texts])


async def apply_files(
    *arguments: ChangeText,
    prune: Annotated[bool, Parameter(negative="", group=_CHANGE, show_default=False)] = False,
    options: ChangeOptions = ChangeOptions(),
) -> int:
    """Make the environment say what a file or a directory says, in one release; in none if it does already.

    Args:
        arguments: TARGET, and a file or a directory, whose files merge in the order of their names.
        prune: Delete top-level names that are not there.
    """
    target, texts = target_and_rest(arguments)
    if len(texts) != 1:
        raise UsageError(f"expected one FILE or DIRECTORY, got {len(texts)}")
    tree = read_tree(FilePath(texts[0]))
    async with opened_target(target, options.token_file, options) as client:
        deleting: list[Path] = []
        if prune:
            present = await _names(client)
            deleting = [(name,) for name in present if name not in tree]
        return await change(
            client, options, setting={(name,): value for name, value in tree.items()}, deleting=deleting
        )


async def _names(client: ReleaseClient) -> list[str]:
    answer = await client.ask("GET", "/config", params={"format": "json"})
    return list(answer.json())


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
    client: ReleaseClient, options: ChangeOptions, *, setting: dict[Path, Any], deleting: list[Path]
) -> int:
    """One release of some paths.

    Raises:
        ConflictAnswer: Somebody else changed it meanwhile; both sides are shown.
    """
    out = Output(json=options.json)
    body = {
        "set": {pointer(path): value for path, value in setting.items()},
        "delete": [pointer(path) for path in deleting],
    }
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


def read_assignment(text: str) -> tuple[Path, Any]:
    """Path and value of PATH=VALUE.

    Raises:
        UsageError: It is none.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"expected PATH=VALUE, got {printable(text)}")
    return read_release_path(name), read_argument(value)


def read_argument(text: str) -> Any:
    """A value: JSON, by the rules of JSON documents, or text."""
    try:
        return registry.parse(text.encode(errors="surrogateescape"), ".json", table=False)
    except ParseError:
        pass
    if text.lstrip().startswith(("{", "[", '"')):
        raise UsageError("expected a value that is JSON where it begins like JSON, got other text")
    return text


def read_release_path(text: str) -> Path:
    """A dotted path that is not empty.

    Raises:
        UsageError: It is none.
    """
    try:
        path = parse_path(text)
    except InvalidPath as error:
        raise UsageError(str(error)) from None
    if not path:
        raise UsageError("expected PATH, got an empty one")
    return path


def read_number(texts: tuple[str, ...]) -> int:
    """The number of a release.

    Raises:
        UsageError: It is none.
    """
    if len(texts) != 1 or not texts[0].isascii() or not texts[0].isdigit() or len(texts[0]) > 12:
        raise UsageError(f"expected the number of a release, got {printable(' '.join(texts)) or 'none'}")
    return int(texts[0])


def read_tree(place: FilePath) -> dict[str, Any]:
    """What a file says, or all files of a directory together.

    Raises:
        UsageError: It cannot be read.
    """
    from reactive_config._core.trees import overlay

    if place.is_dir():
        files = sorted(file for file in place.iterdir() if file.suffix in registry.SUFFIXES and file.is_file())
        if not files:
            raise UsageError(
                f"{printable(str(place))}: expected files of {', '.join(sorted(registry.SUFFIXES))}, got none"
            )
    else:
        files = [place]
    tree: dict[str, Any] = {}
    for file in files:
        tree = overlay(tree, _read(file))
    return tree


def _read(file: FilePath) -> Any:
    if file.suffix not in registry.SUFFIXES:
        raise UsageError(f"{printable(str(file))}: expected one of {', '.join(sorted(registry.SUFFIXES))}")
    try:
        return orjson.loads(orjson.dumps(registry.parse(file.read_bytes(), file.suffix), default=_text))
    except ParseError as error:
        raise UsageError(f"{printable(str(file))}: {error}") from None
    except OSError as error:
        raise UsageError(f"{printable(str(file))}: {error.strerror}") from None


def _text(value: object) -> str:
    """What JSON has no way to say: the bare values of dotenv."""
    return str(getattr(value, "text", value))


def pointer(path: Path) -> str:
    """A JSON Pointer."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in path)
