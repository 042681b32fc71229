"""What a session leaves to the next one."""

from __future__ import annotations

from reactive_config._etcd.pace import Pace
from reactive_config._etcd.reading import RangeReading


class Handover:
    """Shared by all sessions of one run.

    Attributes:
        pace: How fast the link was.
        reading: A list that its session could not finish.
        checked: The key before which the last comparison with etcd stopped; the next begins with it, so that all
            keys have their turn however short the sessions are. None before the first one.
    """

    def __init__(self) -> None:
        self.pace = Pace()
        self.reading: RangeReading | None = None
        self.checked: bytes | None = None
