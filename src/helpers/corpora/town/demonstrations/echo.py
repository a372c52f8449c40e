"""Say it again: practice in copying, which all other tasks need and a small model learns slowly from them alone.

Nothing stands between the words: so each tells, by where it stood before, which comes next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from helpers.corpora.town.choices import Dice
from helpers.corpora.town.demonstrations.draft import Draft, Town
from helpers.corpora.town.demonstrations.questions import stranger
from helpers.corpora.town.demonstrations.translation import ENDS, ONSETS
from helpers.corpora.town.lexicon import DAYS

ASKED = ("Repeat: {words}", "Say after me: {words}")
LENGTHS = (3, 4, 5, 6)


def lists(town: Town, dice: Dice, split: str) -> Iterator[Draft]:
    """Yields what other tasks have to copy, in a row: values, names, numbers, made-up stems and days."""
    values = [value for some in town.world.lexicon.values.values() for value in some]
    kinds: dict[str, Callable[[], str]] = {
        "value": lambda: dice.choose(values),
        "name": lambda: dice.choose(town.grammar.names) if dice.chance(0.5) else stranger(town, dice, split)[0],
        "number": lambda: str(dice.choose(range(2, 100))),
        "stem": lambda: dice.choose(ONSETS) + dice.choose(ENDS),
        "day": lambda: dice.choose(DAYS),
    }
    while True:
        words = [kinds[dice.choose(tuple(kinds))]() for _ in range(dice.choose(LENGTHS))]
        said = " ".join(words) + "."
        yield Draft("echo", [(dice.choose(ASKED).format(words=said), said)], words[0])
