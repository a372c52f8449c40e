"""Accuracies and macro-F1 are over all seeds; differences are paired by text. What counts words knows no more."""

import numpy as np
import pytest

from helpers.corpora.kinds.draws import Sample
from helpers.evaluation.classification import (
    GAP,
    MAJORITY,
    PAIRS,
    WORDS,
    Predicted,
    measure_methods,
    predict_by_counts,
)
from helpers.profiles import load_profile
from helpers.records import Record
from helpers.statistics import gap_interval, macro_f1_interval

pytestmark = pytest.mark.usefixtures("own_cache")
PROFILE = load_profile("smoke")
FULL, SCRATCH = "full", "scratch"
OTHERS = ["mill", "river", "wheel", "night", "house", "garden", "street", "baker"]


def by_hand(arm, seed, predicted, classes, groups):
    test = Sample([""] * len(classes), np.array(classes), groups)
    return Predicted("toy", arm, 8, seed, test, np.array(predicted))


def test_differences_are_paired_text_by_text_over_all_seeds():
    classes, groups = {0: [0, 1, 0, 1], 1: [1, 1, 0, 0]}, {0: ["a", "a", "b", "c"], 1: ["a", "d", "d", "e"]}
    full = {0: [0, 1, 0, 0], 1: [1, 1, 1, 0]}  # right: 1110, 1101
    scratch = {0: [0, 0, 1, 1], 1: [0, 1, 0, 1]}  # right: 1001, 0110
    trials = [
        by_hand(arm, seed, predicted[seed], classes[seed], groups[seed])
        for seed in (0, 1)
        for arm, predicted in ((FULL, full), (SCRATCH, scratch))
    ]
    record = Record("03_transfer", PROFILE)
    measure_methods(record, trials, 0.5, [(FULL, SCRATCH), (FULL, "untried")])
    gap = record.find(metric=GAP, task="toy", labels=8, method=FULL, rival=SCRATCH)
    assert gap.name == f"toy, 8 labels.{FULL} - {SCRATCH}"
    assert gap.value == pytest.approx((0 + 1 + 1 - 1 + 1 + 0 - 1 + 1) / 8)
    right = [1, 1, 1, 0, 1, 1, 0, 1], [1, 0, 0, 1, 0, 1, 1, 0]
    expected = gap_interval(*right, [*groups[0], *groups[1]], [0] * 4 + [1] * 4)
    assert gap.interval == expected
    assert (gap.n, gap.seeds, gap.null) == (5, (0, 1), 0)
    assert record.measurements[f"toy, 8 labels.{FULL}"].value == 6 / 8
    assert record.measurements[f"toy, 8 labels.{SCRATCH}"].value == 4 / 8
    macro = record.measurements[f"toy, 8 labels, macro-F1.{FULL}"]
    assert macro.value == pytest.approx(0.75)  # of both classes 3 of 4 are right
    true = classes[0] + classes[1]
    assert macro.interval == macro_f1_interval(full[0] + full[1], true, groups[0] + groups[1], [0] * 4 + [1] * 4)
    assert {name for name in record.measurements if " - " in name} == {f"toy, 8 labels.{FULL} - {SCRATCH}"}


def test_the_commonest_label_is_that_of_what_was_learned_from():
    assert predict_by_counts(MAJORITY, ["a", "b", "c"], np.array([0, 1, 1]), ["a", "a"]).tolist() == [1, 1]


@pytest.mark.parametrize("baseline", [WORDS, PAIRS])
def test_words_that_say_the_label_are_learned(baseline):
    texts = [f"{label} {word}" for word in OTHERS for label in ("bad", "good")]
    classes = np.array([0, 1] * len(OTHERS))
    assert predict_by_counts(baseline, texts[:8], classes[:8], texts[8:]).tolist() == classes[8:].tolist()


def test_where_only_order_matters_words_know_nothing_and_pairs_of_neighbours_do():
    pairs = [(one, other) for one in OTHERS for other in OTHERS if one < other]
    tails = ["at night", "by the mill", "in the rain", "for a week"]
    texts = [" ".join([*words[::step], tail]) for tail in tails for words in pairs for step in (1, -1)]
    classes = np.array([0, 1] * (len(texts) // 2))
    in_test = len(pairs) * 2 * 3  # the last tail is for test, every pair in both orders

    def accuracy(baseline):
        found = predict_by_counts(baseline, texts[:in_test], classes[:in_test], texts[in_test:])
        return (found == classes[in_test:]).mean()

    assert accuracy(MAJORITY) == 0.5
    assert accuracy(WORDS) == 0.5  # of two orders of the same words it has one opinion
    assert accuracy(PAIRS) > 0.8
