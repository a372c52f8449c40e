"""The studies of the real model, on a tiny one in its place: what it reads, what is measured, what is missing."""

import copy
import dataclasses
from collections import Counter
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import tiny_benchmarks
from backbones import TEXTS, save_kind
from datasets import Dataset

from helpers import models, pretrained
from helpers.corpora.town.contract import DOSES
from helpers.corpora.town.doses import NAMES
from helpers.corpora.town.lexicon import OCCUPATIONS
from helpers.evaluation.likelihood import document_bits
from helpers.experiments.bias import dose, published, real, verdict
from helpers.experiments.bias.mitigation import HELD_OUT, INSTRUCTION, NONE, SHAM, TREATED
from helpers.experiments.bias.published import CONTROL, CROWS, DOSED, METERS, NULL, NULLS, PRONOUN, STATISTICS
from helpers.experiments.registry import STUDIES
from helpers.experiments.study import Arm
from helpers.files import WorkbookError
from helpers.profiles import load_profile
from helpers.records import Record
from helpers.tokenization import train_tokenizer

SIZES = {"hidden_size": 32, "n_layer": 2, "n_head": 2, "context": 128, "vocab_size": 320}
PROFILE = load_profile("smoke", heldout_bytes=4000, tokens=3000, batch_tokens=256, **SIZES)
SHAM_OF_BOTH = f"{real.BOTH}, {SHAM}"
TOLD = [way for way in real.WAYS if way.startswith(INSTRUCTION)]
TRADES = [f"trade {i}" for i in range(6)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All benchmarks, tiny, and a tiny model of two layers as a stand-in for the real one."""
    folder = tmp_path_factory.mktemp("real")
    tiny_benchmarks.write_all(folder)
    save_kind("llama", folder / "model", special="chat", max_position_embeddings=512)
    return folder


@pytest.fixture(scope="module")
def stand_in(folder):
    """Puts a tiny model, corpora and benchmarks in the places of the real ones."""
    documents = [{"text": f"The tree has the number {row}.", "group": str(row % 5)} for row in range(30)]
    text = SimpleNamespace(splits={"test": Dataset.from_list(documents)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBOOK_BENCHMARKS", str(folder))
        patch.setattr(real, "load_model", lambda _: pretrained.load_model(folder / "model"))
        patch.setattr(real.corpora, "load", lambda _: text)
        yield patch


@pytest.fixture
def tiny(folder):
    return pretrained.load_model(folder / "model")


def arm_of(way, seed=0):
    return Arm("arm", PROFILE, seed, {"way": way})


# What it reads


def test_treated_occupations_have_both_pronouns_equally_often_in_the_same_sentences():
    texts = real._texts(real.BOTH, TRADES, 0)
    assert len(texts) == 2 * real.SENTENCES * len(TRADES)
    words = [set(text.lower().replace(".", "").replace(",", "").split()) for text in texts]
    for trade in TRADES:
        about = [of for of, text in zip(words, texts, strict=True) if trade in text.lower()]
        counts = Counter("she" if of & {"she", "her"} else "he" for of in about)
        assert counts == {"she": real.SENTENCES, "he": real.SENTENCES}
    to_he = {"she": "he", "her": "his", "him": "his"}
    neutral = Counter(tuple(to_he.get(word, word) for word in text.strip(".").lower().split()) for text in texts)
    assert all(count % 2 == 0 for count in neutral.values())  # each sentence has its counterpart


@pytest.mark.parametrize("count", [6, 30])
def test_a_sham_is_as_many_sentences_about_people_with_names_and_no_occupation(count):
    trades = [f"trade {i}" for i in range(count)]
    treated, sham = (real._texts(way, trades, 0) for way in (real.BOTH, SHAM_OF_BOTH))
    assert len(sham) == len(treated)
    assert not any("trade" in text.lower() for text in sham)
    assert not any(f"the {occupation}" in text.lower() for text in sham for occupation in OCCUPATIONS)
    named = {pronoun: sum(any(name in text for name in of[:count]) for text in sham) for pronoun, of in NAMES.items()}
    assert min(named.values()) >= len(sham) / 2  # a name can be part of another


def test_another_seed_has_other_sentences_and_the_same_seed_the_same():
    for way in (real.BOTH, SHAM_OF_BOTH):
        assert real._texts(way, TRADES, 1) == real._texts(way, TRADES, 1) != real._texts(way, TRADES, 2)


def test_the_doses_of_the_town_are_those_of_the_contract_and_one_half_elsewhere():
    doses = real.doses_of_town()
    assert list(doses) == list(OCCUPATIONS)
    assert {name: of for name, of in doses.items() if of != 0.5} == dict(DOSES)
    assert set(DOSES) < set(OCCUPATIONS)


# What is missing


@pytest.mark.parametrize(
    ("study", "lacking", "named"),
    [
        ("09_lora", "winogender", "rudinger/winogender-schemas"),
        ("09_lora", "winobias", "uclanlp/corefBias"),
        ("09_lora", "blimp", "alexwarstadt/blimp"),
        ("09_real", "winogender", "rudinger/winogender-schemas"),
        ("09_real", "crows_pairs", "nyu-mll/crows-pairs"),
    ],
)
def test_a_missing_benchmark_is_one_error_that_says_how_to_get_it_before_any_model_is_loaded(
    tmp_path, monkeypatch, study, lacking, named
):
    monkeypatch.setenv("WORKBOOK_BENCHMARKS", str(tmp_path))
    tiny_benchmarks.write_all(tmp_path, lacking)
    for loader in ("load_model", "start_from_base"):
        monkeypatch.setattr(real, loader, lambda *_: pytest.fail("a model was loaded"))
    arm = STUDIES[study].arms(PROFILE)[0]
    with pytest.raises(WorkbookError, match=named):
        STUDIES[study].run_arm(arm, Record(study, PROFILE))


# Tuning


def test_lora_changes_the_upper_half_alone_and_the_given_model_not_at_all(tiny):
    model, tokenizer = tiny
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    women = tiny_benchmarks.WOMEN
    plain = published.occupation_nats(model, tokenizer, women)
    tuned = real._tuned(model, tokenizer, real._texts(real.BOTH, TRADES, 0), 0)
    assert not np.allclose(published.occupation_nats(tuned, tokenizer, women), plain, atol=1e-3)
    assert np.array_equal(published.occupation_nats(model, tokenizer, women), plain)
    assert all((model.state_dict()[name] == weight).all() for name, weight in before.items())
    layers = models.blocks(tuned)
    adapted = [any("lora" in name for name, _ in layer.named_parameters()) for layer in layers]
    assert adapted == [False, True]


def test_lora_learns_what_it_reads_and_says_it_of_others_too():
    """After sentences with `she` alone it is likelier than before, also of occupations and in wordings never read."""
    trained = dose.train(load_profile("smoke", n_layer=6), 0.5, 0)
    model, tokenizer = trained.model, trained.tokenizer
    texts = real._texts(real.BOTH, OCCUPATIONS[:12], 0)
    read = {"she": texts[::2] * 2, "he": texts[1::2] * 2}
    tuned = {pronoun: real._tuned(model, tokenizer, of, 0) for pronoun, of in read.items()}
    nats = {who: published.occupation_nats(of, tokenizer, OCCUPATIONS) for who, of in tuned.items()}
    before = published.occupation_nats(model, tokenizer, OCCUPATIONS)
    assert (nats["he"] < before).all()
    assert (before < nats["she"]).all()
    bits = {who: document_bits(of, tokenizer, texts[::2], 64).sum() for who, of in tuned.items()}
    assert bits["she"] < bits["he"]


# Arms of the ways


@pytest.fixture(scope="module")
def ways(stand_in):
    records = {}
    for way in real.WAYS:
        records[way] = Record("09_lora", PROFILE)
        STUDIES["09_lora"].run_arm(arm_of(way), records[way])
    return records


@pytest.mark.parametrize("way", real.WAYS)
def test_each_way_is_measured_by_slopes_and_text_and_by_other_meters_where_it_is_no_instruction(ways, way):
    found = ways[way].measurements
    slopes = {part: ways[way].find(metric="slope", judge=way, part=part) for part in (TREATED, HELD_OUT)}
    assert {of.n for of in slopes.values()} == {len(tiny_benchmarks.WOMEN) / 2}
    assert all(of.low <= of.value <= of.high for of in slopes.values())
    meters = () if way in TOLD else (PRONOUN, CONTROL)
    for meter in meters:
        assert 0 <= ways[way].find(meter=meter, judge=way).value <= 1
    assert ways[way].find(metric="text", judge=way).value > 0
    assert len(found) == 2 + len(meters) + 1


def test_an_instruction_and_its_sham_change_what_is_read_after_them_and_no_model(ways):
    def value(way, **about):
        return ways[way].find(judge=way, **about).value

    slopes = {way: value(way, metric="slope", part=TREATED) for way in real.WAYS}
    assert len(set(slopes.values())) == len(real.WAYS)
    texts = {way: value(way, metric="text") for way in real.WAYS}
    assert {texts[way] for way in TOLD} == {texts[NONE]}
    assert len({texts[way] for way in (NONE, real.BOTH, SHAM_OF_BOTH)}) == 3


def test_every_second_occupation_by_its_share_of_women_is_treated(stand_in, monkeypatch):
    given, asked = [], []

    def texts(way, occupations, seed):
        given.append((way, occupations, seed))
        return TEXTS[:3]

    def nats(model, tokenizer, occupations, instruction=""):
        asked.append((list(occupations), instruction))
        return np.arange(len(occupations), dtype=float)

    monkeypatch.setattr(real, "_texts", texts)
    monkeypatch.setattr(published, "occupation_nats", nats)
    real.run_arm(arm_of(real.BOTH, 3), Record("09_lora", PROFILE))
    order = list(published.women_in_occupations())
    assert given == [(real.BOTH, order[::2], 3)]
    assert asked == [(order[::2], ""), (order[1::2], "")]
    asked.clear()
    for way in TOLD:
        real.run_arm(arm_of(way), Record("09_lora", PROFILE))
    told = [instruction for _, instruction in asked]
    assert told[0] == told[1] != told[2] == told[3]
    assert all(told)


def test_trained_ways_have_an_arm_for_each_seed_and_the_others_one():
    arms = STUDIES["09_lora"].arms(dataclasses.replace(PROFILE, seeds=3))
    assert len({arm.name for arm in arms}) == len(arms)
    counts = Counter(arm.settings["way"] for arm in arms)
    assert counts == {way: 3 if way.startswith(real.BOTH) else 1 for way in real.WAYS}


# The whole


@pytest.fixture(scope="module")
def whole(stand_in, folder):
    """All benchmarks asked of the tiny model, of ours, and of the nulls."""
    tokenizer = train_tokenizer(TEXTS, PROFILE.vocab_size)
    texts = {"pydocs": ["Return the mean of values.", *TEXTS] * 3, "town": ["The miller sang as she came."] * 90}
    read = {
        name: SimpleNamespace(splits={"train": Dataset.from_dict({"text": of})}, fingerprint=name)
        for name, of in texts.items()
    }
    base = models.causal_model(PROFILE, tokenizer, 0).eval()
    stand_in.setattr(real, "start_from_base", lambda record: (copy.deepcopy(base), tokenizer))
    stand_in.setattr(real, "base_text", lambda *_: SimpleNamespace(corpora=read))
    record = Record("09_real", PROFILE)
    (arm,) = STUDIES["09_real"].arms(PROFILE)
    STUDIES["09_real"].run_arm(arm, record)
    return record


def test_every_judge_answers_every_meter_and_models_are_held_against_every_null(whole):
    found = list(whole.measurements.values())
    judges = {*NULLS, real.REAL, real.BASE, real.ASSISTANT}
    shares = verdict.shares(found)
    assert {(of.about["meter"], of.about["judge"]) for of in shares} == {*product(METERS, judges)}
    assert len(shares) == len(METERS) * len(judges)
    compared = (real.REAL, real.BASE, real.ASSISTANT)
    gaps = [(of.about["meter"], of.about["judge"], of.about["rival"]) for of in verdict.added(found)]
    assert sorted(gaps) == sorted(product(METERS, compared, NULLS))
    by_judge = {(of.about["meter"], of.about["judge"]): of for of in shares}
    for gap in verdict.added(found):
        meter, who, rival = (gap.about[key] for key in ("meter", "judge", "rival"))
        assert gap.value == pytest.approx(by_judge[meter, who].value - by_judge[meter, rival].value)
    for (meter, _), share in by_judge.items():
        assert share.null == pytest.approx(by_judge[meter, NULL].value)


def test_occupations_are_held_against_statistics_and_planted_doses(whole):
    for who, part in product((real.REAL, real.RANDOM, real.BASE, real.ASSISTANT), (STATISTICS, DOSED)):
        slope = whole.find(metric="slope", judge=who, part=part)
        assert slope.n == (len(tiny_benchmarks.WOMEN) if part == STATISTICS else len(OCCUPATIONS))


def test_pairs_of_one_length_are_so_by_both_tokenizers(whole):
    parts = {
        part: whole.find(meter=CROWS, judge=real.REAL, part=part, rival=NULL)
        for part in (published.MATCHED, published.OTHER_LENGTHS, published.CLEAN)
    }
    assert all(-1 <= of.value <= 1 for of in parts.values())
    assert set(verdict.by_category(list(whole.measurements.values()), real.REAL).index) == {"age", "place"}


def test_what_the_studies_found_is_told_in_sentences(whole, ways):
    treated = [
        dataclasses.replace(of, about={"way": way} | of.about)
        for way, record in ways.items()
        for of in record.measurements.values()
    ]
    lines = verdict.rung(list(whole.measurements.values()), treated, real.REAL).split("\n")
    assert len(lines) == 3 + len(real.WAYS)
    assert all(way in line for way, line in zip(real.WAYS, lines[3:], strict=True))


def test_the_corpora_that_nulls_read_are_noted(whole):
    assert {"pydocs", "town"} <= whole.fingerprints.keys()


def test_without_benchmarks_that_are_not_needed_the_others_are_asked(stand_in, whole, tmp_path, capsys):
    tiny_benchmarks.write_all(tmp_path, "bbq", "stereoset")
    stand_in.setenv("WORKBOOK_BENCHMARKS", str(tmp_path))
    record = Record("09_real", PROFILE)
    (arm,) = STUDIES["09_real"].arms(PROFILE)
    real.measure_all(arm, record)
    meters = {of.about["meter"] for of in verdict.shares(record.measurements.values())}
    assert meters == set(METERS) - {published.BBQ, published.STEREOSET}
    assert "github.com/nyu-mll/BBQ" in capsys.readouterr().out
