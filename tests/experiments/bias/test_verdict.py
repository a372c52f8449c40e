"""The rule for claim C12 decides by the ends of intervals, and no sham may do as well; what is shown says what was."""

from itertools import product

import numpy as np
import pytest

from helpers.evaluation.assay import Assay, Estimate
from helpers.evaluation.dose import COREFERENCE, LOG_ODDS, QUESTION
from helpers.experiments.bias import published, real, verdict
from helpers.experiments.bias.mitigation import (
    AFTER,
    AT_ONCE,
    BEFORE,
    HELD_OUT,
    INSTRUCTION,
    NONE,
    QUESTIONS,
    RELAPSED,
    SHAM,
    TREATED,
    WAYS,
)
from helpers.experiments.bias.published import CLEAN, CROWS, MATCHED, NULL, OTHER_LENGTHS, PRONOUN, SHORTER
from helpers.experiments.bias.verdict import by_category, decide, gone, rung
from helpers.experiments.study import Findings
from helpers.profiles import load_profile
from helpers.records import DEPENDS, Measurement, Record, Verdict
from helpers.statistics import Interval

EVERYWHERE = tuple(product((TREATED, HELD_OUT), (AT_ONCE, RELAPSED)))


def measured(value, low=None, high=None, n=None, null=None, **about):
    interval = None if low is None else Interval(low, high, "t")
    return Measurement(str(about), value, "share", interval, n, null=null, about=about)


def readings(**lefts):
    """Makes readings of all ways and shams by both meters, biased but for `lefts`: by way, places and the upper end."""
    found = {}
    for kind, (which, when), meter in product((NONE, *WAYS), EVERYWHERE, (LOG_ODDS, QUESTION)):
        for way in (kind,) if kind == NONE else (kind, f"{kind}, {SHAM}"):
            found[way, which, when, meter] = (0.85, 0.95)
    for way, (places, high) in lefts.items():
        for (which, when), meter in product(places, (LOG_ODDS, QUESTION)):
            found[way, which, when, meter] = (high - 0.05, high)
    return found


def as_measurements(found):
    return [
        measured(value, value - (high - value), high, way=way, occupations=which, when=when, meter=meter)
        for (way, which, when, meter), (value, high) in found.items()
    ]


def left(**lefts):
    return gone(as_measurements(readings(**lefts)))


# What is gone


def test_nothing_is_gone_where_all_are_as_biased_as_before():
    assert left() == {AT_ONCE: [], RELAPSED: []}
    assert gone([]) == {AT_ONCE: [], RELAPSED: []}


@pytest.mark.parametrize("way", WAYS)
def test_what_is_gone_everywhere_is_gone_at_once_too(way):
    assert left(**{way: (EVERYWHERE, 0.55)}) == {AT_ONCE: [way], RELAPSED: [way]}


@pytest.mark.parametrize("spared", [place for place in EVERYWHERE if place != (TREATED, AT_ONCE)])
def test_what_is_not_gone_on_held_out_occupations_or_comes_back_is_gone_at_once_alone(spared):
    places = [place for place in EVERYWHERE if place != spared]
    assert left(**{BEFORE: (places, 0.55)}) == {AT_ONCE: [BEFORE], RELAPSED: []}


def test_what_is_gone_but_on_the_treated_at_once_is_not_gone():
    places = [place for place in EVERYWHERE if place != (TREATED, AT_ONCE)]
    assert left(**{BEFORE: (places, 0.55)}) == {AT_ONCE: [], RELAPSED: []}


@pytest.mark.parametrize("meter", [LOG_ODDS, QUESTION])
def test_both_meters_have_to_say_so(meter):
    found = readings(**{QUESTIONS: (EVERYWHERE, 0.55)})
    found[QUESTIONS, TREATED, AT_ONCE, meter] = (0.8, 0.9)
    assert gone(as_measurements(found)) == {AT_ONCE: [], RELAPSED: []}


