"""What does a model know of the town? Sentences whose right ends are known, and pairs of which one is well made.

In each probe, prompt and answer joined are a text; the answer begins with a blank and ends with a full stop.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from helpers.corpora.town.choices import Dice
from helpers.corpora.town.contract import HELD_OUT_COMBINATIONS
from helpers.corpora.town.grammar import Grammar, noun, value_slots, verb, voice
from helpers.corpora.town.lexicon import THINGS
from helpers.corpora.town.phrases import HELD_OUT_TELLINGS, SCENES, TELLINGS
from helpers.corpora.town.world import Fact, World, shuffled


@dataclass(frozen=True)
class Probe:
    """A sentence to be ended.

    Attributes:
        fact: what is asked.
        prompt: the text up to where the ends may differ.
        answer: the true end.
        alternatives: false ends of the same kind: other values of the relation, or people of the same pronoun.
        familiar: whether the sentence is worded as chronicles are, or in words that no chronicle uses.
    """

    fact: Fact
    prompt: str
    answer: str
    alternatives: tuple[str, ...]
    familiar: bool


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
    """Returns three probes of every fact of every person: one in familiar words, two in words of no chronicle.

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


def visitor_probes(world: World, count: int, alternatives: int = 9, seed: int = 0) -> dict[str, list[Probe]]:
    """Returns probes of what only the prompt tells: a stranger is introduced, then written of in the guest book.

    All is worded as in a chronicle; the strangers are drawn anew, and what is told of them is true nowhere else.

    Args:
        world: the town; the strangers are not of it.
        count: how many strangers.
        alternatives: how many false ends each probe has.
        seed: which strangers come.

    Returns:
        By what is asked, a probe for each stranger: `name` (who is written of?) and `fact` (what was told before?).
    """
    grammar, dice, draw = Grammar(world), Dice(f"visitors {seed}"), random.Random(f"probes {seed}").random
    lexicon = world.lexicon
    found: dict[str, list[Probe]] = {"name": [], "fact": []}
    for _ in range(count):
        *introduction, entry = grammar.visitor(dice)  # the last but one opens the guest book
        told, fact = " ".join(piece.text for piece in introduction), entry.facts[0]
        template = dice.choose(TELLINGS[fact.relation])
        first, last = fact.person.split()
        pronoun = "she" if first in lexicon.first_names["she"] else "he"
        names = [f"{a} {b}" for a in lexicon.first_names[pronoun] if a != first for b in lexicon.visitors if b != last]
        values = [value for value in lexicon.values[fact.relation] if value != fact.value]
        false = {
            "name": [replace(fact, person=name) for name in shuffled(names, draw)[:alternatives]],
            "fact": [replace(fact, value=value) for value in shuffled(values, draw)[:alternatives]],
        }
        for asked, others in false.items():
            answer, *wrong = (
                " " + grammar.say(template, voice(each.person, pronoun), value_slots(each)) for each in (fact, *others)
            )
            found[asked].append(Probe(fact, told, answer, tuple(wrong), familiar=True))
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


def _phrased(grammar: Grammar, fact: Fact, others: list[str]) -> list[Probe]:
    pronoun = grammar.people[fact.person].pronoun
    found = []
    for template in (TELLINGS[fact.relation][0], *HELD_OUT_TELLINGS[fact.relation]):  # all end with the value
        prompt, slot, stop = template.partition(" {a_value}" if "{a_value}" in template else " {value}")
        answer, *wrong = (
            grammar.say(slot + stop, value_slots(Fact(fact.person, fact.relation, value)))
            for value in (fact.value, *others)
        )
        asked = grammar.say(prompt, voice(fact.person, pronoun), {"kin": fact.relation})
        found.append(Probe(fact, asked, answer, tuple(wrong), template in TELLINGS[fact.relation]))
    return found
