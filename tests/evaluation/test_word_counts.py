"""What counts words knows words, and of their order only the pairs of neighbours."""

import numpy as np
import pytest

from helpers.evaluation.classification import MAJORITY, PAIRS, WORDS, predict_by_counts

OTHERS = ["mill", "river", "wheel", "night", "house", "garden", "street", "baker"]


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
