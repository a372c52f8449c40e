"""The tests of language must have one thing wrong in each wrong option, and leave one who counts words at chance."""

import numpy as np
import pandas as pd
import pytest

from helpers import tokenization
from helpers.corpora import town
from helpers.evaluation import choices, language
from helpers.evaluation.baselines import NGramModel
from helpers.evaluation.likelihood import HeldOut
from helpers.profiles import load_profile

PROSE = (
    "This module is part of the library and does nothing else. The values are kept in a table that has two columns. "
    "These names were chosen because they have a long history. The parser was written for speed and it is small. "
    "All errors are told at once. Each file is read in one go. There are no other rules. The result is a list of words."
)


@pytest.fixture(scope="module")
def world():
    return town.make_world(people=60, seed=0)


@pytest.fixture(scope="module")
def held():
    return HeldOut([PROSE, PROSE.replace("library", "package")], ["a", "b"])


def unigram_of(texts):
    tokenizer = tokenization.train_tokenizer(texts, vocab_size=400)
    unigram = NGramModel(1, len(tokenizer)).fit(tokenization.encode_documents(tokenizer, texts))
    return choices.ngram_scorer(unigram, tokenizer)


def test_one_who_counts_words_is_at_chance(world, held):
    scorer = unigram_of([PROSE])
    assert np.mean(choices.score_choices(language.agreement_in_text(held, 100, seed=0), scorer)) == 0.5
    assert np.mean(choices.score_choices(language.order_in_text(held, 100, seed=0), scorer)) == 0.5
    between = [choice for choice in language.agreement_in_town(world) if choice.kind == "noun between"]
    assert np.mean(choices.score_choices(between, unigram_of(["The bells creak. The boat leans."]))) == 0.5


def test_perturbed_sentences_differ_in_one_thing(held):
    for choice in language.agreement_in_text(held, 100, seed=0):
        good, bad = (option.split() for option in choice.options)
        (different,) = [{a, b} for a, b in zip(good, bad, strict=True) if a != b]
        assert different == set(choice.kind.split("/"))
        assert choice.options[0] in PROSE or choice.options[0] in PROSE.replace("library", "package")
    for choice in language.order_in_text(held, 100, seed=0):
        good, bad = (option.split() for option in choice.options)
        assert good != bad
        assert sorted(good) == sorted(bad)


def test_the_forms_of_a_pair_are_right_equally_often(held):
    asked = language.agreement_in_text(held, 100, seed=0)
    assert asked
    for a, b in language.FORMS:
        of_pair = [choice.options[0].split() for choice in asked if choice.kind == f"{a}/{b}"]
        assert sum(a in words for words in of_pair) == sum(b in words for words in of_pair)


def test_a_stranger_is_asked_about_with_and_without_introduction(world):
    asked = language.strangers(world, 20, seed=0)
    assert {label: len(items) for label, items in asked.items()} == dict.fromkeys(
        [("name", True), ("name", False), ("fact", True), ("fact", False)], 20
    )
    for told, untold in zip(asked["name", True], asked["name", False], strict=True):
        assert told.group in told.options[0].split(":")[0]
        assert told.options[0].endswith(untold.options[0])
        assert len(untold.options) == 10


def test_facts_are_sorted_by_how_often_they_were_told(world):
    tellings = town.make_contract(world).exposures()
    asked = language.facts(world, tellings, familiar=True, each=50, seed=0)
    kinds = [choice.kind for choice in asked]
    assert kinds.count("often") == 50
    assert {*kinds} == {"often", *(str(times) for times in town.contract.LADDER)}
    new = language.facts(world, tellings, familiar=False, each=50, seed=0)
    assert not {choice.options[0] for choice in asked} & {choice.options[0] for choice in new}


def test_a_sample_is_smaller_and_tests_without_two_groups_are_left_out(world, held):
    profile = load_profile("smoke")
    every = language.language_tests(world, held, profile, seed=0)
    assert {test.about["part"] for test in every} == {"structure", "context", "knowledge"}
    assert language.BETWEEN in {test.about["test"] for test in every}
    choices_of = {test.name: {*test.choices} for test in every}
    assert len(choices_of) == len(every)
    few = language.sample_of(every, 8)
    assert max(len(test.choices) for test in few) <= 8
    assert all({*test.choices} <= choices_of[test.name] for test in few)
    alone = language.language_tests(world, HeldOut([PROSE], ["a"]), profile, seed=0)
    assert not [test for test in alone if test.about.get("source") == "real text"]


def test_what_is_told_as_often_as_it_comes_is_counted_without_what_is_told_by_count(world):
    counts = language.uncounted_tellings(world, 100_000, seed=0)
    by_count = [relation for _, relation in town.make_contract(world).exposures() if relation in town.PERSONAL]
    assert len(counts) == len(world.people) * len(town.PERSONAL) - len(by_count)
    assert counts.min() >= 0
    assert counts.sum() <= sum(town.write_chronicle(world, 100_000, 0).exposures().values())


def test_words_count_as_known_if_the_training_text_has_them():
    shares = language.share_of_words(pd.Series(["the mill turns", "the mxll", ""]), ["the old mill", "it turns"])
    assert shares.tolist() == [1.0, 0.5, 0.0]
