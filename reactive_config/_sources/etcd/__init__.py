"""Floor 2: an etcd prefix or key as layers that follow every transaction."""

from reactive_config._etcd.settings import TLS
from reactive_config._sources.etcd.etcd_source import Etcd

__all__ = ["TLS", "Etcd"]
