"""No notifier at all: the source looks by itself, every poll interval."""

from __future__ import annotations

from collections.abc import Mapping

from reactive_config.sources.files.notifier import Plan, Write


class Polling:
    """Never says a word. The reconciler, which always runs, is then alone."""

    name = "polling"

    def arm(self, plan: Plan) -> bool:
        return False

    def writes(self) -> Mapping[str, Write]:
        return {}

    def begin_read(self, real: str, write: Write | None) -> bool:
        return True

    def end_read(self, real: str) -> Write | None:
        return None

    def touched(self) -> set[str] | None:
        return None

    def judged(self, writes: Mapping[str, Write]) -> None:
        """Nothing to forget."""

    def give_up(self, real: str) -> None:
        """Nobody is waited for."""

    def troubles(self) -> list[str]:
        return []

    def close(self) -> None:
        """Nothing to end."""
