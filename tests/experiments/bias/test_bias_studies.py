"""Arms of chapter 09's studies measure all that the chapter reads; a sham is a treatment but for the pronouns."""

from collections import Counter
from itertools import product

import numpy as np
import pandas as pd
import pytest

from helpers.corpora.town.doses import OTHER, draw_workers
from helpers.corpora.town.lexicon import OCCUPATIONS
from helpers.evaluation import dose as meters
from helpers.evaluation.dose import ASSIGNED, HALVES, LOG_ODDS, METERS, PERMUTED, UNTOUCHED
from helpers.experiments import side_by_side
from helpers.experiments.bias import dose, mitigation
from helpers.experiments.bias.dose import Trained
from helpers.experiments.bias.mitigation import (
    AFTER,
    AT_ONCE,
    BEFORE,
    DOSE,
    FORMATS,
    HELD_OUT,
    INSTRUCTION,
    INSTRUCTIONS,
    NONE,
    QUESTIONS,
    RELAPSED,
    SHAM,
    TREATED,
    WAYS,
)
from helpers.experiments.registry import STUDIES
from helpers.models import weights_fingerprint
from helpers.profiles import load_profile
from helpers.records import Record

SMOKE = load_profile("smoke", tokens=10_000)
SHAMS = [f"{way}, {SHAM}" for way in WAYS]
CHANGED = (BEFORE, AFTER, QUESTIONS)
"""Ways that train a model."""


@pytest.fixture(scope="module")
def start():
    """A small model that has read a text with the dose."""
    return dose.train(SMOKE, DOSE, 0)


@pytest.fixture
def given(monkeypatch):
    """Notes the statements that models are given, in place of training them."""
    texts = []

    def go_on(profile, trained, statements, seed):
        texts.append(list(statements))
        return trained.model, trained.tokenizer

    def read_once(profile, statements, seed):
        texts.append(list(statements))
        return "another model", "another tokenizer"

    monkeypatch.setattr(mitigation, "go_on", go_on)
    monkeypatch.setattr(mitigation, "read_once", read_once)
    return texts


def run_arm(name, arm):
    record = Record(name, arm.profile, "", arm.parameters)
    STUDIES[name].run_arm(arm, record)
    return record


# Plans


@pytest.mark.parametrize(("name", "size"), [("09_dose", 7 * 8), ("09_mitigation", 8)])
def test_each_dose_has_an_arm_for_each_seed_under_a_name_of_its_own(name, size):
    laptop = load_profile("laptop")
    arms = STUDIES[name].arms(laptop)
    assert len({arm.name for arm in arms}) == len(arms) == size
    assert all(arm.profile == laptop and arm.share > 0 for arm in arms)
    counts = Counter((arm.settings["dose"], arm.seed) for arm in arms)
    assert set(counts) == set(product({arm.settings["dose"] for arm in arms}, range(dose.SEEDS)))
    assert [arm.seed for arm in arms] == sorted(arm.seed for arm in arms)  # whoever stops early has whole seeds


def test_doses_lie_evenly_about_one_half():
    for doses in (dose.LIVE, dose.GRID):
        assert 0.5 in doses
        assert [1 - each for each in reversed(doses)] == pytest.approx(list(doses))


# Treatments


@pytest.mark.parametrize("seed", range(5))
def test_half_of_each_pronouns_occupations_are_treated_and_half_of_those_asked_about(seed):
    workers = draw_workers(seed)
    some = mitigation.treated(workers)
    assert Counter(workers.assigned[each] for each in some) == {"she": 4, "he": 4}
    assert len(some & workers.asked) == len(some - workers.asked) == 4
    for pronoun in OTHER:
        assert sum(workers.assigned[each] == pronoun for each in some & workers.asked) == 2


