"""For the tests of programs that use reactive_config, and of sources written for it.

    who tests                        what helps
    a program                        the fixture `live_config` (pytest plugin), `open_test_config` without pytest
    what reacts to a configuration   `Scripted`: content, states and errors, step by step
    the same, under stress           `Misbehaving`: a true history, told in the worst way
    a source of one's own            `ConformanceSuite` over a `SourceHarness`; `RecordingFeed` runs it alone
    against a real etcd              `running_etcd`, `etcd_binaries`; inside a loop `etcd_server`, `etcd_cluster`
    over a bad network               `tcp_proxy`
    beside a real database           `postgres_server`, `redis_server`

Nothing here is loaded before it is used: neither pytest nor grpc.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reactive_config._testing.configs import ConfigFactory, ScriptedConfig, open_test_config
    from reactive_config._testing.conformance import ConformanceSuite
    from reactive_config._testing.etcd_cluster import EtcdCluster, etcd_cluster, running_cluster
    from reactive_config._testing.etcd_installed import EtcdBinary, etcd_binaries
    from reactive_config._testing.etcd_server import EtcdServer, ServerTLS, etcd_server, running_etcd
    from reactive_config._testing.harness import SourceHarness
    from reactive_config._testing.misbehaving import SILENT, Misbehaving, Misbehaviour
    from reactive_config._testing.postgres_server import PostgresServer, postgres_server
    from reactive_config._testing.recording_feed import RecordingFeed
    from reactive_config._testing.redis_server import RedisServer, redis_server
    from reactive_config._testing.scripted import Scripted
    from reactive_config._testing.server_process import MissingServer
    from reactive_config._testing.tcp_proxy import TcpProxy, tcp_proxy

_HOMES = {
    "ConfigFactory": "configs",
    "ConformanceSuite": "conformance",
    "EtcdBinary": "etcd_installed",
    "EtcdCluster": "etcd_cluster",
    "EtcdServer": "etcd_server",
    "Misbehaving": "misbehaving",
    "Misbehaviour": "misbehaving",
    "MissingServer": "server_process",
    "PostgresServer": "postgres_server",
    "RecordingFeed": "recording_feed",
    "RedisServer": "redis_server",
    "SILENT": "misbehaving",
    "Scripted": "scripted",
    "ScriptedConfig": "configs",
    "ServerTLS": "etcd_server",
    "SourceHarness": "harness",
    "TcpProxy": "tcp_proxy",
    "etcd_binaries": "etcd_installed",
    "etcd_cluster": "etcd_cluster",
    "etcd_server": "etcd_server",
    "open_test_config": "configs",
    "postgres_server": "postgres_server",
    "redis_server": "redis_server",
    "running_cluster": "etcd_cluster",
    "running_etcd": "etcd_server",
    "tcp_proxy": "tcp_proxy",
}

__all__ = [
    "SILENT",
    "ConfigFactory",
    "ConformanceSuite",
    "EtcdBinary",
    "EtcdCluster",
    "EtcdServer",
    "Misbehaving",
    "Misbehaviour",
    "MissingServer",
    "PostgresServer",
    "RecordingFeed",
    "RedisServer",
    "Scripted",
    "ScriptedConfig",
    "ServerTLS",
    "SourceHarness",
    "TcpProxy",
    "etcd_binaries",
    "etcd_cluster",
    "etcd_server",
    "open_test_config",
    "postgres_server",
    "redis_server",
    "running_cluster",
    "running_etcd",
    "tcp_proxy",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"reactive_config._testing.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
