"""Who lives in the town? People, what is true of them, and how they are related.

All is drawn with `random.Random(text).random()`, whose values are the same on every platform and in every version
of Python; no order depends on a hash.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from helpers.corpora.town.lexicon import LEXICONS, PERSONAL, Lexicon
from helpers.files import WorkbookError

T = TypeVar("T")
_FAMILY = (  # who is what to whom; a family is a mother, a father, a daughter and a son
    {"husband": 1, "daughter": 2, "son": 3},
    {"wife": 0, "daughter": 2, "son": 3},
    {"mother": 0, "father": 1, "brother": 3},
    {"mother": 0, "father": 1, "sister": 2},
)


@dataclass(frozen=True)
class Fact:
    """A relation between a person, by name, and a thing or another person: the home of Ada Moss is Mill Lane.

    Relations are `PERSONAL`, `KIN`, `godchild` and `godparent`.
    """

    person: str
    relation: str
    value: str


@dataclass(frozen=True)
class Person:
    """An inhabitant, with the value of each relation.

    Names are unique; last names do not run in families, so that no name gives a fact away.
    """

    name: str
    pronoun: str
    facts: Mapping[str, str]


@dataclass(frozen=True)
class World:
    """A town and its people, a woman and a man in turn.

    `people[2 * i]` and `people[2 * i + 1]` have the same occupation: so occupation and pronoun are exactly independent.
    """

    people: tuple[Person, ...]
    dialect: str
    seed: int

    @property
    def lexicon(self) -> Lexicon:
        """The town's names and words."""
        return LEXICONS[self.dialect]

    def others(self, person: Person, relation: str) -> list[str]:
        """Returns the false values that could stand for the true one: of a relative's, all people of that pronoun."""
        truth = person.facts[relation]
        if relation in PERSONAL:
            return [value for value in self.lexicon.values[relation] if value != truth]
        pronoun = next(other.pronoun for other in self.people if other.name == truth)
        names = [other.name for other in self.people if other.pronoun == pronoun]
        return [name for name in names if name not in (truth, person.name)]


def shuffled(items: Sequence[T], draw: Callable[[], float]) -> list[T]:
    """Returns the items in random order."""
    return sorted(items, key=lambda _: draw())


def _dealt(values: Sequence[T], count: int, draw: Callable[[], float]) -> list[T]:
    """Returns `count` values in random order, each as often as any other, or once more."""
    rounds = -(-count // len(values))
    return [value for _ in range(rounds) for value in shuffled(values, draw)][:count]


def make_world(people: int, seed: int, dialect: str = "harbour") -> World:
    """Draws a town: families of four, in `harbour`, the town of the base model, or in `valley`, its neighbour.

    Raises:
        WorkbookError: the number is no multiple of four or exceeds the names, or the dialect is unknown.
    """
    if dialect not in LEXICONS:
        raise WorkbookError(f"dialect {dialect!r} is unknown. Known: {', '.join(LEXICONS)}.")
    lexicon = LEXICONS[dialect]
    most = 2 * len(lexicon.first_names["she"]) * len(lexicon.last_names)
    if not 4 <= people <= most or people % 4:
        raise WorkbookError(f"people={people} must be a multiple of four from 4 to {most}.")
    draw = random.Random(f"world {dialect} {seed}").random
    names = {
        pronoun: shuffled([f"{first} {last}" for first in firsts for last in lexicon.last_names], draw)[: people // 2]
        for pronoun, firsts in lexicon.first_names.items()
    }
    women, men = names["she"], names["he"]
    ties = _ties(women, men, draw)
    occupations = _dealt(lexicon.values["occupation"], people // 2, draw)
    things = {relation: _dealt(lexicon.values[relation], people, draw) for relation in PERSONAL[1:]}
    inhabitants = []
    for i, name in enumerate(name for couple in zip(women, men, strict=True) for name in couple):
        facts = {"occupation": occupations[i // 2]} | {relation: things[relation][i] for relation in things}
        inhabitants.append(Person(name, ("she", "he")[i % 2], facts | ties[name]))
    return World(tuple(inhabitants), dialect, seed)


def _ties(women: list[str], men: list[str], draw: Callable[[], float]) -> dict[str, dict[str, str]]:
    """Makes families, and three in ten people godparent of one person each, who has no other."""
    ties: dict[str, dict[str, str]] = {}
    women, men = shuffled(women, draw), shuffled(men, draw)
    for i in range(0, len(women), 2):
        family = (women[i], men[i], women[i + 1], men[i + 1])
        for name, roles in zip(family, _FAMILY, strict=True):
            ties[name] = {relation: family[other] for relation, other in roles.items()}
    names, count = shuffled(list(ties), draw), 3 * (len(ties) // 10)
    for godparent, godchild in zip(names[:count], names[count : 2 * count], strict=True):
        ties[godparent]["godchild"] = godchild
        ties[godchild]["godparent"] = godparent
    return ties