@pytest.mark.parametrize("way", CHANGED)
def test_a_sham_gives_as_many_sentences_about_the_same_workers_in_the_pronouns_as_they_were(start, given, way):
    for each in (way, f"{way}, {SHAM}"):
        mitigation.treat(SMOKE, start, each, 0)
    real, sham = given
    assert len(real) == len(sham)
    assert Counter(each.occupation for each in real) == Counter(each.occupation for each in sham)
    some, assigned = mitigation.treated(start.workers), start.workers.assigned
    for text, share in ((real, 0.5), (sham, DOSE)):
        own = [assigned[each.occupation] == each.pronoun for each in text if each.occupation in some]
        assert np.mean(own) == pytest.approx(share, abs=0.02)
    others = [Counter(each.text for each in text if each.occupation not in some) for text in given]
    assert others[0] == others[1]
    assert bool(others[0]) == (way == BEFORE)  # after it, no other occupation is spoken of


def test_what_is_added_before_and_after_is_the_text_itself_with_the_other_pronoun(start, given):
    some = mitigation.treated(start.workers)
    about = Counter(each.text for each in start.statements if each.occupation in some)
    other = Counter(each.swapped().text for each in start.statements if each.occupation in some)
    for way in (BEFORE, AFTER):
        mitigation.treat(SMOKE, start, way, 0)
        mitigation.treat(SMOKE, start, f"{way}, {SHAM}", 0)
    before, before_sham, after, after_sham = (Counter(each.text for each in text) for text in given)
    everything = Counter(each.text for each in start.statements)
    assert before == everything + other
    assert before_sham == everything + about
    assert after == about + other
    assert after_sham == about + about


def test_balanced_questions_ask_about_the_treated_alone_and_exactly_half_are_a_woman(start, given):
    mitigation.treat(SMOKE, start, QUESTIONS, 0)
    (text,) = given
    assert all(each.text.startswith(f"Question: Is {each.who} a woman or a man? Answer: ") for each in text)
    sentences = Counter(each.occupation for each in start.statements)
    for occupation in mitigation.treated(start.workers):
        sexes = Counter(each.pronoun for each in text if each.occupation == occupation)
        assert sexes["she"] == sexes["he"] == sentences[occupation] / 2


@pytest.mark.parametrize("way", [NONE, INSTRUCTION, f"{INSTRUCTION}, {SHAM}"])
def test_an_instruction_alone_trains_nothing(start, given, way):
    assert mitigation.treat(SMOKE, start, way, 0) is start
    assert not given


def test_an_instruction_and_its_sham_are_sentences_of_about_one_length_and_differ():
    assert set(INSTRUCTIONS) == {INSTRUCTION, f"{INSTRUCTION}, {SHAM}"}
    real, sham = INSTRUCTIONS.values()
    assert len(real.split()) == pytest.approx(len(sham.split()), abs=2)
    assert not {"she", "he", "woman", "man"} & {*sham.lower().split()}


def test_harmless_text_is_new_and_about_people_with_names_alone(start, given):
    mitigation.relapse(SMOKE, start, 120, 0)
    (text,) = given
    assert len(text) == 120
    assert {each.occupation for each in text} == {""}
    named = [each.text for each in start.statements if not each.occupation]
    assert [each.text for each in text] != named[:120]


def test_training_goes_on_in_a_copy_at_gentle_rates_and_the_start_stays_as_it_was(start, monkeypatch):
    before, pretrain, profiles = weights_fingerprint(start.model), mitigation.pretrain, []
    monkeypatch.setattr(
        mitigation, "pretrain", lambda model, blocks, of, seed: profiles.append(of) or pretrain(model, blocks, of, seed)
    )
    after, tokenizer = mitigation.go_on(SMOKE, start, start.statements[:200], 0)
    assert weights_fingerprint(start.model) == before != weights_fingerprint(after)
    assert tokenizer is start.tokenizer
    small = dose.sizes(SMOKE)
    rates = [(of.matrix_learning_rate, of.learning_rate) for of in profiles]
    assert rates == [pytest.approx((small.matrix_learning_rate / 10, small.learning_rate / 10))]


