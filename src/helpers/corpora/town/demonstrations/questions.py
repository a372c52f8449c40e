"""Questions about the town, from memory; and about strangers, whom the prompt describes.

Answers restate the fact as a sentence. What is asked for training concerns only the people whom the chronicle's own
questions and answers name; for the test, only the others, whose facts the base model has read and never been asked.
Strangers are there to teach that an answer is about whom the question names: thirty names alone would be learnt by
heart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from helpers.corpora.town.demonstrations.draft import TEST, WORDINGS, Draft, belongs
from helpers.corpora.town.grammar import Grammar, Sampler, Voice, value_slots, voice
from helpers.corpora.town.lexicon import KIN, PERSONAL, PRONOUNS
from helpers.corpora.town.phrases import QUESTIONS, TEMPLATES, by_relation
from helpers.corpora.town.world import Fact, shuffled


def wordings(relation: str, split: str) -> list[str]:
    """Returns the ways in which a fact is asked for."""
    own = by_relation(WORDINGS["questions"][split])[relation]
    return own if split == TEST else QUESTIONS[relation] + own


def answer(grammar: Grammar, speak: Voice, fact: Fact) -> str:
    """Says a fact as a sentence."""
    return grammar.say(TEMPLATES[fact.relation][0], speak, value_slots(fact))


def from_memory(grammar: Grammar, sampler: Sampler, split: str, times: int = 4) -> Iterator[Draft]:
    """Yields a question for every fact of the people of a split: for training in some wordings, for the test in one."""
    for name in grammar.names:
        if (name in grammar.askable) == (split == TEST):
            continue
        # a tie to somebody of the test would give away, from its other end, what the test asks for
        relations = grammar.regular[name] if split == TEST else grammar.askable[name]
        for relation in relations:
            fact = Fact(name, relation, grammar.people[name].facts[relation])
            for wording in shuffled(wordings(relation, split), sampler.draw)[: 1 if split == TEST else times]:
                turn = _turn(grammar, fact, wording, grammar.people[name].pronoun)
                yield Draft("questions", [turn], name, _check(fact))


def about_strangers(grammar: Grammar, sampler: Sampler, split: str) -> Iterator[Draft]:
    """Yields talks about a stranger, with up to three facts in the prompt: for training of two turns, else one."""
    while True:
        name, pronoun = stranger(grammar, sampler, split)
        absent = "wife" if pronoun == "she" else "husband"  # as the town is made
        kin = tuple(relation for relation in KIN if relation != absent)
        known = dict.fromkeys(sampler.choose(PERSONAL if sampler.chance(0.6) else kin) for _ in range(3))
        facts = [Fact(name, relation, _value(grammar, sampler, split, relation, name)) for relation in known]
        full, short = voice(name, pronoun), grammar.pronouns[pronoun]
        introduction = [grammar.sentence(sampler, short if i else full, fact).text for i, fact in enumerate(facts)]
        asked = shuffled(facts, sampler.draw)[: 1 if split == TEST else 2]
        turns = [_turn(grammar, fact, sampler.choose(wordings(fact.relation, split)), pronoun) for fact in asked]
        turns[0] = (" ".join([*introduction, turns[0][0]]), turns[0][1])
        yield Draft("reading", turns, name, _check(asked[-1]))


def _value(grammar: Grammar, sampler: Sampler, split: str, relation: str, who: str) -> str:
    """Returns what may be true of a stranger: a thing of the town, or another stranger."""
    if relation in PERSONAL:
        return sampler.choose(grammar.world.lexicon.values[relation])
    women = ("wife", "mother", "daughter", "sister")
    while True:
        name, pronoun = stranger(grammar, sampler, split)
        if (pronoun == "she") == (relation in women) and name != who:
            return name


def stranger(grammar: Grammar, sampler: Sampler, split: str) -> tuple[str, str]:
    """Returns a name that nobody in the town bears, nor anybody in the other split, and its pronoun."""
    lexicon = grammar.world.lexicon
    while True:
        pronoun = sampler.choose(tuple(PRONOUNS))
        last = sampler.choose(lexicon.last_names + lexicon.visitors)
        name = f"{sampler.choose(lexicon.first_names[pronoun])} {last}"
        if name not in grammar.people and belongs(name, split):
            return name, pronoun


def _turn(grammar: Grammar, fact: Fact, wording: str, pronoun: str) -> tuple[str, str]:
    speak = voice(fact.person, pronoun)
    return grammar.say(wording, speak, {"kin": fact.relation}), answer(grammar, speak, fact)


def _check(fact: Fact) -> dict[str, Any]:
    kin = [f"{fact.relation} is"] if fact.relation in KIN else []
    return {"contains": [fact.person, *kin, fact.value], "most_words": 14}
