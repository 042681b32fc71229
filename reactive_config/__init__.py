"""Live, typed configuration for asyncio programs: etcd and local files as one stream.

What a program needs is here. The rest of the public API:

    reactive_config.sources         what a source of your own imports
    reactive_config.bindings        what follows a live value: pools, timers, limits, log levels, ...
    reactive_config.web             what a web application mounts
    reactive_config.testing         for the tests of programs that use this package
    reactive_config.status          what `config.status()`, `describe()` and `explain()` give
    reactive_config.observability   what metrics and traces hang on
    reactive_config.errors          every exception

A module whose path has an underscore is private, whatever names it has.

    Floor 4   _cli
    Floor 3   _web, _service, _gateway                             public names only
    Floor 2   _sources, _bindings, _releases, _testing             outside to deltas, snapshots to live things
    Floor 1   _core, _formats, _secrets, _etcd                     what a snapshot is, and how bytes become trees
              errors                                               everybody's

Imports point down only, and rooms on one floor do not import one another; a test walks them. The public modules only
name what the rooms define.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from reactive_config._core.change_limits import ChangeLimits
from reactive_config._core.env_name import EnvName
from reactive_config._core.runtime.callbacks import ChangeCallback
from reactive_config._core.runtime.config import Config, open_config
from reactive_config._core.runtime.live import Live
from reactive_config._core.runtime.snapshot import Snapshot
from reactive_config._core.runtime.updates import Gap, Updates
from reactive_config._core.secret import Secret, Shown
from reactive_config._core.types.byte_sizes import ByteSize
from reactive_config.errors import (
    Closed,
    ConfigError,
    InvalidValue,
    ReactiveConfigError,
    Rejected,
    StartupError,
    WrongProcess,
)

if TYPE_CHECKING:
    from reactive_config._sources.environ import Env
    from reactive_config._sources.etcd import TLS, Etcd
    from reactive_config._sources.files import Files
    from reactive_config._sources.memory import Memory

__all__ = [
    "TLS",
    "ByteSize",
    "ChangeCallback",
    "ChangeLimits",
    "Closed",
    "Config",
    "ConfigError",
    "Env",
    "EnvName",
    "Etcd",
    "Files",
    "Gap",
    "InvalidValue",
    "Live",
    "Memory",
    "ReactiveConfigError",
    "Rejected",
    "Secret",
    "Shown",
    "Snapshot",
    "StartupError",
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
