"""What all commands that read sources have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Group, Parameter
from cyclopts.validators import Number

from reactive_config._cli.etcd_login import EtcdLoginOptions, FileText, etcd_option

_SOURCES = Group("Sources", sort_key=2)
OUTPUT = Group("Output", sort_key=4)

SourceText = Annotated[FileText, Parameter(name="SOURCE")]
"""A source, as `_cli/sources.py` reads it."""

TypeName = Annotated[
    str | None, Parameter(name=["--type", "-t"], metavar="MODULE:CLASS", env_var="REACTIVE_CONFIG_TYPE", group=_SOURCES)
]
DecodersName = Annotated[
    str | None, Parameter(metavar="MODULE:NAME", env_var="REACTIVE_CONFIG_DECODERS", group=_SOURCES)
]
Json = Annotated[bool, Parameter(negative="", group=OUTPUT, show_default=False)]


NoProject = Annotated[bool, Parameter(negative="", group=_SOURCES, show_default=False)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options(EtcdLoginOptions):
    """Settings of the sources and of the output."""

    type: TypeName = None
    """The configuration's type. The current directory can be imported from. Without one: untyped."""
    decoders: DecodersName = None
    """The dict that the program gives to open_config(decoders=...), for types of its own."""
    no_project: NoProject = False
    """Take neither sources nor type from [tool.reactive-config] of a pyproject.toml, here or above."""
    optional: Annotated[bool, Parameter(negative="", group=_SOURCES, show_default=False)] = False
    """Every source may be missing; for a single one write `optional:SOURCE`."""
    notifier: Annotated[
        Literal["auto", "inotify", "watchfiles", "polling"], Parameter(metavar="NAME", group=_SOURCES)
    ] = "auto"
    """What tells of changed files."""
    timeout: Annotated[float | None, Parameter(metavar="SECONDS", validator=Number(gt=0), group=_SOURCES)] = None
    """How long the first configuration may take. [default: 10; doctor: 5 for each source]"""
    layers: Annotated[str | None, etcd_option("NAME,NAME")] = None
    """Names under the prefix that become layers, the lowest first."""
    key_format: Annotated[Literal["json", "yaml", "toml"], etcd_option("NAME")] = "json"
    """What documents in keys without a suffix are written in: json, yaml or toml."""
    mirror: Annotated[FileText | None, etcd_option("FILE")] = None
    """A file that keeps the last good state and serves while etcd is away. It is written, too."""
    json: Json = False
    """JSON lines; errors too."""

    def for_etcd(self) -> dict[str, object]:
        """The options that mean something to etcd sources only, as they are spelled."""
        return {
            "--layers": self.layers,
            "--key-format": self.key_format != "json",
            "--username": self.username,
            "--password-file": self.password_file,
            "--ca": self.ca,
            "--cert": self.cert,
            "--cert-key": self.cert_key,
            "--mirror": self.mirror,
        }
