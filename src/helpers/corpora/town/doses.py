"""How strong is an association in a text? Sentences in which occupations go with `she` as often as is wanted.

The *dose* is the share of a worker's sentences in which the pronoun is the one that was assigned to the occupation. To
a third of the occupations `she` is assigned, to a third `he`, and a third is untouched: both, equally often. Who is in
which third is drawn anew with each seed, and both pronouns are equally frequent at every dose. Counts are exact: chance
decides which sentences have a pronoun, not how many.

Beside the workers stand people with first names, whose pronoun is certain: from them a small model soon learns that the
pronoun depends on who is spoken of. Half of the workers are asked about, too: is this a woman or a man?
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from helpers.corpora.town.grammar import voice
from helpers.corpora.town.lexicon import DAYS, LEXICONS, OCCUPATIONS, PRONOUNS, capitalised
from helpers.corpora.town.world import shuffled
from helpers.files import WorkbookError
from helpers.imports import data_of

OTHER = {"she": "he", "he": "she"}
NAMES = LEXICONS["harbour"].first_names
FIRST_NAMES = 12
"""Of each pronoun, those that a text has; the others of `NAMES` are never in one."""

FEWEST = 20
"""Sentences of an occupation, below which counts cannot be exact."""

SHARES = {"worker": 0.5, "two": 0.3, "question": 0.2}
"""Of an occupation's sentences: about one worker; about two, of whom it is the one with the pronoun; questions. Who is
not asked about has more of the first kind."""

_DATA = data_of(__name__)
_FILLS: Mapping[str, Sequence[str]] = {name: _DATA[name] for name in ("feeling", "thing", "act")} | {"day": DAYS}
_SEX = {"she": "woman", "he": "man"}
QUESTION: str = _DATA["question"]
_HELD_OUT: Mapping[str, Sequence[str]] = _DATA["held_out"]


@dataclass(frozen=True)
class Statement:
    """A sentence about somebody, `who`, such as `the baker` or `Ada`, and the pronoun that it has."""

    template: str
    who: str
    pronoun: str
    slots: dict[str, str] = field(default_factory=dict)
    kind: str = "worker"

    @property
    def text(self) -> str:
        """The sentence, or the question with its answer."""
        words = {**self.slots, **voice(self.who, self.pronoun), "sex": _SEX[self.pronoun]}
        return self.template.format_map(words)

    @property
    def occupation(self) -> str:
        """Of a worker; empty for who has a name."""
        return self.who.removeprefix("the ") if self.who.startswith("the ") else ""

    def swapped(self) -> Statement:
        """Returns the same with the other pronoun; for who has a name, with another name, too."""
        other = OTHER[self.pronoun]
        if self.occupation:
            return replace(self, pronoun=other)
        return replace(self, pronoun=other, who=NAMES[other][NAMES[self.pronoun].index(self.who)])


class Workers(NamedTuple):
    """The occupations of one text: which have a pronoun assigned, and which are asked about."""

    assigned: Mapping[str, str]
    asked: frozenset[str]

    def count_she(self, occupation: str, dose: float, sentences: int) -> int:
        """Returns in how many of so many sentences an occupation is `she`; a pronoun's and the other's mirror."""
        own = round(dose * sentences)
        return {"she": own, "he": sentences - own}.get(self.assigned.get(occupation, ""), sentences // 2)

    @property
    def untouched(self) -> list[str]:
        """Occupations without an assigned pronoun."""
        return [occupation for occupation in OCCUPATIONS if occupation not in self.assigned]


def draw_workers(seed: int) -> Workers:
    """Draws to which occupations a pronoun is assigned, and which are asked about: half of each third."""
    order = shuffled(OCCUPATIONS, random.Random(f"workers {seed}").random)
    third = len(order) // 3
    assigned = dict.fromkeys(order[:third], "she") | dict.fromkeys(order[third : 2 * third], "he")
    return Workers(assigned, frozenset(order[::2]))


def write_statements(workers: Workers, dose: float, exposures: int, seed: int) -> list[Statement]:
    """Writes so many sentences about each occupation, and as many about people with names, in random order.

    Raises:
        WorkbookError: the dose is no share, or there are too few sentences for exact counts.
    """
    if not 0 <= dose <= 1:
        raise WorkbookError(f"dose={dose} must be a share, from 0 to 1.")
    if exposures < FEWEST:
        raise WorkbookError(f"exposures={exposures}: {FEWEST} sentences an occupation are the least.")
    draw = random.Random(f"statements {seed} {dose}").random
    written = [each for occupation in OCCUPATIONS for each in _about(occupation, workers, dose, exposures, draw)]
    of_each = len(written) // 2
    for pronoun in PRONOUNS:
        for i in range(of_each):
            name, asked = NAMES[pronoun][i % FIRST_NAMES], i % 5 == 0
            template = QUESTION if asked else _one_of(_DATA["sentences"], draw)
            written.append(_stated(template, name, pronoun, draw, "named"))
    return shuffled(written, draw)


def _about(
    occupation: str, workers: Workers, dose: float, exposures: int, draw: Callable[[], float]
) -> Iterator[Statement]:
    """Yields an occupation's sentences, of each kind the exact share with each pronoun.

    Of each kind there is an even number, so that half of them can have either.
    """
    counts = {kind: 2 * round(share * exposures / 2) for kind, share in SHARES.items()}
    if occupation not in workers.asked:
        counts["worker"] += counts.pop("question")
    others = [other for other in OCCUPATIONS if other != occupation]
    for kind, count in counts.items():
        she = workers.count_she(occupation, dose, count)
        for i in range(count):
            template = QUESTION if kind == "question" else _one_of(_templates(kind), draw)
            pronoun = "she" if i < she else "he"
            yield _stated(template, f"the {occupation}", pronoun, draw, kind, f"the {_one_of(others, draw)}")


def _templates(kind: str) -> Sequence[str]:
    return _DATA["of_first"] + _DATA["of_second"] if kind == "two" else _DATA["sentences"]


def _stated(template: str, who: str, pronoun: str, draw: Callable[[], float], kind: str, other: str = "") -> Statement:
    slots = {name: _one_of(words, draw) for name, words in _FILLS.items()}
    return Statement(template, who, pronoun, slots | {"other": other, "Other": capitalised(other)}, kind)


def _one_of(options: Sequence[str], draw: Callable[[], float]) -> str:
    return options[int(draw() * len(options))]


def statements_about(people: Mapping[str, str], each: int, seed: int) -> list[Statement]:
    """Writes so many sentences about each of some people, by who they are (`the nurse`, `Ada`), with their pronoun."""
    draw = random.Random(f"about {seed}").random
    told = [(who, pronoun) for who, pronoun in people.items() for _ in range(each)]
    return [_stated(_one_of(_DATA["sentences"], draw), who, pronoun, draw, "worker") for who, pronoun in told]


class Pair(NamedTuple):
    """One sentence with either pronoun: what is given is the same, what is scored differs."""

    who: str
    she: tuple[str, str]
    he: tuple[str, str]


def _pair(statement: Statement) -> Pair:
    """Divides a sentence, and the same with the other pronoun, where they begin to differ."""
    one, other = (replace(statement, pronoun=pronoun).text.split(" ") for pronoun in ("she", "he"))
    same = next(place for place, words in enumerate(zip(one, other, strict=True)) if len(set(words)) > 1)
    given, she, he = (" ".join(words) for words in (one[:same], one[same:], other[same:]))
    return Pair(statement.who.removeprefix("the "), (given, f" {she}"), (given, f" {he}"))


def pronoun_pairs(workers: Workers, kind: str, seed: int, occupations: Sequence[str] = OCCUPATIONS) -> list[Pair]:
    """Returns held-out sentences about every occupation in turn, to be ended with either pronoun.

    Their wordings are in no text. Of `kind` `two`, the other is a worker with the other pronoun assigned (or, where
    none is, another that is untouched), and the grammar of the sentence says whose the pronoun is. Of `question`, the
    answer is to be ended, with `woman` or `man`.
    """
    draw, pairs = random.Random(f"pairs {kind} {seed}").random, []
    for template in _HELD_OUT[kind]:
        for occupation in occupations:
            opposite = OTHER.get(workers.assigned.get(occupation, ""))
            others = [each for each in OCCUPATIONS if workers.assigned.get(each) == opposite and each != occupation]
            stated = _stated(template, f"the {occupation}", "she", draw, kind, f"the {_one_of(others, draw)}")
            pairs.append(_pair(stated))
    return pairs


def named_pairs(seed: int) -> list[Pair]:
    """Returns held-out sentences about every first name that texts have, in turn, to be ended with either pronoun."""
    draw = random.Random(f"named {seed}").random
    names = [name for of in NAMES.values() for name in of[:FIRST_NAMES]]
    return [_pair(_stated(template, name, "she", draw, "named")) for template in _HELD_OUT["worker"] for name in names]


def openings(seed: int) -> list[str]:
    """Returns beginnings of sentences about every occupation in turn."""
    draw, templates = random.Random(f"openings {seed}").random, _DATA["openings"]
    return [_stated(each, f"the {name}", "she", draw, "worker").text for each in templates for name in OCCUPATIONS]
