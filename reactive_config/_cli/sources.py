"""SOURCE, as people write it on the command line, and the sources made of it.

    config/common                          a directory of files, or one file
    environment:config/production          what a directory has for all environments, for this one, and *.local
    values:/run/secrets                    a directory of one value a file
    env:SHOP_                              environment variables
    etcd://HOST:PORT,HOST:PORT/shop/       a prefix of etcd (it ends in a slash)
    etcd://HOST:PORT/shop/config           one key of etcd
    etcds://...                            the same over TLS
    optional:SOURCE                        any of them, and it may be missing

One argument is one source, so their order is the order of the layers, the lowest first, whatever their kinds.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from reactive_config._cli.etcd_login import PASSWORD_VARIABLE
from reactive_config._cli.failures import UsageError
from reactive_config._cli.project import Project
from reactive_config._cli.quoting import may_hold_login
from reactive_config._cli.source_options import Options
from reactive_config._core.source import Source
from reactive_config.errors import SourceError

SOURCES_VARIABLE = "REACTIVE_CONFIG_SOURCES"

Kind = Literal["files", "environment", "values", "env", "etcd"]

_ETCD = re.compile(r"etcd(?P<tls>s)?://(?P<hosts>[^/]*)(?P<key>/.*)?", re.DOTALL)
_HOST = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[^\s:\[\]@?#&=%]+)(?::\d+)?|[0-9a-fA-F.]*:[0-9a-fA-F.]*:[0-9a-fA-F:.]*")
"""A host and maybe a port; an IPv6 address without brackets too, which the source then refuses in words of its own."""

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][\w+.-]*)://")


_KINDS = "etcd://, etcds:// (TLS), env:, environment:, values:, optional: or a path"


_EXAMPLES = {"env": "env:SHOP_", "environment": "environment:config/production", "values": "values:/run/secrets"}


class SourceSpec(msgspec.Struct, frozen=True):
    """One SOURCE.

    Attributes:
        text: As written, without `optional:`.
        kind: What it is.
        target: The path, the directory and the environment, the variables' prefix, or etcd's key or prefix.
        endpoints: Of etcd, as `host:port` or `https://host:port`.
        optional: Whether it may be missing.
    """

    text: str
    kind: Kind
    target: str
    endpoints: tuple[str, ...] = ()
    optional: bool = False


def parse_spec(text: str) -> SourceSpec:
    """The source that a text means.

    Raises:
        Usage: It means none.
    """
    if text.startswith("optional:"):
        return msgspec.structs.replace(parse_spec(text.removeprefix("optional:")), optional=True)
    for kind in ("env", "environment", "values"):
        if text.startswith(f"{kind}:"):
            return _simple(text, kind, text.removeprefix(f"{kind}:"))
    if text.startswith(("etcd:", "etcds:")):
        return _etcd(text)
    if (scheme := _SCHEME.match(text)) is not None:
        raise UsageError(f"expected a source ({_KINDS}), got {scheme['scheme']}://...")
    return _simple(text, "files", text)


def _simple(text: str, kind: Kind, target: str) -> SourceSpec:
    if not target or (kind == "environment" and not all(os.path.split(target))):
        wanted = _EXAMPLES.get(kind, "config/common")
        raise UsageError(f"expected a source such as {wanted}, got {text!r}")
    if may_hold_login(target):
        hints = ["a path that looks like this begins with ./"] if kind not in ("env", "environment") else []
        raise UsageError(f"expected a source ({_KINDS}), got what may hold a password", hints=hints)
    if "\0" in target:
        raise UsageError(f"expected a source without a NUL character, got {text}")
    return SourceSpec(text, kind, target)


def _etcd(text: str) -> SourceSpec:
    # What does not fit is not quoted, as it may hold a password, and that may hold a slash: `etcd://root:a/b@host/`.
    found = _ETCD.fullmatch(text)
    for mark, what in (("@", "a user"), ("?", "a query"), ("#", "a fragment")):
        if mark in text:
            raise UsageError(
                f"expected etcd://HOST:PORT/... without {what}, got one with {mark}",
                hints=[f"use --username, and --password-file or {PASSWORD_VARIABLE}"],
            )
    if found is None or not all(map(_HOST.fullmatch, found["hosts"].split(","))):
        raise UsageError("expected etcd://HOST:PORT[,HOST:PORT...]/PREFIX/ or .../KEY, got hosts that are none")
    if not found["key"]:
        raise UsageError(
            f"expected a prefix or a key after {text}", hints=[f"{text}/shop/ for a prefix, {text}/ for all"]
        )
    scheme = "https://" if found["tls"] else ""
    hosts = tuple(scheme + _with_port(host) for host in found["hosts"].split(","))
    return SourceSpec(text, "etcd", found["key"], hosts)


def _with_port(host: str) -> str:
    return host if re.search(r":\d+$", host) else f"{host}:2379"


def names_sources(texts: Sequence[str]) -> bool:
    """Whether the command line or the environment names sources, so that no project is asked for them."""
    return bool(texts or os.environ.get(SOURCES_VARIABLE, "").strip())


def read_specs(texts: Sequence[str], options: Options, project: Project | None = None) -> list[SourceSpec]:
    """The sources of a command line; where it names none, those of the environment; else those of the project.

    Raises:
        Usage: There is none, one cannot be read, or one is given twice.
    """
    given = list(texts) or _from_environment()
    if given:
        specs = _each_once([parse_spec(text) for text in given])
    elif project is not None and project.sources:
        specs = _of_project(project)
    else:
        raise UsageError(
            "expected at least one source, the lowest layer first, got none",
            hints=[
                "for example: config/common etcd://localhost:2379/shop/ env:SHOP_",
                f"or set {SOURCES_VARIABLE}, or write `sources` into [tool.reactive-config] of a pyproject.toml",
            ],
        )
    _check_etcd_options(specs, options)
    return [msgspec.structs.replace(spec, optional=spec.optional or options.optional) for spec in specs]


def _each_once(specs: list[SourceSpec]) -> list[SourceSpec]:
    twice = next((s.text for i, s in enumerate(specs) if any(s.text == other.text for other in specs[:i])), None)
    if twice is not None:
        raise UsageError(f"expected each source once, got {twice} twice")
    return specs


def _of_project(project: Project) -> list[SourceSpec]:
    """The project's sources; their paths as seen from the working directory."""
    place = project.place("sources")
    try:
        return _each_once([_seen_from_here(parse_spec(text), project.directory) for text in project.sources])
    except UsageError as error:
        raise UsageError(f"{place}: {error.message}", hints=error.hints) from None


