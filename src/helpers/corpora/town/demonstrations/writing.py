"""A short piece under conditions that can be checked: a notice that holds what was asked for, in so many sentences."""

from __future__ import annotations

from collections.abc import Iterator

from helpers.corpora.town.demonstrations.draft import WORDINGS, Draft, worded
from helpers.corpora.town.demonstrations.questions import stranger
from helpers.corpora.town.grammar import Grammar, Sampler
from helpers.corpora.town.lexicon import DAYS, with_article
from helpers.corpora.town.phrases import NOTICE

THANKS = (" Thank the readers.", " End with thanks.")
THANK_YOU = "Thank you."


def pieces(grammar: Grammar, sampler: Sampler, split: str) -> Iterator[Draft]:
    """Yields requests for a notice about a stranger; half of them ask for thanks at its end."""
    values = grammar.world.lexicon.values
    while True:
        name, _ = stranger(grammar, sampler, split)
        about, notice, relations = sampler.choose(WORDINGS["writing"]["notices"]).values()
        stated = {relation: sampler.choose(values[relation]) for relation in relations}
        articles = {f"{a}_{each}": with_article(value) for each, value in stated.items() for a in ("a", "an")}
        slots = {"who": name, **stated, **articles}
        day, thanks = sampler.choose(DAYS), sampler.chance(0.5)
        asked = worded(sampler, "writing", split, day=day, about=about.format_map(slots))
        text = " ".join([NOTICE.format(day=day), notice.format_map(slots), *([THANK_YOU] if thanks else [])])
        check = {"contains": [name, *stated.values()], "begins": NOTICE.format(day=day), "sentences": text.count(".")}
        check |= {"ends": THANK_YOU} if thanks else {"lacks": [THANK_YOU]}
        yield Draft("writing", [(asked + (sampler.choose(THANKS) if thanks else ""), text)], about, check)
