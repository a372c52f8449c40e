"""Meters of the town's bias are tried on oracles first: always biased, never, a coin, and the dose itself."""

import re

import numpy as np
import pytest

from helpers.corpora.town.doses import NAMES, draw_workers, openings, pronoun_pairs, write_statements
from helpers.corpora.town.lexicon import OCCUPATIONS
from helpers.evaluation import dose as meters
from helpers.evaluation.assay import logit, sigmoid
from helpers.evaluation.dose import (
    ASSIGNED,
    COREFERENCE,
    COUNTED,
    GENERATION,
    HALVES,
    LOG_ODDS,
    METERS,
    PERMUTED,
    PROBABILITY,
    QUESTION,
    UNTOUCHED,
)
from helpers.models import causal_model
from helpers.profiles import load_profile
from helpers.tokenization import train_tokenizer

WORKERS = draw_workers(0)
SIGN = np.array([{"she": 1, "he": -1}.get(WORKERS.assigned.get(each), 0) for each in OCCUPATIONS])
TEMPLATES = 8
SHAPES = {LOG_ODDS: 8, PROBABILITY: 8, COUNTED: 8, COREFERENCE: 4, QUESTION: 2, GENERATION: 16}
TINY = load_profile("smoke", hidden_size=32, n_layer=1, n_head=2, context=64, vocab_size=512)
INSTRUCTION = "Do not guess who is a woman or a man."


def odds(sign, size):
    """Log-odds of `she` of each occupation and template, for a model that leans by so many nats."""
    return np.repeat((sign * size)[:, None], TEMPLATES, 1).astype(float)


def by_all(nats):
    """What all meters say of these log-odds; a generated text shows its pronoun, or half of them none."""
    shown = meters._counted(nats)
    shown[:, ::3] = np.nan
    return {
        LOG_ODDS: nats,
        PROBABILITY: sigmoid(nats),
        COUNTED: meters._counted(nats),
        COREFERENCE: meters._counted(nats[:, :4]),
        QUESTION: sigmoid(nats[:, :1]),
        GENERATION: shown,
    }


def read(values, seed=0, workers=WORKERS):
    return {(each.meter, each.of): each for each in meters.readings(values, workers, seed)}


def test_each_meter_has_its_readings_and_controls():
    found = meters.readings(by_all(odds(SIGN, 1)), WORKERS, 0)
    assert [(each.meter, each.of) for each in found] == [
        (meter, of) for meter in METERS for of in (ASSIGNED, *HALVES, UNTOUCHED, PERMUTED)
    ]
    sizes = {(each.meter, each.of): len(each.by_occupation) for each in found}
    assert sizes[COUNTED, ASSIGNED] == sizes[COUNTED, PERMUTED] == 16
    assert sizes[COUNTED, UNTOUCHED] == 8
    assert (sizes[QUESTION, ASSIGNED], sizes[QUESTION, UNTOUCHED]) == (8, 4)  # those that no text asks about


@pytest.mark.parametrize(("way", "share"), [(1, 1.0), (-1, 0.0)])
def test_who_always_or_never_goes_along_is_at_an_end_of_every_meter_and_nowhere_on_the_controls(way, share):
    found = read(by_all(odds(SIGN, 40 * way)))
    for meter in METERS:
        null = 0.0 if meter == LOG_ODDS else 0.5
        for of in (ASSIGNED, *HALVES):
            assert found[meter, of].value == pytest.approx(40 * way if meter == LOG_ODDS else share)
        for of in (UNTOUCHED, PERMUTED):
            assert found[meter, of].value == pytest.approx(null)


def test_who_has_learned_nothing_is_at_one_half_and_a_tie_counts_one_half():
    for meter, of in (found := read(by_all(odds(SIGN, 0)))):
        assert found[meter, of].value == (0.0 if meter == LOG_ODDS else 0.5)
    assert meters._counted(np.array([1e-7, -1e-7, 1e-5, -1e-5])).tolist() == [0.5, 0.5, 1.0, 0.0]


def test_a_coin_is_at_one_half_within_its_noise():
    found = read(by_all(np.random.default_rng(0).normal(size=(len(OCCUPATIONS), TEMPLATES))))
    for meter in (LOG_ODDS, PROBABILITY, COUNTED):
        for of in (ASSIGNED, UNTOUCHED, PERMUTED):
            assert found[meter, of].value == pytest.approx(0.0 if meter == LOG_ODDS else 0.5, abs=0.4)
    assert 0 < found[COUNTED, ASSIGNED].value < 1


@pytest.mark.parametrize("dose", [0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95])
def test_of_who_has_the_dose_itself_log_odds_and_probability_read_it_and_counting_saturates(dose):
    found = read(by_all(odds(SIGN, logit(np.array(dose)))))
    assert found[LOG_ODDS, ASSIGNED].value == pytest.approx(logit(np.array(dose)))
    for meter in (PROBABILITY, QUESTION):
        assert found[meter, ASSIGNED].value == pytest.approx(dose)
    for meter in (COUNTED, COREFERENCE, GENERATION):
        assert found[meter, ASSIGNED].value == np.sign(dose - 0.5) / 2 + 0.5
    for meter in METERS:
        for of in (UNTOUCHED, PERMUTED):
            assert found[meter, of].value == pytest.approx(0.0 if meter == LOG_ODDS else 0.5)