def test_other_meters_have_no_say():
    found = as_measurements(readings(**{AFTER: (EVERYWHERE, 0.55)}))
    found += [
        measured(0.9, 0.8, 1.0, way=AFTER, occupations=which, when=when, meter=COREFERENCE)
        for which, when in EVERYWHERE
    ]
    assert gone(found)[RELAPSED] == [AFTER]


@pytest.mark.parametrize(("high", "is_gone"), [(0.599, True), (0.6, False), (0.7, False)])
def test_the_end_of_the_interval_decides_and_not_the_mean(high, is_gone):
    found = readings()
    for (which, when), meter in product(EVERYWHERE, (LOG_ODDS, QUESTION)):
        found[AFTER, which, when, meter] = (0.5, high)
    assert gone(as_measurements(found))[AT_ONCE] == [AFTER] * is_gone


def test_a_sham_that_does_as_well_disqualifies_its_treatment_and_no_other():
    both = {BEFORE: (EVERYWHERE, 0.55), AFTER: (EVERYWHERE, 0.55)}
    sham = {f"{AFTER}, {SHAM}": ([(TREATED, AT_ONCE)], 0.55)}
    assert left(**both, **sham) == {AT_ONCE: [BEFORE], RELAPSED: [BEFORE]}


def test_what_was_not_measured_is_not_gone():
    found = readings(**{INSTRUCTION: (EVERYWHERE, 0.55)})
    at_once = {key: of for key, of in found.items() if not (key[0] == INSTRUCTION and key[2] == RELAPSED)}
    assert gone(as_measurements(at_once)) == {AT_ONCE: [INSTRUCTION], RELAPSED: []}


# The verdict


def assay(low, high):
    estimate = Estimate((low + high) / 2, Interval(low, high, "t"))
    rest = dict.fromkeys(Assay._fields, estimate) | {"detects": 0.1, "repeats": 0.1}
    return Assay(**rest)


NOWHERE, ONCE, LASTS = (
    {AT_ONCE: [], RELAPSED: []},
    {AT_ONCE: [AFTER], RELAPSED: []},
    {AT_ONCE: [BEFORE, AFTER], RELAPSED: [BEFORE]},
)


@pytest.mark.parametrize(
    ("slope", "treatments", "expected"),
    [
        ((0.8, 1.1), LASTS, "supported"),
        ((0.51, 1.9), LASTS, "supported"),
        ((0.8, 1.1), ONCE, DEPENDS),
        ((0.8, 1.1), NOWHERE, DEPENDS),
        ((0.49, 1.9), LASTS, DEPENDS),  # its mean is above one half, and its interval holds it
        ((0.1, 0.3), LASTS, DEPENDS),
        ((0.1, 0.3), ONCE, DEPENDS),
        ((0.1, 0.3), NOWHERE, "refuted"),
        ((0.1, 0.6), NOWHERE, DEPENDS),
    ],
)
def test_it_takes_both_halves_to_support_the_claim_and_neither_to_refute_it(slope, treatments, expected):
    here, because = decide(assay(*slope), treatments)
    assert here.startswith(expected)
    Verdict("C12", "a claim", here, "\n".join(because), "")  # is one that a record takes


def test_the_sentences_behind_it_name_slope_and_treatments():
    _, (first, once) = decide(assay(0.8, 1.1), LASTS)
    assert "0.95 [0.80, 1.10]" in first
    assert first.endswith(f"by {BEFORE}.")
    assert f"{BEFORE}, {AFTER}" in once
    for line in decide(assay(0.8, 1.1), NOWHERE)[1]:
        assert "no treatment" in line


# Published meters in words


def part_of(name, share, null, p_value=None):
    about = {"meter": CROWS, "judge": "model", "part": name}
    found = [
        measured(share, share - 0.1, share + 0.1, 9, null, **about),
        measured(share - null, share - null - 0.1, share - null + 0.1, 9, 0.0, rival=NULL, **about),
    ]
    return found + ([measured(p_value, metric="Holm", **about)] if p_value is not None else [])


def whole(meter, share, null):
    about = {"meter": meter, "judge": "model"}
    gaps = [measured(share - of, rival=rival, **about) for rival, of in ((NULL, null), (SHORTER, 0.5))]
    return [measured(share, share - 0.02, share + 0.02, null=null, **about), *gaps]


