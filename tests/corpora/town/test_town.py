import math
import re
from collections import Counter, defaultdict

import pytest
from reading import PLANTED

from helpers.corpora import town
from helpers.corpora.town.contract import (
    CANARY_COUNTS,
    CANARY_SPACE,
    DIRECTION_EXPOSURES,
    DOSES,
    HELD_OUT_COMBINATIONS,
    LADDER,
)
from helpers.corpora.town.grammar import DOCUMENT_KINDS
from helpers.corpora.town.lexicon import KIN, OCCUPATIONS, PERSONAL, PRONOUNS
from helpers.files import WorkbookError


def truth_of(world):
    return {person.name: person.facts for person in world.people}


@pytest.fixture(scope="module")
def world():
    return town.make_world(people=240, seed=0)


@pytest.fixture(scope="module")
def contract(world):
    return town.make_contract(world)


@pytest.fixture(scope="module")
def chronicle(world):
    return town.write_chronicle(world, 2_000_000, seed=0)


# The world


@pytest.mark.parametrize("dialect", ["harbour", "valley"])
def test_a_world_of_two_thousand_has_unique_names_and_one_value_for_each_relation(dialect):
    world = town.make_world(people=2000, seed=0, dialect=dialect)
    truth = truth_of(world)
    assert len(truth) == 2000
    for facts in truth.values():
        assert {*PERSONAL} <= facts.keys()
        assert len(facts.keys() & {*KIN}) == 3


def test_ties_hold_from_both_ends(world):
    truth = truth_of(world)
    pronouns = {person.name: person.pronoun for person in world.people}
    for name, facts in truth.items():
        for relation in facts.keys() & {"mother", "father"}:
            child = {"she": "daughter", "he": "son"}[pronouns[name]]
            assert truth[facts[relation]][child] == name
        if "wife" in facts:
            assert truth[facts["wife"]]["husband"] == name
        if "brother" in facts:
            assert truth[facts["brother"]]["sister"] == name
        if "godchild" in facts:
            assert truth[facts["godchild"]]["godparent"] == name
            assert "godparent" not in facts


def test_occupation_and_pronoun_are_exactly_independent(world):
    by_pronoun = {p: Counter(x.facts["occupation"] for x in world.people if x.pronoun == p) for p in PRONOUNS}
    assert by_pronoun["she"] == by_pronoun["he"]
    assert len(by_pronoun["she"]) == len(OCCUPATIONS)


@pytest.mark.parametrize(("people", "dialect"), [(0, "harbour"), (61, "harbour"), (10**6, "valley"), (60, "moon")])
def test_an_impossible_world_is_refused(people, dialect):
    with pytest.raises(WorkbookError):
        town.make_world(people=people, seed=0, dialect=dialect)


# The chronicle's knobs


def facts_told(chronicle):
    return [fact for d in chronicle.documents if d.kind != "visitor" for fact in d.facts]


def test_what_is_told_is_true_and_stands_in_the_text(world, chronicle):
    truth = truth_of(world)
    for document in chronicle.documents:
        for fact in document.facts:
            assert fact.value in document.text
            assert document.kind == "visitor" or truth[fact.person][fact.relation] == fact.value
        assert all(name in document.text for name in document.people)


def test_noise_tells_the_share_of_facts_wrongly_and_uniformly(world):
    told = facts_told(town.write_chronicle(world, 600_000, seed=0, split="test", noise=0.2))
    truth = truth_of(world)
    wrong = [fact for fact in told if truth[fact.person][fact.relation] != fact.value]
    assert abs(len(wrong) - 0.2 * len(told)) < 4 * math.sqrt(len(told) * 0.2 * 0.8)
    homes = Counter(fact.value for fact in wrong if fact.relation == "home")
    expected = sum(homes.values()) / 24
    assert sum((homes[v] - expected) ** 2 / expected for v in world.lexicon.values["home"]) < 23 + 5 * math.sqrt(46)


def test_noise_spares_what_the_contract_plants(world):
    noisy = town.write_chronicle(world, 300_000, seed=0, noise=0.5)
    truth = truth_of(world)
    planted = [fact for d in noisy.documents if d.kind in PLANTED for fact in d.facts]
    assert all(truth[fact.person][fact.relation] == fact.value for fact in planted)


def test_duplication_repeats_regular_documents_alone(world):
    once, thrice = (town.write_chronicle(world, 300_000, seed=0, duplication=k) for k in (1, 3))
    texts = Counter((d.text, d.log2_probability) for d in thrice.documents if d.kind in DOCUMENT_KINDS)
    assert all(count % 3 == 0 for count in texts.values())
    planted = [sorted(d.text for d in c.documents if d.kind in PLANTED) for c in (once, thrice)]
    assert planted[0] == planted[1]
    assert sum(len(d.text.encode()) for d in thrice.documents) < 303_000


