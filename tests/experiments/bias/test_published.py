"""Published meters beside their nulls: which items are asked, what a credit is, and what is added, by item."""

import math
import random
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import tiny_benchmarks
from backbones import TEXTS
from datasets import Dataset
from scipy import stats

from helpers.evaluation import bias, dose
from helpers.evaluation.benchmark_files import PAIR, QUESTION, Item
from helpers.experiments.bias import published
from helpers.experiments.bias.published import (
    BBQ,
    CROWS,
    DOCSTRINGS,
    METERS,
    NULL,
    NULLS,
    SHORTER,
    TOWN,
    UNIGRAM,
    WORD_BY_WORD,
)
from helpers.models import causal_model
from helpers.profiles import load_profile
from helpers.records import Record
from helpers.statistics import gap_p_value, holm
from helpers.tokenization import train_tokenizer

PROFILE = load_profile(
    "smoke", hidden_size=32, n_layer=1, n_head=2, context=96, vocab_size=320, tokens=2000, batch_tokens=192
)
WOMEN = {"miller": 0.1, "baker": 0.3, "potter": 0.5, "tailor": 0.8, "smith": 0.95}


def pair(number, category="age", texts=("A red mill.", "A low mill.")):
    options = tuple(("", f"{text} {number}") for text in texts)
    marks = frozenset({"several spans"} if number % 4 == 3 else ())
    return Item(PAIR, options, {"stereotyped": (0,), "anti": (1,)}, category, f"writer {number % 5}", marks)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBOOK_BENCHMARKS", str(tmp_path))
    return tmp_path


@pytest.fixture
def record():
    return Record("09_real", PROFILE)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, PROFILE.vocab_size)


# Which items are asked


def test_categories_take_turns_until_there_are_enough():
    items = [pair(i, category) for category, count in {"a": 30, "b": 5, "c": 2}.items() for i in range(count)]
    categories = [Counter(item.category for item in published.evenly(items, count, 0)) for count in (3, 6, 12, 20)]
    assert categories == [{"a": 1, "b": 1, "c": 1}, {"a": 2, "b": 2, "c": 2}, {"a": 5, "b": 5, "c": 2},
                          {"a": 13, "b": 5, "c": 2}]  # fmt: skip
    for count in (0, 1000):
        assert sorted(published.evenly(items, count, 0), key=items.index) == items


def test_the_same_seed_draws_the_same_items_and_a_larger_sample_has_the_smaller_one():
    items = [pair(i, "ab"[i % 2]) for i in range(40)]
    drawn = published.evenly(items, 10, 1)
    assert drawn == published.evenly(items, 10, 1) != published.evenly(items, 10, 2)
    assert published.evenly(items, 20, 1)[:10] == drawn
    assert len({item.texts[0] for item in drawn}) == 10


def test_each_meter_is_asked_its_own_items(folder):
    tiny_benchmarks.write_all(folder)
    asked = published.ask({CROWS: 6}, 0)
    assert not asked.missing
    assert {name: len(items) for name, items in asked.items.items()} == {
        CROWS: 6,
        published.STEREOSET: 2 * 6,
        published.PRONOUN: 2 * 4,
        published.WHO: 2 * 2 * 4,
        published.WINOGENDER: 2
        * len(tiny_benchmarks.WOMEN),  # where the pronoun says no gender, nothing is stereotyped
        BBQ: 8,
        published.CONTROL: 6,
    }
    assert {item.about["condition"] for item in asked.items[BBQ]} == {"ambiguous"}
    assert Counter(item.category for item in asked.items[CROWS]) == {"age": 3, "place": 3}
    for name, items in asked.items.items():
        assert {item.form for item in items} == {METERS[name].form}
        assert all(role in item.roles for item in items for role in METERS[name].roles)


def test_a_benchmark_that_is_not_there_is_missing_with_what_to_do_and_the_others_are_asked(folder):
    tiny_benchmarks.write_all(folder, "winobias", "bbq")
    asked = published.ask({}, 0)
    assert set(asked.missing) == {published.PRONOUN, published.WHO, BBQ}
    assert set(asked.items) == set(METERS) - set(asked.missing)
    assert "github.com/nyu-mll/BBQ" in asked.missing[BBQ]
    assert str(folder) not in asked.missing[BBQ]


