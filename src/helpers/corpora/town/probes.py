"""What does a model know of the town? Prompts whose right ends are known, in words that no chronicle uses.

In each probe, prompt and answer joined are a sentence; the answer begins with a blank and ends with a full stop.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from helpers.corpora.town.choices import Dice
from helpers.corpora.town.contract import HELD_OUT_COMBINATIONS
from helpers.corpora.town.grammar import Grammar, noun, value_slots, verb, voice
from helpers.corpora.town.lexicon import THINGS
from helpers.corpora.town.phrases import HELD_OUT_TELLINGS, SCENES
from helpers.corpora.town.world import Fact, World, shuffled


@dataclass(frozen=True)
class Probe:
    """A sentence to be ended.

    Attributes:
        fact: what is asked.
        phrasing: 0 or 1: which of the relation's two held-out phrasings is used.
        prompt: the text up to the value.
        answer: the true end.
        alternatives: false ends of the same kind: other values of the relation, or people of the same pronoun.
    """

    fact: Fact
    phrasing: int
    prompt: str
    answer: str
    alternatives: tuple[str, ...]


@dataclass(frozen=True)
class MinimalPair:
    """Two sentences that differ in the number of the verb; subject and verb never met in a chronicle.

    Attributes:
        good: the sentence whose verb agrees.
        bad: the one whose verb does not.
        thing, action: subject and verb, in their plain forms.
        attractor: whether a noun of the other number stands between them. These pairs are balanced: to a bag of
            words, which cannot tell subject from attractor, the two numbers are equally likely.
    """

    good: str
    bad: str
    thing: str
    action: str
    attractor: bool


def probes(world: World, alternatives: int = 9, seed: int = 0) -> list[Probe]:
    """Returns two probes, one for each held-out phrasing, of every fact of every person.

    Args:
        world: the town.
        alternatives: how many false ends each probe has, so that chance is 1 / (alternatives + 1). A small town may
            have fewer to offer.
        seed: which ones are drawn.
    """
    grammar, draw = Grammar(world), random.Random(f"probes {seed}").random
    return [
        probe
        for person in world.people
        for relation, value in person.facts.items()
        for probe in _phrased(
            grammar,
            Fact(person.name, relation, value),
            shuffled(world.others(person, relation), draw)[:alternatives],
        )
    ]


def context_probes(world: World, count: int, alternatives: int = 9, seed: int = 0) -> list[Probe]:
    """Returns probes of facts that only the prompt tells: a visitor is introduced as in a chronicle, then asked about.

    Args:
        world: the town; the visitors are not of it.
        count: how many visitors; each gives two probes, one for each held-out phrasing.
        alternatives: how many false ends each probe has.
        seed: which visitors come.
    """
    grammar, dice, draw = Grammar(world), Dice(f"visitors {seed}"), random.Random(f"probes {seed}").random
    found: list[Probe] = []
    for _ in range(count):
        *introduction, entry = grammar.visitor(dice)  # the last but one opens the guest book
        fact = entry.facts[0]
        others = [value for value in world.lexicon.values[fact.relation] if value != fact.value]
        told = " ".join(piece.text for piece in introduction)
        found += _phrased(grammar, fact, shuffled(others, draw)[:alternatives], f"{told} ")
    return found


def minimal_pairs(world: World) -> list[MinimalPair]:
    """Returns pairs of scenes for every combination held out: in both numbers, without and with an attractor."""
    grammar = Grammar(world)
    pairs = []
    for i, (thing, action) in enumerate(sorted(HELD_OUT_COMBINATIONS)):
        template = SCENES[i % len(SCENES)]
        others = [other for other in THINGS if other != thing and (other, action) not in HELD_OUT_COMBINATIONS]
        attractor = others[i % len(others)]
        for plural in (False, True):
            subject = noun(thing, plural)
            for things in (subject, subject + grammar.say(" near the ") + noun(attractor, not plural)):
                good, bad = (
                    grammar.say(template, {"things": things, "act": verb(action, number)})
                    for number in (plural, not plural)
                )
                pairs.append(MinimalPair(good, bad, thing, action, things != subject))
    return pairs


def _phrased(grammar: Grammar, fact: Fact, others: list[str], before: str = "") -> list[Probe]:
    name = voice(fact.person, "she")  # no held-out phrasing holds a pronoun
    found = []
    for phrasing, template in enumerate(HELD_OUT_TELLINGS[fact.relation]):
        prompt, slot, stop = template.partition(" {a_value}" if "{a_value}" in template else " {value}")
        answer, *wrong = (
            grammar.say(slot + stop, value_slots(Fact(fact.person, fact.relation, value)))
            for value in (fact.value, *others)
        )
        asked = before + grammar.say(prompt, name, {"kin": fact.relation})
        found.append(Probe(fact, phrasing, asked, answer, tuple(wrong)))
    return found
