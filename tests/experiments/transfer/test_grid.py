"""Draws must be fair and nested, the grid whole, differences paired, and labels counted as one would by hand."""

import json
from collections import Counter

import numpy as np
import pytest

from helpers import files, models, tokenization
from helpers.corpora import load
from helpers.evaluation import metrics
from helpers.experiments.transfer import grid
from helpers.experiments.transfer.grid import BASELINES, MAJORITY, PAIRS, WORDS, Sample, Task, Trial, labels_needed
from helpers.profiles import load_profile
from helpers.records import Record
from helpers.statistics import Interval, macro_f1_interval, ratio_interval
from helpers.training import finetuning
from helpers.training.finetuning import FROZEN, FULL, SCRATCH

PROFILE = load_profile("smoke", hidden_size=32, n_layer=2, n_head=2, context=32, vocab_size=320)
OTHERS = ["mill", "river", "wheel", "night", "house", "garden", "street", "baker"]


@pytest.fixture(scope="module")
def own_cache(tmp_path_factory):
    """Corpora and metrics are not kept beside the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "CACHE", tmp_path_factory.mktemp("cache"))
        metrics.load.cache_clear()
        yield
    metrics.load.cache_clear()


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


def test_a_draw_has_equally_many_texts_of_each_class_each_with_what_belongs_to_it(three):
    drawn = three.sample("train", 30, seed=0)
    assert three.labels == ["a", "b", "c"]
    assert Counter(drawn.classes.tolist()) == {0: 10, 1: 10, 2: 10}
    assert [text[0] for text in drawn.texts] == [three.labels[i] for i in drawn.classes]
    assert len(set(drawn.texts)) == 30
    assert drawn.rows == finetuning.encode_texts(three.tokenizer, drawn.texts, three.backbone)
    part = three.corpus.splits["train"]
    group_of = dict(zip(part["text"], part["group"], strict=True))
    assert drawn.groups == [group_of[text] for text in drawn.texts]
    assert not set(drawn.texts) & set(three.sample("test", 30, seed=0).texts)


def test_a_smaller_draw_is_the_beginning_of_a_larger_one(three):
    large = three.sample("train", 30, seed=0)
    for count in (3, 9, 30):
        small, first = three.sample("train", count, seed=0), large.first(count)
        assert small.texts == first.texts == large.texts[:count]
        assert small.rows == first.rows
        assert small.groups == first.groups
        assert np.array_equal(small.classes, first.classes)


def test_another_seed_draws_other_texts_and_the_same_seed_the_same(toy):
    first = toy.sample("train", 20, seed=0)
    assert first.texts == toy.sample("train", 20, seed=0).texts
    assert set(first.texts) != set(toy.sample("train", 20, seed=1).texts)


def test_a_draw_is_as_large_as_the_smallest_class_allows_and_no_smaller_than_one_of_each(three):
    assert Counter(three.sample("train", 1000, seed=0).classes.tolist()) == {0: 14, 1: 14, 2: 14}
    assert Counter(three.sample("test", 1000, seed=0).classes.tolist()) == {0: 9, 1: 9, 2: 9}
    assert Counter(three.sample("train", 1, seed=0).classes.tolist()) == {0: 1, 1: 1, 2: 1}


def test_numbers_of_labels_are_those_for_which_there_are_texts(toy, three):
    assert toy.sizes([16, 64, 256]) == [16, 64]
    assert toy.sizes([80, 81]) == [80]
    assert toy.sizes([1, 2, 8]) == [2, 8]  # one of each class at least, and no number twice
    assert three.sizes([256, 1024]) == [42]
    assert three.sizes([64, 12]) == [12]


@pytest.fixture(scope="module")
def trials(toy):
    """A grid of all baselines and three arms, with two numbers of labels and two seeds, in a few steps each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finetuning, "FEWEST_STEPS", 2)
        patch.setattr(
            finetuning, "RECIPES", {arm: finetuning.ClassifierRecipe(2, (0.02, 0.01)) for arm in (FULL, SCRATCH)}
        )
        return grid.run_grid(toy, [*BASELINES, FROZEN, FULL, SCRATCH], [16, 4], [5, 6], test_size=20)


