"""Bounds on how much one change may do to a source: a slip of the hand is not a configuration."""

from __future__ import annotations

import msgspec


class ChangeLimits(msgspec.Struct, frozen=True):
    """How far what a source says may jump at once. Not asked at the start, where nothing is in force yet.

    What goes too far is held like content that does not fit, and the status says so. It is taken once it is
    mended, or after a restart.

    Attributes:
        growth: How many times as large as in force all documents of the source together may become; None
            for no bound. Not asked while nothing is in force.
        free: Bytes up to which growth is never asked about.
        removal: The largest share of its entries (keys, files), from 0 to 1, that may go at once; None for
            no bound.
    """

    growth: float | None = 10.0
    free: int = 1 << 20
    removal: float | None = None

    def __post_init__(self) -> None:
        if self.growth is not None and self.growth < 1:
            raise ValueError(f"growth: expected 1 or more, or None, got {self.growth}")
        if self.removal is not None and not 0 <= self.removal <= 1:
            raise ValueError(f"removal: expected a share from 0 to 1, or None, got {self.removal}")

    def too_large(self, before: int, after: int) -> str:
        """What was expected where the source became too large, otherwise the empty text.

        Args:
            before: Bytes in force.
            after: Bytes with the change.
        """
        # From nothing everything is infinitely many times as large; there is as little to compare with as at a start.
        if self.growth is None or not before or after <= max(self.free, before * self.growth):
            return ""
        most = f"{max(self.free, before * self.growth):.0f}"
        return f"at most {most} bytes ({self.growth:g} times the {before} in force, or {self.free})"

    def too_much_gone(self, before: int, gone: int) -> str:
        """What was expected where too much was removed, otherwise the empty text.

        Args:
            before: Entries in force.
            gone: Entries that the change removes.
        """
        if self.removal is None or gone <= before * self.removal:
            return ""
        return f"at most {self.removal:.0%} of {before} entries to go at once"
