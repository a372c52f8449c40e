"""The grid is whole, all methods of a seed have the same test, and differences are paired."""

import json
from collections import Counter

import numpy as np
import pytest

from helpers import models, tokenization
from helpers.corpora import load
from helpers.evaluation.classification import BASELINES, MAJORITY, PAIRS, WORDS, measure_methods
from helpers.experiments.transfer import grid
from helpers.experiments.transfer.grid import Task
from helpers.profiles import load_profile
from helpers.records import Record
from helpers.training import finetuning
from helpers.training.finetuning import FROZEN, FULL, SCRATCH

PROFILE = load_profile("smoke", hidden_size=32, n_layer=2, n_head=2, context=32, vocab_size=320)
OTHERS = ["mill", "river", "wheel", "night", "house", "garden", "street", "baker"]


@pytest.fixture(scope="module")
def task_of(tmp_path_factory, own_cache):
    """Makes a task, with a tiny untrained model, of (text, label) in train and in test."""
    tokenizer = tokenization.train_tokenizer(["the mill by the river " + " ".join(OTHERS)] * 9, PROFILE.vocab_size)
    backbone = models.backbone_of(models.causal_model(PROFILE, tokenizer, seed=0).eval())

    def make(train, test):
        folder = tmp_path_factory.mktemp("task")
        for split, pairs in (("train", train), ("test", test)):
            rows = [json.dumps({"text": text, "label": label}) for text, label in pairs]
            (folder / f"{split}.jsonl").write_text("\n".join(rows))
        return Task("toy", load(str(folder), "labels"), backbone, tokenizer)

    return make


def said(count, begin=0, labels=("good", "bad")):
    """Returns texts which say their label, and nothing twice."""
    return [(f"{label} {OTHERS[i % 8]} {i}", label) for i in range(begin, begin + count) for label in labels]


@pytest.fixture(scope="module")
def toy(task_of):
    return task_of(said(40), said(20, begin=100))


@pytest.fixture(scope="module")
def three(task_of):
    """A task of three classes, of which one has few texts."""
    return task_of(
        said(40, labels=("c", "a")) + said(14, labels=("b",)), said(20, 100, ("c", "a")) + said(9, 100, ("b",))
    )