def test_the_grid_is_whole_and_all_of_a_seed_sit_the_same_test(trials, toy):
    cells = [(trial.arm, trial.size, trial.seed) for trial in trials]
    assert len(cells) == len(set(cells)) == 6 * 2 * 2
    for trial in trials:
        assert trial.test.texts == toy.sample("test", 20, trial.seed).texts
        assert trial.predicted.shape == trial.right.shape == (20,)
        assert np.array_equal(trial.right == 1, trial.predicted == trial.test.classes)
        assert (trial.cost is None) == (trial.arm in BASELINES)


def test_classifiers_are_kept_of_the_first_seed_and_the_most_labels_alone(trials, toy):
    kept = {(trial.arm, trial.size, trial.seed) for trial in trials if trial.classifier is not None}
    assert kept == {(arm, 16, 5) for arm in (FROZEN, FULL, SCRATCH)}
    for trial in trials:
        if trial.classifier is not None:
            assert trial.classifier.labels == ("bad", "good")
            again = finetuning.predict(trial.classifier, trial.test.rows)
            assert np.array_equal(again.argmax(1), trial.predicted)


def test_the_frozen_arm_is_given_the_states_of_the_texts_that_it_learns_from(toy, monkeypatch):
    def finetune(backbone, rows, classes, labels, arm, seed, inner):
        assert (inner is None) == (arm != FROZEN)
        if arm == FROZEN:
            assert inner == pytest.approx(models.mean_states(backbone, rows)[:, -1], abs=1e-5)
        learned_from.append((arm, len(rows), len(classes)))
        return known

    learned_from = []
    some = toy.sample("train", 4, seed=0)
    known = finetuning.finetune_classifier(toy.backbone, some.rows, some.classes, toy.labels, FROZEN, 0)
    monkeypatch.setattr(grid, "finetune_classifier", finetune)
    grid.run_grid(toy, [FROZEN, FULL], [4, 16], [0], test_size=4)
    assert learned_from == [(FROZEN, 4, 4), (FULL, 4, 4), (FROZEN, 16, 16), (FULL, 16, 16)]


def test_the_backbone_is_the_same_after_the_grid(trials, toy):
    tokenizer = toy.tokenizer
    fresh = models.backbone_of(models.causal_model(PROFILE, tokenizer, seed=0))
    assert models.weights_fingerprint(toy.backbone) == models.weights_fingerprint(fresh)


def test_the_commonest_label_is_right_by_chance_and_words_that_say_the_label_are_learned(trials):
    for trial in trials:
        if trial.arm == MAJORITY:
            assert trial.right.mean() == 0.5
        if trial.arm in (WORDS, PAIRS) and trial.size == 16:
            assert trial.right.mean() == 1


def test_each_arm_is_measured_with_what_stands_behind_it(trials, toy):
    record = Record("03_transfer", PROFILE)
    grid.measure_grid(record, toy, trials)
    arms = (*BASELINES, FROZEN, FULL, SCRATCH)
    names = {f"toy, {size} labels{what}.{arm}" for size in (4, 16) for what in ("", ", macro-F1") for arm in arms}
    compared = (f"{FULL} - {SCRATCH}", f"{FULL} - {PAIRS}", f"{FULL} - {WORDS}", f"{FROZEN} - {SCRATCH}")
    names |= {f"toy, {size} labels.{pair}" for size in (4, 16) for pair in compared}
    assert {*record.measurements} == names
    tested = {group for trial in trials for group in trial.test.groups}
    for name, found in record.measurements.items():
        assert found.interval.low <= found.value <= found.interval.high
        assert found.null == (0 if " - " in name else 0.5)
        assert found.unit == ("macro-F1" if "macro-F1" in name else "share right")
        assert found.seeds == (5, 6)
        assert found.n == len(tested)
    assert record.measurements[f"toy, 4 labels.{MAJORITY}"].value == 0.5
    assert record.measurements[f"toy, 4 labels, macro-F1.{MAJORITY}"].value == pytest.approx(1 / 3)