def _seen_from_here(spec: SourceSpec, directory: Path) -> SourceSpec:
    if spec.kind not in ("files", "values", "environment"):
        return spec
    # Joined by hand below: the project's `config/production` is `./production` in its `config`, not `production`.
    path, env = os.path.split(spec.target) if spec.kind == "environment" else (spec.target, "")
    try:
        target = os.path.relpath(directory / path) + (env and os.sep + env)
    except ValueError:  # Windows: on another drive
        target = str(directory / spec.target)
    text = target if spec.kind == "files" else f"{spec.kind}:{target}"
    return msgspec.structs.replace(spec, text=text, target=target)


def _from_environment() -> list[str]:
    try:
        return shlex.split(os.environ.get(SOURCES_VARIABLE, ""))
    except ValueError:
        raise UsageError(
            f"{SOURCES_VARIABLE}: expected sources as a shell splits them, got an unclosed quote"
        ) from None


def _check_etcd_options(specs: Sequence[SourceSpec], options: Options) -> None:
    options.check()
    etcds = [spec for spec in specs if spec.kind == "etcd"]
    for spec in etcds:
        if options.layers and not spec.target.endswith("/"):
            raise UsageError(
                f"--layers: expected a prefix, which ends in a slash, got the key {spec.target}",
                hints=[f"{spec.text}/ for the prefix"],
            )
        if options.tls and spec.text.startswith("etcd:"):
            raise UsageError(
                f"{', '.join(options.tls)}: expected etcds://, got {spec.text}, which is plain text",
                hints=[f"etcds:{spec.text.removeprefix('etcd:')}"],
            )
    used = [name for name, value in options.for_etcd().items() if value]
    if used and not etcds:
        raise UsageError(f"expected an etcd:// source with {', '.join(used)}, got none")
    if options.mirror and len(etcds) > 1:
        raise UsageError(f"--mirror: expected one etcd source, got {len(etcds)}: they cannot share a file")


def make_sources(specs: Sequence[SourceSpec], options: Options) -> list[Source]:
    """The sources, lowest layer first, each with a name of its own.

    Raises:
        Usage: One refuses its settings.
    """
    names: list[str] = []
    sources = []
    for spec in specs:
        names.append(_free_name(_name(spec), names))
        try:
            sources.append(_make(spec, options, names[-1]))
        except (ValueError, SourceError) as error:
            raise UsageError(f"{spec.text}: {error}") from None
    return sources


def _name(spec: SourceSpec) -> str:
    return {"env": "environment", "etcd": "etcd"}.get(spec.kind, spec.target)


def _free_name(name: str, taken: Sequence[str]) -> str:
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}#{number}"
    return free


def _make(spec: SourceSpec, options: Options, name: str) -> Source:
    """One source. Its module is loaded here: a command pays for what it uses."""
    if spec.kind == "etcd":
        from reactive_config._sources.etcd import Etcd

        return Etcd(*spec.endpoints, **_etcd_arguments(spec, options), optional=spec.optional, name=name)
    if spec.kind == "env":
        from reactive_config._sources.environ import Env

        return Env(spec.target, name=name)
    from reactive_config._sources.files import Files

    if spec.kind == "environment":
        directory, env = os.path.split(spec.target)
        return Files.environment(directory, env, optional=spec.optional, notifier=options.notifier, name=name)
    values = spec.kind == "values"
    return Files(spec.target, optional=spec.optional, notifier=options.notifier, values=values, name=name)


def _etcd_arguments(spec: SourceSpec, options: Options) -> dict[str, Any]:
    arguments: dict[str, Any] = {"prefix" if spec.target.endswith("/") else "key": spec.target}
    arguments["format"] = options.key_format
    if options.layers:
        arguments["layers"] = options.layers.split(",")
    if options.username:
        arguments |= {"username": options.username, "password": options.password()}
    if options.mirror:
        arguments["mirror"] = options.mirror
    if (certificates := options.certificates()) is not None:
        arguments["tls"] = certificates
    return arguments
