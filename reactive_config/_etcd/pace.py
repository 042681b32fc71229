"""How fast a connection is, as its answers have told: how much to ask for at once, and how long to wait."""

from __future__ import annotations

import math

import msgspec

from reactive_config._etcd.settings import Settings

SLOW = 0.25
"""Seconds for an answer from which its rate is worth knowing; of a shorter one most was the way there and back."""

TELLING = 64 * 1024
"""Bytes of an answer that came faster than that, and so tells that the link is not slow (any more)."""

QUEUED = 2 * 1024 * 1024
"""Bytes that may be under way before an answer. gRPC grants a large message 1 MiB beyond its window, and what the
server's kernel has taken cannot be overtaken."""

LONGEST = 60.0
"""Seconds that nothing is waited for longer."""


class Pace:
    """What is known of a link's speed. Shared by all sessions of one source, so that it is found out once.

    Attributes:
        rate: Bytes a second, as the last answers that took long have shown; infinite for a link that is not slow.
    """

    def __init__(self) -> None:
        self.rate = math.inf
        self._late = 0

    def settings(self, usual: Settings) -> Settings:
        """Those for the next connection."""
        return msgspec.structs.replace(usual, ping_timeout=LONGEST) if self.slow else usual

    @property
    def slow(self) -> bool:
        """Whether anything was seen to take long."""
        return self._late > 0 or self.rate < math.inf

    def took(self, size: int, seconds: float) -> None:
        """An answer of so many bytes came after so many seconds."""
        observed = size / max(seconds, 0.001)
        if seconds >= SLOW:
            self.rate = max(1.0, observed)
        elif size >= TELLING:
            self.rate = math.inf
        else:  # its way counts too, so it was no slower than that
            self.rate = max(self.rate, observed)

    def late(self) -> None:
        """A deadline has passed, and nobody knows whether something was on its way: the next one is twice as long."""
        self._late = min(10, self._late + 1)

    def on_time(self) -> None:
        """Small answers come at once while nothing large is under way: deadlines are as short as they were."""
        self._late = 0

    def deadline(self, usual: float) -> float:
        """Seconds for an answer that usually has `usual` seconds, if nothing is under way before it."""
        return max(usual, min(LONGEST, usual * 2.0**self._late))

    def patience(self, usual: float) -> float:
        """The same if something large may be."""
        return max(usual, min(LONGEST, self.deadline(usual) + QUEUED / self.rate))