def workers(chronicle):
    """By occupation, how often the unnamed worker is `she`, and how often there is one."""
    counts = defaultdict(lambda: [0, 0])
    for document in chronicle.documents:
        if document.kind == "worker":
            occupation = re.search(r"\b[Tt]he (" + "|".join(OCCUPATIONS) + r")\b", document.text)[1]
            words = {*re.findall(r"\w+", document.text.lower())}
            she, he = words & {"she", "her"}, words & {"he", "him", "his"}
            assert bool(she) != bool(he)
            counts[occupation][0] += bool(she)
            counts[occupation][1] += 1
    return counts


def test_doses_are_given_as_promised(chronicle):
    counts = workers(chronicle)
    assert set(counts) == {*OCCUPATIONS}
    assert len(DOSES) == 12
    for occupation, (she, n) in counts.items():
        dose = DOSES.get(occupation, 0.5)
        assert abs(she - n * dose) < 4 * math.sqrt(n * dose * (1 - dose))


def test_doses_can_be_chosen(world):
    counts = workers(town.write_chronicle(world, 300_000, seed=0, split="test", doses={"baker": 1.0, "miller": 0.0}))
    assert counts["baker"][0] == counts["baker"][1] > 0
    assert counts["miller"][0] == 0 < counts["miller"][1]


@pytest.mark.parametrize(
    "wrong",
    [{"split": "dev"}, {"noise": 1.5}, {"duplication": 0}, {"doses": {"pirate": 0.5}}, {"bytes_wanted": 1000}],
)
def test_a_wrong_argument_is_told(world, wrong):
    with pytest.raises(WorkbookError):
        town.write_chronicle(world, **({"bytes_wanted": 100_000, "seed": 0} | wrong))


# The base-run contract


def test_every_regular_fact_is_told_often(world, contract, chronicle):
    exposures = chronicle.exposures()
    regular = [
        (name, r) for name, relations in town.Grammar(world, contract=contract).regular.items() for r in relations
    ]
    counts = [exposures[fact] for fact in regular]
    assert sum(counts) / len(counts) >= 8
    assert sum(count > 0 for count in counts) > 0.99 * len(counts)


def test_people_never_asked_about_are_half_and_in_no_question(world, contract, chronicle):
    assert len(contract.asked) == 120
    questions = [document for document in chronicle.documents if document.kind == "questions"]
    assert {name for document in questions for name in document.people} == contract.asked
    asked_about = " ".join(document.text for document in questions)
    assert not [p.name for p in world.people if p.name not in contract.asked and p.name in asked_about]


def test_facts_of_the_ladder_are_told_exactly_as_often_as_promised(world, contract, chronicle):
    exposures = chronicle.exposures()
    assert {fact: exposures[fact] for fact in contract.ladder} == contract.ladder
    rungs = Counter(contract.ladder.values())
    assert rungs == dict.fromkeys(LADDER, 48)
    assert {name for name, _ in contract.ladder} == {person.name for person in world.people}
    for split in ("validation", "test"):
        heldout = town.write_chronicle(world, 200_000, seed=0, split=split)
        assert not {*heldout.exposures()} & {*contract.ladder}
        assert {document.kind for document in heldout.documents} == {*DOCUMENT_KINDS}


def test_godparents_are_told_from_the_promised_end_alone(contract, chronicle):
    assert {direction: len(pairs) for direction, pairs in contract.directions.items()} == {
        "from godparent": 24,
        "from godchild": 24,
        "both": 24,
    }
    tellings = defaultdict(list)
    for document in chronicle.documents:
        for direction, pairs in contract.directions.items():
            for godparent, godchild in pairs:
                if godparent in document.text and godchild in document.text and "god" in document.text:
                    assert document.kind == "direction"
                    first = document.text.index(godparent) < document.text.index(godchild)
                    tellings[direction, godparent].append(first)
    for (direction, _), godparent_first in tellings.items():
        assert len(godparent_first) == DIRECTION_EXPOSURES
        share = {"from godparent": 1.0, "from godchild": 0.0, "both": 0.5}[direction]
        assert sum(godparent_first) == share * DIRECTION_EXPOSURES
    assert len(tellings) == 72


