"""Floor 2: an etcd prefix or key as layers that follow every transaction."""

from reactive_config.etcd.settings import TLS
from reactive_config.sources.etcd.source import Etcd

__all__ = ["TLS", "Etcd"]
