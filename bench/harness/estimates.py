"""Medians, high quantiles and ratios of them, each with its spread. Pure.

The spread is a bootstrap's: rounds are drawn again with replacement, and the middle 95 % of what the figure then
is are its interval. Rounds and not single figures, because those of one round share the machine's mood. In a
ratio the rounds of both sides are drawn together, as they were measured: A B A B.

Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 13 and 8.4 (blocks).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.harness.settings import Figure

QUANTILES: dict[Figure, float] = {"p50": 0.5, "p99": 0.99, "max": 1.0}

FIGURES = tuple(QUANTILES)

DRAWS = 500

MIDDLE = (0.025, 0.975)

Rounds = Sequence[Sequence[float]]


class Estimate(msgspec.Struct, frozen=True):
    """A figure, and the interval in which it would have been in 95 of 100 runs like this one."""

    value: float
    low: float
    high: float


class Sampled:
    """What one subject measured at one point.

    Args:
        rounds: Figures of each round. Of a single round the figures are drawn again, as there is nothing else.
    """

    def __init__(self, rounds: Rounds) -> None:
        blocks = [np.asarray(figures, float) for figures in rounds]
        self.blocks = blocks if len(blocks) > 1 else [block[None] for block in blocks[0]]
        self._values = _quantiles(blocks)
        rng = np.random.default_rng(len(self.blocks))  # equal for subjects with as many rounds: drawn together
        picks = rng.integers(len(self.blocks), size=(DRAWS, len(self.blocks)))
        self._drawn = np.array([_quantiles([self.blocks[index] for index in pick]) for pick in picks])

    def estimate(self, figure: Figure) -> Estimate:
        """A figure of this subject."""
        index = FIGURES.index(figure)
        return _estimate(self._values[index], self._drawn[:, index])

    def ratio(self, other: Sampled, figure: Figure) -> Estimate | None:
        """A figure of this subject, divided by the same one of another; None where that is 0."""
        index = FIGURES.index(figure)
        above, below = self._drawn[:, index], other._drawn[:, index]
        if not other._values[index] or not below.any():
            return None
        usable = below != 0
        return _estimate(self._values[index] / other._values[index], above[usable] / below[usable])


def _quantiles(blocks: Sequence[NDArray[Any]]) -> NDArray[Any]:
    found: NDArray[Any] = np.quantile(np.concatenate(blocks), list(QUANTILES.values()))
    return found


def _estimate(value: float, drawn: NDArray[Any]) -> Estimate:
    low, high = np.quantile(drawn, MIDDLE)
    return Estimate(float(value), float(low), float(high))
