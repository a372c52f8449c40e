"""How many labels or steps until one is where the other is? Read off curves made by hand."""

import numpy as np
import pandas as pd
import pytest

from helpers.evaluation.learning_curves import Saved, labels_needed, labels_saved, measure_saved, share_of_steps
from helpers.profiles import load_profile
from helpers.records import Record
from helpers.statistics import Interval

CURVE = {16: 0.5, 64: 0.7, 256: 0.9}


@pytest.mark.parametrize(
    ("target", "labels"),
    [(0.4, 16), (0.5, 16), (0.6, 32), (0.65, 16 * 4**0.75), (0.7, 64), (0.8, 128), (0.9, 256), (0.91, None)],
)
def test_labels_needed_are_read_off_the_curve_over_the_logarithm(target, labels):
    assert labels_needed(CURVE, target) == pytest.approx(labels)
    assert labels_needed(dict(reversed(CURVE.items())), target) == pytest.approx(labels)


def test_more_labels_do_no_harm_to_a_curve_that_falls_by_chance():
    noisy = {16: 0.5, 64: 0.7, 256: 0.6, 1024: 0.8}
    assert labels_needed(noisy, 0.7) == 64
    assert labels_needed(noisy, 0.75) == pytest.approx(512)
    falling = {16: 0.7, 64: 0.6, 256: 0.5}
    assert labels_needed(falling, 0.7) == 16
    assert labels_needed(falling, 0.71) is None
    flat = {16: 0.5, 64: 0.5}
    assert labels_needed(flat, 0.5) == 16
    assert labels_needed({16: 0.5}, 0.6) is None


def table(ones, others):
    """Returns accuracies of two methods as a table; each is a list of curves, one a seed."""
    return pd.DataFrame(
        {"method": method, "seed": seed, "labels": labels, "value": value}
        for method, curves in (("one", ones), ("other", others))
        for seed, curve in enumerate(curves)
        for labels, value in curve.items()
    )


@pytest.mark.parametrize(
    ("one", "other", "size", "ratio", "never"),
    [
        ({16: 0.6, 64: 0.8, 256: 0.95}, CURVE, 16, 2, 0),
        ({16: 0.6, 64: 0.8, 256: 0.95}, CURVE, 64, 2, 0),
        ({16: 0.6, 64: 0.8, 256: 0.95}, CURVE, 256, 1, 2),  # it had 256 and was not there
        ({64: 0.95}, CURVE, 64, 4, 2),
        (CURVE, {16: 0.6, 64: 0.8, 256: 0.95}, 64, 0.5, 0),
        (CURVE, CURVE, 64, 1, 0),
    ],
)
def test_labels_saved_are_those_that_the_other_needs_for_the_same_score(one, other, size, ratio, never):
    found = labels_saved(table([one, one], [other, other]), "one", "other", size)
    assert found.ratio == found.interval.low == found.interval.high == pytest.approx(ratio)
    assert found.never == never


def test_over_seeds_the_ratios_mean_is_geometric_and_says_if_one_is_too_small():
    others = [{16: 0.5, 64: 0.7, 256: 0.9}, {16: 0.6, 64: 0.8, 256: 0.9}]
    ones = [{16: 0.7, 64: 0.9}, {16: 0.6, 64: 0.9}]  # 64 and 16 labels for the first score, 256 for the second
    ratio, around, never = labels_saved(table(ones, others), "one", "other", 16)
    assert ratio == pytest.approx(2)  # of 4 and 1
    assert never == 0
    half = 12.706 * 1  # one degree of freedom; two logarithms, 2 and 0, have the standard error 1
    assert np.log2([around.low, around.high]) == pytest.approx([1 - half, 1 + half], abs=1e-3)
    assert labels_saved(table(ones, others), "one", "other", 64)[0] == 4
    assert labels_saved(table([{16: 0.7}, {16: 0.95}], others), "one", "other", 16).never == 1
    with pytest.raises(ValueError, match="at least two"):
        labels_saved(table(ones[:1], others[:1]), "one", "other", 16)


def test_what_is_saved_in_each_task_is_measured_where_it_is_asked():
    ones, others = [{16: 0.8, 64: 0.8}] * 2, [{16: 0.6, 64: 0.8}] * 2
    tasks = pd.concat([table(ones, others).assign(task="easy"), table(others, ones).assign(task="hard")])
    record = Record("03_transfer", load_profile("smoke"))
    found = measure_saved(record, tasks, "one", "other", {"easy": 16, "hard": 64})
    assert {task: saved.ratio for task, saved in found.items()} == {"easy": 4, "hard": 0.25}
    measured = record.find(metric="labels saved", task="hard", labels=64)
    assert (measured.name, measured.value, measured.seeds, measured.null) == (
        "hard: labels saved at 64",
        0.25,
        (0, 1),
        1,
    )


@pytest.mark.parametrize(
    ("saved", "said"),
    [
        (Saved(2.04, Interval(1.2, 3.96, ""), 0), "2.0 times [1.2, 4.0]"),
        (Saved(6.9, Interval(4.5, 10.5, ""), 1), "at least 6.9 times [4.5, 10.5]"),
        (Saved(4.0, Interval(4.0, 4.0, ""), 8), "more than 4 times"),
        (Saved(1.0, Interval(1.0, 1.0, ""), 0), "1.0 times [1.0, 1.0]"),
    ],
)
def test_a_ratio_says_where_it_is_too_small(saved, said):
    assert f"{saved}" == said


FRESH = {0: 8.0, 4: 6.0, 8: 4.0}


@pytest.mark.parametrize(
    ("trained", "share"),
    [
        ({0: 3.0, 4: 2.0, 8: 1.0}, 0),  # there before its first step
        ({0: 4.0, 4: 3.5, 8: 3.0}, 0),  # just there
        ({0: 7.0, 4: 6.0, 8: 5.0}, 1),  # never there
        (FRESH, 1),  # there at the end
        ({0: 6.0, 4: 4.0, 8: 3.0}, 0.5),
        ({0: 6.0, 4: 5.0, 8: 3.0}, 6 / 8),  # half-way between 4 and 8
        ({0: 5.0, 4: 1.0, 8: 1.0}, 1 / 8),  # a quarter of the way to 4
        ({0: 5.0, 4: 7.0, 8: 3.0}, 6 / 8),  # the best so far counts: from 5 to 3
        ({0: 5.0, 2: 3.0, 4: 9.0, 8: 9.0}, 1 / 8),  # once there, it was there
    ],
)
def test_the_share_of_steps_is_where_the_trained_curve_crosses_the_fresh_ones_end(trained, share):
    assert share_of_steps(FRESH, trained) == pytest.approx(share)
    assert share_of_steps(FRESH, dict(reversed(trained.items()))) == pytest.approx(share)


def test_the_goal_is_the_fresh_ones_last_value_even_if_it_was_better_before():
    assert share_of_steps({0: 8.0, 4: 2.0, 8: 4.0}, {0: 6.0, 4: 4.0, 8: 3.0}) == 0.5