def by_hand(arm, seed, predicted, classes, groups):
    test = Sample([""] * len(classes), [[0]] * len(classes), np.array(classes), groups)
    return Trial(arm, 8, seed, np.array(predicted), test)


def test_differences_are_paired_text_by_text_over_all_seeds(toy):
    classes, groups = {0: [0, 1, 0, 1], 1: [1, 1, 0, 0]}, {0: ["a", "a", "b", "c"], 1: ["a", "d", "d", "e"]}
    full = {0: [0, 1, 0, 0], 1: [1, 1, 1, 0]}  # right: 1110, 1101
    scratch = {0: [0, 0, 1, 1], 1: [0, 1, 0, 1]}  # right: 1001, 0110
    trials = [
        by_hand(arm, seed, predicted[seed], classes[seed], groups[seed])
        for seed in (0, 1)
        for arm, predicted in ((FULL, full), (SCRATCH, scratch))
    ]
    record = Record("03_transfer", PROFILE)
    grid.measure_grid(record, toy, trials)
    gap = record.measurements[f"toy, 8 labels.{FULL} - {SCRATCH}"]
    assert gap.value == pytest.approx((0 + 1 + 1 - 1 + 1 + 0 - 1 + 1) / 8)
    expected = ratio_interval([0, 1, 1, -1, 1, 0, -1, 1], np.ones(8), [*groups[0], *groups[1]])
    assert gap.interval == expected
    assert (gap.n, gap.seeds, gap.null) == (5, (0, 1), 0)
    assert record.measurements[f"toy, 8 labels.{FULL}"].value == 6 / 8
    assert record.measurements[f"toy, 8 labels.{SCRATCH}"].value == 4 / 8
    macro = record.measurements[f"toy, 8 labels, macro-F1.{FULL}"]
    assert macro.value == pytest.approx(0.75)  # of both classes 3 of 4 are right
    true = classes[0] + classes[1]
    assert macro.interval == macro_f1_interval(full[0] + full[1], true, groups[0] + groups[1])
    assert {name for name in record.measurements if " - " in name} == {f"toy, 8 labels.{FULL} - {SCRATCH}"}


def accuracy(task, arm):
    (trial,) = grid.run_grid(task, [arm], [160], [0], test_size=56)
    return trial.right.mean()


def test_where_only_order_matters_words_know_nothing_and_pairs_of_neighbours_do(task_of):
    pairs = [(one, other) for one in OTHERS for other in OTHERS if one < other]
    tails = ["at night", "by the mill", "in the rain", "for a week"]
    texts = [
        (f"{' '.join(words if label == 'up' else words[::-1])} {tail}", label)
        for tail in tails
        for words in pairs
        for label in ("up", "down")
    ]
    in_test = len(pairs) * 2 * 3  # the last tail is for test, every pair in both orders
    task = task_of(texts[:in_test], texts[in_test:])
    assert accuracy(task, MAJORITY) == 0.5
    assert accuracy(task, WORDS) == 0.5  # of two orders of the same words it has one opinion
    assert accuracy(task, PAIRS) > 0.8


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


def test_labels_saved_are_those_that_the_other_needs_for_the_same_score():
    better = {16: 0.6, 64: 0.8, 256: 0.95}
    assert grid.labels_saved(better, CURVE, 16) == (pytest.approx(2), False)
    assert grid.labels_saved(better, CURVE, 64) == (pytest.approx(2), False)
    assert grid.labels_saved(better, CURVE, 256) == (1, True)  # it had 256 and was not there
    assert grid.labels_saved({64: 0.95}, CURVE, 64) == (4, True)
    assert grid.labels_saved(CURVE, better, 64) == (pytest.approx(64**0.5 * 16**0.5 / 64), False)
    assert grid.labels_saved(CURVE, CURVE, 64) == (1, False)


