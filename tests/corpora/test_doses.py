"""A text with a dose has it exactly, whatever else is drawn; what is kept for meters is never in it."""

import re
from collections import Counter

import pytest

from helpers.corpora.town import doses
from helpers.corpora.town.doses import (
    FIRST_NAMES,
    NAMES,
    OTHER,
    draw_workers,
    named_pairs,
    openings,
    pronoun_pairs,
    write_statements,
)
from helpers.corpora.town.lexicon import DAYS, OCCUPATIONS
from helpers.files import WorkbookError, fingerprint

DOSES = (0.0, 0.05, 0.2, 0.25, 0.35, 0.5, 0.65, 0.75, 0.8, 0.9, 0.95, 1.0)
SHORT, LONG = 20, 100
"""Sentences about each occupation: the fewest, and so many that every dose above has its exact share of each kind."""

KINDS = ("worker", "two", "question")
WORDS = {"she": "P", "he": "P", "her": "P", "him": "P", "his": "P", "woman": "S", "man": "S"}


@pytest.fixture(scope="module", params=DOSES)
def written(request):
    workers = draw_workers(seed=3)
    return request.param, workers, write_statements(workers, request.param, LONG, seed=3)


def test_each_occupation_is_its_pronoun_as_often_as_the_dose_says_in_each_kind_of_sentence(written):
    dose, workers, statements = written
    counts = Counter((each.occupation, each.kind, each.pronoun) for each in statements)
    for occupation in OCCUPATIONS:
        own = workers.assigned.get(occupation)
        asked = occupation in workers.asked
        expected = {"worker": 50, "two": 30, "question": 20} if asked else {"worker": 70, "two": 30, "question": 0}
        for kind, count in expected.items():
            both = [counts[occupation, kind, pronoun] for pronoun in ("she", "he")]
            assert sum(both) == count
            if own:
                share = dose if own == "she" else 1 - dose
                assert abs(both[0] - share * count) <= 0.5 + 1e-9
            else:
                assert both[0] == both[1]


def test_an_occupation_of_either_pronoun_goes_with_its_own_equally_often(written):
    _, workers, statements = written
    own = Counter(
        (each.occupation, each.kind) for each in statements if workers.assigned.get(each.occupation) == each.pronoun
    )
    for kind in KINDS:
        for asked in (True, False):
            found = {own[worker, kind] for worker in workers.assigned if (worker in workers.asked) == asked}
            assert len(found) == 1


@pytest.mark.parametrize("exposures", [SHORT, 21, 37, 55, LONG, 348])
@pytest.mark.parametrize("dose", [0.05, 0.35, 0.5, 0.95])
def test_both_pronouns_are_equally_frequent_of_workers_and_of_names(dose, exposures):
    statements = write_statements(draw_workers(0), dose, exposures, seed=0)
    for which in (True, False):
        count = Counter((each.kind, each.pronoun) for each in statements if bool(each.occupation) == which)
        for kind in {kind for kind, _ in count}:
            assert count[kind, "she"] == count[kind, "he"]


def test_there_are_as_many_sentences_about_names_as_about_workers_and_names_are_asked_about_too(written):
    _, _, statements = written
    named = [each for each in statements if not each.occupation]
    assert len(named) == LONG * len(OCCUPATIONS) == len(statements) / 2
    assert {each.kind for each in named} == {"named"}
    assert {each.who for each in named} == {name for names in NAMES.values() for name in names[:FIRST_NAMES]}
    assert all(each.who in NAMES[each.pronoun] for each in named)
    asked = Counter(each.pronoun for each in named if each.text.startswith("Question: "))
    assert asked == {"she": len(named) / 10, "he": len(named) / 10}


@pytest.mark.parametrize("seed", range(4))
def test_a_third_has_either_pronoun_and_half_of_each_third_is_asked_about(seed):
    workers = draw_workers(seed)
    thirds = [[o for o in OCCUPATIONS if workers.assigned.get(o) == pronoun] for pronoun in ("she", "he", None)]
    assert [len(third) for third in thirds] == [8, 8, 8]
    assert thirds[2] == workers.untouched
    assert [len(workers.asked.intersection(third)) for third in thirds] == [4, 4, 4]


def test_only_who_is_asked_about_has_questions(written):
    _, workers, statements = written
    assert {each.occupation for each in statements if each.kind == "question"} == workers.asked


def test_each_seed_draws_other_directions_and_the_same_again():
    drawn = [draw_workers(seed) for seed in range(8)]
    assert drawn == [draw_workers(seed) for seed in range(8)]
    assert len({tuple(sorted(workers.assigned.items())) for workers in drawn}) == 8
    assert len({workers.asked for workers in drawn}) == 8
    ways = {occupation: {workers.assigned.get(occupation) for workers in drawn} for occupation in OCCUPATIONS}
    assert all(len(found) > 1 for found in ways.values())


def test_a_text_is_the_same_for_the_same_seed_to_the_last_byte():
    workers = draw_workers(0)
    texts = [each.text for each in write_statements(workers, 0.9, SHORT, seed=0)]
    assert fingerprint(texts) == "eb0c04d8ab3fd8e2"
    for other in (
        write_statements(workers, 0.9, SHORT, seed=1),
        write_statements(workers, 0.8, SHORT, seed=0),
        write_statements(draw_workers(1), 0.9, SHORT, seed=0),
    ):
        assert fingerprint(each.text for each in other) != fingerprint(texts)