def test_without_any_benchmark_nothing_is_asked_and_nothing_raised(folder):
    asked = published.ask({}, 0)
    assert (asked.items, set(asked.missing)) == ({}, set(METERS))
    assert published.credits(asked, []) == {}
    assert published.women_in_occupations() == {}


def test_a_damaged_benchmark_is_missing_too_and_its_sentences_are_not_quoted(folder):
    tiny_benchmarks.write_all(folder)
    (folder / "bbq/Age.jsonl").write_text('{"context": "A red mill."\n', "utf-8")
    asked = published.ask({}, 0)
    assert set(asked.missing) == {BBQ}
    assert "red mill" not in asked.missing[BBQ]


def test_women_in_occupations_are_shares_the_least_first(folder):
    tiny_benchmarks.write_winogender(folder)
    women = published.women_in_occupations()
    assert women == {name: pytest.approx(percent / 100) for name, percent in tiny_benchmarks.WOMEN.items()}
    assert list(women.values()) == sorted(women.values())


# Credits


def bbq_item(rng):
    """Makes an ambiguous question about two people, in any order of its options, and several ways to not know."""
    places = rng.sample(range(5), 5)
    roles = {"stereotyped": (places[0],), "anti": (places[1],), "unknown": tuple(places[2:])}
    options = tuple(("Who was late?", f" {place}") for place in range(5))
    return Item(QUESTION, options, roles | {"right": roles["unknown"]}, "Age", "g", about={"condition": "ambiguous"})


@pytest.mark.parametrize("seed", range(20))
def test_bbqs_credits_are_its_published_bias_score(seed):
    rng = random.Random(seed)
    items = [bbq_item(rng) for _ in range(30)]
    scores = [np.array([rng.choice([0.0, 1.0, rng.random()]) for _ in range(5)]) for _ in items]  # some are ties
    credit = METERS[BBQ].credit(items, scores)
    known = bias.bbq(items, bias.bbq_answers(items, scores)).s_amb
    assert 2 * credit.mean() - 1 == pytest.approx(known)
    assert credit.min() >= 0
    assert credit.max() <= 1


def test_bbqs_credit_is_one_half_of_who_always_says_that_it_is_unknown():
    items = [bbq_item(random.Random(seed)) for seed in range(5)]
    for oracle, expected in {"always stereotyped": 1, "never stereotyped": 0, "always unknown": 0.5}.items():
        assert METERS[BBQ].credit(items, bias.oracle_scores(oracle, items)).tolist() == [expected] * 5


def test_credits_are_means_over_the_judges_of_a_null(folder):
    tiny_benchmarks.write_all(folder)
    asked = published.ask({}, 0)
    always, never = (
        lambda items, per_token=False, name=name: bias.oracle_scores(name, items)
        for name in ("always stereotyped", "never stereotyped")
    )
    found = published.credits(asked, [always, always, never])
    for name in set(METERS) - {published.CONTROL}:
        assert found[name] == pytest.approx(np.full(len(asked.items[name]), 2 / 3))
    assert set(published.credits(asked, [always])[CROWS]) == {1}


# Nulls


@pytest.fixture(scope="module")
def nulls(tokenizer):
    texts = {DOCSTRINGS: [*TEXTS, "Return the mean."], TOWN: ["The miller sang.", "The baker slept."] * 20}
    corpora = {name: SimpleNamespace(splits={"train": Dataset.from_dict({"text": of})}) for name, of in texts.items()}
    return published.nulls(corpora, tokenizer, PROFILE, [3, 4])


def test_the_five_nulls_made_here_are_one_a_seed_where_they_are_models(nulls):
    counts = {name: len(judges) for name, judges in nulls.items()}
    assert counts == dict.fromkeys(set(NULLS) - {WORD_BY_WORD}, 2) | {UNIGRAM: 1, SHORTER: 1}


def test_each_null_scores_every_item(nulls, folder):
    tiny_benchmarks.write_all(folder)
    asked = published.ask({}, 0)
    for name, judges in nulls.items():
        for meter, items in asked.items.items():
            for judge in judges:
                scores = judge(items, METERS[meter].per_token)
                assert [len(of) for of in scores] == [len(item.options) for item in items]
                assert all(np.isfinite(of).all() for of in scores), name
        assert all(np.isfinite(of).all() for of in published.credits(asked, judges).values())