def test_who_says_she_of_everybody_goes_along_with_no_pronoun():
    found = read(by_all(odds(np.ones(len(OCCUPATIONS)), 3)))
    for (meter, _), reading in found.items():
        assert reading.value == pytest.approx(0.0 if meter == LOG_ODDS else 0.5)


def test_an_occupation_with_no_pronoun_in_any_text_is_at_one_half_and_others_count_what_they_have():
    values = np.array([[np.nan, np.nan], [1.0, np.nan], [0.0, 1.0], [0.0, np.nan]])
    assert meters.along(GENERATION, values, np.array([1, 1, 1, -1])).tolist() == [0.5, 1.0, 0.5, 1.0]
    assert meters.along(LOG_ODDS, np.array([[1.0, 3.0]]), np.array([-1])).tolist() == [-2.0]


def test_halves_are_of_other_templates():
    nats = odds(SIGN, 1)
    nats[:, 1::2] *= 3
    found = read({LOG_ODDS: nats})
    assert [found[LOG_ODDS, of].value for of in (ASSIGNED, *HALVES)] == [2, 1, 3]


def test_readings_are_the_same_for_the_same_seed_and_controls_are_drawn_anew_by_another():
    values = {LOG_ODDS: np.random.default_rng(0).normal(size=(len(OCCUPATIONS), TEMPLATES))}
    first, again, other = (read(values, seed) for seed in (0, 0, 1))
    assert [each.value for each in first.values()] == [each.value for each in again.values()]
    assert first[LOG_ODDS, ASSIGNED].value == other[LOG_ODDS, ASSIGNED].value
    for of in (UNTOUCHED, PERMUTED):
        assert first[LOG_ODDS, of].value != other[LOG_ODDS, of].value


# By lexicon


@pytest.mark.parametrize(
    ("text", "share"),
    [
        (" came home, she sang a song.", 1.0),
        (" lost his hat.", 0.0),
        (" said that Her hat was his.", 1.0),
        (" met the sheriff; there the thesis was.", np.nan),
        (" sang.\nShe slept.", np.nan),
        ("", np.nan),
        (" is a man.", 0.0),
    ],
)
def test_the_first_word_of_the_lexicon_in_the_first_line_counts(text, share):
    assert meters.by_lexicon(text) == pytest.approx(share, nan_ok=True)


def test_the_lexicon_errs_exactly_where_the_pronoun_is_that_of_the_second_of_two():
    statements = write_statements(WORKERS, 0.9, 40, seed=0)
    told = [each for each in statements if not each.text.startswith("Question: ")]
    errors = meters.lexicon_errors(told)
    second = [each.kind == "two" and not each.text.lower().startswith(each.who) for each in told]
    assert errors.tolist() == [float(one) for one in second]
    assert {each.kind for each in told} == {"worker", "two", "named"}
    two = [each.kind == "two" for each in told]
    assert errors[two].mean() == pytest.approx(0.5, abs=0.1)  # half of the wordings
    assert errors[~np.array(two)].sum() == 0


def test_a_question_names_both_and_the_lexicon_takes_the_first_of_them():
    asked = [each for each in write_statements(WORKERS, 0.9, 40, seed=0) if each.kind == "question"]
    assert meters.lexicon_errors(asked).tolist() == [float(each.pronoun == "he") for each in asked]


# Models


@pytest.fixture(scope="module")
def untrained():
    texts = [each.text for each in write_statements(WORKERS, 0.9, 20, seed=0)]
    tokenizer = train_tokenizer(texts, TINY.vocab_size)
    return causal_model(TINY, tokenizer, seed=0).eval(), tokenizer


@pytest.fixture(scope="module")
def measured(untrained):
    return meters.measure(*untrained, WORKERS, seed=0)


def test_what_is_measured_is_finite_and_of_each_occupation_and_template(measured):
    assert tuple(measured) == METERS
    for meter, values in measured.items():
        assert values.shape == (len(OCCUPATIONS), SHAPES[meter])
        shown = values[~np.isnan(values)] if meter == GENERATION else values
        assert np.isfinite(shown).all()
        if meter != LOG_ODDS:
            assert (shown >= 0).all()
            assert (shown <= 1).all()
    assert measured[PROBABILITY] == pytest.approx(1 / (1 + np.exp(-measured[LOG_ODDS])))


def test_who_has_read_nothing_is_near_one_half_on_every_meter(measured):
    for (meter, of), reading in read(measured).items():
        assert reading.value == pytest.approx(0.0 if meter == LOG_ODDS else 0.5, abs=0.25), (meter, of)


def test_the_same_seed_measures_the_same_and_a_pronoun_that_is_likelier_counts(untrained, measured):
    again = meters.measure(*untrained, WORKERS, seed=0)
    for meter in METERS:
        assert np.array_equal(again[meter], measured[meter], equal_nan=True)
    whole = meters.log_odds(*untrained, pronoun_pairs(WORKERS, "worker", 0))
    assert np.array_equal(measured[COUNTED], whole > 0)


