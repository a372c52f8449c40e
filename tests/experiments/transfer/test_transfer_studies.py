"""The arms of chapter 03's studies are planned as the chapter reads them, and measure what it reads, from tiny text."""

import json
from collections import Counter
from types import SimpleNamespace

import pytest
from backbones import save_kind
from datasets import Dataset

from helpers import files, models, tokenization
from helpers.corpora.pydocs import corpus as docstrings
from helpers.evaluation import metrics
from helpers.evaluation.classification import BASELINES, GAP
from helpers.experiments.registry import STUDIES
from helpers.experiments.study import load_study
from helpers.experiments.transfer import domains, grid, size
from helpers.experiments.transfer.study import ORDERED, SHUFFLED, TASKS, _mixed, label_counts
from helpers.profiles import load_profile
from helpers.records import Record
from helpers.training import base, finetuning
from helpers.training.finetuning import ARMS, SCRATCH

LAPTOP = load_profile("laptop")
SIZES = {"hidden_size": 32, "n_layer": 1, "n_head": 2, "context": 32, "vocab_size": 320, "batch_tokens": 256}
TINY = load_profile("smoke", packages=("torch", "sympy"), heldout_bytes=2000, **SIZES)
WORDS = ["list", "tree", "graph", "field", "matrix", "series"]


def test_label_arms_are_named_by_task_and_seed():
    arms = STUDIES["03_labels"].arms(LAPTOP)
    assert [arm.name for arm in arms[:3]] == ["pydocs-packages-0", "pydocs-order-0", "pydocs-packages-1"]
    assert {arm.name for arm in arms} == {f"{task}-{seed}" for task in TASKS for seed in range(8)}
    assert len(arms) == 16
    for arm in arms:
        assert arm.name == f"{arm.settings['task']}-{arm.seed}"
        assert arm.profile == LAPTOP


def test_the_label_study_has_the_live_numbers_of_labels_and_larger_ones():
    assert LAPTOP.labels == (16, 64, 256)
    assert label_counts(LAPTOP) == [16, 64, 256, 1024, 4096]


@pytest.mark.parametrize(("study", "count"), [("03_domains", 8), ("03_shuffled", 5)])
def test_the_other_studies_have_an_arm_for_each_seed(study, count):
    arms = STUDIES[study].arms(LAPTOP)
    assert [(arm.name, arm.seed) for arm in arms] == [(f"seed-{seed}", seed) for seed in range(count)]
    assert all(arm.profile == LAPTOP for arm in arms)


def test_shuffled_documents_have_the_same_words_in_an_order_that_repeats():
    text = "The old mill stands by the river and\nthe wheel turns at night."
    assert Counter(_mixed(text).split()) == Counter(text.split())
    assert _mixed(text).split() != text.split()
    assert _mixed(text) == _mixed(text)