def test_a_meter_per_token_is_asked_as_one(tokenizer, folder):
    tiny_benchmarks.write_all(folder)
    items = published.ask({}, 0).items[published.STEREOSET]
    model = causal_model(PROFILE, tokenizer, 0).eval()
    judge = published.judge(model, tokenizer)
    whole, means = bias.causal_scores(model, tokenizer, items), bias.mean_token_scores(model, tokenizer, items)
    assert np.concatenate(judge(items)) == pytest.approx(np.concatenate(whole))
    assert np.concatenate(judge(items, per_token=True)) == pytest.approx(np.concatenate(means))


def test_stereoset_alone_is_asked_per_token(folder):
    tiny_benchmarks.write_all(folder)

    def judge(items, per_token=False):
        return bias.oracle_scores("always stereotyped" if per_token else "never stereotyped", items)

    found = published.credits(published.ask({}, 0), [judge])
    del found[published.CONTROL]
    assert [name for name, of in found.items() if of.all()] == [published.STEREOSET]
    assert not any(of.any() for name, of in found.items() if name != published.STEREOSET)


def test_nulls_of_two_seeds_or_two_corpora_differ(nulls):
    items = [pair(i) for i in range(3)]
    told = [np.concatenate(judge(items)) for judges in nulls.values() for judge in judges]
    assert len({tuple(of) for of in told}) == len(told)


def test_the_shorter_one_prefers_fewer_tokens_and_a_unigram_what_it_has_read_often(nulls):
    lengths = [pair(i, texts=texts) for i, texts in enumerate([("A mill.", "A mill by xyz."), ("QQQQ mill.", "A.")])]
    credits = bias.preference(lengths, nulls[SHORTER][0](lengths))
    assert credits.tolist() == [1, 0]
    alike = pair(0, texts=("A mill.", "A mill."))
    assert bias.preference([alike], nulls[SHORTER][0]([alike])).tolist() == [0.5]
    often = [pair(0, texts=(" river river", " zqzqzq"))]
    assert bias.preference(often, nulls[UNIGRAM][0](often)).tolist() == [1]


# What is measured


@pytest.fixture
def found():
    """Items of one meter, and credits of a model and two nulls."""
    rng = np.random.default_rng(0)
    items = [pair(i, "ab"[i % 2]) for i in range(40)]
    credits = {
        "model": rng.integers(3, size=40) / 2,
        NULL: rng.integers(3, size=40) / 2,
        SHORTER: rng.integers(2, size=40).astype(float),
    }
    return items, {who: {CROWS: of} for who, of in credits.items()}


def test_each_share_has_the_nulls_share_beside_it_and_each_gap_is_paired_by_item(record, found):
    items, credits = found
    made = published.measure(record, published.Asked({CROWS: items}, {}), credits, ["model"])
    assert list(record.measurements.values()) == made
    null = credits[NULL][CROWS].mean()
    for who, of in credits.items():
        share = record.find(meter=CROWS, judge=who)
        assert (share.value, share.null, share.n) == (pytest.approx(of[CROWS].mean()), pytest.approx(null), 5)
        assert share.low < share.value < share.high
    for rival in (NULL, SHORTER):
        gap = record.find(meter=CROWS, judge="model", rival=rival)
        known = record.gap("known", credits["model"][CROWS], credits[rival][CROWS], [item.group for item in items])
        assert (gap.value, gap.low, gap.high, gap.null) == (known.value, known.low, known.high, 0)
    assert len(made) == 3 + 2


def test_who_answers_as_the_null_does_adds_nothing_whatever_its_share(record, found):
    items, credits = found
    credits["model"] = credits[NULL]
    published.measure(record, published.Asked({CROWS: items}, {}), credits, ["model"])
    gap = record.find(meter=CROWS, judge="model", rival=NULL)
    assert gap.low < gap.value == 0 < gap.high


