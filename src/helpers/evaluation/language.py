"""Which sentences show what pretraining taught? Choices about structure, about context, and about facts of the world.

Each test is made so that a method that only counts words is at chance: the wrong text has the same words in another
order, or each of two words is the right one equally often. Left out: what a person would say of the same sentences,
which for real text, with its rare slips, is not always what was printed.
"""

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from helpers.corpora import town
from helpers.corpora.town.clozes import Cloze
from helpers.corpora.town.lexicon import PERSONAL
from helpers.corpora.town.phrases import GUEST_BOOK
from helpers.evaluation.choices import Choice, ChoiceTest
from helpers.evaluation.likelihood import HeldOut
from helpers.profiles import Profile

FORMS = (("is", "are"), ("was", "were"), ("has", "have"), ("does", "do"), ("this", "these"))
"""Words whose number must fit another word: each is the wrong one in place of the other."""

STRUCTURE, CONTEXT, KNOWLEDGE = "structure", "context", "knowledge"
"""The parts of the claim, as `ChoiceTest.about` has them in the column `part`."""

BETWEEN = "agreement in the town, noun between"
"""The test of structure that no counting of neighbours passes, as the column `test` has it."""

OFTEN = "often"
"""In the column `times_told`, of facts that were told as often as it came."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_WORD = re.compile(r"[a-z]+")
_FEWEST, _MOST = 6, 40  # words of a sentence


def language_tests(world: town.World, real: HeldOut, profile: Profile, seed: int) -> list[ChoiceTest]:
    """Returns the tests of what pretraining teaches: of the town that the model has read about, of unread real text.

    They are about `part` and `test`; of structure also `source`, of context `introduced`, of knowledge `words` and
    `times_told`. Those whose choices are of fewer than two groups, over which no interval could be made, are left out.
    """
    count, few = profile.heldout_bytes // 500, profile.heldout_bytes // 2500
    asked = [
        _test(STRUCTURE, f"agreement in the town, {kind}", of, source="town")
        for kind, of in _by_kind(agreement_in_town(world)).items()
    ]
    asked.append(_test(STRUCTURE, "agreement in real text", agreement_in_text(real, count, seed), source="real text"))
    asked.append(_test(STRUCTURE, "word order in real text", order_in_text(real, count, seed), source="real text"))
    for (what, introduced), of in strangers(world, few, seed).items():
        asked.append(_test(CONTEXT, what if introduced else f"{what}, not told", of, introduced=introduced))
    tellings = town.make_contract(world).exposures()
    for words, familiar in (("familiar", True), ("new", False)):
        drawn = facts(world, tellings, familiar=familiar, each=2 * few, seed=seed)
        for kind, of in _by_kind(drawn).items():
            times = kind if kind == OFTEN else int(kind)
            asked.append(_test(KNOWLEDGE, f"{words} words, told {kind}", of, words=words, times_told=times))
    return _with_groups(asked)


def sample_of(tests: Sequence[ChoiceTest], most: int) -> list[ChoiceTest]:
    """Returns the same tests with at most so many choices each, drawn at random, for milestones of a run."""
    return _with_groups(
        replace(test, choices=random.Random(test.name).sample(test.choices, min(most, len(test.choices))))
        for test in tests
    )


def agreement_in_town(world: town.World) -> list[Choice]:
    """Returns pairs of scenes that differ in the number of the verb; subject and verb never met in the training text.

    By subject; of kind `noun between` where a noun of the other number stands before the verb, else `next to it`.
    """
    return [
        Choice((pair.good, pair.bad), pair.thing, "noun between" if pair.attractor else "next to it")
        for pair in town.minimal_pairs(world)
    ]


def agreement_in_text(held: HeldOut, count: int, seed: int) -> list[Choice]:
    """Returns at most `count` real sentences in one of which a word of `FORMS` was exchanged for its other form.

    For each two forms, equally many sentences have the one and the other: preferring a form is right half the time.
    """
    draw = random.Random(f"agreement {seed}").random
    found: dict[str, list[Choice]] = {form: [] for forms in FORMS for form in forms}
    for words, group in _sentences(held):
        for a, b in FORMS:
            for form, other in ((a, b), (b, a)):
                if words.count(form) == 1:
                    wrong = [other if word == form else word for word in words]
                    found[form].append(Choice((" ".join(words), " ".join(wrong)), group, f"{a}/{b}"))
    balanced: list[Choice] = []
    for a, b in FORMS:
        few = min(len(found[a]), len(found[b]), count // 2 // len(FORMS) + 1)
        for form in (a, b):
            balanced += sorted(found[form], key=lambda _: draw())[:few]
    return balanced


def order_in_text(held: HeldOut, count: int, seed: int) -> list[Choice]:
    """Returns so many real sentences in which two neighbouring words were exchanged: the same words, another order."""
    draw = random.Random(f"order {seed}").random
    found = []
    for words, group in _sentences(held):
        places = [
            i
            for i in range(1, len(words) - 1)
            if words[i] != words[i + 1] and all(_WORD.fullmatch(word) for word in words[i : i + 2])
        ]
        if places:
            i = places[int(draw() * len(places))]
            wrong = [*words[:i], words[i + 1], words[i], *words[i + 2 :]]
            found.append(Choice((" ".join(words), " ".join(wrong)), group))
    return sorted(found, key=lambda _: draw())[:count]


def strangers(world: town.World, count: int, seed: int) -> dict[tuple[str, bool], list[Choice]]:
    """Returns choices about so many strangers: their `name`, and a `fact` about them.

    By what is asked and whether the stranger was introduced some sentences before; without that nobody can know.
    """
    return {
        (what, introduced): [_choice(cloze, cloze.prompt if introduced else GUEST_BOOK) for cloze in clozes]
        for what, clozes in town.visitor_clozes(world, count, seed=seed).items()
        for introduced in (True, False)
    }


def facts(
    world: town.World, tellings: Mapping[tuple[str, str], int], *, familiar: bool, each: int, seed: int
) -> list[Choice]:
    """Returns choices about what is true of the town's people; the kind is how often the training text says it.

    `tellings` has, by person and relation, how often a fact that is told by count is told; all others are `OFTEN`. All
    of the former are asked, and `each` of the latter, drawn by the seed. Sentences are worded as in the training text
    if they are to be `familiar`, else in words that it never uses.
    """
    draw = random.Random(f"facts {seed}").random
    often: list[Choice] = []
    counted: list[Choice] = []
    for cloze in town.fact_clozes(world, seed=seed):
        if cloze.familiar != familiar or cloze.fact.relation not in PERSONAL:
            continue
        times = tellings.get((cloze.fact.person, cloze.fact.relation))
        choice = _choice(cloze, cloze.prompt, OFTEN if times is None else str(times))
        (often if times is None else counted).append(choice)
    return sorted(counted, key=lambda choice: int(choice.kind)) + sorted(often, key=lambda _: draw())[:each]


def uncounted_tellings(world: town.World, town_bytes: int, seed: int) -> np.ndarray:
    """Returns how often each fact of `OFTEN` is told in the chronicle of so many bytes."""
    told = town.write_chronicle(world, town_bytes, seed).exposures()
    counted = town.make_contract(world).exposures()
    facts = [(person.name, relation) for person in world.people for relation in PERSONAL]
    return np.array([told[fact] for fact in facts if fact not in counted])


def share_of_words(texts: pd.Series, training: Sequence[str]) -> pd.Series:
    """Returns of each text the share of its words that the training text has too."""
    known = set(" ".join(training).split())
    return texts.str.split().map(lambda words: sum(word in known for word in words) / max(1, len(words)))


def _test(part: str, test: str, choices: list[Choice], **about: object) -> ChoiceTest:
    return ChoiceTest(f"{part}: {test}", choices, {"part": part, "test": test} | about)


def _choice(cloze: Cloze, prompt: str, kind: str = "") -> Choice:
    return Choice(tuple(prompt + end for end in (cloze.answer, *cloze.alternatives)), cloze.fact.person, kind)


def _with_groups(tests: Iterable[ChoiceTest]) -> list[ChoiceTest]:
    return [test for test in tests if len(set(test.groups)) > 1]


def _by_kind(choices: Sequence[Choice]) -> dict[str, list[Choice]]:
    return {kind: [c for c in choices if c.kind == kind] for kind in dict.fromkeys(c.kind for c in choices)}


def _sentences(held: HeldOut) -> list[tuple[list[str], str]]:
    """Returns the words of each sentence of a fair length, once, and the group that it is from."""
    seen: dict[str, tuple[list[str], str]] = {}
    for text, group in zip(held.texts, held.groups, strict=True):
        for sentence in _SENTENCE_END.split(" ".join(text.split())):
            words = sentence.split()
            if _FEWEST <= len(words) <= _MOST and sentence.endswith((".", "!", "?")):
                seen.setdefault(sentence, (words, group))
    return list(seen.values())
