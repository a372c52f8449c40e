"""The curve must be found where it is known, and its intervals must cover what was left out of the fit."""

import numpy as np
import pytest

from helpers.evaluation.scaling import ScalingLaw, fit_law, predict

TRUE = ScalingLaw(1.2, 0.3, 0.5, 0.9, 0.4)
GRID = np.array([(n, d) for n in (1e5, 3e5, 1e6, 3e6) for d in (2e5, 4e5, 8e5, 1.6e6)])


def test_a_known_curve_is_found():
    law = fit_law(GRID[:, 0], GRID[:, 1], TRUE(GRID[:, 0], GRID[:, 1]))
    assert law(1e6, 1e6) == pytest.approx(TRUE(1e6, 1e6), rel=1e-3)
    assert law(1e7, 1e7) == pytest.approx(TRUE(1e7, 1e7), rel=0.05)


def test_more_never_costs_more():
    law = fit_law(GRID[:, 0], GRID[:, 1], TRUE(GRID[:, 0], GRID[:, 1]))
    assert law(2e6, 1e6) < law(1e6, 1e6) > law(1e6, 2e6)


def test_a_run_that_was_left_out_lies_in_its_interval():
    rng = np.random.default_rng(0)
    noisy = TRUE(GRID[:, 0], GRID[:, 1]) * np.exp(rng.normal(0, 0.01, len(GRID)))
    ((value, interval),) = predict(GRID[:-1, 0], GRID[:-1, 1], noisy[:-1], [tuple(GRID[-1])])
    assert interval.low < noisy[-1] < interval.high
    assert value == pytest.approx(TRUE(*GRID[-1]), rel=0.05)
    assert interval.high - interval.low < 0.5


def test_too_few_runs_are_refused():
    with pytest.raises(ValueError, match="at least five"):
        fit_law([1, 2], [1, 2], [1, 2])
