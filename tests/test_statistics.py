"""Intervals must cover what they claim to cover, and see clusters."""

import numpy as np
import pytest
from sklearn.metrics import f1_score
from statsmodels.stats.proportion import proportion_confint

from helpers.statistics import RESAMPLES, macro_f1_interval, mean_interval, ratio_interval, share_interval


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


def test_one_cluster_gives_no_interval():
    assert ratio_interval([1.0, 2.0], [1.0, 1.0], ["a", "a"]) is None
    assert share_interval([1.0, 0.0], ["a", "a"]) is None
    assert share_interval([1.0, 1.0], ["a", "a"]) is None
    assert macro_f1_interval([0, 1], [0, 1], ["a", "a"]) is None


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


def guesses(seed, rows=120, classes=3):
    """Returns predictions that are right more often than not, the right classes, and clusters of about six rows."""
    rng = np.random.default_rng(seed)
    true, noise = rng.integers(classes, size=(2, rows))
    return np.where(rng.random(rows) < 0.6, true, noise), true, rng.integers(rows // 6, size=rows).tolist()


@pytest.mark.parametrize("classes", [2, 3, 8])
def test_the_interval_of_macro_f1_contains_macro_f1(classes):
    for seed in range(5):
        predicted, true, clusters = guesses(seed, classes=classes)
        interval = macro_f1_interval(predicted, true, clusters)
        value = f1_score(true, predicted, average="macro")
        assert interval.low < value < interval.high
        assert interval.high - interval.low < 0.4


def test_the_interval_of_macro_f1_is_that_of_rows_really_drawn_again():
    true, clusters = np.tile([0, 1, 2], 10), np.repeat(list("edcba"), 6).tolist()  # every cluster has every class
    predicted = np.where(np.random.default_rng(0).random(30) < 0.6, true, 1)
    names = list(dict.fromkeys(clusters))
    rows_of = [[row for row, cluster in enumerate(clusters) if cluster == name] for name in names]
    draws = np.random.default_rng(3).multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLES)
    found = []
    for draw in draws:
        rows = [row for times, of in zip(draw, rows_of, strict=True) for row in of * times]
        found.append(f1_score(true[rows], predicted[rows], average="macro"))
    interval = macro_f1_interval(predicted, true, clusters, seed=3)
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(found, [0.025, 0.975])))
    assert interval.method == f"bootstrap over {len(names)} clusters, percentile"


def test_the_interval_of_macro_f1_sees_clusters_and_no_order():
    predicted, true, clusters = guesses(1)
    alone = macro_f1_interval(predicted, true, range(120))
    copied = macro_f1_interval(np.repeat(predicted, 5), np.repeat(true, 5), np.repeat(range(120), 5))
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high))
    names = [f"module {cluster}" for cluster in clusters]
    assert macro_f1_interval(predicted.tolist(), true.tolist(), names) == macro_f1_interval(predicted, true, clusters)


def test_a_class_that_is_never_right_counts_in_macro_f1():
    true, predicted = [0, 0, 1, 1] * 10, [0, 0, 0, 0] * 10
    interval = macro_f1_interval(predicted, true, range(40))
    assert interval.low < (2 / 3 + 0) / 2 < interval.high < 0.5


@pytest.mark.parametrize("share", [0.6, 1.0])
def test_macro_f1_lies_in_its_interval_even_if_a_class_is_of_one_cluster(share):
    true = np.repeat(np.arange(8), 16)
    predicted = np.where(np.arange(128) % 16 < 16 * share, true, (true + 1) % 8)
    interval = macro_f1_interval(predicted, true, true.tolist())
    assert interval.low <= f1_score(true, predicted, average="macro") <= interval.high


@pytest.mark.parametrize(
    ("predicted", "true", "clusters", "message"),
    [
        ([0, 1, 1], [0, 1], ["a", "b"], "of one length"),
        ([0, 1], [0, 1, 1], ["a", "b"], "of one length"),
        ([0, 1], [0, 1], ["a"], "of one length"),
    ],
)
def test_macro_f1_of_unequal_lengths_is_refused(predicted, true, clusters, message):
    with pytest.raises(ValueError, match=message):
        macro_f1_interval(predicted, true, clusters)
