"""Intervals must cover what they claim to cover, and see clusters and seeds."""

import interval_coverage as drawn
import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from helpers import statistics
from helpers.statistics import (
    Interval,
    bootstrap_interval,
    combined_interval,
    equivalent,
    gap_interval,
    gap_p_value,
    holm,
    least_detectable,
    macro_f1_interval,
    mcnemar,
    mean_interval,
    ratio_interval,
    share_interval,
)

TRIALS = 200
LEAST = 90.4
"""Of 200 intervals that cover 95% of the time, as many percent do at least: three standard errors below."""


def covered(draw, interval, truth):
    return drawn.rate(draw, interval, truth, TRIALS)[0]


@pytest.mark.parametrize("clusters", [4, 12, 30, 60])
@pytest.mark.parametrize("resemblance", [0.1, 0.6])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_share_is_covered_with_few_clusters_and_many_however_alike(clusters, resemblance, share):
    assert covered(lambda rng: drawn.share(rng, clusters, resemblance, share), share_interval, share) > LEAST


@pytest.mark.parametrize("clusters", [12, 60])
def test_a_share_is_covered_where_clusters_are_of_different_sizes(clusters):
    assert covered(lambda rng: drawn.share(rng, clusters, 0.3, 0.8, uneven=True), share_interval, 0.8) > LEAST


@pytest.mark.parametrize("clusters", [4, 12, 60])
@pytest.mark.parametrize("parts", [(0.3, 0.1), (0.02, 0.0), (0.9, 0.0)])
def test_a_gap_is_covered_also_where_nearly_all_are_alike(clusters, parts):
    assert covered(lambda rng: drawn.gap(rng, clusters, 0.2, *parts), gap_interval, parts[0] - parts[1]) > LEAST


@pytest.mark.parametrize("clusters", [4, 12, 30, 60])
def test_a_ratio_is_covered_where_clusters_are_of_very_different_sizes(clusters):
    assert covered(lambda rng: drawn.ratio(rng, clusters), ratio_interval, 2.0) > LEAST


@pytest.mark.parametrize("clusters", [4, 12, 30])
@pytest.mark.parametrize("right", [0.4, 0.95])
def test_macro_f1_is_covered(clusters, right):
    # Classes are as frequent as each other, and mistaken alike: then it is the share that is right.
    assert covered(lambda rng: drawn.classes(rng, clusters, 0.1, right), macro_f1_interval, right) > LEAST


@pytest.mark.parametrize("interval", [share_interval, drawn.combined])
@pytest.mark.parametrize("number", [2, 3, 5])
@pytest.mark.parametrize(("share", "spread"), [(0.5, 1), (0.9, 0.5)])
def test_seeds_and_clusters_together_cover_a_share(interval, number, share, spread):
    truth = drawn.seeds_truth(share, spread)
    assert covered(lambda rng: drawn.seeds(rng, number, 12, share, spread), interval, truth) > LEAST


@pytest.mark.parametrize("clusters", [2, 4, 12, 60])
def test_no_share_is_less_sure_than_one_with_a_success_less(clusters):
    """72 of 72 right is no worse than 71; nor is any share of as many clusters."""
    for rows in (3, 6):
        of = np.repeat(np.arange(clusters), rows).tolist()
        all_right = share_interval(np.ones(len(of)), of)
        one_wrong = share_interval([0.0] + [1.0] * (len(of) - 1), of)
        assert one_wrong.low <= all_right.low
        assert (all_right.high, one_wrong.high) == (1.0, pytest.approx(1.0, abs=0.2))


def test_where_all_succeed_the_share_has_the_exact_bound_of_as_many_trials_as_clusters():
    of = np.repeat(np.arange(12), 6).tolist()
    right, wrong = share_interval(np.ones(72), of), share_interval(np.zeros(72), of)
    assert stats.binomtest(12, 12).proportion_ci(0.90, "exact").low == pytest.approx(right.low)  # 5% on one side
    assert (right.high, wrong.low, wrong.high) == (1.0, 0.0, pytest.approx(1 - right.low))
    assert right.method == "exact bound, 12 clusters, all alike"


