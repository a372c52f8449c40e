"""The curve must be found where it is known, and its intervals must cover what was left out of the fit."""

import numpy as np
import pytest

from helpers.experiments.pretraining.scaling_law import Grid, ScalingLaw

TRUE = ScalingLaw(1.2, 0.3, 0.5, 0.9, 0.4)
RUNS = np.array([(n, d) for n in (1e5, 3e5, 1e6, 3e6) for d in (2e5, 4e5, 8e5, 1.6e6)])
N, D = RUNS.T
LOSSES = TRUE(N, D)


def test_a_known_curve_is_found():
    law = Grid(N, D, LOSSES).fit()
    assert law(1e6, 1e6) == pytest.approx(TRUE(1e6, 1e6), rel=1e-3)
    assert law(1e7, 1e7) == pytest.approx(TRUE(1e7, 1e7), rel=0.05)


def test_more_never_costs_more():
    law = Grid(N, D, LOSSES).fit()
    assert law(2e6, 1e6) < law(1e6, 1e6) > law(1e6, 2e6)


def test_runs_that_were_left_out_lie_in_their_intervals_as_often_as_said():
    covered = []
    for seed in range(10):
        noisy = LOSSES * np.exp(np.random.default_rng(seed).normal(0, 0.01, len(N)))
        foretold = Grid(N[:12], D[:12], noisy[:12]).forecast(N[12:], D[12:], seed)
        intervals = [foretold.interval(place) for place in range(4)]
        covered += [i.low <= loss <= i.high for i, loss in zip(intervals, noisy[12:], strict=True)]
        assert max(i.high - i.low for i in intervals) < 1
    assert np.mean(covered) >= 0.8


def test_the_difference_of_two_places_is_paired():
    noisy = LOSSES * np.exp(np.random.default_rng(0).normal(0, 0.01, len(N)))
    foretold = Grid(N, D, noisy).forecast([1e6, 1e6], [1e6, 1e7])
    value, interval = foretold.difference(0, 1)
    assert value == pytest.approx(foretold.values[0] - foretold.values[1])
    assert 0 < interval.low < value < interval.high


def test_too_few_runs_are_refused():
    with pytest.raises(ValueError, match="at least five"):
        Grid([1, 2], [1, 2], [1, 2])
