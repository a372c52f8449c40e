"""The real model learns from the base model's labels and is asked its tests; both studies can be read as one."""

import json
from dataclasses import replace

import numpy as np
import pytest
from backbones import save_kind

from helpers import models
from helpers.corpora import load
from helpers.corpora.kinds.draws import LabelTask
from helpers.evaluation.classification import GAP, PAIRS, WORDS, measure_methods
from helpers.experiments.study import Findings
from helpers.experiments.transfer import grid, size
from helpers.profiles import load_profile
from helpers.records import ACCURACY, Record, pick
from helpers.training import finetuning
from helpers.training.finetuning import FROZEN
from helpers.training.frozen import upper_part

PROFILE = load_profile("smoke")
OTHERS = ["mill", "river", "wheel", "night", "house", "garden", "street", "baker"]


@pytest.fixture(scope="module")
def task(tmp_path_factory, own_cache):
    """A task whose texts say their label, with a tiny Llama in place of the real model."""
    top, model = tmp_path_factory.mktemp("texts"), tmp_path_factory.mktemp("model")
    save_kind("llama", model, num_hidden_layers=6)
    for split, begin, count in (("train", 0, 40), ("test", 100, 20)):
        texts = [
            (f"{label} {OTHERS[i % 8]} {i}", label) for i in range(begin, begin + count) for label in ("good", "bad")
        ]
        rows = [json.dumps({"text": text, "label": label}) for text, label in texts]
        (top / f"{split}.jsonl").write_text("\n".join(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(size, "SOURCE", str(model))
        patch.setattr(finetuning, "FEWEST_STEPS", 1)
        yield size.load_task(LabelTask("toy", load(str(top), "labels")))


@pytest.fixture(scope="module")
def learned(task):
    return size.learn(task, [16, 4], seed=5, test_size=20)


def test_the_real_model_learns_from_the_base_models_labels_and_is_asked_its_tests(task, learned):
    methods = {WORDS, PAIRS, size.LORA, size.PROBE, size.RANDOM, size.EMBEDDINGS}
    assert {(trial.method, trial.labels) for trial in learned} == {(one, n) for one in methods for n in (4, 16)}
    assert len(learned) == 2 * len(methods)
    ours = grid.run_grid(task, [PAIRS], [4, 16], [5], test_size=20, keep=False)
    for trial in learned:
        assert trial.test.texts == ours[0].test.texts
    counted = {trial.labels: trial.predicted for trial in learned if trial.method == PAIRS}
    assert all(np.array_equal(counted[trial.labels], trial.predicted) for trial in ours)


def test_a_probe_reads_the_states_after_two_thirds_of_the_blocks_and_trains_none(task):
    before = models.weights_fingerprint(task.backbone)
    known, test = task.sample("train", 16, 1), task.sample("test", 20, 1)
    found = list(size.probe(task, {"probe": 2 / 3}, known, test, [5, 16], seed=1))
    assert models.weights_fingerprint(task.backbone) == before
    seen, new = (models.mean_states(task.backbone, task.encode(of))[4] for of in (known, test))  # of 0 to 6
    for trial, count in zip(found, (4, 16), strict=True):  # equally many of each class
        weight, bias = finetuning.fit_linear(seen[:count], known.classes[:count])
        assert np.array_equal(trial.predicted, (new @ weight.T + bias).argmax(1))


def test_the_upper_half_makes_the_same_of_what_the_lower_half_has_made(task):
    rows = task.encode(task.sample("train", 12, 0))
    upper, places = upper_part(task.backbone, rows, 3)
    assert len(upper.layers) == len(task.backbone.layers) - len(upper.layers) == 3
    whole, part = (models.mean_states(of, read)[-1] for of, read in ((task.backbone, rows), (upper, places)))
    assert part == pytest.approx(whole, abs=1e-5)
    alone = models.mean_states(upper, places[5:7])[-1]
    assert alone == pytest.approx(whole[5:7], abs=1e-5)


def test_lora_trains_a_copy_of_the_upper_half(task):
    before = models.weights_fingerprint(task.backbone)
    known, test = task.sample("train", 16, 1), task.sample("test", 20, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finetuning, "FEWEST_STEPS", 60)
        patch.setitem(finetuning.GENTLE, finetuning.LORA, (4, (0.0, 0.01)))
        (trial,) = size.adapt(task, known, test, [16], seed=1)
    assert models.weights_fingerprint(task.backbone) == before
    assert trial.right.mean() > 0.9  # the texts say their label


def test_the_random_model_is_the_real_one_without_what_pretraining_brought(task, monkeypatch):
    probed = []

    def probe(task, depths, *of):
        probed.append((*depths, models.weights_fingerprint(task.backbone)))
        return []

    monkeypatch.setattr(size, "probe", probe)
    size.measure_live(Record("03_transfer", PROFILE), task, [4], 20, seed=3)
    random = models.weights_fingerprint(models.untrained(task.backbone, 3))
    assert probed == [(size.PROBE, models.weights_fingerprint(task.backbone)), (size.RANDOM, random)]


def test_what_surprises_most_is_taken_to_be_shuffled(task, monkeypatch):
    test = task.sample("test", 20, 1)._replace(classes=np.arange(20) % 2)
    costs = [np.array([1.0, 1.0 + of]) for of in test.classes]
    monkeypatch.setattr(size, "load_model", lambda source: (None, None))
    monkeypatch.setattr(size, "row_bits", lambda model, rows: costs)
    assert list(size.surprise(task, test, [4], 0)) == []  # its classes are others
    monkeypatch.setitem(vars(task), "labels", ["as written", "shuffled"])
    few, more = size.surprise(task, test, [4, 16], 0)
    assert (few.labels, more.labels) == (4, 16)
    assert np.array_equal(few.predicted, test.classes)
    assert np.array_equal(few.predicted, more.predicted)


def test_live_both_probes_are_measured_and_compared(task):
    record = Record("03_transfer", PROFILE)
    record.measure("another", 1, "of something else")
    found = size.measure_live(record, task, [4, 16], 20, seed=0)
    assert [*record.measurements.values()][1:] == found
    accuracies = {(each.about["method"], each.about["labels"]) for each in found if each.about["metric"] == ACCURACY}
    assert accuracies == {(method, labels) for method in (size.PROBE, size.RANDOM) for labels in (4, 16)}
    gaps = [each.about for each in found if each.about["metric"] == GAP]
    assert {(gap["method"], gap["rival"]) for gap in gaps} == {(size.PROBE, size.RANDOM)}


def arm(trials, seed):
    record = Record("03", PROFILE, "", {"seed": seed, "task": "toy"})
    measure_methods(record, [replace(trial, seed=seed) for trial in trials], 0.5, size.COMPARED)
    return json.loads(json.dumps(record.as_dict()))


@pytest.fixture(scope="module")
def both(task, learned):
    """The real model's study, and the base model's, which has more numbers of labels and more seeds."""
    ours = grid.run_grid(task, [PAIRS, FROZEN, finetuning.LORA], [4, 16, 64], [5], test_size=20, keep=False)
    real = Findings("?", "smoke", False, {f"toy-{seed}": arm(learned, seed) for seed in (0, 1)})
    return real, Findings("?", "smoke", True, {f"toy-{seed}": arm(ours, seed) for seed in (0, 1, 2)})


def test_both_studies_are_read_as_one_over_what_they_have_in_common(both):
    one = size.joined(*both)
    frame = one.frame().query("metric == 'accuracy'")
    assert set(frame["seed"]) == {0, 1}
    assert set(frame["labels"]) == {4, 16}
    ours, real = {size.FROZEN_BASE, size.LORA_BASE}, {size.LORA, size.PROBE, size.RANDOM, size.EMBEDDINGS}
    assert set(frame["method"]) == {WORDS, PAIRS} | ours | real
    assert not frame.duplicated(["task", "labels", "seed", "method"]).any()
    assert all(mean.n == 2 for mean in one.over_seeds())


def test_the_lead_on_each_rival_is_that_of_the_means(both):
    one = size.joined(*both)
    found = size.leads(one)
    assert len(found) == 2 * len(size.RIVALS)
    for lead in found:
        of = {key: lead.about[key] for key in ("task", "labels")} | {"metric": ACCURACY}
        ahead, rival = (one.mean(**of, method=lead.about[key]).value for key in ("method", "rival"))
        assert lead.value == pytest.approx(ahead - rival)
        assert (lead.null, lead.about["metric"]) == (0, GAP)


def test_the_rung_says_what_pretraining_saves_and_who_is_ahead(both):
    one = size.joined(*both)
    first, labels, *ahead = size.rung(one).split("\n")
    assert "in 0 of 1 tasks" in first  # both seeds are alike
    assert labels.startswith("Labels, toy: the random network needs ")
    told = []
    for method in (size.PROBE, size.LORA):
        counted = [lead for lead in pick(size.leads(one), method=method, labels=16) if lead.about["rival"] in size.BAGS]
        lead = min(counted, key=lambda found: found.value)
        told.append(f"Against the better way to count words, toy, 16 labels: {method} {lead:+.1%}.")
    assert ahead == told


def test_the_reading_has_each_method_of_the_figure_and_the_better_word_counter(both):
    one = size.joined(*both)
    read = size.reading(one)
    assert "With 16 labels" in read
    for method in (size.LORA, size.PROBE, size.RANDOM):
        assert f"{method} {one.mean(metric=ACCURACY, method=method, labels=16):.0%}" in read
    counted = {name: one.mean(metric=ACCURACY, method=name, labels=16).value for name in size.BAGS}
    assert max(counted, key=counted.get) in read


def test_labels_that_pretraining_saves_in_each_seed_count_for_it(both):
    real, ours = both
    arms = json.loads(json.dumps(real.arms))
    for arm in arms.values():
        for found in arm["measurements"].values():
            about = found["about"]
            if about["metric"] == ACCURACY and about["method"] in (size.PROBE, size.RANDOM, size.EMBEDDINGS):
                found["value"] = 0.9 if about["method"] == size.PROBE else 0.5
    assert "in 1 of 1 tasks" in size.rung(size.joined(replace(real, arms=arms), ours))


def test_studies_of_different_profiles_or_one_alone_are_not_put_together(both):
    real, ours = both
    assert size.joined(real, None) is None
    assert size.joined(None, ours) is None
    assert size.joined(real, replace(ours, profile="laptop")) is None


def test_studies_of_other_labels_are_not_put_together(both, capsys):
    real, ours = both
    arms = json.loads(json.dumps(ours.arms))
    counted = next(of for of in arms["toy-1"]["measurements"].values() if of["name"].endswith(PAIRS))
    counted["value"] += 0.05
    assert size.joined(real, replace(ours, arms=arms)) is None
    assert "Run both again" in capsys.readouterr().out