def test_no_end_leaves_what_is_possible_and_each_interval_holds_its_estimate():
    rng = np.random.default_rng(0)
    for _ in range(200):
        clusters, share = rng.integers(2, 9), rng.choice([0.02, 0.5, 0.98])
        credits, of = drawn.share(rng, clusters, 0.3, share, uneven=True)
        others = drawn.share(rng, len(of), 0, share)[0][: len(of)]
        found = share_interval(credits, of), gap_interval(credits, others, of)
        for interval, least, value in zip(found, (0, -1), (credits.mean(), (credits - others).mean()), strict=True):
            assert least <= interval.low <= value + 1e-12
            assert value - 1e-12 <= interval.high <= 1


def test_ties_of_one_who_cannot_tell_are_at_chance():
    interval = share_interval(np.full(60, 0.5), np.repeat(np.arange(12), 5).tolist())
    assert interval.low < 0.5 < interval.high
    with pytest.raises(ValueError, match="between 0 and 1"):
        share_interval([13.0, 20.0], ["a", "b"])
    with pytest.raises(ValueError, match="between 0 and 1"):
        gap_interval([13.0, 20.0], [1.0, 0.0], ["a", "b"])


@pytest.mark.parametrize("gap", [0.0, 1.0])
def test_gaps_that_are_all_alike_have_a_width_that_more_clusters_narrow(gap):
    widths = []
    for clusters in (4, 12, 60):
        of = np.repeat(np.arange(clusters), 5).tolist()
        interval = gap_interval(np.full(len(of), gap), np.zeros(len(of)), of)
        assert interval.low <= gap <= interval.high
        widths.append(interval.high - interval.low)
    assert 1.5 > widths[0] > widths[1] > widths[2] > 0.02


@pytest.mark.parametrize("interval", [share_interval, lambda x, of: ratio_interval(x, np.ones(len(x)), of)])
def test_copies_within_a_cluster_do_not_narrow_the_interval(interval):
    values = np.random.default_rng(1).integers(2, size=40).astype(float)
    alone = interval(values, list(range(40)))
    copied = interval(np.repeat(values, 10), np.repeat(np.arange(40), 10).tolist())
    assert copied.low <= alone.low + 1e-9
    assert copied.high >= alone.high - 1e-9
    assert copied.high - copied.low < 1.1 * (alone.high - alone.low)


def test_the_jackknife_of_a_mean_is_the_t_interval_of_the_textbook():
    values = np.random.default_rng(2).normal(size=9)
    interval, known = ratio_interval(values, np.ones(9), list(range(9))), mean_interval(values)[1]
    assert (interval.low, interval.high) == pytest.approx((known.low, known.high))
    assert interval.method == "t on the jackknife over 9 clusters"


def test_identical_rows_give_a_point_not_a_nan():
    interval = ratio_interval([3.0] * 5, [1.0] * 5, range(5))
    assert (interval.low, interval.high) == (3.0, 3.0)


def test_one_cluster_gives_no_interval():
    assert ratio_interval([1.0, 2.0], [1.0, 1.0], ["a", "a"]) is None
    assert share_interval([1.0, 0.0], ["a", "a"]) is None
    assert gap_interval([1.0, 1.0], [1.0, 0.0], ["a", "a"]) is None
    assert macro_f1_interval([0, 1], [0, 1], ["a", "a"]) is None
    with pytest.raises(ValueError, match="two clusters"):
        bootstrap_interval(drawn.quotient, np.ones((2, 2)), ["a", "a"])


def test_t_interval_is_that_of_the_textbook_and_keeps_to_its_bounds():
    mean, interval = mean_interval([4.0, 6.0])
    assert mean == 5.0
    assert interval.high - mean == pytest.approx(12.706, abs=1e-3)  # one degree of freedom, standard error 1
    _, inside = mean_interval([0.9, 1.0, 0.8], bounds=(0.0, 1.0))
    assert (inside.low > 0.6, inside.high) == (True, 1.0)
    assert mean_interval([0.5, 0.5], least=0.1)[1].low == pytest.approx(0.4)
    with pytest.raises(ValueError, match="at least two"):
        mean_interval([1.0])


def test_seeds_err_together_with_the_clusters_that_they_were_tested_on():
    each = Interval(0.6, 0.9, "any")
    mean, interval = combined_interval([0.8] * 4, [each] * 4, (0.0, 1.0))
    assert (mean, interval.low, interval.high) == pytest.approx((0.8, 0.6, 0.9))
    assert combined_interval([0.7, 0.9], [each] * 2, (0.0, 1.0))[1].high == 1.0


