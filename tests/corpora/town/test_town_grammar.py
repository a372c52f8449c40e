import math
import re
from collections import Counter
from functools import partial
from string import Formatter

import pytest
from reading import PLANTED, derivations, explore

from helpers.corpora import town
from helpers.corpora.town import lexicon, phrases
from helpers.corpora.town.grammar import DOCUMENT_KINDS, Sampler

PERSON_SLOTS = {"Who", "who", "Whose", "whose", "whom"}


@pytest.fixture(scope="module")
def world():
    return town.make_world(people=240, seed=0)


def assert_read_as_written(chronicle, grammar):
    for document in chronicle.documents:
        if document.log2_probability is not None:
            (log2_probability,) = derivations(document.text, grammar)
            assert log2_probability == pytest.approx(document.log2_probability, abs=1e-9), document.text


def test_every_document_has_one_derivation_with_the_recorded_probability(world):
    chronicle = town.write_chronicle(world, 350_000, seed=3, split="test")
    assert len(chronicle.documents) > 2000
    assert_read_as_written(chronicle, town.Grammar(world, contract=town.make_contract(world)))


def test_so_it_has_with_noise_and_without_a_contract():
    small = town.make_world(people=24, seed=1)
    chronicle = town.write_chronicle(small, 12_000, seed=0, noise=0.3, contract=False, doses={"baker": 1.0})
    assert_read_as_written(chronicle, town.Grammar(small, noise=0.3, doses={"baker": 1.0}))


def test_so_it_has_in_the_other_dialect():
    valley = town.make_world(people=60, seed=1, dialect="valley")
    chronicle = town.write_chronicle(valley, 30_000, seed=0, split="test")
    assert_read_as_written(chronicle, town.Grammar(valley, contract=town.make_contract(valley)))


def test_what_the_grammar_cannot_write_has_no_derivation(world):
    grammar = town.Grammar(world)
    person = world.people[0]
    for text in ("", "It rained.", f"{person.name} lives in Nowhere.", f"{person.name} lives in"):
        assert derivations(text, grammar) == []
    true = f"{person.name} lives in {person.facts['home']}."
    assert len(derivations(true, grammar)) == 1
    assert derivations(f"{true} ", grammar) == []


def written(script, choose):
    """The script's pieces as texts, each with a blank before it."""
    return (f" {piece.text}" for piece in script(choose))


def test_the_probabilities_of_all_notices_sum_to_one():
    grammar = town.Grammar(town.make_world(people=4, seed=0))
    texts = dict(explore(partial(written, grammar.notice)))
    assert len(texts) > 200
    assert sum(2**p for p in texts.values()) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("relation", lexicon.PERSONAL)
def test_the_probabilities_of_all_tellings_true_and_false_sum_to_one(relation):
    world = town.make_world(people=4, seed=0)
    grammar, name = town.Grammar(world, noise=0.25), world.people[0].name
    texts = dict(explore(lambda choose: [grammar.state(choose, name, relation, grammar.voices[name][0]).text]))
    assert len(texts) == len(world.lexicon.values[relation]) * len(phrases.TEMPLATES[relation])
    assert sum(2**p for p in texts.values()) == pytest.approx(1, abs=1e-9)
    true = [2**p for text, p in texts.items() if world.people[0].facts[relation] in text]
    assert sum(true) == pytest.approx(0.75)


def test_probabilities_are_the_frequencies_and_the_floor_is_the_entropy():
    grammar = town.Grammar(town.make_world(people=4, seed=0))
    script = partial(written, grammar.notice)
    texts = dict(explore(script))
    entropy = -sum(2**p * p for p in texts.values())
    seen, costs = Counter(), []
    for i in range(5000):
        sampler = Sampler(f"sample {i}")
        seen["".join(script(sampler))] += 1
        costs.append(-sampler.log2_probability)
    assert set(seen) <= set(texts)
    chi_square = sum((seen[text] - 5000 * 2**p) ** 2 / (5000 * 2**p) for text, p in texts.items())
    degrees = len(texts) - 1
    assert abs(chi_square - degrees) < 4 * math.sqrt(2 * degrees)
    mean = sum(costs) / len(costs)
    deviation = math.sqrt(sum((cost - mean) ** 2 for cost in costs) / len(costs))
    assert abs(mean - entropy) < 4 * deviation / math.sqrt(len(costs)) + 1e-9


def test_a_tiny_grammar_costs_what_pencil_and_paper_say():
    def script(choose):
        yield choose.choose("ab")
        while choose.chance(0.5):
            yield choose.choose(("c", "d"), (0.25, 0.75))

    (cost,) = (p for _, p in explore(script, "adc"))
    assert cost == pytest.approx(-1 - 3 + math.log2(0.75) - 2)
    sampler = Sampler("tiny")
    for _ in range(20_000):
        "".join(script(sampler))
    # 1 bit for a or b; a geometric number of steps, one on average: 2 bits; and 0.8113 bits for c or d
    assert -sampler.log2_probability / 20_000 == pytest.approx(3.8113, rel=0.02)


