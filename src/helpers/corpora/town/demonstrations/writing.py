"""A short piece under conditions that can be checked: a notice that holds what was asked for, in so many sentences."""

from __future__ import annotations

from collections.abc import Iterator

from helpers.corpora.town.demonstrations.draft import TEST, Draft
from helpers.corpora.town.demonstrations.questions import stranger
from helpers.corpora.town.grammar import Grammar
from helpers.corpora.town.lexicon import DAYS, with_article
from helpers.corpora.town.phrases import NOTICE
from helpers.corpora.town.sampling import Sampler

NOTICE_REQUESTS = {
    "{who} in {home} has lost {a_pet}": (
        "Lost: {a_pet}. Whoever finds the animal, please bring it to {who} in {home}.",
        ("pet", "home"),
    ),
    "{who} wants an apprentice; {who} is {an_occupation} with {employer}": (
        "An apprentice is wanted by {who}, {occupation} with {employer}.",
        ("occupation", "employer"),
    ),
    "{who} from {birthplace} gives a cooking lesson: {taste}": (
        "Cooking lesson: {who}, born in {birthplace}, shows how to make {taste}.",
        ("birthplace", "taste"),
    ),
    "{who} from {employer} will talk about {taste}": (
        "{who} from {employer} will give a talk on the pleasures of {taste}.",
        ("employer", "taste"),
    ),
}
"""By what a notice is about, as the prompt has it: the notice, after its day, and the relations that both tell."""

WORDINGS = (
    "Write a notice for {day}: {about}.",
    "A notice for {day}, please: {about}.",
    "{about}. Write that as a notice for {day}.",
    "{about}. Please write a notice for {day}.",
    "Notice for {day}, please. {about}.",
    "For {day}: {about}. Write a notice.",
)
TEST_WORDINGS = ("For {day}, write a notice: {about}.", "{about}. A notice for {day}, please.")
THANKS = (" Thank the readers.", " End with thanks.")
THANK_YOU = "Thank you."


def pieces(grammar: Grammar, sampler: Sampler, split: str) -> Iterator[Draft]:
    """Yields requests for a notice about a stranger; half of them ask for thanks at its end."""
    values = grammar.world.lexicon.values
    while True:
        name, _ = stranger(grammar, sampler, split)
        about, (notice, relations) = sampler.choose(tuple(NOTICE_REQUESTS.items()))
        stated = {relation: sampler.choose(values[relation]) for relation in relations}
        slots = stated | {"a_pet": with_article(stated.get("pet", "-")), "who": name}
        slots["an_occupation"] = with_article(stated.get("occupation", "-"))
        day, thanks = sampler.choose(DAYS), sampler.chance(0.5)
        wording = sampler.choose(TEST_WORDINGS if split == TEST else WORDINGS)
        asked = wording.format(day=day, about=about.format_map(slots))
        text = " ".join([NOTICE.format(day=day), notice.format_map(slots), *([THANK_YOU] if thanks else [])])
        check = {"contains": [name, *stated.values()], "begins": NOTICE.format(day=day), "sentences": text.count(".")}
        check |= {"ends": THANK_YOU} if thanks else {"lacks": [THANK_YOU]}
        yield Draft("writing", [(asked + (sampler.choose(THANKS) if thanks else ""), text)], about, check)