@pytest.mark.parametrize("classes", [2, 3, 8])
@pytest.mark.parametrize("right", [0.0, 0.6, 1.0])
def test_the_interval_of_macro_f1_contains_macro_f1_and_sees_clusters_but_no_order(classes, right):
    predicted, true, of = drawn.classes(np.random.default_rng(0), 12, 0.1, 0.6, classes)
    predicted = true if right == 1 else (true + 1) % classes if right == 0 else predicted
    interval, value = macro_f1_interval(predicted, true, of), f1_score(true, predicted, average="macro")
    assert interval.low <= value + 1e-12
    assert value - 1e-12 <= interval.high
    names = [f"module {cluster}" for cluster in of[::-1]]
    turned = macro_f1_interval(predicted[::-1].tolist(), true[::-1].tolist(), names)
    assert (turned.low, turned.high) == pytest.approx((interval.low, interval.high))


def test_a_class_that_is_never_right_counts_in_macro_f1():
    true, predicted = [0, 0, 1, 1] * 10, [0, 0, 0, 0] * 10
    interval = macro_f1_interval(predicted, true, range(40))
    assert interval.low < (2 / 3 + 0) / 2 < interval.high < 0.55


@pytest.mark.parametrize(("predicted", "true", "of"), [([0, 1, 1], [0, 1], "ab"), ([0, 1], [0, 1, 1], "ab")])
def test_unequal_lengths_are_refused(predicted, true, of):
    with pytest.raises(ValueError, match="one length"):
        macro_f1_interval(predicted, true, of)
    with pytest.raises(ValueError, match="one length"):
        share_interval([1.0, 0.0, 1.0], of)


def test_the_bootstrap_agrees_with_the_jackknife_where_there_are_many_clusters_and_covers_with_few():
    rng = np.random.default_rng(0)
    bits, sizes, of = drawn.ratio(rng, 1500)
    found, known = (
        bootstrap_interval(drawn.quotient, np.column_stack([bits, sizes]), of),
        ratio_interval(bits, sizes, of),
    )
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=0.01)

    def of_few(values, of):
        return bootstrap_interval(drawn.quotient, np.column_stack([values, np.ones(len(values))]), of)

    hits = [of_few(rng.normal(1, 1, 5), range(5)) for _ in range(60)]
    assert sum(each.low <= 1 <= each.high for each in hits) >= 52


def test_mcnemars_test_is_the_binomial_of_those_that_differ():
    ones, others = np.array([1, 1, 1, 1, 1, 0, 1, 0, 0.5]), np.array([0, 0, 0, 0, 0, 1, 1, 0, 0.5])
    assert mcnemar(ones, others) == pytest.approx(stats.binomtest(5, 6).pvalue)
    assert mcnemar(others, ones) == mcnemar(ones, others)
    assert mcnemar(ones, ones) == 1.0


@pytest.mark.parametrize("rows", [1, 4])
def test_the_p_value_of_a_gap_is_that_of_a_t_test_of_the_means_of_clusters_of_one_size(rows):
    rng = np.random.default_rng(rows)
    for clusters in (3, 12, 60):
        ones, others = rng.integers(3, size=(2, clusters, rows)) / 2
        of = np.repeat(np.arange(clusters), rows).tolist()
        known = stats.ttest_1samp((ones - others).mean(1), 0).pvalue
        assert gap_p_value(ones.ravel(), others.ravel(), of) == pytest.approx(known)
        assert gap_p_value(others.ravel(), ones.ravel(), of) == pytest.approx(known)


def test_the_p_value_of_a_gap_sees_clusters_and_not_their_copies():
    ones, others = np.random.default_rng(1).integers(2, size=(2, 30)).astype(float)
    alone = gap_p_value(ones, others, range(30))
    copied = gap_p_value(np.repeat(ones, 10), np.repeat(others, 10), np.repeat(np.arange(30), 10).tolist())
    assert copied == pytest.approx(alone)
    assert gap_p_value(np.repeat(ones, 10), np.repeat(others, 10), range(300)) < alone


