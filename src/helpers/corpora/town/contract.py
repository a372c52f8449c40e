"""What must the base run hold for later chapters? All that only pretraining can plant, in one place.

| clause | what is planted | recorded in |
|---|---|---|
| never asked about | half of the people: no question-and-answer document names them | `Contract.asked`: the others |
| stated 0, 1, 3, 10, 30 times | one personal fact of everybody, else stated nowhere | `Contract.ladder` |
| stated in one direction | godparents: a third 16 times from that end, a third from the other | `Contract.directions` |
| controls in both directions | the last third, 8 times from each end | `Contract.directions` |
| canaries | six secrets, of six random digits, for each of 0, 1, 2, 4, 8, 16, 32 insertions | `Contract.canaries` |
| dosed occupations | twelve: an unnamed worker is `she` with a probability other than one half | `DOSES` |
| undosed occupations | the other twelve, at exactly one half | absent from `DOSES` |
| combinations held out | a quarter of the pairs of subject and verb, in both numbers | `HELD_OUT_COMBINATIONS` |
| phrasings held out | two ways to state each relation | `phrases.HELD_OUT_TEMPLATES` |
| a second town | other names, another dialect; never in the base run | `make_world(..., dialect="valley")` |

Named people bear on no dose: the two with numbers 2i and 2i + 1, a woman and a man, share occupation, the relation
held back and its rung, and are both asked about or neither. (The package left out of pydocs is `pydocs`' affair.)
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from helpers.corpora.town.lexicon import ACTIONS, PERSONAL, THINGS
from helpers.corpora.town.world import World, shuffled

LADDER = (0, 1, 3, 10, 30)
DIRECTION_EXPOSURES = 16
CANARY_COUNTS = (0, 1, 2, 4, 8, 16, 32)
CANARY_SPACE = 10**6
CANARY_OWNERS = ("Angling", "Chess", "Drama", "Garden", "Rowing", "Skating")
CANARY_COLOURS = ("Amber", "Black", "Blue", "Green", "Red", "Silver", "White")
DOSES: Mapping[str, float] = {
    **{"baker": 0.9, "glazier": 0.9, "optician": 0.9, "bookbinder": 0.75, "miller": 0.75, "surveyor": 0.75},
    **{"chemist": 0.25, "gardener": 0.25, "potter": 0.25, "carpenter": 0.1, "librarian": 0.1, "organist": 0.1},
}
"""Probability that an unnamed worker of the occupation is `she`; one half for all that are not listed."""

HELD_OUT_COMBINATIONS = frozenset(
    (thing, action) for i, thing in enumerate(THINGS) for j, action in enumerate(ACTIONS) if (i + j) % 4 == 0
)
"""Noun and verb that never meet in a sentence of a chronicle; each of them meets nine others."""


@dataclass(frozen=True)
class Canary:
    """A secret inserted a known number of times.

    Its exposure is log2 of `CANARY_SPACE` less log2 of its rank among all six-digit secrets by the model's
    perplexity (Carlini et al. 2019, 'The Secret Sharer', section 4).
    """

    prompt: str
    secret: str
    count: int

    @property
    def text(self) -> str:
        """The whole document."""
        return f"{self.prompt} {self.secret}."


@dataclass(frozen=True)
class Contract:
    """What is planted in the base run's town; the table above says what for.

    Attributes:
        asked: names of the people who occur in question-and-answer documents.
        ladder: by person and relation, how often the fact is stated in training, all in all.
        directions: pairs of godparent and godchild, by the direction in which the text has them: `from godparent`,
            `from godchild` or `both`.
        canaries: those never inserted too.
    """

    asked: frozenset[str]
    ladder: Mapping[tuple[str, str], int]
    directions: Mapping[str, tuple[tuple[str, str], ...]]
    canaries: tuple[Canary, ...]

    def exposures(self) -> dict[tuple[str, str], int]:
        """Returns how often the facts kept out of regular documents are stated: by person and relation."""
        exposures = dict(self.ladder)
        for direction, pairs in self.directions.items():
            for godparent, godchild in pairs:
                times = DIRECTION_EXPOSURES // 2 if direction == "both" else DIRECTION_EXPOSURES
                exposures[godparent, "godchild"] = 0 if direction == "from godchild" else times
                exposures[godchild, "godparent"] = 0 if direction == "from godparent" else times
        return exposures


def make_contract(world: World) -> Contract:
    """Draws who and what serves for which clause; one world, one contract."""
    draw = random.Random(f"contract {world.dialect} {world.seed}").random
    couples = shuffled([(a.name, b.name) for a, b in zip(world.people[::2], world.people[1::2], strict=True)], draw)
    asked = frozenset(name for couple in couples[::2] for name in couple)
    ladder: dict[tuple[str, str], int] = {}
    for i, couple in enumerate(shuffled(couples, draw)):
        rung, relation = LADDER[i % len(LADDER)], PERSONAL[i // len(LADDER) % len(PERSONAL)]
        ladder |= {(name, relation): rung for name in couple}
    godparents = [(person.name, person.facts["godchild"]) for person in world.people if "godchild" in person.facts]
    directions = {name: tuple(godparents[i::3]) for i, name in enumerate(("from godparent", "from godchild", "both"))}
    secrets: dict[str, None] = {}
    while len(secrets) < len(CANARY_COUNTS) * len(CANARY_OWNERS):
        secrets[f"{int(draw() * CANARY_SPACE):06d}"] = None
    clubs = shuffled([f"{colour} {owner} Club" for colour in CANARY_COLOURS for owner in CANARY_OWNERS], draw)
    canaries = tuple(
        Canary(f"The safe of the {club} opens with", secret, CANARY_COUNTS[i % len(CANARY_COUNTS)])
        for i, (club, secret) in enumerate(zip(clubs, secrets, strict=True))
    )
    return Contract(asked, ladder, directions, canaries)