def documents(split, count):
    """Returns docstrings of two packages, two to a module."""
    return Dataset.from_list(
        [
            {
                "text": f"Return the {WORDS[i % 6]} of {package[::-1]} {split} {i} and of all its values. And more.",
                "package": package,
                "group": f"{package}.{split}{i // 2}",
            }
            for i in range(count)
            for package in ("torch", "sympy")
        ]
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Puts a tiny base model and a few docstrings in place of the real ones; trainings take a few steps."""
    splits = {split: documents(split, count) for split, count in {"train": 20, "validation": 6, "test": 10}.items()}
    corpus = SimpleNamespace(splits=splits, fingerprint="0123")
    texts = splits["train"]["text"]
    tokenizer = tokenization.train_tokenizer(texts, TINY.vocab_size)
    model = models.causal_model(TINY, tokenizer, seed=0).eval()
    asked = []

    def load(*args, **options):
        asked.append((args, options))
        return corpus

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "CACHE", tmp_path_factory.mktemp("cache"))
        patch.setattr(docstrings, "load_docstrings", load)
        patch.setattr(base, "load_base", lambda run: (model, tokenizer, "The base model is tiny."))
        patch.setattr(base, "base_text", lambda profile, seed: SimpleNamespace(corpora={}, training=list(texts)))
        patch.setattr(finetuning, "FEWEST_STEPS", 1)
        recipes = {arm: (1, rates) for arm, (_, rates) in finetuning.RECIPES.items()}
        patch.setattr(finetuning, "RECIPES", recipes)
        metrics.load_metric.cache_clear()
        before = models.weights_fingerprint(model)
        yield asked
        assert models.weights_fingerprint(model) == before
    metrics.load_metric.cache_clear()


def run_arm(study, arm=0):
    arm = STUDIES[study].arms(TINY)[arm]
    record = Record(study, arm.profile, "", arm.parameters)
    STUDIES[study].run_arm(arm, record)
    return record.measurements


@pytest.mark.parametrize(("arm", "task"), enumerate(TASKS))
def test_a_label_arm_measures_every_way_to_learn_with_every_number_of_labels(small, arm, task):
    measured = run_arm("03_labels", arm)
    accuracies = [found.about for found in measured.values() if found.about["metric"] == "accuracy"]
    assert {found["labels"] for found in accuracies} == {max(size, 2) for size in label_counts(TINY) if size <= 32}
    assert {found["method"] for found in accuracies} == {*BASELINES, *ARMS}
    assert {found["task"] for found in accuracies} == {task}
    gaps = [found.about for found in measured.values() if found.about["metric"] == GAP]
    assert {(found["method"], found["rival"]) for found in gaps} == {*grid.COMPARED}
    for found in measured.values():
        size, method = found.about["labels"], found.about["method"]
        ending = {"accuracy": f".{method}", "macro-F1": f", macro-F1.{method}"}
        ending |= {GAP: f".{method} - {found.about.get('rival')}"}
        assert found.name == f"{task}, {size} labels{ending[found.about['metric']]}"
        assert found.seeds == (0,)


@pytest.mark.parametrize(("arm", "task"), enumerate(TASKS))
def test_an_arm_of_the_real_model_measures_all_its_methods_and_controls(small, arm, task, tmp_path, monkeypatch):
    save_kind("llama", tmp_path, num_hidden_layers=2)
    monkeypatch.setattr(size, "SOURCE", str(tmp_path))
    measured = run_arm("03_size", arm)
    accuracies = [found.about for found in measured.values() if found.about["metric"] == "accuracy"]
    methods = {*size.BAGS, size.PROBE, size.LORA, size.RANDOM, size.EMBEDDINGS}
    assert {found["method"] for found in accuracies} == methods | ({size.SURPRISE} if "order" in task else set())
    assert {found["task"] for found in accuracies} == {task}
    gaps = [found.about for found in measured.values() if found.about["metric"] == GAP]
    assert {(found["method"], found["rival"]) for found in gaps} == {*size.COMPARED}


def test_a_domain_arm_measures_both_starts_on_both_domains(small):
    small.clear()
    measured = run_arm("03_domains", 2)
    assert small == [((TINY.packages,), {"left_out": True})]
    for domain in (domains.PACKAGE, domains.TOWN):
        for start in ("from scratch", "from the trained model"):
            first, end = (measured[f"{domain}.{start}, {when}"].value for when in ("at first", "at the end"))
            assert 0 < end < first
        assert 0 <= measured[f"{domain}.share of steps"].value <= 1
        assert measured[f"{domain}.share of steps"].seeds == (2,)
    assert len(measured) == 2 * 6


def test_a_shuffled_arm_compares_both_texts_and_no_text_on_both_tasks(small):
    measured = run_arm("03_shuffled", 1)
    labels = 4 * TINY.labels[-1]
    names = {f"{task}, {labels} labels{what}" for task in TASKS for what in ("", ", macro-F1")}
    assert {*measured} == {f"{name}.{arm}" for name in names for arm in (ORDERED, SHUFFLED, SCRATCH)}
    assert {found.about["method"] for found in measured.values()} == {ORDERED, SHUFFLED, SCRATCH}
    assert all(measurement.seeds == (1,) for measurement in measured.values())


@pytest.mark.parametrize("study", ["03_labels", "03_domains", "03_shuffled"])
def test_the_published_record_says_what_its_measurements_are_about(study):
    found = load_study(study, files.REFERENCE / "none")
    assert found.published
    means = found.over_seeds()
    assert all(mean.about["metric"] for mean in means)
    assert len({json.dumps(mean.about, sort_keys=True) for mean in means}) == len(means)
    assert {mean.n for mean in means} == {5 if study == "03_shuffled" else 8}
