"""Live, typed configuration for asyncio programs: etcd and local files as one stream.

    Floor 4   cli
    Floor 3   web, service, gateway                            public names only
    Floor 2   sources, bindings, releases, testing             outside to deltas, snapshots to live things
    Floor 1   core, formats, secrets, etcd                     what a snapshot is, and how bytes become trees
              errors                                           everybody's

Imports point down only, and rooms on one floor do not import one another; a test walks them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from reactive_config._core.change_limits import ChangeLimits
from reactive_config._core.delta import Bare
from reactive_config._core.runtime.config import Config, Explanation, open_config
from reactive_config._core.runtime.describing import Setting
from reactive_config._core.runtime.live import Live
from reactive_config._core.runtime.observing import ApplyEvent, Observer, RebuildEvent
from reactive_config._core.runtime.snapshot import Snapshot
from reactive_config._core.runtime.updates import Gap, Updates
from reactive_config._core.secret import Secret, Shown
from reactive_config._core.status import BindingState, BindingStatus, HeldUnit, SourceState, SourceStatus, Status
from reactive_config.errors import (
    Closed,
    ConfigError,
    InvalidPath,
    InvalidValue,
    Origin,
    ParseError,
    Problem,
    ReactiveConfigError,
    Rejected,
    SourceError,
    StartupError,
    TypeNotSupported,
    UnknownPath,
    WrongProcess,
)

if TYPE_CHECKING:
    from reactive_config._sources.environ import Env
    from reactive_config._sources.etcd import TLS, Etcd
    from reactive_config._sources.files import Files
    from reactive_config._sources.memory import Memory

__all__ = [
    "TLS",
    "ApplyEvent",
    "Bare",
    "BindingState",
    "BindingStatus",
    "ChangeLimits",
    "Closed",
    "Config",
    "ConfigError",
    "Env",
    "Etcd",
    "Explanation",
    "Files",
    "Gap",
    "HeldUnit",
    "InvalidPath",
    "InvalidValue",
    "Live",
    "Memory",
    "Observer",
    "Origin",
    "ParseError",
    "Problem",
    "ReactiveConfigError",
    "RebuildEvent",
    "Rejected",
    "Secret",
    "Setting",
    "Shown",
    "Snapshot",
    "SourceError",
    "SourceState",
    "SourceStatus",
    "StartupError",
    "Status",
    "TypeNotSupported",
    "UnknownPath",
    "Updates",
    "WrongProcess",
    "open_config",
]

# Loaded when they are first named: a program pays for the sources that it uses, not for the others.
_LATER = {
    "Env": "_sources.environ",
    "Etcd": "_sources.etcd",
    "Files": "_sources.files",
    "Memory": "_sources.memory",
    "TLS": "_sources.etcd",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
