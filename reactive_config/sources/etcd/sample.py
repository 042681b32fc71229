"""Which keys tell, before anything goes on, whether this is the etcd that we know."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence

from reactive_config.etcd.picking import MOST
from reactive_config.sources.etcd.store import Store

NEWEST = 16
"""Of them those that changed last: what an etcd that was killed has most likely lost."""

BYTES = 256 * 1024
"""Of the values together; one alone may be larger."""


def sample_store(store: Store, rng: random.Random) -> list[bytes]:
    """The newest keys, and some of all others; see `sample`."""
    newest = heapq.nlargest(NEWEST, store.documents.values(), key=lambda document: document.revision)

    def size(key: bytes) -> int:
        held = store.held(key)
        return held.size if held else 0

    return sample(store.names().keys(), size, rng, first=[document.place.encode() for document in newest])


def sample(
    keys: Sequence[bytes], size: Callable[[bytes], int], rng: random.Random, *, first: Sequence[bytes] = ()
) -> list[bytes]:
    """Keys to compare: `first`, and for the rest every key with the same chance, until `MOST` or `BYTES` is reached.

    If d of n keys differ, s random ones miss all of them with a probability of at most (1 - d/n)**s: 1 in 10,000
    for s = 111 and d/n = 8 %. A few are for `comparison` to find.
    """
    random_ones = rng.sample(keys, min(MOST, len(keys)))
    chosen: list[bytes] = []
    left = BYTES
    for key in dict.fromkeys([*first, *random_ones]):
        left -= size(key)
        if len(chosen) == MOST or (left < 0 and chosen):
            break
        chosen.append(key)
    return chosen
