"""The curve must be found where it is known, and its intervals must cover what was left out of the fit."""

import numpy as np
import pandas as pd
import pytest

from helpers.evaluation import scaling_law
from helpers.evaluation.scaling_law import Grid, ScalingLaw, leave_largest_out

TRUE = ScalingLaw(np.array([np.log(1.2), np.log(0.3), 0.5, np.log(0.9), 0.4]))
RUNS = np.array([(n, d) for n in (1e5, 3e5, 1e6, 3e6) for d in (2e5, 4e5, 8e5, 1.6e6)])
N, D = RUNS.T
LOSSES = TRUE(N, D)


def grid(losses, rows=slice(None)):
    return Grid(pd.DataFrame({"parameters": N, "tokens": D, "value": losses})[rows])


def test_a_known_curve_is_found():
    law = grid(LOSSES).law
    assert law(1e6, 1e6) == pytest.approx(TRUE(1e6, 1e6), rel=1e-3)
    assert law(1e7, 1e7) == pytest.approx(TRUE(1e7, 1e7), rel=0.05)


def test_more_never_costs_more():
    law = grid(LOSSES).law
    assert law(2e6, 1e6) < law(1e6, 1e6) > law(1e6, 2e6)


def test_runs_that_were_left_out_lie_in_their_intervals_as_often_as_said(monkeypatch):
    monkeypatch.setattr(scaling_law, "RESAMPLES", 150)
    covered = []
    for seed in range(10):
        noisy = LOSSES * np.exp(np.random.default_rng(seed).normal(0, 0.01, len(N)))
        predicted = grid(noisy, slice(12)).forecast(N[12:], D[12:], seed)
        low, high = predicted.bounds
        covered += [*((low <= noisy[12:]) & (noisy[12:] <= high))]
        assert (high - low).max() < 1
    assert np.mean(covered) >= 0.8


def test_the_difference_of_two_places_is_paired():
    noisy = LOSSES * np.exp(np.random.default_rng(0).normal(0, 0.01, len(N)))
    predicted = grid(noisy).forecast([1e6, 1e6], [1e6, 1e7])
    gap = predicted.difference(0, 1)
    assert gap.value == pytest.approx(predicted.values[0] - predicted.values[1])
    assert 0 < gap.low < gap.value < gap.high


def test_too_few_runs_are_refused():
    with pytest.raises(ValueError, match="at least five"):
        grid(LOSSES, slice(4))


def test_the_largest_model_is_predicted_from_the_others_alone():
    runs = pd.DataFrame({"parameters": N, "tokens": D, "value": LOSSES})
    runs.loc[runs["parameters"] == 3e6, "value"] = 9.0  # not seen by the fit
    largest, predicted = leave_largest_out(runs)
    assert largest["value"].tolist() == [9.0] * 4
    assert predicted.values == pytest.approx(TRUE(N[12:], D[12:]), rel=0.01)