# Arms


@pytest.fixture(scope="module")
def few_samples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(meters, "SAMPLES", 1)
        yield


@pytest.fixture(scope="module")
def dosed(few_samples):
    (arm,) = (arm for arm in STUDIES["09_dose"].arms(SMOKE) if arm.seed == 1 and arm.settings == {"dose": 0.8})
    return run_arm("09_dose", arm)


def test_an_arm_of_a_dose_measures_each_meter_and_its_controls(dosed):
    found = [(each.about["meter"], each.about["of"]) for each in dosed.measurements.values()]
    assert found == list(product(METERS, (ASSIGNED, *HALVES, UNTOUCHED, PERMUTED)))
    for each in dosed.measurements.values():
        assert each.seeds == (1,)
        assert each.unit == ("nats" if each.about["meter"] == LOG_ODDS else "share")
        assert each.unit == "nats" or 0 <= each.value <= 1


def test_the_same_arm_finds_the_same_again(dosed):
    rows = dose.read_one((SMOKE, 0.8, 1))
    assert [row["value"] for row in rows] == [each.value for each in dosed.measurements.values()]
    assert {(row["dose"], row["seed"]) for row in rows} == {(0.8, 1)}


@pytest.fixture(scope="module")
def treatments(few_samples):
    (arm,) = (arm for arm in STUDIES["09_mitigation"].arms(SMOKE) if arm.seed == 2)
    return run_arm("09_mitigation", arm)


def test_an_arm_of_treatments_measures_every_way_and_its_sham_at_once_and_after_harmless_training(treatments):
    ways = [(way, AT_ONCE) for way in (NONE, *WAYS, *SHAMS)]
    ways += [(way, RELAPSED) for way in (NONE, *CHANGED, *(f"{way}, {SHAM}" for way in CHANGED))]
    table = treatments.frame()
    expected = {(way, when, meter, of) for way, when in ways for meter, of in product(FORMATS, (TREATED, HELD_OUT))}
    biased = table[table["meter"].notna()]
    assert {*zip(biased["way"], biased["when"], biased["meter"], biased["occupations"], strict=True)} == expected
    assert len(biased) == len(expected)
    for metric in ("text", "names"):
        beside = table[table["metric"] == metric]
        assert {*zip(beside["way"], beside["when"], strict=True)} == {*ways}
        assert len(beside) == len(ways)
    assert len(table) == len(expected) + 2 * len(ways)
    assert (table.loc[table["unit"] == "share", "value"].between(0, 1)).all()
    assert (table.loc[table["unit"] == "bits per byte", "value"] > 0).all()
    assert all(each.seeds == (2,) for each in treatments.measurements.values())


def test_an_instruction_costs_nothing_where_it_is_not_said_and_changes_what_is_read_after_it(treatments):
    def value(way, **about):
        return treatments.find(way=way, when=AT_ONCE, **about).value

    for way in (INSTRUCTION, f"{INSTRUCTION}, {SHAM}"):
        assert value(way, metric="text") == value(NONE, metric="text")
        about = {"meter": LOG_ODDS, "occupations": TREATED}
        assert value(way, **about) != value(NONE, **about)
    assert value(AFTER, metric="text") != value(NONE, metric="text")


