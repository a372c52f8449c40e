"""What does a model know of the town? Clozes, sentences whose right ends are known, and minimal pairs.

In each cloze, prompt and answer joined are a text; the answer begins with a blank and ends with a full stop.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import NamedTuple

from helpers.corpora.town.contract import HELD_OUT_COMBINATIONS
from helpers.corpora.town.grammar import Grammar, Sampler, noun, value_slots, verb, voice
from helpers.corpora.town.lexicon import THINGS
from helpers.corpora.town.phrases import HELD_OUT_TEMPLATES, SCENES, TEMPLATES
from helpers.corpora.town.world import Fact, World, shuffled

ALTERNATIVES = 9
"""How many false ends a cloze has, so that chance is one in ten. A small town may have fewer to offer."""


class Cloze(NamedTuple):
    """A sentence to be ended.

    Attributes:
        prompt: the text up to where the ends may differ.
        alternatives: false ends of the same kind: other values of the relation, or people of the same pronoun.
        familiar: whether the sentence is worded as chronicles are, or in words that no chronicle uses.
    """

    fact: Fact
    prompt: str
    answer: str
    alternatives: tuple[str, ...]
    familiar: bool


class MinimalPair(NamedTuple):
    """Two sentences, of which one is well formed: the verb's number differs. Its subject never met it in a chronicle.

    With an `attractor`, a noun of the other number is between them. These pairs are balanced: to a bag of words, which
    cannot tell subject from attractor, the two numbers are equally likely.
    """

    good: str
    bad: str
    thing: str
    action: str
    attractor: bool


def fact_clozes(world: World, seed: int = 0) -> list[Cloze]:
    """Returns three clozes of every fact of every person: one in familiar words, two in words of no chronicle."""
    grammar, draw = Grammar(world), random.Random(f"probes {seed}").random
    found = []
    for person in world.people:
        for relation, value in person.facts.items():
            fact = Fact(person.name, relation, value)
            others = shuffled(world.others(person, relation), draw)[:ALTERNATIVES]
            for template in (TEMPLATES[relation][0], *HELD_OUT_TEMPLATES[relation]):  # all end with the value
                prompt, slot, stop = template.partition(" {a_value}" if "{a_value}" in template else " {value}")
                answer, *wrong = (
                    grammar.say(slot + stop, value_slots(replace(fact, value=each))) for each in (value, *others)
                )
                asked = grammar.say(prompt, voice(person.name, person.pronoun), {"kin": relation})
                found.append(Cloze(fact, asked, answer, tuple(wrong), template in TEMPLATES[relation]))
    return found


def visitor_clozes(world: World, count: int, seed: int = 0) -> dict[str, list[Cloze]]:
    """Returns clozes that only the prompt answers: a stranger is introduced, then described in the guest book.

    All is worded as in a chronicle; the strangers are drawn anew, and what is said of them is true nowhere else.

    Returns:
        By what is asked, a cloze for each stranger: `name` (who is it?) and `fact` (what was stated before?).
    """
    grammar, sampler, draw = Grammar(world), Sampler(f"visitors {seed}"), random.Random(f"probes {seed}").random
    lexicon = world.lexicon
    found: dict[str, list[Cloze]] = {"name": [], "fact": []}
    for _ in range(count):
        *introduction, entry = grammar.visitor(sampler)  # the last but one opens the guest book
        prompt, fact = " ".join(piece.text for piece in introduction), entry.facts[0]
        template = sampler.choose(TEMPLATES[fact.relation])
        first, last = fact.person.split()
        pronoun = "she" if first in lexicon.first_names["she"] else "he"
        names = [f"{a} {b}" for a in lexicon.first_names[pronoun] if a != first for b in lexicon.visitors if b != last]
        values = [value for value in lexicon.values[fact.relation] if value != fact.value]
        false = {
            "name": [replace(fact, person=name) for name in shuffled(names, draw)[:ALTERNATIVES]],
            "fact": [replace(fact, value=value) for value in shuffled(values, draw)[:ALTERNATIVES]],
        }
        for asked, others in false.items():
            answer, *wrong = (
                " " + grammar.say(template, voice(each.person, pronoun), value_slots(each)) for each in (fact, *others)
            )
            found[asked].append(Cloze(fact, prompt, answer, tuple(wrong), familiar=True))
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