def test_over_seeds_the_ratios_mean_is_geometric_and_says_if_one_is_too_small():
    others = [{16: 0.5, 64: 0.7, 256: 0.9}, {16: 0.6, 64: 0.8, 256: 0.9}]
    ones = [{16: 0.7, 64: 0.9}, {16: 0.6, 64: 0.9}]  # 64 and 16 labels for the first score, 256 for the second
    ratio, around, at_least = grid.labels_saved_over(ones, others, 16)
    assert ratio == pytest.approx(2)  # of 4 and 1
    assert not at_least
    half = 12.706 * 1  # one degree of freedom; two logarithms, 2 and 0, have the standard error 1
    assert np.log2([around.low, around.high]) == pytest.approx([1 - half, 1 + half], abs=1e-3)
    ratio, around, at_least = grid.labels_saved_over(ones, others, 64)
    assert (ratio, around.low, around.high, at_least) == (4, 4, 4, False)
    assert grid.labels_saved_over([{16: 0.7}, {16: 0.95}], others, 16)[2]
    with pytest.raises(ValueError, match="at least two"):
        grid.labels_saved_over(ones[:1], others[:1], 16)


def test_scores_are_the_shares_right_of_each_seed_by_number_of_labels(trials):
    found = grid.scores(trials, FULL)
    assert [list(of) for of in found] == [[4, 16], [4, 16]]
    for seed, of in zip((5, 6), found, strict=True):
        for size, share in of.items():
            (trial,) = [trial for trial in trials if (trial.arm, trial.size, trial.seed) == (FULL, size, seed)]
            assert share == np.mean(trial.predicted == trial.test.classes)
    assert grid.scores(trials, "nobody") == []


def test_each_layer_is_probed_and_the_last_one_is_the_frozen_arm(trials, toy):
    right, test = grid.probe_layers(toy, toy.backbone, 16, 20, seed=6)
    assert right.shape == (PROFILE.n_layer + 1, 20)
    assert set(right.ravel()) <= {0, 1}
    assert test.texts == toy.sample("test", 20, 6).texts
    (trial,) = [trial for trial in trials if (trial.arm, trial.size, trial.seed) == (FROZEN, 16, 6)]
    assert np.array_equal(right[-1], trial.right)


MORE, FEWER, UNCLEAR = Interval(1.5, 4, ""), Interval(0.4, 0.9, ""), Interval(0.7, 1.6, "")


@pytest.mark.parametrize(
    ("labels", "steps", "verdict"),
    [
        ([MORE, MORE], [FEWER, FEWER], "supported"),
        ([MORE, UNCLEAR], [FEWER, FEWER], "not distinguishable"),
        ([MORE, MORE], [FEWER, UNCLEAR], "not distinguishable"),
        ([FEWER, FEWER], [MORE, MORE], "refuted"),
        ([Interval(0.9, 1.2, "")] * 2, [Interval(0.85, 1, "")] * 2, "refuted"),
        ([MORE, FEWER], [FEWER, FEWER], "not distinguishable"),
        ([MORE, MORE], [], "not distinguishable"),
        ([], [FEWER, FEWER], "not distinguishable"),
        ([], [], "not distinguishable"),
    ],
)
def test_the_claim_is_decided_by_all_tasks_and_all_domains(labels, steps, verdict):
    assert grid.decide(labels, steps) == verdict


def test_every_arm_of_a_grid_learns_from_equally_many_texts_of_each_class(three, monkeypatch):
    seen = []
    monkeypatch.setattr(grid, "_count", lambda arm, some, texts: seen.append(some.classes) or np.zeros(len(texts)))
    grid.run_grid(three, [MAJORITY], [16, 42], [0], test_size=9)
    assert [len(set(Counter(classes.tolist()).values())) for classes in seen] == [1, 1]
