"""Customer support under a written policy, which the system message states and every conversation changes.

The policy says who helps with a thing; with what it does not name, the owner helps. It is written as a list, each
thing beside its helper: in trials, a model of this size did not learn to look rules up that were whole sentences.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from helpers.corpora.town.demonstrations.draft import TEST, Draft, belongs
from helpers.corpora.town.grammar import Grammar
from helpers.corpora.town.lexicon import OCCUPATIONS, THINGS
from helpers.corpora.town.sampling import Sampler
from helpers.corpora.town.world import shuffled

FAULTS = ("broken", "late", "dirty", "wrong")
POLICY_RULES = 3  # things that a policy names
OWNER = "owner"  # who helps with all others

WORDINGS = (
    "My {thing} is {fault}.",
    "The {thing} that you sent me is {fault}.",
    "Why is my {thing} {fault}?",
    "Why did you send me a {thing} that is {fault}?",
    "I have got a {thing} from you. Now it is {fault}.",
    "Is my {thing} {fault}?",
)
TEST_WORDINGS = ("The {thing} is {fault}.", "You sent me a {thing}. It is {fault}.")

POLICY = "You answer for a shop. Who helps: {rules}."
SUPPORT_ANSWER = "I am sorry that it is {fault}. Who helps: {thing} {helper}."


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
        turns = [_turn(sampler, split, thing, fault, helpers) for thing, fault in complaints]
        check = _check(*complaints[-1], helpers)
        yield Draft("support", turns, " ".join(rules), check, POLICY.format(rules=", ".join(rules)))


def _turn(sampler: Sampler, split: str, thing: str, fault: str, helpers: Mapping[str, str]) -> tuple[str, str]:
    """Draws a complaint, and answers it."""
    asked = sampler.choose(TEST_WORDINGS if split == TEST else WORDINGS).format(thing=thing, fault=fault)
    return asked, SUPPORT_ANSWER.format(fault=fault, thing=thing, helper=helpers.get(thing, OWNER))


def _check(thing: str, fault: str, helpers: Mapping[str, str]) -> dict[str, list[str]]:
    helper = helpers.get(thing, OWNER)
    others = [each for each in (*helpers.values(), OWNER) if each != helper]
    return {"contains": [f"is {fault}", f"{thing} {helper}"], "lacks": others}