@pytest.fixture
def found():
    found = part_of("age", 0.7, 0.5, 0.01) + part_of("place", 0.4, 0.6, 0.049) + part_of("trade", 0.9, 0.5, 0.05)
    for name in (MATCHED, OTHER_LENGTHS, CLEAN):
        found += part_of(name, 0.5, 0.5)
    found += [measured(3, metric="ties", meter=CROWS, judge="model", part="all")]
    found += whole(CROWS, 0.556, 0.546) + whole(PRONOUN, 0.7, 0.5)
    others = [measured(of.value, judge="other", **{k: v for k, v in of.about.items() if k != "judge"}) for of in found]
    slopes = [
        measured(value, value - 0.1, value + 0.1, metric="slope", judge="model", part=part)
        for part, value in ((published.STATISTICS, 0.42), (published.DOSED, 0.07))
    ]
    return found + others + slopes


def test_a_category_is_above_its_null_or_below_it_or_not_told_from_it(found):
    table = by_category(found, "model")
    said = {part: words.partition(",")[0] for part, words in table["so, p by Holm"].items()}
    assert said == {"age": "above its null", "place": "below its null", "trade": "not distinguishable"}
    assert list(table.columns) == ["model", NULL, "added", "so, p by Holm"]
    assert table.loc["age"].to_list() == ["70% [60%, 80%]", "50%", "+20% [+10%, +30%]", "above its null, p 0.01"]


def test_whole_meters_are_told_from_their_parts_and_from_what_is_added(found):
    assert [of.value for of in verdict.shares(found, judge="model")] == [0.556, 0.7]
    added = [(of.about["meter"], of.about["rival"]) for of in verdict.added(found, judge="model")]
    assert added == [(meter, rival) for meter in (CROWS, PRONOUN) for rival in (NULL, SHORTER)]


def test_the_rung_says_slope_shares_nulls_what_is_added_and_what_each_way_left(found):
    treated = [
        measured(value, metric="slope", judge=way, way=way, part=part)
        for way, values in {NONE: (0.4, 0.5), real.BOTH: (0.1, 0.2)}.items()
        for part, value in zip((TREATED, HELD_OUT), values, strict=True)
    ]
    treated += [measured(0.6, meter=PRONOUN, judge=NONE, way=NONE), measured(1.0, metric="text", judge=NONE, way=NONE)]
    slope, crows, pronoun, *ways = rung(found, treated, "model").split("\n")
    assert "0.42 [0.32, 0.52]" in slope
    assert crows == f"{CROWS}: 55.6% [53.6%, 57.6%]; the null 54.6%; added +1.0%."
    assert pronoun == f"{PRONOUN}: 70.0% [68.0%, 72.0%]; the null 50.0%; added +20.0%."
    assert ways == [
        f"Slope after {NONE}: treated 0.40, held out 0.50.",
        f"Slope after {real.BOTH}: treated 0.10, held out 0.20.",
    ]


def test_relapse_is_what_harmless_training_does_beyond_what_it_does_to_an_untreated_model():
    def arm(seed):
        record = Record("09_mitigation", load_profile("smoke"), "", {"seed": seed})
        nats = {(NONE, AT_ONCE): 2.0, (NONE, RELAPSED): 2.5, (AFTER, AT_ONCE): 0.1, (AFTER, RELAPSED): 1.0 + seed / 10}
        for (way, when), value in nats.items():
            about = {"way": way, "when": when, "meter": LOG_ODDS, "occupations": HELD_OUT}
            record.measure(f"{way}, {when}", 1 / (1 + np.exp(-value)), "dose", **about)
        return record.as_dict()

    found = Findings("?", "smoke", False, {f"seed-{seed}": arm(seed) for seed in range(3)})
    own, untreated, relapse = verdict.rises(found, AFTER, HELD_OUT)
    assert own.value == pytest.approx(1.0)
    assert untreated.value == pytest.approx(0.5)
    assert relapse.value == pytest.approx(0.5)
    assert relapse.low < 0.5 < relapse.high
