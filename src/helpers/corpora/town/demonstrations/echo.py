"""Say it again: practice in copying, which all other tasks need and a small model learns slowly from them alone.

Nothing is between the words: so each shows, by where it was before, which comes next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from helpers.corpora.town.demonstrations.draft import Draft, worded
from helpers.corpora.town.demonstrations.questions import stranger
from helpers.corpora.town.demonstrations.translation import ENDS, ONSETS
from helpers.corpora.town.grammar import Grammar, Sampler
from helpers.corpora.town.lexicon import DAYS

LENGTHS = (3, 4, 5, 6)


def lists(grammar: Grammar, sampler: Sampler, split: str) -> Iterator[Draft]:
    """Yields what other tasks have to copy, in a row: values, names, numbers, made-up stems and days."""
    values = [value for some in grammar.world.lexicon.values.values() for value in some]
    kinds: dict[str, Callable[[], str]] = {
        "value": lambda: sampler.choose(values),
        "name": lambda: sampler.choose(grammar.names) if sampler.chance(0.5) else stranger(grammar, sampler, split)[0],
        "number": lambda: str(sampler.choose(range(2, 100))),
        "stem": lambda: sampler.choose(ONSETS) + sampler.choose(ENDS),
        "day": lambda: sampler.choose(DAYS),
    }
    while True:
        words = [kinds[sampler.choose(tuple(kinds))]() for _ in range(sampler.choose(LENGTHS))]
        said = " ".join(words) + "."
        yield Draft("echo", [(worded(sampler, "echo", split, words=said), said)], words[0])