@pytest.fixture(scope="module")
def trials(toy):
    """A grid of all baselines and three arms, with two numbers of labels and two seeds, in a few steps each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finetuning, "FEWEST_STEPS", 2)
        patch.setattr(finetuning, "RECIPES", dict.fromkeys((FULL, SCRATCH), (2, (0.02, 0.01))))
        return grid.run_grid(toy, [*BASELINES, FROZEN, FULL, SCRATCH], [16, 4], [5, 6], test_size=20)


def test_the_grid_is_whole_and_all_of_a_seed_have_the_same_test(trials, toy):
    cells = [(trial.method, trial.labels, trial.seed) for trial in trials]
    assert len(cells) == len(set(cells)) == 6 * 2 * 2
    for trial in trials:
        assert trial.test.texts == toy.sample("test", 20, trial.seed).texts
        assert trial.predicted.shape == trial.right.shape == (20,)
        assert np.array_equal(trial.right == 1, trial.predicted == trial.test.classes)
        assert (trial.cost is None) == (trial.method in BASELINES)


def test_classifiers_are_kept_of_the_first_seed_and_the_most_labels_alone(trials, toy):
    kept = {(trial.method, trial.labels, trial.seed) for trial in trials if trial.classifier is not None}
    assert kept == {(arm, 16, 5) for arm in (FROZEN, FULL, SCRATCH)}
    for trial in trials:
        if trial.classifier is not None:
            assert trial.classifier.labels == ("bad", "good")
            again = finetuning.predict(trial.classifier, toy.encode(trial.test))
            assert np.array_equal(again.argmax(1), trial.predicted)


def test_the_frozen_arm_is_given_the_states_of_the_texts_that_it_learns_from(toy, monkeypatch):
    def finetune(backbone, rows, classes, labels, arm, seed, inner):
        assert (inner is None) == (arm != FROZEN)
        if arm == FROZEN:
            assert inner == pytest.approx(models.mean_states(backbone, rows)[-1], abs=1e-5)
        learned_from.append((arm, len(rows), len(classes)))
        return known

    learned_from = []
    some = toy.sample("train", 4, seed=0)
    known = finetuning.finetune_classifier(toy.backbone, toy.encode(some), some.classes, toy.labels, FROZEN, 0)
    monkeypatch.setattr(finetuning, "finetune_classifier", finetune)
    grid.run_grid(toy, [FROZEN, FULL], [4, 16], [0], test_size=4)
    assert learned_from == [(FROZEN, 4, 4), (FULL, 4, 4), (FROZEN, 16, 16), (FULL, 16, 16)]


def test_the_backbone_is_the_same_after_the_grid(trials, toy):
    tokenizer = toy.tokenizer
    fresh = models.backbone_of(models.causal_model(PROFILE, tokenizer, seed=0))
    assert models.weights_fingerprint(toy.backbone) == models.weights_fingerprint(fresh)


def test_the_commonest_label_is_right_by_chance_and_words_that_say_the_label_are_learned(trials):
    for trial in trials:
        if trial.method == MAJORITY:
            assert trial.right.mean() == 0.5
        if trial.method in (WORDS, PAIRS) and trial.labels == 16:
            assert trial.right.mean() == 1


def test_each_arm_is_measured_with_what_stands_behind_it(trials, toy):
    record = Record("03_transfer", PROFILE)
    measure_methods(record, trials, toy.chance, grid.COMPARED)
    arms = (*BASELINES, FROZEN, FULL, SCRATCH)
    names = {f"toy, {size} labels{what}.{arm}" for size in (4, 16) for what in ("", ", macro-F1") for arm in arms}
    compared = (f"{FULL} - {SCRATCH}", f"{FULL} - {PAIRS}", f"{FULL} - {WORDS}", f"{FROZEN} - {SCRATCH}")
    names |= {f"toy, {size} labels.{pair}" for size in (4, 16) for pair in compared}
    assert {*record.measurements} == names
    tested = {group for trial in trials for group in trial.test.groups}
    for name, found in record.measurements.items():
        assert found.interval.low <= found.value <= found.interval.high
        assert found.null == (0 if " - " in name else 0.5)
        assert found.unit == ("macro-F1" if "macro-F1" in name else "accuracy")
        assert found.seeds == (5, 6)
        assert found.n == len(tested)
    about = {"task": "toy", "labels": 4, "method": MAJORITY}
    assert record.find(metric="accuracy", **about).value == 0.5
    assert record.find(metric="macro-F1", **about).value == pytest.approx(1 / 3)


def test_each_layer_is_probed_and_the_last_one_is_the_frozen_arm(trials, toy):
    known, test = toy.sample("train", 16, 6), toy.sample("test", 20, 6)
    right = grid.probe_layers(toy.backbone, toy, known, test)
    assert right.shape == (PROFILE.n_layer + 1, 20)
    assert set(right.ravel()) <= {0, 1}
    (trial,) = [trial for trial in trials if (trial.method, trial.labels, trial.seed) == (FROZEN, 16, 6)]
    assert np.array_equal(right[-1], trial.right)


def test_layers_of_both_models_are_measured_and_the_best_ones_compared(toy):
    record = Record("03_transfer", PROFILE)
    untrained = models.untrained(toy.backbone, 1)
    grid.measure_layers(record, toy, untrained, 16, 20, seed=6)
    known, test = toy.sample("train", 16, 6), toy.sample("test", 20, 6)
    best = []
    for start, backbone in ((grid.TRAINED, toy.backbone), (grid.RANDOM, untrained)):
        right = grid.probe_layers(backbone, toy, known, test).mean(1)
        for layer, share in enumerate(right):
            found = record.find(metric=grid.PROBE, task="toy", layer=layer, start=start)
            assert (found.name, found.value) == (f"probe: toy, layer {layer}.{start}", share)
            assert (found.seeds, found.null) == ((6,), 0.5)
        best.append(right.max())
    gap = record.find(metric=grid.PROBE_GAP, task="toy")
    assert gap.value == pytest.approx(best[0] - best[1])
    assert gap.null == 0


def test_every_arm_of_a_grid_learns_from_equally_many_texts_of_each_class(three, monkeypatch):
    seen = []
    monkeypatch.setattr(
        grid, "predict_by_counts", lambda arm, texts, classes, test: seen.append(classes) or np.zeros(len(test))
    )
    grid.run_grid(three, [MAJORITY], [16, 42], [0], test_size=9)
    assert [len(set(Counter(classes.tolist()).values())) for classes in seen] == [1, 1]
