"""The arms of chapter 04's studies are planned as the chapter reads them, and measure what it reads, on tiny models."""

import re
from collections import Counter
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace

import pytest
from backbones import save_kind
from datasets import Dataset

from helpers import corpora, files, models, tokenization
from helpers.corpora.town import make_contract, make_world
from helpers.evaluation import metrics
from helpers.experiments.assistant import real, study
from helpers.experiments.assistant.setup import FIVE_TASKS, FROM_BASE, FROM_SCRATCH
from helpers.experiments.assistant.study import (
    EFFECTS,
    FEW,
    LORA,
    NO_REPLAY,
    SAME_REPLAY,
    TRAINING_SEEDS,
)
from helpers.experiments.registry import STUDIES
from helpers.experiments.study import Findings, load_study
from helpers.profiles import load_profile
from helpers.records import Record
from helpers.tokenization import IGNORED
from helpers.training import base, demonstrations

LAPTOP = load_profile("laptop")
SIZES = {"hidden_size": 32, "n_layer": 1, "n_head": 2, "context": 256, "vocab_size": 512}
TINY = load_profile("smoke", tokens=20_000, heldout_bytes=2000, **SIZES)
TASKS = {"questions", "reading", "translation", "glossary", "writing", "expressions", "support", "echo"}
TOWN = corpora.load("town", "prompts", people=TINY.people)
LOAD = corpora.load
WORLD = make_world(TINY.people, 0)
PUBLISHED = {name: load_study(name, Path("no run")) for name in STUDIES if name.startswith("04")}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("04_tuning", {"way": {FROM_BASE, FROM_SCRATCH, NO_REPLAY, SAME_REPLAY, *LORA}}),
        ("04_alone", {"task": {*FIVE_TASKS}}),
        ("04_more", {"way": {*EFFECTS}}),
        ("04_functions", {}),
        ("04_real", {}),
    ],
)
def test_each_way_has_an_arm_for_each_seed_under_a_name_of_its_own(name, settings):
    arms = STUDIES[name].arms(LAPTOP)
    assert len({arm.name for arm in arms}) == len(arms)
    assert all(re.fullmatch(r"[\w-]+", arm.name) for arm in arms)  # fit for a file
    assert all(arm.profile == LAPTOP and arm.share > 0 for arm in arms)
    for key, ways in (settings or {"": {None}}).items():
        found = Counter((arm.settings.get(key), arm.seed) for arm in arms)
        assert found == Counter((way, seed) for way in ways for seed in TRAINING_SEEDS)
    seeds = [seed for seed, _ in groupby(arm.seed for arm in arms)]
    assert seeds == [*TRAINING_SEEDS]  # whoever stops early has whole seeds


def documents(count):
    return [f"The old mill has wheel {i}, which turns at night by the river." for i in range(count)]


