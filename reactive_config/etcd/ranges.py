"""Ranges of keys, as etcd spells them."""

from __future__ import annotations

import msgspec


class KeyRange(msgspec.Struct, frozen=True):
    """Keys from `start` on and below `end`; an empty end means the one key `start`."""

    start: bytes
    end: bytes = b""

    def __str__(self) -> str:
        text = self.start.decode("utf-8", "backslashreplace")
        return text if not self.end else f"{text}*"


def prefix_range_end(prefix: bytes) -> bytes:
    r"""The first key after all keys that begin with `prefix`.

    Trailing \xff bytes cannot be counted up and are cut off; where nothing is left there is no upper
    bound, which etcd spells as the single byte zero.
    """
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else b"\0"


def prefix_range(prefix: bytes) -> KeyRange:
    """Every key that begins with `prefix`; the empty one means every key there is."""
    return KeyRange(prefix or b"\0", prefix_range_end(prefix))