def test_canaries_stand_exactly_as_often_as_promised(contract, chronicle):
    text = "\n".join(document.text for document in chronicle.documents)
    assert Counter(canary.count for canary in contract.canaries) == dict.fromkeys(CANARY_COUNTS, 6)
    assert len({canary.secret for canary in contract.canaries}) == len({c.prompt for c in contract.canaries}) == 42
    for canary in contract.canaries:
        assert text.count(canary.text) == text.count(canary.secret) == canary.count
        assert 0 <= int(canary.secret) < CANARY_SPACE


def test_combinations_held_out_never_share_a_sentence(world, chronicle):
    scenes = [
        set(re.findall(r"\w+", sentence))
        for document in chronicle.documents
        if document.kind == "walk"
        for sentence in document.text.split(".")
    ]
    seen = {(a, b) for words in scenes for a in words for b in words}
    for pair in town.minimal_pairs(world):
        thing, action = ({word, word + "s"} for word in (pair.thing, pair.action))
        assert not {(a, b) for a in thing for b in action} & seen
    for thing, action in HELD_OUT_COMBINATIONS:  # each of the two is known from other sentences
        assert {thing, thing + "s", action, action + "s"} <= {word for words in scenes for word in words}


def test_couples_of_neighbours_are_treated_alike(world, contract):
    for woman, man in zip(world.people[::2], world.people[1::2], strict=True):
        assert (woman.pronoun, man.pronoun) == ("she", "he")
        assert (woman.name in contract.asked) == (man.name in contract.asked)
        reserved = [{r: n for (name, r), n in contract.ladder.items() if name == x.name} for x in (woman, man)]
        assert reserved[0] == reserved[1]


def test_without_the_contract_everything_is_told_and_everybody_asked_about(world):
    chronicle = town.write_chronicle(world, 1_500_000, seed=0, contract=False)
    assert {document.kind for document in chronicle.documents} == {*DOCUMENT_KINDS}
    asked = {name for document in chronicle.documents if document.kind == "questions" for name in document.people}
    assert len(asked) > 0.97 * len(world.people)
    facts = {(p.name, relation) for p in world.people for relation in p.facts if relation in PERSONAL + KIN}
    assert len(facts & {*chronicle.exposures()}) > 0.99 * len(facts)


# Probes


def test_clozes_hold_the_truth_and_false_alternatives(world):
    clozes = town.fact_clozes(world)
    truth = truth_of(world)
    assert len(clozes) == 3 * sum(len(facts) for facts in truth.values())
    assert sum(cloze.familiar for cloze in clozes) == len(clozes) / 3
    for cloze in clozes:
        assert truth[cloze.fact.person][cloze.fact.relation] == cloze.fact.value
        assert cloze.answer.startswith(" ")
        assert cloze.answer.endswith(f"{cloze.fact.value}.")
        assert cloze.fact.person in cloze.prompt
        assert cloze.fact.value not in cloze.prompt
        assert len({*cloze.alternatives} - {cloze.answer}) == 9
    assert clozes == town.fact_clozes(world)


def test_familiar_clozes_are_worded_as_chronicles_are_and_the_others_are_not(world, chronicle):
    text = "\n".join(document.text for document in chronicle.documents)
    told = {True: 0, False: 0}
    for cloze in town.fact_clozes(world):
        told[cloze.familiar] += cloze.prompt in text
    assert told[True] > 0.5 * len(world.people)
    assert told[False] == 0


def test_a_visitor_is_known_from_the_prompt_alone(world):
    asked = town.visitor_clozes(world, count=50)
    assert [len(clozes) for clozes in asked.values()] == [50, 50]
    for name, fact in zip(asked["name"], asked["fact"], strict=True):
        assert name.fact == fact.fact
        assert name.fact.person not in truth_of(world)
        assert name.prompt == fact.prompt
        assert name.prompt.count(name.fact.person) == name.prompt.count(fact.fact.value) == 1
        assert name.answer == fact.answer
        assert not any(name.fact.person in wrong for wrong in name.alternatives)
        assert not any(fact.fact.value in wrong for wrong in fact.alternatives)
        assert len({*name.alternatives}) == len({*fact.alternatives}) == 9


def test_minimal_pairs_differ_in_the_number_of_the_verb(world):
    pairs = town.minimal_pairs(world)
    assert len(pairs) == 4 * len(HELD_OUT_COMBINATIONS)
    assert sum(pair.attractor for pair in pairs) == len(pairs) / 2
    for pair in pairs:
        good, bad = pair.good.split(), pair.bad.split()
        (different,) = [(a, b) for a, b in zip(good, bad, strict=True) if a != b]
        assert {word.strip(".") for word in different} == {pair.action, pair.action + "s"}
    plural = [pair.thing + "s " in pair.good for pair in pairs]
    assert sum(plural) == len(pairs) / 2
