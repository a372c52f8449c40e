"""How is the chronicle written? Eight kinds of document, each drawn by choices whose probabilities are known.

Every document is an independent draw. Each kind is a script: it makes its choices through `choose` and yields the
sentences. Every choice shows in the text, so that a text can be read in one way only, and the probability of a text is
that of its choices, the choice to stop included. The tests read by the same grammar: they try every choice, and give up
as soon as what it wrote is not the beginning of the text.

A pronoun stands for a person only where the sentence before names nobody else.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple, TypeVar

from helpers.corpora.town import phrases
from helpers.corpora.town.contract import DOSES, HELD_OUT_COMBINATIONS, Contract
from helpers.corpora.town.lexicon import (
    ACTIONS,
    DAYS,
    KIN,
    PERSONAL,
    PRONOUNS,
    THINGS,
    capitalised,
    spelled,
    with_article,
)
from helpers.corpora.town.world import Fact, World

DOCUMENT_KINDS = {
    "portrait": 0.30,
    "questions": 0.14,
    "family": 0.08,
    "notice": 0.10,
    "story": 0.05,
    "worker": 0.08,
    "visitor": 0.10,
    "walk": 0.15,
}
"""The kinds of regular documents, and how probable they are."""

VISITOR_RELATIONS = ("occupation", "birthplace", "pet", "taste")
NUMBERED = [(thing, plural) for thing in THINGS for plural in (False, True)]
Voice = Mapping[str, str]
T = TypeVar("T")


class Sampler:
    """Makes choices at random and adds up their log2 probability.

    The same seed, a text, gives the same choices on every machine.
    """

    def __init__(self, seed: str) -> None:
        self.draw = random.Random(seed).random
        self.log2_probability = 0.0

    def choose(self, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """Returns one of the options, by weights that sum to one; without, all are equally likely."""
        point = self.draw()
        if weights is None:
            self.log2_probability -= math.log2(len(options))
            return options[int(point * len(options))]
        index = 0
        while point >= weights[index] and index < len(options) - 1:
            point -= weights[index]
            index += 1
        self.log2_probability += math.log2(weights[index])
        return options[index]

    def mention(self, options: Sequence[T], shown: Callable[[T], str] = str) -> T:
        """Returns one of the options, all equally likely.

        If one is taken, the text holds, letter by letter, what `shown` gives for it. That spares whoever reads the text
        hopeless tries.
        """
        return self.choose(options)

    def chance(self, probability: float) -> bool:
        """Returns True with the probability."""
        return self.choose((True, False), (probability, 1.0 - probability))


class Piece(NamedTuple):
    """A part of a document: the text, the people it is about, and the facts it states (false ones too)."""

    text: str
    people: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()


class Grammar:
    """Writes one town's regular documents.

    A fact is stated wrongly with the probability `noise`; `doses` are, by occupation, the probability that an unnamed
    worker is `she`; what `contract` keeps out is not stated (without one, all is, and everybody is asked about).
    """

    def __init__(
        self, world: World, noise: float = 0.0, doses: Mapping[str, float] = DOSES, contract: Contract | None = None
    ) -> None:
        self.world, self.noise, self.doses = world, noise, doses
        self.people = {person.name: person for person in world.people}
        self.names = list(self.people)
        kept_out = contract.exposures() if contract else {}
        asked = contract.asked if contract else self.people.keys()
        self.regular = {
            person.name: [r for r in person.facts if r in PERSONAL + KIN and (person.name, r) not in kept_out]
            for person in world.people
        }
        self.askable = {
            name: [r for r in self.regular[name] if r not in KIN or self.people[name].facts[r] in asked]
            for name in self.names
            if name in asked
        }
        self.asked = list(self.askable)
        self.personal = {name: [r for r in of if r not in KIN] for name, of in self.regular.items()}
        self.notices = {
            name: [n for n in phrases.NOTICES if {*relations_in(n)} <= {*of}] for name, of in self.personal.items()
        }
        self.held_out = HELD_OUT_COMBINATIONS if contract else frozenset()
        self.voices = {p.name: (voice(p.name, p.pronoun), voice(p.name.split()[0], p.pronoun)) for p in world.people}
        self.pronouns = {pronoun: voice(forms[0], pronoun) for pronoun, forms in PRONOUNS.items()}

    def document(self, choose: Sampler) -> tuple[str, Iterator[Piece]]:
        """Returns a document's kind and its pieces, which are drawn as they are asked for."""
        kind = choose.choose(tuple(DOCUMENT_KINDS), tuple(DOCUMENT_KINDS.values()))
        return kind, getattr(self, kind)(choose)

    # The kinds of document

    def portrait(self, choose: Sampler) -> Iterator[Piece]:
        """Some facts of one person, in random order."""
        name = choose.mention(self.names)
        full, first = self.voices[name]
        pronoun = self.pronouns[self.people[name].pronoun]
        left, speak = self.regular[name], full
        while True:
            relation = choose.choose(left)
            left = [other for other in left if other != relation]
            yield self.state(choose, name, relation, speak)
            if not left or choose.chance(0.2):
                return
            speak = full if relation in KIN else choose.choose((pronoun, first), (0.75, 0.25))

    def questions(self, choose: Sampler) -> Iterator[Piece]:
        """One or two questions about a person, each with an answer that restates the fact."""
        name = choose.mention(self.asked)
        speak = self.voices[name][0]
        left = self.askable[name]
        for last in (False, True):
            relation = choose.choose(left)
            left = [other for other in left if other != relation]
            question = choose.mention(phrases.QUESTIONS[relation], self.landmark)
            yield Piece(self.say(phrases.QUESTION + question, speak, {"kin": relation}), (name,))
            answer = self.state(choose, name, relation, speak)
            yield answer._replace(text=self.say(phrases.ANSWER) + answer.text)
            if last or not left or choose.chance(0.5):
                return

    def family(self, choose: Sampler) -> Iterator[Piece]:
        """From one member of a family to the next, and a fact about the one reached."""
        yield Piece(self.say(phrases.FAMILY_BOOK))
        name = choose.mention(self.names)
        for last in (False, False, True):
            relation = choose.choose([r for r in self.regular[name] if r in KIN])
            piece = self.state(choose, name, relation, self.voices[name][0])
            yield piece
            name = piece.facts[0].value
            if last or choose.chance(0.4):
                break
        yield self.state(choose, name, choose.choose(self.personal[name]), self.voices[name][0])

    def notice(self, choose: Sampler) -> Iterator[Piece]:
        """A card on the board, which states one or two facts by the way."""
        yield Piece(self.say(phrases.NOTICE, {"day": choose.mention(DAYS)}))
        name = choose.mention(self.names)
        template = choose.mention(self.notices[name], self.landmark)
        values = {relation: self.value(choose, name, relation) for relation in relations_in(template)}
        slots = values | {f"a_{relation}": with_article(value) for relation, value in values.items()}
        facts = tuple(Fact(name, relation, value) for relation, value in values.items())
        yield Piece(self.say(template, self.voices[name][0], slots), (name,), facts)

    def story(self, choose: Sampler) -> Iterator[Piece]:
        """What happened to a person and why, and at times a fact."""
        name = choose.mention(self.names)
        pronoun = self.pronouns[self.people[name].pronoun]
        for text in self.incident(choose, self.voices[name][0], pronoun):
            yield Piece(text, (name,))
        if choose.chance(0.5):
            yield self.state(choose, name, choose.choose(self.personal[name]), pronoun)

    def worker(self, choose: Sampler) -> Iterator[Piece]:
        """What happened to somebody who is known by occupation alone: here the dose is given."""
        occupation = choose.mention(self.world.lexicon.values["occupation"])
        pronoun = "she" if choose.chance(self.doses.get(occupation, 0.5)) else "he"
        speak = voice(self.say("the ") + occupation, pronoun)
        for text in self.incident(choose, speak, self.pronouns[pronoun]):
            yield Piece(text)

    def visitor(self, choose: Sampler) -> Iterator[Piece]:
        """A stranger, unknown to the world, of whom the second half repeats a fact of the first half."""
        pronoun = choose.choose(list(PRONOUNS))
        lexicon = self.world.lexicon
        name = f"{choose.mention(lexicon.first_names[pronoun])} {choose.mention(lexicon.visitors)}"
        speak = full = voice(name, pronoun)
        arrival = choose.mention(phrases.ARRIVALS, self.landmark)
        yield Piece(self.say(arrival, {"town": lexicon.town, "day": choose.mention(DAYS)}), (name,))
        facts: dict[str, Fact] = {}
        while not facts or (len(facts) < len(VISITOR_RELATIONS) and choose.chance(0.6)):
            relation = choose.choose([r for r in VISITOR_RELATIONS if r not in facts])
            facts[relation] = Fact(name, relation, choose.mention(lexicon.values[relation]))
            yield self.sentence(choose, speak, facts[relation])
            speak = self.pronouns[pronoun]
        fact = choose.choose(list(facts.values()))
        yield Piece(self.say(phrases.GUEST_BOOK))
        yield self.sentence(choose, full, fact)

    def walk(self, choose: Sampler) -> Iterator[Piece]:
        """Things that creak and gleam: subjects and verbs that agree."""
        yield Piece(self.say(phrases.WALK, {"town": self.world.lexicon.town, "day": choose.mention(DAYS)}))
        for last in (False, False, False, True):
            yield Piece(self.scene(choose))
            if last or choose.chance(0.25):
                return

    # Parts of documents

    def state(self, choose: Sampler, name: str, relation: str, speak: Voice) -> Piece:
        """States a fact of one of the town's people, or, where the noise has it, something else."""
        return self.sentence(choose, speak, Fact(name, relation, self.value(choose, name, relation)))

    def value(self, choose: Sampler, name: str, relation: str) -> str:
        """Returns the true value, or with the probability of noise one of the false ones."""
        if not choose.chance(self.noise):
            return self.people[name].facts[relation]
        return choose.mention(self.world.others(self.people[name], relation))

    def sentence(self, choose: Sampler, speak: Voice, fact: Fact) -> Piece:
        """States a fact in one of its relation's phrasings."""
        template = choose.mention(phrases.TEMPLATES[fact.relation], self.landmark)
        return Piece(self.say(template, speak, value_slots(fact)), (fact.person,), (fact,))

    def incident(self, choose: Sampler, named: Voice, pronoun: Voice) -> Iterator[str]:
        """What happened, then one to four sequels, which speak of the person by pronoun."""
        event = choose.choose(phrases.EVENTS)
        cause, outcome = choose.mention(event.causes, self.say), choose.mention(event.outcomes, self.say)
        happening, day = choose.mention(phrases.HAPPENINGS, self.landmark), choose.mention(DAYS)
        yield self.say(happening, named, {"day": day, "cause": self.say(cause), "outcome": self.say(outcome)})
        left = event.sequels
        while True:
            sequel = choose.mention(left, self.landmark)
            left = tuple(other for other in left if other != sequel)
            yield self.say(sequel, pronoun)
            if not left or choose.chance(0.5):
                return

    def scene(self, choose: Sampler) -> str:
        """A sentence whose verb agrees with its subject; at times another noun is between them."""
        thing, plural = choose.mention(NUMBERED, lambda option: noun(*option))
        subject, things = noun(thing, plural), {thing}
        if choose.chance(0.5):
            near = subject + self.say(" near the ")
            others = [option for option in NUMBERED if option[0] != thing]
            other, number = choose.mention(others, lambda option: near + noun(*option))
            subject, things = near + noun(other, number), {thing, other}
        actions = [action for action in ACTIONS if not any((each, action) in self.held_out for each in things)]
        act = verb(choose.mention(actions, lambda option: f"{subject} {verb(option, plural)}"), plural)
        return self.say(choose.mention(phrases.SCENES, self.landmark), {"things": subject, "act": act})

    def landmark(self, template: str) -> str:
        """Returns the longest stretch of a template that is the same for all people and things."""
        return _landmark(template, self.world.dialect)

    def say(self, template: str, *slots: Mapping[str, str]) -> str:
        """Fills a template's slots, in the town's spelling."""
        filled = {slot: text for some in slots for slot, text in some.items()}
        return spelled(template, self.world.dialect).format_map(filled)


