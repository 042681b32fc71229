"""Figures and their spread, against known values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.harness.estimates import FIGURES, Estimate, Sampled


def test_figures_of_all_rounds_together():
    sampled = Sampled([range(1, 51), range(51, 102)])
    assert [sampled.estimate(figure).value for figure in ("p50", "p99", "max")] == [51, 100, 101]


def test_equal_rounds_have_no_spread():
    assert Sampled([[3.0, 5.0, 4.0]] * 8).estimate("p50") == Estimate(4, 4, 4)


def test_the_spread_is_that_between_rounds_not_that_within_them():
    wide = Sampled([list(range(100))] * 8).estimate("p50")
    assert (wide.low, wide.high) == (49.5, 49.5)
    drifting = Sampled([[float(n)] * 100 for n in range(8)]).estimate("p50")
    assert drifting.low < 2 < 5 < drifting.high


def test_a_single_round_is_drawn_figure_by_figure():
    estimate = Sampled([range(101)]).estimate("p50")
    assert estimate.low < estimate.value == 50 < estimate.high


def test_a_drift_that_hits_both_does_not_widen_the_ratio():
    """Rounds of both are drawn together: with rounds drawn apart the interval would be 0.5 to 4.5 or so."""
    theirs = [[float(mood)] * 5 for mood in (1, 2, 3, 1, 2, 3)]
    ours = [[1.5 * figure for figure in figures] for figures in theirs]
    for figure in FIGURES:
        assert Sampled(ours).ratio(Sampled(theirs), figure) == Estimate(1.5, 1.5, 1.5)


def test_there_is_no_ratio_to_nothing():
    assert Sampled([[1.0]] * 3).ratio(Sampled([[0.0]] * 3), "p50") is None


def test_a_rival_that_is_sometimes_nothing_leaves_a_finite_ratio():
    ratio = Sampled([[1.0]] * 5).ratio(Sampled([[0.0], [2.0], [2.0], [2.0], [0.0]]), "p50")
    assert ratio is not None
    assert ratio.value == 0.5
    assert np.isfinite([ratio.low, ratio.high]).all()


def test_the_interval_holds_the_truth_in_about_95_of_100_runs():
    rng = np.random.default_rng(7)
    estimates = [Sampled(rng.lognormal(size=(30, 5))).estimate("p50") for _ in range(60)]
    assert 0.85 <= np.mean([estimate.low <= 1.0 <= estimate.high for estimate in estimates]) <= 1.0


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.lists(st.floats(0.1, 1000), min_size=1, max_size=5), min_size=2, max_size=5),
    st.sampled_from([0.5, 2.0, 1024.0]),
)
def test_another_unit_changes_no_ratio_and_scales_every_figure(rounds, factor):
    one = Sampled(rounds)
    other = Sampled([[figure * factor for figure in figures] for figures in rounds])
    for figure in FIGURES:
        before, after = one.estimate(figure), other.estimate(figure)
        assert after.value == pytest.approx(before.value * factor)
        assert (after.low, after.high) == pytest.approx((before.low * factor, before.high * factor))
        ratio = other.ratio(one, figure)
        assert ratio is not None
        assert (ratio.low, ratio.value, ratio.high) == pytest.approx((factor, factor, factor))