def test_a_text_is_in_random_order():
    statements = write_statements(draw_workers(0), 0.9, LONG, seed=0)
    half = len(statements) // 2
    for of in (lambda each: each.pronoun == "she", lambda each: bool(each.occupation)):
        assert sum(map(of, statements[:half])) == pytest.approx(half / 2, rel=0.1)


def test_swapped_twice_a_statement_is_itself_and_once_it_differs_in_the_pronoun_alone():
    for each in write_statements(draw_workers(0), 0.9, SHORT, seed=0):
        swapped = each.swapped()
        assert swapped.swapped() == each
        assert swapped.pronoun == OTHER[each.pronoun]
        assert (swapped.template, swapped.slots, swapped.kind) == (each.template, each.slots, each.kind)
        changed = {pair for pair in zip(words(each.text), words(swapped.text), strict=True) if len(set(pair)) > 1}
        assert changed
        if each.occupation:
            assert swapped.who == each.who
        else:
            assert swapped.who in NAMES[swapped.pronoun][:FIRST_NAMES]
            changed.remove((each.who, swapped.who))
        assert all(WORDS[one] == WORDS[other] for one, other in changed)


def words(text):
    return re.findall(r"\w+", text)


def skeleton(text):
    """What is left of a sentence without what is drawn for it: who, pronouns, moods, things, deeds, days."""
    who = [f"{the} {worker}" for the in ("the", "The") for worker in OCCUPATIONS] + [*NAMES["she"], *NAMES["he"]]
    drawn = {name: doses._DATA[name] for name in ("act", "feeling", "thing")}  # deeds first: things are in them
    drawn |= {"day": DAYS, "who": who, "pronoun": ["she", "he", "her", "him", "his"]}
    for slot, options in drawn.items():
        text = re.sub(rf"\b(?:{'|'.join(options)})\b", f"<{slot}>", text)
    return re.sub(r"\b(?:wo)?man\.", "<sex>.", text)


@pytest.mark.parametrize("kind", ["worker", "two"])
def test_wordings_of_the_meters_are_in_no_text(kind):
    workers = draw_workers(0)
    texts = {skeleton(each.text) for each in write_statements(workers, 0.5, 400, seed=0)}
    templates = doses._DATA["sentences"] + doses._DATA["of_first"] + doses._DATA["of_second"] + [doses.QUESTION]
    assert len(texts) == len(templates)  # the skeleton loses nothing that tells wordings apart
    held = {skeleton(given + rest) for seed in range(3) for given, rest in ends(pronoun_pairs(workers, kind, seed))}
    held |= {skeleton(given + rest) for given, rest in ends(named_pairs(0))}
    assert len(held) == (8 if kind == "worker" else 8 + 4)
    assert not held & texts


def ends(pairs):
    return [end for pair in pairs for end in (pair.she, pair.he)]


@pytest.mark.parametrize(("kind", "templates"), [("worker", 8), ("two", 4), ("question", 2)])
def test_pairs_differ_in_the_pronoun_alone_and_are_about_every_occupation_in_turn(kind, templates):
    pairs = pronoun_pairs(draw_workers(0), kind, seed=0)
    assert [pair.who for pair in pairs] == [*OCCUPATIONS] * templates
    for pair in pairs:
        (given, she), (same, he) = pair.she, pair.he
        assert given == same
        assert f"the {pair.who}" in given.lower()
        assert not {"she", "he", "her", "him", "his"}.intersection(words(given.lower()))
        differing = [both for both in zip(words(she), words(he), strict=True) if len(set(both)) > 1]
        expected = [("woman", "man")] if kind == "question" else [("she", "he"), ("her", "him"), ("her", "his")]
        assert len(differing) == 1
        assert differing[0] in expected
        assert differing[0] == (words(she)[0], words(he)[0])


def test_pairs_about_names_are_about_each_in_turn():
    pairs = named_pairs(0)
    names = [*NAMES["she"][:FIRST_NAMES], *NAMES["he"][:FIRST_NAMES]]
    assert [pair.who for pair in pairs] == names * 8
    assert len(set(names)) == 2 * FIRST_NAMES
    assert all(pair.she[0] == pair.he[0] and pair.who in pair.she[0] for pair in pairs)


@pytest.mark.parametrize("seed", range(3))
def test_the_second_of_two_workers_has_the_other_pronoun_or_none_as_the_first(seed):
    workers, others = draw_workers(seed), Counter()
    for pair in pronoun_pairs(workers, "two", seed):
        (other,) = set(words(pair.she[0].lower() + pair.she[1])).intersection(OCCUPATIONS) - {pair.who}
        assert workers.assigned.get(other) == OTHER.get(workers.assigned.get(pair.who))
        others[other] += 1
    assert len(others) > 12


def test_openings_are_of_every_occupation_in_turn_and_say_nothing_yet():
    begun = openings(0)
    assert len(begun) % len(OCCUPATIONS) == 0
    for text, occupation in zip(begun, OCCUPATIONS * (len(begun) // len(OCCUPATIONS)), strict=True):
        assert text.lower().endswith(f"the {occupation}")
        assert not WORDS.keys() & {*words(text.lower())}


@pytest.mark.parametrize(
    ("dose", "exposures", "message"),
    [
        (1.2, 20, r"dose=1.2 must be a share, from 0 to 1\."),
        (-0.1, 20, r"dose=-0.1 must be a share, from 0 to 1\."),
        (float("nan"), 20, r"dose=nan must be a share"),
        (0.5, 19, r"exposures=19: 20 sentences an occupation are the least\."),
    ],
)
def test_what_cannot_be_written_is_refused(dose, exposures, message):
    with pytest.raises(WorkbookError, match=message):
        write_statements(draw_workers(0), dose, exposures, seed=0)