def test_parts_are_the_categories_adjusted_for_their_number_and_the_pairs_of_one_length(record, found):
    items, credits = found
    ones, others = credits["model"][CROWS], credits[NULL][CROWS]
    matched = np.arange(40) % 3 == 0
    published.measure_parts(record, items, ones, others, "model", matched)
    kinds, groups = np.array([item.category for item in items]), np.array([item.group for item in items])
    here = {published.MATCHED: matched, published.OTHER_LENGTHS: ~matched, "a": kinds == "a", "b": kinds == "b"}
    here[published.CLEAN] = np.array([not item.marks for item in items])
    for part, those in here.items():
        share = record.find(meter=CROWS, judge="model", part=part)
        gap = record.find(meter=CROWS, judge="model", part=part, rival=NULL)
        assert (share.value, share.null) == pytest.approx((ones[those].mean(), others[those].mean()))
        assert gap.value == pytest.approx((ones - others)[those].mean())
    p_values = {of: gap_p_value(ones[here[of]], others[here[of]], groups[here[of]].tolist()) for of in "ab"}
    adjusted = {of: record.find(meter=CROWS, judge="model", part=of, metric="Holm").value for of in "ab"}
    assert adjusted == pytest.approx(holm(p_values))
    assert min(adjusted.values()) == pytest.approx(min(1, 2 * min(p_values.values())))
    ties = record.find(meter=CROWS, judge="model", part="all", metric="ties")
    assert ties.value == (ones == 0.5).sum() > 0
    assert len(record.measurements) == 2 * len(here) + 2 + 1


# Occupations


def speaks(monkeypatch, tokenizer, nats):
    """Lets any model find `she` likelier than `he` by so many nats of each occupation."""

    def log_likelihoods(_, requests):
        texts = [tokenizer.decode(request.ids) for request in requests]
        signs = [1 if text.split()[-1] in ("she", "her") else -1 for text in texts]
        who = [next(each for each in nats if each in text.lower()) for text in texts]
        return np.array([sign * nats[each] / 2 for sign, each in zip(signs, who, strict=True)])

    monkeypatch.setattr(dose, "log_likelihoods", log_likelihoods)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.0, -1.0])
def test_a_model_that_speaks_of_occupations_as_the_shares_have_it_has_a_slope_of_one(
    record, tokenizer, monkeypatch, share
):
    women = {f"{name}{i}": of * (1 - i / 50) for name, of in WOMEN.items() for i in range(4)}
    speaks(monkeypatch, tokenizer, {name: share * math.log(of / (1 - of)) + 0.7 for name, of in women.items()})
    nats = published.occupation_nats(causal_model(PROFILE, tokenizer, 0), tokenizer, women)
    assert nats == pytest.approx([share * math.log(of / (1 - of)) + 0.7 for of in women.values()])
    slope = published.measure_occupations(record, "model", nats, women, "statistics")
    assert (slope.value, slope.low, slope.high) == pytest.approx((share, share, share), abs=1e-6)
    assert (slope.null, slope.n) == (0, len(women))
    assert record.find(metric="slope", judge="model", part="statistics") is slope


def test_a_slope_is_that_of_least_squares_and_its_interval_is_wide_where_occupations_vary(record):
    rng = np.random.default_rng(0)
    women = {f"trade {i}": share for i, share in enumerate(np.linspace(0.05, 0.95, 30))}
    logits = np.log(list(women.values())) - np.log(1 - np.array(list(women.values())))
    nats = 0.5 * logits + rng.normal(0, 1, 30)
    slope = published.measure_occupations(record, "model", nats, women, "statistics")
    assert slope.value == pytest.approx(np.polyfit(logits, nats, 1)[0])
    known = 2 * stats.t.ppf(0.975, 28) * stats.linregress(logits, nats).stderr
    assert slope.high - slope.low == pytest.approx(known, rel=0.35)
    assert slope.low < 0.5 < slope.high


def test_an_instruction_stands_before_every_sentence(tokenizer, monkeypatch):
    read = []

    def log_likelihoods(_, requests):
        read.extend(tokenizer.decode(request.ids, skip_special_tokens=True) for request in requests)
        return np.zeros(len(requests))

    monkeypatch.setattr(dose, "log_likelihoods", log_likelihoods)
    model = causal_model(PROFILE, tokenizer, 0)
    published.occupation_nats(model, tokenizer, WOMEN)
    plain = read.copy()
    read.clear()
    published.occupation_nats(model, tokenizer, WOMEN, "Sing.")
    assert read == [f"Sing. {text}" for text in plain]
    assert {text.split()[-1] for text in plain} == {"she", "he", "her", "his", "him"}
