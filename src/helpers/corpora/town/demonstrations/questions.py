"""Questions about the town, from memory; and about strangers, of whom the prompt tells.

Answers restate the fact as a sentence. What is asked for training concerns only the people whom the chronicle's own
questions and answers name; for the test, only the others, whose facts the base model has read and never been asked.
Strangers are there to teach that an answer is about whom the question names: thirty names alone would be learnt by
heart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from helpers.corpora.town.choices import Dice
from helpers.corpora.town.demonstrations.draft import TEST, Draft, Town, belongs
from helpers.corpora.town.grammar import Voice, value_slots, voice
from helpers.corpora.town.lexicon import KIN, PERSONAL, PRONOUNS
from helpers.corpora.town.phrases import QUESTIONS, TELLINGS
from helpers.corpora.town.world import Fact, shuffled

_KIN_ASKED = ("What is the name of {whose} {kin}?", "Has {who} got a {kin}?")
_KIN_HELD_OUT = ("Who is the {kin} of {who}?", "Do you know the name of {whose} {kin}?")
ASKED: dict[str, tuple[str, ...]] = {
    "occupation": (
        "Which trade has {who} got?",
        "What trade does {who} work in?",
        "What is it that {who} works as?",
        "At which trade does {who} work?",
    ),
    "home": ("Which street does {who} live in?", "Where is {whose} house?"),
    "birthplace": ("Which place does {who} come from?", "In which place was {who} born?"),
    "employer": ("Who is it that pays {whom}?", "Who is it that {who} works for?"),
    "pet": ("What pet has {who} got?", "What pet does {who} keep?"),
    "taste": ("Which dish does {who} like?", "What dish does {who} like to eat?"),
    **dict.fromkeys(KIN, _KIN_ASKED),
}
"""For training, beside the chronicle's own questions (`phrases.QUESTIONS`)."""

HELD_OUT: dict[str, tuple[str, ...]] = {
    "occupation": ("In which trade does {who} work?", "What is the trade of {who}?"),
    "home": ("In which street does {who} live?", "What street is {whose} house in?"),
    "birthplace": ("Which place was {who} born in?", "From which place does {who} come?"),
    "employer": ("By whom are {whose} wages paid?", "Who does {who} work for?"),
    "pet": ("What animal has {who} got?", "Which animal does {who} keep?"),
    "taste": ("Which is {whose} favourite dish?", "What does {who} like to order in an inn?"),
    **dict.fromkeys(KIN, _KIN_HELD_OUT),
}
"""For the test alone: other questions, of words that the training has."""


SAME = {"she": "wife", "he": "husband"}
"""Whom, as the town is made, a woman or a man does not have."""


def wordings(relation: str, split: str) -> tuple[str, ...]:
    """Returns the ways in which a fact is asked for."""
    return HELD_OUT[relation] if split == TEST else QUESTIONS[relation] + ASKED[relation]


def answer(town: Town, speak: Voice, fact: Fact) -> str:
    """Says a fact as a sentence."""
    return town.grammar.say(TELLINGS[fact.relation][0], speak, value_slots(fact))


def from_memory(town: Town, dice: Dice, split: str, times: int = 4) -> Iterator[Draft]:
    """Yields a question for every fact of the people of a split: for training in some wordings, for the test in one."""
    for name in town.grammar.names:
        if (name in town.contract.asked) == (split == TEST):
            continue
        # a tie to somebody of the test would tell, from its other end, what the test asks for
        relations = town.grammar.regular[name] if split == TEST else town.grammar.askable[name]
        for relation in relations:
            fact = Fact(name, relation, town.grammar.people[name].facts[relation])
            for wording in shuffled(wordings(relation, split), dice.draw)[: 1 if split == TEST else times]:
                turn = _turn(town, fact, wording, town.grammar.people[name].pronoun)
                yield Draft("questions", [turn], name, _check(fact))


def about_strangers(town: Town, dice: Dice, split: str) -> Iterator[Draft]:
    """Yields talks about a stranger of whom the prompt tells up to three facts: for training of two turns, else one."""
    while True:
        name, pronoun = stranger(town, dice, split)
        kin = tuple(relation for relation in KIN if relation != SAME[pronoun])
        known = dict.fromkeys(dice.choose(PERSONAL if dice.chance(0.6) else kin) for _ in range(3))
        facts = [Fact(name, relation, _value(town, dice, split, relation, name)) for relation in known]
        speak, told = voice(name, pronoun), []
        for fact in facts:
            told.append(town.grammar.sentence(dice, speak, fact).text)
            speak = town.grammar.pronouns[pronoun]
        asked = shuffled(facts, dice.draw)[: 1 if split == TEST else 2]
        turns = [_turn(town, fact, dice.choose(wordings(fact.relation, split)), pronoun) for fact in asked]
        turns[0] = (" ".join([*told, turns[0][0]]), turns[0][1])
        yield Draft("reading", turns, name, _check(asked[-1]))


def _value(town: Town, dice: Dice, split: str, relation: str, who: str) -> str:
    """Returns what may be told of a stranger: a thing of the town, or another stranger."""
    if relation in PERSONAL:
        return dice.choose(town.world.lexicon.values[relation])
    women = ("wife", "mother", "daughter", "sister")
    while True:
        name, pronoun = stranger(town, dice, split)
        if (pronoun == "she") == (relation in women) and name != who:
            return name


def stranger(town: Town, dice: Dice, split: str) -> tuple[str, str]:
    """Returns a name that nobody in the town bears, nor anybody in the other split, and its pronoun."""
    lexicon = town.world.lexicon
    while True:
        pronoun = dice.choose(tuple(PRONOUNS))
        last = dice.choose(lexicon.last_names + lexicon.visitors)
        name = f"{dice.choose(lexicon.first_names[pronoun])} {last}"
        if name not in town.grammar.people and belongs(name, split):
            return name, pronoun


def _turn(town: Town, fact: Fact, wording: str, pronoun: str) -> tuple[str, str]:
    speak = voice(fact.person, pronoun)
    return town.grammar.say(wording, speak, {"kin": fact.relation}), answer(town, speak, fact)


def _check(fact: Fact) -> dict[str, Any]:
    kin = [f"{fact.relation} is"] if fact.relation in KIN else []
    return {"contains": [fact.person, *kin, fact.value], "most_words": 14}
