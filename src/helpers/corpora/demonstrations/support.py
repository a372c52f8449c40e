"""Customer support under a written policy, which the system message states and every conversation changes.

What is to be done stands in the policy; where it says nothing, the customer is told that somebody else has to decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

from helpers.corpora.demonstrations.draft import TEST, Draft, Town
from helpers.corpora.town.choices import Dice
from helpers.corpora.town.world import shuffled

FAULTS = ("broken", "late", "dirty", "wrong")
REMEDIES = ("refund", "repair", "exchange", "voucher")
RULES = 3
"""How many faults a policy has a rule for."""

GOODS = ("basket", "bell", "chair", "clock", "table", "lamp", "mirror", "teapot")
COMPLAINTS = ("My {goods} is {fault}.", "The {goods} that you sent me is {fault}.", "Why is my {goods} {fault}?")
HELD_OUT = ("The {goods} is {fault}.", "You sent me a {goods}. It is {fault}.")

RULE = "For {fault} goods we have {remedy}."
ANSWER = "I am sorry about the {goods}. {rule}"
NO_RULE = "no rule, so I ask the owner"


def cases(town: Town, dice: Dice, split: str) -> Iterator[Draft]:
    """Yields complaints under policies; those of the test are policies of which training has none."""
    policies = shuffled(
        [
            dict(zip(faults, remedies, strict=True))
            for faults in combinations(FAULTS, RULES)
            for remedies in product(REMEDIES, repeat=RULES)
        ],
        Dice("policies").draw,
    )
    mine = policies[: len(policies) // 5] if split == TEST else policies[len(policies) // 5 :]
    while True:
        granted = dice.choose(mine)
        rules = [_rule(fault, remedy) for fault, remedy in granted.items()]
        system = f"You answer for a shop. {' '.join(shuffled(rules, dice.draw))}"
        faults = shuffled(FAULTS, dice.draw)[: 1 if split == TEST else 3]
        turns = [_turn(dice, split, fault, granted.get(fault, "")) for fault in faults]
        last = granted.get(faults[-1], "")
        check = {"contains": [last or NO_RULE], "lacks": [other for other in REMEDIES if other != last]}
        yield Draft("support", turns, " ".join(rules), check, system)


def _turn(dice: Dice, split: str, fault: str, remedy: str) -> tuple[str, str]:
    """Draws a complaint, and answers it; without a remedy the policy says nothing."""
    goods = dice.choose(GOODS)
    asked = dice.choose(HELD_OUT if split == TEST else COMPLAINTS)
    text = ANSWER.format(goods=goods, rule=_rule(fault, remedy))
    return asked.format(goods=goods, fault=fault), text


def _rule(fault: str, remedy: str) -> str:
    """Says what is offered; without a remedy, that there is no rule."""
    article = "an" if remedy == "exchange" else "a"
    return RULE.format(fault=fault, remedy=f"{article} {remedy}" if remedy else NO_RULE)