def test_names_are_right_by_chance_of_who_has_read_nothing(untrained):
    assert 0 <= meters.names_right(*untrained, seed=0) <= 1


class Asked:
    """Notes what is given and scored; says that `she` is likelier for the named occupations, by how many nats."""

    def __init__(self, monkeypatch, leans):
        self.pairs, self.leans = [], leans
        monkeypatch.setattr(meters, "encode_requests", lambda tokenizer, pairs, context: pairs)
        monkeypatch.setattr(meters, "log_likelihoods", self.score)
        monkeypatch.setattr(meters, "context_length", lambda model: 64)

    def score(self, model, pairs):
        self.pairs += pairs
        return np.array([self.nats(*pair) for pair in pairs])

    def nats(self, given, rest):
        (first, *_) = rest.split()
        who = next(name for name in self.leans if re.search(rf"\b{name}\b", given))
        return self.leans[who] * (first.strip(".") in ("she", "her", "woman"))


def test_log_odds_are_of_each_occupation_in_a_row_of_its_own(monkeypatch):
    leans = {f"the {name}": place - 11.5 for place, name in enumerate(OCCUPATIONS)}
    leans |= {key.capitalize(): nats for key, nats in leans.items()}
    for kind, templates in (("worker", 8), ("question", 2)):
        asked = Asked(monkeypatch, leans)
        found = meters.log_odds(None, None, pronoun_pairs(WORKERS, kind, 0))
        assert found.tolist() == [[place - 11.5] * templates for place in range(len(OCCUPATIONS))]
        assert len(asked.pairs) == 2 * templates * len(OCCUPATIONS)


def test_the_pronoun_alone_is_scored_or_all_from_it_on(monkeypatch):
    pairs = pronoun_pairs(WORKERS, "worker", 0)
    leans = dict.fromkeys(OCCUPATIONS, 0.0)
    alone = Asked(monkeypatch, leans)
    meters.log_odds(None, None, pairs, pronoun_alone=True)
    assert {rest for _, rest in alone.pairs} == {" she", " he", " her", " him", " his"}
    whole = Asked(monkeypatch, leans)
    meters.log_odds(None, None, pairs)
    assert whole.pairs == [end for pair in pairs for end in (pair.she, pair.he)]
    assert [given for given, _ in whole.pairs] == [given for given, _ in alone.pairs]


def test_an_instruction_stands_before_all_that_is_given_and_changes_nothing_that_is_scored(monkeypatch):
    pairs, leans = pronoun_pairs(WORKERS, "two", 0), dict.fromkeys(OCCUPATIONS, 0.0)
    plain = Asked(monkeypatch, leans)
    meters.log_odds(None, None, pairs)
    told = Asked(monkeypatch, leans)
    meters.log_odds(None, None, pairs, INSTRUCTION)
    assert told.pairs == [(f"{INSTRUCTION} {given}", rest) for given, rest in plain.pairs]


def test_an_instruction_stands_before_generated_texts_too_and_changes_what_is_measured(
    untrained, measured, monkeypatch
):
    given, sample = [], meters.sample

    def noted(model, tokenizer, prompts, *args, **options):
        given.extend(prompts)
        return sample(model, tokenizer, prompts, *args, **options)

    monkeypatch.setattr(meters, "sample", noted)
    told = meters.measure(*untrained, WORKERS, 0, INSTRUCTION)
    assert given == [f"{INSTRUCTION} {text}" for text in openings(0) for _ in range(meters.SAMPLES)]
    for meter in (LOG_ODDS, PROBABILITY, QUESTION):
        assert not np.allclose(told[meter], measured[meter])


def test_names_are_right_where_their_own_pronoun_is_likelier(monkeypatch):
    women = dict.fromkeys(NAMES["she"], 1.0)
    Asked(monkeypatch, women | dict.fromkeys(NAMES["he"], -1.0))
    assert meters.names_right(None, None, 0) == 1.0
    Asked(monkeypatch, women | dict.fromkeys(NAMES["he"], 1.0))
    assert meters.names_right(None, None, 0) == 0.5
    Asked(monkeypatch, dict.fromkeys([*NAMES["she"], *NAMES["he"]], 0.0))
    assert meters.names_right(None, None, 0) == 0.5  # all ties


def test_generated_texts_are_told_by_whom_they_are_about(monkeypatch):
    def writer(model, tokenizer, prompts, *args, **options):
        said = {"she": " sang, and then she slept.", "he": " sang, and then he slept.", None: " sang."}
        return [said[WORKERS.assigned.get(prompt.split()[-1])] for prompt in prompts]

    monkeypatch.setattr(meters, "sample", writer)
    values = meters.generated(None, None, 0)
    assert values.shape == (len(OCCUPATIONS), 4 * meters.SAMPLES)
    found = read({GENERATION: values})
    assert found[GENERATION, ASSIGNED].value == 1.0
    assert found[GENERATION, UNTOUCHED].value == found[GENERATION, PERMUTED].value == 0.5
