"""The metrics are scikit-learn's numbers, through evaluate, without a network and without a trace in numpy's state."""

import socket

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from helpers import files
from helpers.evaluation import metrics


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "CACHE", tmp_path_factory.mktemp("cache"))
        metrics.load.cache_clear()
        yield
    metrics.load.cache_clear()


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
    metrics.load.cache_clear()  # loading is part of it
    metrics.compute(name, *vectors(0, 3))
    after = np.random.get_state()
    assert np.array_equal(before[1], after[1])
    assert before[2:] == after[2:]


@pytest.mark.parametrize("name", ["accuracy", "macro_f1"])
def test_they_are_metrics_as_evaluate_knows_them(name):
    module = metrics.load(name)
    assert metrics.load(name) is module
    assert list(module.compute(predictions=[0, 1], references=[0, 0])) == [name]
    assert module.description
    with pytest.raises(FileNotFoundError):
        metrics.load("no such metric")
