"""The metrics are scikit-learn's and sacrebleu's numbers, through evaluate, with no network and no trace."""

import socket

import numpy as np
import pytest
from sacrebleu.metrics import CHRF
from sklearn.metrics import accuracy_score, f1_score

from helpers.evaluation import metrics

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
    with pytest.raises(ValueError, match="Known: accuracy, macro_f1, chrf"):
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