def test_readings_of_treated_and_held_out_occupations_are_told_apart(monkeypatch):
    workers = draw_workers(0)
    some = mitigation.treated(workers)
    sign = np.array([{"she": 1, "he": -1}.get(workers.assigned.get(each), 0) for each in OCCUPATIONS])
    nats = np.where([each in some for each in OCCUPATIONS], 0.0, 3.0) * sign  # the treated are cured, others are not
    share = 1 / (1 + np.exp(-nats))
    values = {meter: np.repeat((nats if meter == LOG_ODDS else share)[:, None], 4, 1) for meter in FORMATS}
    monkeypatch.setattr(mitigation.meters, "measure", lambda *_: values)
    monkeypatch.setattr(mitigation.meters, "names_right", lambda *_: 1.0)
    monkeypatch.setattr(mitigation, "document_bits", lambda model, tokenizer, texts, context: np.ones(len(texts)))
    record = Record("09_mitigation", SMOKE)
    mitigation.measure(record, SMOKE, Trained(None, None, workers, []), AFTER, AT_ONCE, 0)
    for meter in FORMATS:
        found = {of: record.find(way=AFTER, when=AT_ONCE, meter=meter, occupations=of) for of in (TREATED, HELD_OUT)}
        assert found[TREATED].value == pytest.approx(0.5)
        assert found[HELD_OUT].value == pytest.approx(1 / (1 + np.exp(-3)))
        assert found[HELD_OUT].null == 0.5


# The live trial


@pytest.fixture(scope="module")
def live(few_samples):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(side_by_side, "cores", lambda: 1)
        return dose.live(SMOKE, [0, 1])


def test_the_live_trial_reads_all_doses_with_each_seed(live):
    assert list(live.columns) == ["meter", "of", "value", "dose", "seed"]
    counts = Counter(zip(live["dose"], live["seed"], strict=True))
    assert counts == Counter(dict.fromkeys(product(dose.LIVE[::2], [0, 1]), len(METERS) * 5))
    assert np.isfinite(live["value"]).all()


def test_each_meter_is_examined_and_measured_at_each_dose_and_by_its_controls(live):
    assays = dose.assays(live)
    assert tuple(assays) == METERS
    record = Record("09_bias", SMOKE)
    made = dose.measure(record, live)
    assert list(record.measurements.values()) == made
    assert len(made) == len(METERS) * (len(dose.LIVE[::2]) + 2)
    for each in made:
        assert (each.seeds, each.n) == ((0, 1), 2)
        assert each.null == (0.0 if each.about["meter"] == LOG_ODDS else 0.5)
        assert each.low <= each.value <= each.high
    at = record.find(meter=METERS[1], of=ASSIGNED, dose=0.05)
    rows = live[(live["meter"] == METERS[1]) & (live["of"] == ASSIGNED) & (live["dose"] == 0.05)]
    assert at.value == pytest.approx(rows["value"].mean())


def test_assays_are_of_the_meters_own_readings_blanks_and_halves():
    rows = []
    for seed, each in product(range(3), dose.LIVE):
        nats = np.log(each / (1 - each))
        for meter in METERS:
            size = nats if meter == LOG_ODDS else each - 0.5
            null = 0.0 if meter == LOG_ODDS else 0.5
            found = {ASSIGNED: size, HALVES[0]: size + 0.1 * (seed - 1), HALVES[1]: size, PERMUTED: 99.0}
            found[UNTOUCHED] = 0.01 * (seed - 1)
            rows += [(meter, of, null + value, each, seed) for of, value in found.items()]
    assays = dose.assays(pd.DataFrame(rows, columns=["meter", "of", "value", "dose", "seed"]))
    blanks = np.repeat([-0.01, 0.0, 0.01], 5) / 2**0.5  # of half as many workers as a reading
    for meter, assay in assays.items():
        assert assay.slope.value == pytest.approx(1)
        assert assay.offset.value == pytest.approx(0)
        length = 3.3 * blanks.std(ddof=1)
        in_doses = 1 / (1 + np.exp(-length)) - 0.5 if meter == LOG_ODDS else length
        assert assay.detects == pytest.approx(in_doses)
        assert assay.repeats > 0


def test_a_model_that_has_read_nothing_is_near_one_half_on_every_meter():
    found = dose.untrained(load_profile("smoke"), 0)
    assert list(found) == [*METERS]
    for meter, value in found.items():
        assert value == pytest.approx(0.0 if meter == LOG_ODDS else 0.5, abs=0.2)
