"""The metrics are scikit-learn's, sacrebleu's and the papers' numbers, by evaluate, with no network and no trace."""

import socket

import numpy as np
import pytest
from sacrebleu.metrics import CHRF
from sklearn.metrics import accuracy_score, brier_score_loss, f1_score

from helpers.evaluation import metrics
from helpers.evaluation.metrics import formulas

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def no_sockets(monkeypatch):
    def refused(*args, **kwargs):
        raise AssertionError("a metric has asked for a connection")

    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(socket, "create_connection", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


def vectors(seed, classes, never=None):
    """Returns random predictions, none of them `never`, and random references."""
    rng = np.random.default_rng(seed)
    predicted, true = rng.integers(classes, size=(2, 83))
    predicted[predicted == never] = (never or 0) + 1
    return predicted, true


@pytest.mark.parametrize(("classes", "never"), [(2, None), (5, None), (5, 3), (8, 0)])
def test_both_metrics_are_scikit_learns(no_sockets, classes, never):
    for seed in range(3):
        predicted, true = vectors(seed, classes, never)
        assert never is None or never not in predicted
        expected = accuracy_score(true, predicted)
        assert metrics.compute("accuracy", predicted, true) == pytest.approx(expected, abs=1e-9)
        expected = f1_score(true, predicted, average="macro", zero_division=0)
        assert metrics.compute("macro_f1", predicted, true) == pytest.approx(expected, abs=1e-9)


def test_a_class_that_is_never_predicted_counts_as_nothing_found():
    assert metrics.compute("macro_f1", [0, 0, 0, 0], [0, 0, 1, 1]) == pytest.approx((2 / 3 + 0) / 2)
    assert metrics.compute("accuracy", [0, 0, 0, 0], [0, 0, 1, 1]) == 0.5
    assert metrics.compute("macro_f1", [0, 1, 2], [0, 1, 2]) == 1


def test_lists_and_arrays_give_the_same_and_a_second_call_forgets_the_first():
    predicted, true = vectors(0, 4)
    first = metrics.compute("macro_f1", predicted, true)
    metrics.compute("macro_f1", true, true)
    assert metrics.compute("macro_f1", predicted.tolist(), true.tolist()) == first


@pytest.mark.parametrize("name", ["accuracy", "macro_f1"])
def test_numpys_random_state_is_left_as_it_was(name):
    np.random.seed(7)
    before = np.random.get_state()
    metrics.load_metric.cache_clear()  # loading is part of it
    metrics.compute(name, *vectors(0, 3))
    after = np.random.get_state()
    assert np.array_equal(before[1], after[1])
    assert before[2:] == after[2:]


@pytest.mark.parametrize("name", ["accuracy", "macro_f1"])
def test_they_are_metrics_as_evaluate_knows_them(name):
    module = metrics.load_metric(name)
    assert metrics.load_metric(name) is module
    assert list(module.compute(predictions=[0, 1], references=[0, 0])) == [name]
    assert module.description
    with pytest.raises(ValueError, match="Known: accuracy, macro_f1, chrf, choice_accuracy"):
        metrics.load_metric("no such metric")


WRITTEN = ["The bell creaks.", "Returns the mean of all values.", "ein Tag, 12 Stunden", ""]
WANTED = ["The bells creak.", "Return the mean value.", "Ein Tag hat 24 Stunden.", "A text."]


def test_chrf_is_sacrebleus(no_sockets):
    expected = CHRF(char_order=6, word_order=0, beta=2).corpus_score(WRITTEN, [WANTED]).score
    assert 0 < expected < 100
    assert metrics.compute("chrf", WRITTEN, WANTED) == pytest.approx(expected, abs=1e-4)
    assert list(metrics.load_metric("chrf").compute(predictions=WRITTEN, references=WANTED)) == ["chrf"]


def test_chrf_of_each_is_what_it_is_alone():
    alone = metrics.chrf_of_each(WRITTEN, WANTED)
    assert alone.tolist() == pytest.approx(
        [metrics.compute("chrf", [one], [other]) for one, other in zip(WRITTEN, WANTED, strict=True)], abs=1e-4
    )
    with pytest.raises(ValueError, match="shorter"):
        metrics.chrf_of_each(WRITTEN, WANTED[:-1])


def test_chrf_by_hand():
    assert metrics.compute("chrf", WANTED, WANTED) == pytest.approx(100)
    assert metrics.compute("chrf", ["abc"], ["xyz"]) == 0
    # Of "ab" against "abc" all characters are right and two thirds of them found, and all pairs and half of them.
    found = (2 / 3 + 1 / 2) / 2
    assert metrics.chrf_of_each(["ab"], ["abc"])[0] == pytest.approx(100 * 5 * found / (4 + found), abs=1e-4)
    assert metrics.chrf_of_each(["a b"], ["ab c"])[0] == metrics.chrf_of_each(["ab"], ["abc"])[0]  # blanks do not count


CHOICES = ("choice_accuracy", "crows_pairs", "mc1")


@pytest.mark.parametrize("name", CHOICES)
def test_oracles_of_choices(no_sockets, name):
    right = [[1, 0]] * 40 + [[1, 0, 0, 0]] * 40
    always = [[-1.0, *[-2.0] * (len(options) - 1)] for options in right]
    never = [[-3.0, *[-2.0] * (len(options) - 1)] for options in right]
    tied = [[-2.0] * len(options) for options in right]
    coin = np.random.default_rng(0).normal(size=(4000, 2)).tolist()
    found = [metrics.compute(name, of, right) for of in (always, never, tied)]
    assert found == pytest.approx([1, 0, (1 / 2 + 1 / 4) / 2])
    assert metrics.compute(name, coin, [[1, 0]] * 4000) == pytest.approx(0.5, abs=0.03)
    assert list(metrics.load_metric(name).compute(predictions=tied, references=right)) == [name]
    assert metrics.load_metric(name).citation


def test_a_difference_that_rounding_makes_is_a_tie():
    assert formulas.choice_credit([0.1 + 0.2, 0.3], [1, 0]) == 0.5
    assert formulas.choice_credit([-1.0, -1.0, -2.0], [0, 1, 0]) == 0.5


def test_mc2_is_the_probability_of_all_right_answers_among_those_offered(no_sockets):
    likelihoods = [np.log([0.2, 0.1, 0.3]), np.log([0.02, 0.02]) - 1000]
    right = [[1, 0, 1], [1, 0]]
    expected = np.mean([0.5 / 0.6, 0.5])
    assert metrics.compute("mc2", [each.tolist() for each in likelihoods], right) == pytest.approx(expected)
    assert metrics.compute("mc2", [[0.0, -1e4]], [[1, 0]]) == 1
    assert metrics.compute("mc2", [[0.0, -1e4]], [[0, 1]]) == 0


def test_brier_is_scikit_learns_and_known_for_oracles(no_sockets):
    rng = np.random.default_rng(0)
    sure, right = rng.random(50), rng.integers(2, size=50)
    both = [np.column_stack([1 - sure, sure]).tolist(), np.column_stack([1 - right, right]).tolist()]
    assert metrics.compute("brier", *both) == pytest.approx(2 * brier_score_loss(right, sure))
    oracles = ([1, 0, 0], [0, 1, 0], [1 / 3] * 3)
    assert [metrics.compute("brier", [of], [[1, 0, 0]]) for of in oracles] == pytest.approx([0, 2, 2 / 3])


def test_calibration_error_of_oracles(no_sockets):
    right = np.array([1.0, 0.0] * 500)
    assert metrics.compute("ece", np.ones(10), np.ones(10)) == 0
    assert metrics.compute("ece", np.ones(10), np.zeros(10)) == 1
    assert metrics.compute("ece", np.full(1000, 0.5), right) == pytest.approx(0)
    assert metrics.compute("ece", np.full(1000, 0.9), right) == pytest.approx(0.4)
    # By hand, two bins: |0.95 - 0.5| of two items, and |0.15 - 0| of one.
    assert metrics.compute("ece", [0.95, 0.95, 0.15], [1, 0, 0]) == pytest.approx((2 * 0.45 + 0.15) / 3)
    sure = np.random.default_rng(0).random(20_000)
    assert metrics.compute("ece", sure, np.random.default_rng(1).random(20_000) < sure) < 0.02


def test_bits_per_byte_weighs_texts_by_their_length(no_sockets):
    assert metrics.compute("bits_per_byte", [8.0, 2.0], [1, 9]) == 1.0
    assert metrics.compute("bits_per_byte", np.full(5, 16.0), np.full(5, 2)) == 8.0


@pytest.mark.parametrize("name", ["mc2", "ece"])
def test_loading_a_metric_of_likelihoods_leaves_numpys_random_state(name):
    np.random.seed(7)
    before = np.random.get_state()[1].tolist()
    metrics.load_metric.cache_clear()
    metrics.load_metric(name)
    assert np.random.get_state()[1].tolist() == before
