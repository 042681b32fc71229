"""One of those that are compared: ours or a rival, alone in a process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AsyncExitStack

import msgspec

Param = int | float | str | bool
Params = dict[str, Param]


class Round(msgspec.Struct, frozen=True):
    """What is asked of a subject, and of the stage, at once.

    Attributes:
        number: From 1, warm-up rounds included; unique within a process.
        samples: How many figures are wanted, or how many changes are made.
        rate: Of changes, a second; 0 for as fast as it goes.
    """

    number: int
    samples: int
    rate: float = 0.0


class NotHere(Exception):
    """This subject cannot take part: its program or library is missing, or it does not do what the point asks."""


class Subject(ABC):
    """Made in a new process, opened, asked for round after round, closed.

    All subjects of a point are open at the same time and only one is measured at any time. One that costs
    something while it waits (it polls, say) says in `pause` and `resume` how it rests. What it imports beside
    the standard library it imports in `open`, so that no other subject of the module carries it.

    Args:
        params: The point's, and what the stage's `place` adds for this subject.
        spawned: When the harness started this process; nanoseconds of `time.monotonic_ns`, which on Linux is one
            clock for all processes.

    Attributes:
        stack: Contexts entered in `open`, left in `close`.
        forget: Called by who measures only the end of what it does in `open` or `measure`: what came before is left
            out of a profile.
    """

    def __init__(self, params: Params, spawned: int) -> None:
        self.forget: Callable[[], None] = lambda: None
        self.params = params
        self.spawned = spawned
        self.stack = AsyncExitStack()

    async def open(self) -> None:  # noqa: B027 - most need it, not all
        """Set up what is not measured.

        Raises:
            NotHere: It cannot take part.
        """

    @abstractmethod
    async def measure(self, work: Round) -> list[float]:
        """The round's figures in the case's unit; a lower one is better.

        The stage's load begins when this first waits, so it is to listen by then.
        """

    async def pause(self) -> None:  # noqa: B027 - a hook
        """Rest: another one is measured."""

    async def resume(self) -> None:  # noqa: B027 - a hook
        """Be as ready as before the pause: the next round is yours."""

    async def close(self) -> None:
        """Let go of everything."""
        await self.stack.aclose()
