"""Customer support under a written policy, which the system message states and every conversation changes.

The policy says who helps with a thing; with what it does not name, the owner helps. It is written as a list, each
thing beside its helper: in trials, a model of this size did not learn to look rules up that were whole sentences.
"""

from __future__ import annotations

from collections.abc import Iterator

from helpers.corpora.town.demonstrations.draft import TEST, Draft, belongs, worded
from helpers.corpora.town.grammar import Grammar, Sampler
from helpers.corpora.town.lexicon import OCCUPATIONS, THINGS
from helpers.corpora.town.world import shuffled

FAULTS = ("broken", "late", "dirty", "wrong")
POLICY_RULES = 3  # things that a policy names
OWNER = "owner"  # who helps with all others


def cases(grammar: Grammar, sampler: Sampler, split: str) -> Iterator[Draft]:
    """Yields complaints under policies: for training three in a row, else one; no policy is in both splits."""
    while True:
        things = shuffled(THINGS, sampler.draw)
        helpers = dict(zip(things[:POLICY_RULES], shuffled(OCCUPATIONS, sampler.draw), strict=False))
        rules = [f"{thing} {helper}" for thing, helper in helpers.items()]
        if not belongs(" ".join(sorted(rules)), split):
            continue
        # of four complaints, one is about a thing that the policy does not name
        asked = shuffled(things[: POLICY_RULES + 1], sampler.draw)[: 1 if split == TEST else 3]
        complaints = [(thing, sampler.choose(FAULTS)) for thing in asked]
        turns = []
        for thing, fault in complaints:
            helper = helpers.get(thing, OWNER)
            complaint = worded(sampler, "support", split, thing=thing, fault=fault)
            turns.append((complaint, f"I am sorry that it is {fault}. Who helps: {thing} {helper}."))
        others = [each for each in (*helpers.values(), OWNER) if each != helper]
        check = {"contains": [f"is {fault}", f"{thing} {helper}"], "lacks": others}  # of the last complaint
        policy = f"You answer for a shop. Who helps: {', '.join(rules)}."
        yield Draft("support", turns, " ".join(rules), check, policy)