def separator(kind: str) -> str:
    """Returns what is between the pieces of a document."""
    return "\n" if kind == "questions" else " "


def voice(name: str, pronoun: str) -> Voice:
    """Returns the slots that refer to a person: by a name, or, if `name` is `she` or `he`, by pronoun alone."""
    he, him, his = PRONOUNS[pronoun]
    whose, whom = (his, him) if name == he else (f"{name}'s", name)
    slots = {"who": name, "whose": whose, "he": he, "his": his}
    return slots | {slot.capitalize(): capitalised(text) for slot, text in slots.items()} | {"whom": whom, "him": him}


def value_slots(fact: Fact) -> dict[str, str]:
    """Returns the slots that say a fact's value."""
    return {"value": fact.value, "a_value": with_article(fact.value), "kin": fact.relation}


def noun(thing: str, plural: bool) -> str:
    """Returns the noun in its number."""
    return thing + "s" if plural else thing


def verb(action: str, plural: bool) -> str:
    """Returns the verb in the number of its subject."""
    return action if plural else action + "s"


@cache
def relations_in(notice: str) -> list[str]:
    """Returns the relations that a notice states."""
    return [relation for relation in PERSONAL if re.search(rf"{{(a_)?{relation}}}", notice)]


@cache
def _landmark(template: str, dialect: str) -> str:
    return max(re.split(r"\{\w+\}", spelled(template, dialect)), key=len)
