"""A mark that gives a type words of its own in messages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Worded:
    """What a message says was expected, in place of a type's parts: `Annotated[RateText | Rate, Worded("a rate")]`.

    Attributes:
        text: Follows "expected"; it quotes no content.
    """

    text: str