def functions(split, count):
    """Returns questions about functions, two to a module."""
    rows = []
    for i in range(count):
        messages = [
            {"role": "user", "content": f"What does this do?\n\ndef {split}{i}(mill):\n    return mill[{i}]"},
            {"role": "assistant", "content": f"Return {split} number {i} of the mill."},
        ]
        rows.append({"messages": messages, "task": study.FUNCTIONS_SOURCE, "group": f"{split}.{i // 2}", "check": ""})
    return Dataset.from_list(rows)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Puts a tiny base model and little text in place of the real ones; trainings take an epoch, and are noted."""
    texts = documents(60)
    held = Dataset.from_dict({"text": documents(20), "group": [f"m{i // 2}" for i in range(20)]})
    text = SimpleNamespace(
        corpora={name: SimpleNamespace(splits={"test": held}, fingerprint="0123") for name in ("pydocs", "town")}
    )
    text.training = texts
    said = [message["content"] for row in TOWN.splits["train"] for message in row["messages"]]
    tokenizer = tokenization.train_tokenizer([*texts, *said[:2000]], TINY.vocab_size)
    model = models.causal_model(TINY, tokenizer, seed=0).eval()
    before, finetune, trainings = models.weights_fingerprint(model), demonstrations.finetune, []

    def load(source, kind="text", **options):
        if source == study.FUNCTIONS_SOURCE:
            splits = {"train": functions("train", 3000), "test": functions("test", 1000)}
            return SimpleNamespace(splits=splits, fingerprint="4567")
        assert (source, kind, options) == ("town", "prompts", {"people": TINY.people})
        return TOWN

    def noted(learner, writer, rows, recipe, seed, replay=()):
        adapted = any("lora" in name for name, _ in learner.named_parameters())
        start = "adapters" if adapted else models.weights_fingerprint(learner) == before
        trainings.append(SimpleNamespace(start=start, rows=rows, seed=seed, replay=replay))
        return finetune(learner, writer, rows, recipe, seed, replay=replay)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "CACHE", tmp_path_factory.mktemp("cache"))
        patch.setattr(corpora, "load", load)
        patch.setattr(base, "load_base", lambda run: (model, tokenizer, "The base model is tiny."))
        patch.setattr(base, "base_text", lambda profile, seed: text)
        patch.setattr(demonstrations, "finetune", noted)
        for name in ("RECIPE", "ADAPTERS"):
            patch.setattr(demonstrations, name, demonstrations.Recipe(1, batch_tokens=4096))
        metrics.load_metric.cache_clear()
        yield trainings
        assert models.weights_fingerprint(model) == before
    metrics.load_metric.cache_clear()


def run_arm(name, seed=0, **settings):
    (arm,) = (arm for arm in STUDIES[name].arms(TINY) if arm.seed == seed and arm.settings == settings)
    return measured(name, arm).measurements


def measured(name, arm):
    record = Record(name, arm.profile, "", arm.parameters)
    STUDIES[name].run_arm(arm, record)
    assert all(found.seeds == (arm.seed,) for found in record.measurements.values())
    for published in PUBLISHED[name].arms.values() if PUBLISHED[name] else ():
        for named, value in published["measurements"].items():
            if published["parameters"] == arm.parameters and named in record.measurements:
                assert record.measurements[named].about == value["about"]
    return record


@pytest.mark.parametrize("way", [FROM_BASE, NO_REPLAY, FROM_SCRATCH, SAME_REPLAY, next(iter(LORA))])
def test_a_tuning_arm_measures_every_task_and_what_was_forgotten(small, way):
    small.clear()
    measured = run_arm("04_tuning", 1, way=way)
    assert {f"{task}.{way}" for task in (TASKS | {*FIVE_TASKS})} <= {*measured}
    assert {name.rpartition(".")[2] for name in measured} == {way}
    assert all(0 <= measured[f"{task}.{way}"].value <= 1 for task in TASKS)
    for corpus in ("pydocs", "town"):
        assert measured[f"{corpus}.{way}"].value > 0
        forgotten = measured[f"forgotten: {corpus}.{way}"]
        assert forgotten.value != 0
        assert forgotten.unit == "bits per byte"
        assert forgotten.interval.low <= forgotten.value <= forgotten.interval.high
    (training,) = small
    assert training.start == ("adapters" if way in LORA else way != FROM_SCRATCH)
    assert bool(training.replay) == (way not in (NO_REPLAY, FROM_SCRATCH))
    assert all(IGNORED not in row.labels for row in training.replay)
    assert all(IGNORED in row.labels for row in training.rows)
    assert len(training.rows) > 9 * 4
    assert training.seed == 1


def test_an_arm_of_a_single_task_learns_and_is_asked_that_task_alone(small):
    small.clear()
    measured = run_arm("04_alone", 2, task="translation")
    assert {*measured} == {"translation.tuned", "seconds.tuned"}
    (training,) = small
    count = sum(task == "translation" for task in TOWN.splits["train"]["task"])
    assert len(training.rows) == round(TINY.demonstrations * count)


@pytest.mark.parametrize("way", EFFECTS)
def test_an_arm_of_more_demonstrations_measures_questions_alone(small, way):
    measured = run_arm("04_more", 0, way=way)
    assert {*measured} == {"questions.tuned", "seconds.tuned"}
    assert 0 <= measured["questions.tuned"].value <= 1


def asked_by(way, seed):
    """Returns the questions about the town that an arm of the third study trains on, its other rows, and its test."""
    (arm,) = (arm for arm in STUDIES["04_more"].arms(TINY) if arm.seed == seed and arm.settings["way"] == way)
    with pytest.MonkeyPatch.context() as patch:
        given = []
        patch.setattr(study, "_finetune", lambda record, setup, train, test, seed: given.extend((train, test)))
        STUDIES["04_more"].run_arm(arm, Record("04_more", arm.profile, "", arm.parameters))
    train, test = given
    questions = [tuple(m["content"] for m in row["messages"]) for row in train if row["task"] == "questions"]
    return questions, [row for row in train if row["task"] != "questions"], test


def people_in(questions):
    return {person.name for person in WORLD.people for asked, _ in questions if person.name in asked}


@pytest.mark.parametrize("seed", TRAINING_SEEDS)
def test_more_demonstrations_are_the_same_or_in_other_words_or_about_others(small, seed):
    arms = {way: asked_by(way, seed) for way in EFFECTS}
    asked = {way: questions for way, (questions, _, _) in arms.items()}
    few = asked["few"]
    assert len(people_in(few)) == FEW
    assert len({*few}) == len({answer for _, answer in few}) == len(few)  # each fact once
    assert Counter(asked["repeated"]) == Counter(dict.fromkeys(few, 4))
    paraphrased = asked["paraphrased"]
    assert people_in(paraphrased) == people_in(few)
    assert Counter(answer for _, answer in paraphrased) == Counter({answer: 4 for _, answer in few})
    assert len({*paraphrased}) == len(paraphrased) == 4 * len(few)
    assert {*few} < {*paraphrased}
    new = asked["new"]
    assert people_in(few) < people_in(new)
    assert len(people_in(new)) > 3 * FEW
    assert {*few} < {*new}
    assert len({answer for _, answer in new}) == len(new) > 3 * len(few)
    assert people_in(new) <= make_contract(WORLD).asked
    for _, others, test in arms.values():
        assert {row["task"] for row in others} == {"reading", "echo"}
        assert (others, test) == arms["few"][1:]
        assert {row["task"] for row in test} == {"questions"}
        assert not {row["group"] for row in test} & people_in(new)


def test_seeds_ask_about_other_people(small):
    groups = [people_in(asked_by("few", seed)[0]) for seed in TRAINING_SEEDS]
    assert len(set().union(*groups)) == len(TRAINING_SEEDS) * FEW


def test_an_arm_of_functions_sets_writing_and_recognising_beside_what_knows_nothing(small, monkeypatch):
    monkeypatch.setattr(study, "RECOGNISED", 12)
    small.clear()
    measured = run_arm("04_functions", 1)
    chrf = {name for name in measured if name.startswith("chrF")}
    assert chrf == {"chrF.tuned", "chrF.another's"}
    assert {*measured} == chrf | {"recognised.base", "recognised.tuned", "recognised.words"}
    for name, found in measured.items():
        assert 0 <= found.value <= (100 if name in chrf else 1)
        assert found.interval.low <= found.value <= found.interval.high
        assert found.n <= 12 if name not in chrf else found.n > 1
    assert measured["recognised.words"].value > 0.3  # code and sentence have a name in common
    assert len(small[0].rows) == TINY.tokens // 600


def test_an_arm_of_the_real_model_measures_all_that_the_chapter_tells(small, tmp_path, monkeypatch):
    save_kind("llama", tmp_path, special="chat", num_hidden_layers=2, max_position_embeddings=512)
    held = Dataset.from_list([{"text": text, "group": str(i // 4)} for i, text in enumerate(documents(40))])
    pydocs, town = SimpleNamespace(splits={"test": held}, fingerprint="89ab"), corpora.load
    monkeypatch.setattr(study, "NAME", str(tmp_path))
    monkeypatch.setattr(corpora, "load", lambda source, *of, **about: town(source, *of, **about) if of else pydocs)
    small.clear()
    arms = STUDIES["04_real"].arms(TINY)[:2]
    records = [measured("04_real", arm) for arm in arms]
    assert [training.start for training in small] == ["adapters", True] * 2
    assert [len(training.rows) for training in small[:2]] == [len(small[0].rows)] * 2  # ours reads the same
    found = Findings("?", "smoke", False, {arm.name: each.as_dict() for arm, each in zip(arms, records, strict=True)})
    told = real.told(found, FIVE_TASKS)
    assert real.READING.format(**told).count("%") == 4
    assert told["drift"].value == pytest.approx(found.mean(metric="drift").value)
    assert {len(each) for each in real.gaps(found, FIVE_TASKS).values()} == {len(FIVE_TASKS)}
    assert len(real.evidence(found, FIVE_TASKS).splitlines()) == 1 + len(FIVE_TASKS)
    labels = [text.get_text() for text in real.study_figure(found, PUBLISHED["04_tuning"]).axes[0].get_yticklabels()]
    assert {*FIVE_TASKS} <= {*labels}
