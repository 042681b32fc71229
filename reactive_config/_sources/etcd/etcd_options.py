"""What an `Etcd` was told, checked; the same for every run of it."""

from __future__ import annotations

import random

import msgspec

from reactive_config._etcd.passwords import Password
from reactive_config._etcd.settings import Endpoint, Settings
from reactive_config._sources.etcd.key_layout import KeyLayout


class EtcdOptions(msgspec.Struct, frozen=True):
    """Everything that a run needs to know.

    Attributes:
        endpoints: In the order in which they are tried.
        settings: For every connection.
        keys: What is followed, and what keys mean.
        login: User, and where the password comes from; None for neither.
        rng: Jitter.
        optional: Whether a layer may be without a key.
        discover: Whether to try the other members that etcd advertises, too.
    """

    endpoints: tuple[Endpoint, ...]
    settings: Settings
    keys: KeyLayout
    login: tuple[str, Password] | None
    rng: random.Random
    optional: bool = False
    discover: bool = False

    def __repr__(self) -> str:
        return f"EtcdOptions({self.keys.label!r})"  # never the password
