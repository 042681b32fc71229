"""What the subjects of a case share: servers, directories, and the load of a round."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from bench.harness.subject import Params, Round


class Stage:
    """Lives in the harness's process for one point of a case.

    Every subject has a place of its own (a prefix, a directory), so that the load of a round reaches the one that
    is measured and costs the others nothing.

    Args:
        params: The point's.

    Attributes:
        stack: Contexts entered in `open`, left in `close`.
        versions: What was started, for the report: {"etcd": "3.5.1"}.
    """

    def __init__(self, params: Params) -> None:
        self.params = params
        self.stack = AsyncExitStack()
        self.versions: dict[str, str] = {}

    async def open(self) -> None:
        """Start what all subjects need."""

    async def place(self, subject: str) -> Params:
        """Prepare a subject's place before it opens; what its `params` have beside the point's."""
        return {}

    async def drive(self, place: Params, work: Round) -> Any:
        """Make the load of one round at the measured subject's place.

        Args:
            place: What `place` gave for it.
            work: Its number, samples and rate.

        Returns:
            What only the driver knows, for `samples`: say when the last write was acknowledged.
        """

    def samples(self, driven: Any, seen: list[float]) -> list[float]:
        """The round's figures.

        Args:
            driven: What `drive` returned.
            seen: What the subject's `measure` returned; the figures, unless a stage says otherwise.
        """
        return seen

    async def close(self) -> None:
        """Stop everything."""
        await self.stack.aclose()
