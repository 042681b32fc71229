"""For the tests of programs that use reactive_config, and of sources written for it.

    who tests                        what helps
    a program                        the fixture `live_config` (pytest plugin), `open_test_config` without pytest
    what reacts to a configuration   `Scripted`: content, states and errors, step by step
    the same, under stress           `Misbehaving`: a true history, told in the worst way
    a source of one's own            `ConformanceSuite` over a `SourceHarness`; `RecordingFeed` runs it alone
    against a real etcd              `running_etcd`, `etcd_binaries`; inside a loop `etcd_server.etcd_server`
    beside a real database           `postgres_server.postgres_server`, `redis_server.redis_server`

Nothing here is loaded before it is used: neither pytest nor grpc.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reactive_config._testing.configs import ConfigFactory, ScriptedConfig, open_test_config
    from reactive_config._testing.conformance import ConformanceSuite
    from reactive_config._testing.etcd_server import EtcdServer, etcd_binaries, running_etcd
    from reactive_config._testing.harness import SourceHarness
    from reactive_config._testing.misbehaving import SILENT, Misbehaving, Misbehaviour
    from reactive_config._testing.recording_feed import RecordingFeed
    from reactive_config._testing.scripted import Scripted

_HOMES = {
    "ConfigFactory": "configs",
    "ConformanceSuite": "conformance",
    "EtcdServer": "etcd_server",
    "Misbehaving": "misbehaving",
    "Misbehaviour": "misbehaving",
    "RecordingFeed": "recording_feed",
    "SILENT": "misbehaving",
    "Scripted": "scripted",
    "ScriptedConfig": "configs",
    "SourceHarness": "harness",
    "etcd_binaries": "etcd_server",
    "open_test_config": "configs",
    "running_etcd": "etcd_server",
}

__all__ = [
    "SILENT",
    "ConfigFactory",
    "ConformanceSuite",
    "EtcdServer",
    "Misbehaving",
    "Misbehaviour",
    "RecordingFeed",
    "Scripted",
    "ScriptedConfig",
    "SourceHarness",
    "etcd_binaries",
    "open_test_config",
    "running_etcd",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"reactive_config._testing.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
