"""`history`, `show`, `diff`, `blame` and `export`: what happened, and what is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal
from urllib.parse import quote

from cyclopts import Group, Parameter
from cyclopts.validators import Number

from reactive_config._cli.change_arguments import numbered, read_numbers, read_release_path
from reactive_config._cli.change_commands import NumberText
from reactive_config._cli.change_lines import cut, tell_change
from reactive_config._cli.etcd_login import EtcdLoginOptions
from reactive_config._cli.failures import OK, UsageError
from reactive_config._cli.output import Output, StyledText
from reactive_config._cli.redacted import without_secrets
from reactive_config._cli.release_client import opened_target
from reactive_config._cli.release_target import target_and_rest
from reactive_config._cli.source_options import OUTPUT
from reactive_config._core.paths import Path

_READ = Group("Read", sort_key=2)

TargetText = Annotated[str, Parameter(name="TARGET")]
NumbersText = Annotated[str, Parameter(name="TARGET NUMBER [NUMBER]")]
PathText = Annotated[str, Parameter(name="TARGET PATH")]
DirectoryText = Annotated[str, Parameter(name="TARGET DIRECTORY")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ReadOptions(EtcdLoginOptions):
    """Settings of all commands that read releases."""

    token_file: Annotated[str | None, Parameter(metavar="FILE", group=_READ)] = None
    """A file with the token of the service; else $REACTIVE_CONFIG_TOKEN."""
    json: Annotated[bool, Parameter(negative="", group=OUTPUT, show_default=False)] = False
    """JSON lines; errors too."""


async def history(
    *arguments: TargetText,
    limit: Annotated[int, Parameter(validator=Number(gte=1, lte=200), group=_READ)] = 20,
    options: ReadOptions = ReadOptions(),
) -> int:
    """List releases, newest first.

    Args:
        arguments: TARGET.
        limit: How many, 200 at most.
    """
    target, texts = target_and_rest(arguments)
    _expect_nothing(texts)
    out = Output(json=options.json)
    async with opened_target(target, options.token_file, options) as client:
        answer = await client.ask("GET", "/releases", params={"limit": str(limit)})
    releases = answer.json()["releases"]
    if options.json:
        for release in releases:
            out.record("release", **release)
        return OK
    rows = [
        (
            str(release["number"]),
            release["time"][:19],
            _author(release),
            _kind(release),
            cut(release.get("message", "")),
        )
        for release in releases
    ]
    out.table(("RELEASE", "TIME (UTC)", "AUTHOR", "KIND", "MESSAGE"), rows)
    return OK


async def show_release(*arguments: NumberText, options: ReadOptions = ReadOptions()) -> int:
    """Show a release and what it changed.

    Args:
        arguments: TARGET, and the number of the release.
    """
    target, texts = target_and_rest(arguments)
    (number,) = read_numbers(arguments, texts)
    out = Output(json=options.json)
    async with opened_target(target, options.token_file, options) as client:
        release = (await client.ask("GET", f"/releases/{number}")).json()
    if options.json:
        out.record("release", **{**release, "changes": [without_secrets(change) for change in release["changes"]]})
        return OK
    bold = f"release {release['number']}"
    out.line([StyledText(bold, "bold"), _headline(release).removeprefix(bold)])
    for label, text in (
        ("", release.get("message", "")),
        ("forced: ", release.get("forced", "")),
        ("", _kind(release)),
        ("", "what it changed is not kept: too much was written around releases" if release.get("unrecorded") else ""),
    ):
        if text:
            out.line(f"{label}{cut(text)}", indent=2)
    for change in release["changes"]:
        tell_change(out, change)
    return OK


async def diff(*arguments: NumbersText, options: ReadOptions = ReadOptions()) -> int:
    """Show what differs between two releases, or between one and now.

    Args:
        arguments: TARGET, and the number of one release or of two.
    """
    target, texts = target_and_rest(arguments)
    number, *to = read_numbers(arguments, texts, most=2)
    out = Output(json=options.json)
    async with opened_target(target, options.token_file, options) as client:
        found = (await client.ask("GET", f"/releases/{number}/diff", params={"to": str(to[0])} if to else {})).json()
    if options.json:
        out.record("diff", **{**found, "changes": [without_secrets(change) for change in found["changes"]]})
        return OK
    for change in found["changes"]:
        tell_change(out, change)
    return OK


async def blame(*arguments: PathText, options: ReadOptions = ReadOptions()) -> int:
    """Show which release set what stands at a path.

    Args:
        arguments: TARGET, and PATH.
    """
    target, texts = target_and_rest(arguments)
    if len(texts) != 1:
        raise UsageError(f"expected one PATH, got {len(texts)}")
    ((place, text),) = numbered(arguments, texts)
    path = _url_path(place, read_release_path(place, text))
    out = Output(json=options.json)
    async with opened_target(target, options.token_file, options) as client:
        release = (await client.ask("GET", f"/blame/{path}")).json()["release"]
    if options.json:
        out.record("blame", release=release)
    elif release is None:
        out.line("no release that is still kept")
    else:
        message = release.get("message", "")
        out.line(f"{_headline(release)}: {cut(message)}" if message else _headline(release))
    return OK


def _url_path(place: str, path: Path) -> str:
    """A path as URLs have it.

    Raises:
        UsageError: It has a name by which no URL leads there: a client or a proxy would tidy `..` away.
    """
    from reactive_config._releases.path_edits import name_trouble

    for name in path:
        if trouble := name_trouble(name):
            raise UsageError(f"{place}: {trouble}")
    return "/".join(quote(name, safe="") for name in path)


async def export(
    *arguments: DirectoryText,
    format: Annotated[Literal["json", "yaml", "toml"], Parameter(group=_READ)] = "json",  # noqa: A002
    options: ReadOptions = ReadOptions(),
) -> int:
    """Write the environment into a directory, one file for each top-level name, secrets too.

    Args:
        arguments: TARGET, and a directory, which is made; files that are there already are replaced. A new file with
            something that sounds like a secret is for its owner alone.
        format: Of the files.
    """
    target, texts = target_and_rest(arguments)
    if len(texts) != 1:
        raise UsageError(f"expected one DIRECTORY, got {len(texts)}")
    if not texts[0].strip():
        raise UsageError("expected a DIRECTORY, got an empty name (is a variable of the shell empty?)")
    from reactive_config._cli.exported_files import others, write_tree

    directory = FilePath(texts[0])
    out = Output(json=options.json)
    async with opened_target(target, options.token_file, options) as client:
        tree = (await client.ask("GET", "/config", params={"format": "json"})).json()
    written = write_tree(tree, directory, f".{format}")
    for file in written:
        if options.json:
            out.record("file", file=str(file))
        else:
            out.line(str(file))
    for file in others(directory, set(written)):
        out.note(f"{file}: not written by this export; `apply {directory}` would read it, too")
    return OK


def _headline(release: dict[str, Any]) -> str:
    return f"release {release['number']} by {_author(release)}, {release['time'][:19]} UTC"


def _author(release: dict[str, Any]) -> str:
    """Who, and whose token it was if that is somebody else's: a writer may name any author."""
    author, identity = release["author"], release.get("identity", "")
    if not author:
        return "(written around releases)"
    return f"{author} (by the token of {identity})" if identity not in ("", author) else author


def _kind(release: dict[str, Any]) -> str:
    if release.get("restores"):
        return f"restores {release['restores']}"
    return str(release.get("kind", "change"))


def _expect_nothing(texts: tuple[str, ...]) -> None:
    if texts:
        raise UsageError(f"expected TARGET alone, got {len(texts)} more")