@pytest.mark.parametrize("clusters", [2, 5, 40])
def test_clusters_that_all_have_the_same_gap_are_as_sure_as_a_sign_test(clusters):
    of = np.repeat(np.arange(clusters), 3).tolist()
    for gap in (1.0, 0.1, 1 / 3):
        p_value = gap_p_value(np.full(len(of), gap), np.zeros(len(of)), of)
        assert p_value == pytest.approx(stats.binomtest(clusters, clusters).pvalue)


def test_without_a_gap_the_p_value_is_one_and_below_5_percent_no_oftener_than_it_says():
    rng, found = np.random.default_rng(0), []
    values = rng.integers(2, size=20).astype(float)
    assert gap_p_value(values, values, range(20)) == 1.0
    assert gap_p_value([1.0, 0.0], [0.0, 0.0], ["a", "a"]) == 1.0  # of one cluster nothing can be told
    assert gap_p_value([1.0, 0.0], [0.0, 1.0], ["a", "b"]) == pytest.approx(1.0)
    for _ in range(400):
        sizes = rng.integers(1, 9, size=25)
        of = np.repeat(np.arange(25), sizes)
        lean = rng.normal(0, 0.2, size=25)[of]  # writers lean to either side
        found.append(gap_p_value(rng.random(len(of)) < 0.5 + lean, rng.random(len(of)) < 0.5, of.tolist()))
    assert 0.02 < np.mean(np.array(found) < 0.05) < 0.08


def test_of_many_p_values_holm_finds_the_one_gap_that_there_is():
    rng, of = np.random.default_rng(0), list(range(80))
    others = rng.integers(2, size=(9, 80)).astype(float)
    ones = rng.integers(2, size=(9, 80)).astype(float)
    ones[4] = np.maximum(others[4], rng.random(80) < 0.4)
    p_values = {str(i): gap_p_value(ones[i], others[i], of) for i in range(9)}
    adjusted = holm(p_values)
    assert [name for name, p_value in adjusted.items() if p_value < 0.05] == ["4"]
    assert adjusted["4"] == pytest.approx(9 * p_values["4"])
    assert all(adjusted[name] >= p_value for name, p_value in p_values.items())


def test_holm_multiplies_the_smallest_by_all_and_keeps_their_order():
    assert holm({"b": 0.04, "a": 0.01, "c": 0.03}) == pytest.approx({"b": 0.06, "a": 0.03, "c": 0.06})


def test_two_one_sided_tests_are_an_interval_of_90_percent_within_the_margin():
    ones = np.random.default_rng(0).integers(2, size=400).astype(float)
    others = ones.copy()
    others[:8] = 1 - others[:8]
    of = list(range(400))
    gap = gap_interval(ones, others, of, level=0.9)
    assert equivalent(gap, 0.05)
    assert not equivalent(gap, 0.01)
    assert gap.low > gap_interval(ones, others, of).low
    with pytest.raises(ValueError, match="of level"):
        equivalent(gap_interval(ones, others, of), 0.05)


def test_the_least_detectable_gap_is_found_as_often_as_its_power_says():
    rng = np.random.default_rng(0)
    least = least_detectable(rng.normal(0, 1, 100_000), np.repeat(np.arange(1000), 100).tolist())
    assert least == pytest.approx(2.8 * 0.1 / 1000**0.5, rel=0.1)
    size = least_detectable(np.tile([-1.0, 1.0], 10), list(range(20)))
    found = [stats.ttest_1samp(rng.normal(size, (20 / 19) ** 0.5, 20), 0).pvalue < 0.05 for _ in range(600)]
    assert 0.75 < np.mean(found) < 0.85


def test_a_share_of_several_seeds_is_not_surer_for_being_seen_twice():
    credits, of = drawn.share(np.random.default_rng(0), 30, 0.3, 0.8)
    once = share_interval(credits, of)
    twice = share_interval(np.tile(credits, 2), of * 2, [0] * len(of) + [1] * len(of))
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high), abs=0.02)
    assert "30 clusters and 2 seeds" in twice.method


def test_ten_thousand_resamples_need_little_memory(monkeypatch):
    assert statistics.RESAMPLES == 10_000
    sizes = []

    def largest(sums):
        sizes.append(len(sums))
        return sums[:, 0]

    bootstrap_interval(largest, np.ones((1500, 1)), list(range(1500)))
    assert sum(sizes) == 10_001
    assert max(sizes) * 1500 <= 1_000_000
