"""Intervals must cover what they claim to cover, and see clusters."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from helpers.statistics import mean_interval, ratio_interval, share_interval


def test_interval_covers_the_true_ratio_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        weights = rng.uniform(50, 150, 60)
        values = weights * rng.normal(2.0, 0.5, 60)
        interval = ratio_interval(values, weights, range(60), seed=trial)
        covered += interval.low <= 2.0 <= interval.high
    assert 178 <= covered <= 199  # 95% of 200, with three standard errors of room


def test_copies_within_a_cluster_do_not_narrow_the_interval():
    rng = np.random.default_rng(1)
    values = rng.normal(1.0, 1.0, 40)
    alone = ratio_interval(values, np.ones(40), range(40))
    copied = ratio_interval(np.repeat(values, 10), np.ones(400), np.repeat(range(40), 10))
    assert copied.low == pytest.approx(alone.low)
    assert copied.high == pytest.approx(alone.high)


def test_identical_rows_give_a_point_not_a_nan():
    interval = ratio_interval([3.0] * 5, [1.0] * 5, range(5))
    assert (interval.low, interval.high) == (3.0, 3.0)


def test_one_cluster_is_refused():
    with pytest.raises(ValueError, match="at least two"):
        ratio_interval([1.0, 2.0], [1.0, 1.0], ["a", "a"])


def test_t_interval_is_that_of_the_textbook_and_covers():
    mean, interval = mean_interval([4.0, 6.0])
    assert mean == 5.0
    assert interval.high - mean == pytest.approx(12.706, abs=1e-3)  # one degree of freedom, standard error 1
    rng = np.random.default_rng(3)
    intervals = [mean_interval(rng.normal(1.0, 2.0, 5))[1] for _ in range(400)]
    assert 362 <= sum(i.low <= 1.0 <= i.high for i in intervals) <= 396


def test_t_interval_of_one_value_is_refused():
    with pytest.raises(ValueError, match="at least two"):
        mean_interval([1.0])


def test_a_share_has_the_bootstraps_interval_and_wilsons_where_that_cannot_vary():
    clusters = [str(i // 2) for i in range(40)]
    mixed = share_interval([1.0, 0.0] * 10 + [1.0] * 20, clusters)
    assert mixed == ratio_interval([1.0, 0.0] * 10 + [1.0] * 20, np.ones(40), clusters)
    for value in (0.0, 1.0):
        alike = share_interval([value] * 40, clusters)
        known = proportion_confint(round(20 * value), 20, method="wilson")
        assert (alike.low, alike.high) == pytest.approx(known)
        assert alike.low <= value <= alike.high