def test_a_chronicle_does_not_depend_on_the_machine():
    world = town.make_world(people=60, seed=0)
    chronicle = town.write_chronicle(world, 200_000, seed=0)
    assert chronicle.fingerprint == "5ea2593cba014ad0"
    assert town.write_chronicle(world, 200_000, seed=0).fingerprint == chronicle.fingerprint


def floor_bits_per_byte(chronicle):
    """What a regular byte costs in bits to one who knows world and grammar by heart."""
    regular = [document for document in chronicle.documents if document.log2_probability is not None]
    bits = -sum(document.log2_probability for document in regular)
    return bits / sum(len(document.text.encode()) for document in regular)


def test_splits_seeds_and_worlds_differ_but_not_their_floors(world):
    chronicles = [
        town.write_chronicle(world, 400_000, seed=0, split=split) for split in ("train", "validation", "test")
    ]
    chronicles.append(town.write_chronicle(world, 400_000, seed=1))
    chronicles.append(town.write_chronicle(town.make_world(people=240, seed=1), 400_000, seed=0))
    assert len({chronicle.fingerprint for chronicle in chronicles}) == 5
    floors = [floor_bits_per_byte(chronicle) for chronicle in chronicles]
    assert max(floors) / min(floors) < 1.05


def test_what_regular_documents_cost_is_known_and_of_planted_ones_not(world):
    documents = town.write_chronicle(world, 250_000, seed=0).documents
    assert {document.kind for document in documents} == {*DOCUMENT_KINDS, *PLANTED}
    assert all((document.log2_probability is None) == (document.kind in PLANTED) for document in documents)


def test_every_kind_of_document_is_as_frequent_as_said(world):
    documents = town.write_chronicle(world, 1_000_000, seed=0, split="test").documents
    kinds = Counter(document.kind for document in documents)
    for kind, p in DOCUMENT_KINDS.items():
        assert abs(kinds[kind] - len(documents) * p) < 4 * math.sqrt(len(documents) * p * (1 - p))
    assert sum(DOCUMENT_KINDS.values()) == pytest.approx(1)


def test_there_are_six_tellings_three_questions_and_two_held_out_phrasings_of_each_relation():
    for relation in lexicon.PERSONAL + lexicon.KIN:
        assert len(set(phrases.TEMPLATES[relation])) >= 6
        assert len(set(phrases.QUESTIONS[relation])) >= 3
    for relation in phrases.TEMPLATES:
        assert len(set(phrases.TEMPLATES[relation])) >= 6
        assert len(set(phrases.HELD_OUT_TEMPLATES[relation])) == 2
        assert not {*phrases.TEMPLATES[relation]} & {*phrases.HELD_OUT_TEMPLATES[relation]}


def slots(template):
    return [slot for _, slot, _, _ in Formatter().parse(template) if slot]


def test_a_sentence_names_its_person_once_and_held_out_ones_end_with_the_value():
    tellings = [t for relation in phrases.TEMPLATES.values() for t in relation]
    held_out = [t for relation in phrases.HELD_OUT_TEMPLATES.values() for t in relation]
    for template in tellings + held_out:
        assert sum(slot in PERSON_SLOTS for slot in slots(template)) == 1, template
    for template in held_out:
        assert template.endswith((" {value}.", " {a_value}."))
        assert not {"he", "him", "his", "He", "His"} & {*slots(template)}
    for event in phrases.EVENTS:
        assert all(re.search(r"\{(he|him|his)\}", sequel, re.IGNORECASE) for sequel in event.sequels)


def test_the_dialect_changes_words_and_no_slot():
    templates = [t for relation in phrases.TEMPLATES.values() for t in relation]
    changed = [lexicon.spelled(template, "valley") for template in templates]
    assert [slots(template) for template in changed] == [slots(template) for template in templates]
    assert sum(a != b for a, b in zip(changed, templates, strict=True)) > len(templates) / 2
    assert lexicon.spelled("The {who} works.", "valley") == "Tha {who} grafts."


def test_a_second_town_shares_no_name_with_the_first(world):
    valley = town.make_world(people=240, seed=0, dialect="valley")
    base = town.write_chronicle(world, 250_000, seed=0)
    words = set(re.findall(r"\w+", " ".join(document.text for document in base.documents)))
    assert not words & {word for person in valley.people for word in person.name.split()}
    assert not words & {"tha", "Tha", "nivver", "bides", "Speer"}
    for relation in ("home", "birthplace", "employer"):
        assert not {*world.lexicon.values[relation]} & {*valley.lexicon.values[relation]}


def test_articles_fit(world):
    text = " ".join(document.text for document in town.write_chronicle(world, 500_000, seed=0).documents)
    assert "{" not in text
    assert "  " not in text
    assert not re.search(r"\b[Aa] [aeiou]", text)
    assert not re.search(r"\b[Aa]n [^aeiou]", text)


def test_a_pronoun_follows_only_where_nobody_else_was_named(world):
    names = "|".join(person.name for person in world.people)
    documents = town.write_chronicle(world, 300_000, seed=0).documents
    for document in documents:
        if document.kind == "portrait":
            for before, after in zip(sentences := document.text.split(". "), sentences[1:], strict=False):
                if re.match(r"(She|He|Her|His)\b", after):
                    assert not set(re.findall(names, before)) - {*document.people}, document.text
