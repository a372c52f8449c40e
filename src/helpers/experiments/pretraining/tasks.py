"""Which sentences show what pretraining taught? Choices about structure, about context, and about the world.

Each test is made so that one who only counts words is at chance: the wrong text has the same words in another order,
or each of two words is the right one equally often. Left out: what a person would say of the same sentences, which
for real text, with its rare slips, is not always what was printed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

from helpers.corpora import town
from helpers.corpora.town.lexicon import PERSONAL
from helpers.corpora.town.phrases import GUEST_BOOK
from helpers.evaluation.choices import Choice
from helpers.evaluation.likelihood import HeldOut
from helpers.profiles import Profile
from helpers.records import Measurement
from helpers.statistics import Interval

FORMS = (("is", "are"), ("was", "were"), ("has", "have"), ("does", "do"), ("this", "these"))
"""Words whose number must fit another word: each is the wrong one in place of the other."""

BETWEEN = "structure: agreement in the town, noun between"
"""The test of structure that no counting of neighbours passes."""

SMALLEST = 0.1
"""The smallest share above chance that would matter: a claim is refuted only where no more than that can be there."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_WORD = re.compile(r"[a-z]+")
_FEWEST, _MOST = 6, 40  # words of a sentence


def tests(world: town.World, real: HeldOut, profile: Profile, seed: int) -> dict[str, list[Choice]]:
    """Returns the tests of what pretraining teaches.

    Args:
        world: the town that the model has read about.
        real: real text that it has not read.
        profile: gives how much is asked.
        seed: of all draws.

    Returns:
        By name, which begins with `structure`, `context` or `knowledge`; tests whose choices are of fewer than two
        groups, over which no interval could be made, are left out.
    """
    count, few = profile.heldout_bytes // 500, profile.heldout_bytes // 2500
    tellings = town.make_contract(world).exposures()
    asked = {f"structure: agreement in the town, {kind}": of for kind, of in _by_kind(agreement_in_town(world)).items()}
    asked["structure: agreement in real text"] = agreement_in_text(real, count, seed)
    asked["structure: word order in real text"] = order_in_text(real, count, seed)
    for label, of in told_before(world, few, seed).items():
        asked[f"context: {label}"] = of
    for words, familiar in (("familiar", True), ("new", False)):
        drawn = facts(world, tellings, familiar=familiar, each=2 * few, seed=seed)
        for times, of in _by_kind(drawn).items():
            asked[f"knowledge: {words} words, told {times}"] = of
    return {name: of for name, of in asked.items() if len({choice.group for choice in of}) > 1}


def taught(found: Mapping[str, Measurement], most: str) -> dict[str, bool | None]:
    """Returns which parts of the claim are shown by the shares right: the rule by which chapter 01 decides on C1.

    Args:
        found: measurements by name, as `scorecard.measure_choices` adds them; of one run, or means over seeds.
        most: the kind of the facts that were told most, such as `often`.

    Returns:
        For `structure`, `context` and `knowledge`: True if it is shown, False if it is shown to be absent, that is, no
        interval reaches `SMALLEST` above chance; None if neither.
    """

    def interval(test: str) -> Interval:
        known = found[f"{test}.our model"].interval
        assert known is not None  # every share has one
        return known

    structure = [interval(name.removesuffix(".our model")) for name in found if _is_structure(name)]
    told = [(interval(f"context: {what}"), interval(f"context: {what}, not told")) for what in ("name", "fact")]
    known, never = interval(f"knowledge: familiar words, told {most}"), interval("knowledge: familiar words, told 0")
    shown = {
        "structure": sum(of.low > 0.5 for of in structure) >= 3 and interval(BETWEEN).low > 0.5,
        "context": any(of.low > control.high for of, control in told),
        "knowledge": known.low > never.high,
    }
    absent = {
        "structure": all(of.high < 0.5 + SMALLEST for of in structure),
        "context": all(of.high < 0.1 + SMALLEST for of, _ in told),
        "knowledge": known.high < 0.1 + SMALLEST,
    }
    return {part: True if shown[part] else False if absent[part] else None for part in shown}


def decide(*runs: Mapping[str, bool | None]) -> tuple[str, dict[str, bool | None]]:
    """Returns the verdict on C1, and the parts that all runs agree on.

    Args:
        runs: what `taught` returned, of the live run and of the study if there is one.

    Returns:
        `supported` if all parts are shown, `refuted` if all are shown to be absent, else `not distinguishable`; and by
        part what all runs say of it, None where they differ.
    """
    agreed = {part: said if all(run[part] == said for run in runs) else None for part, said in runs[0].items()}
    all_of = set(agreed.values())
    return "supported" if all_of == {True} else "refuted" if all_of == {False} else "not distinguishable", agreed


def sample_of(tests: Mapping[str, Sequence[Choice]], most: int) -> dict[str, list[Choice]]:
    """Returns the same tests with at most so many choices each, drawn at random, for looks on the way."""
    few = {name: random.Random(name).sample(list(of), min(most, len(of))) for name, of in tests.items()}
    return {name: of for name, of in few.items() if len({choice.group for choice in of}) > 1}


def agreement_in_town(world: town.World) -> list[Choice]:
    """Returns pairs of scenes that differ in the number of the verb; subject and verb never met in the training text.

    Args:
        world: the town.

    Returns:
        Of kind `next to it`, or `noun between` where a noun of the other number stands between subject and verb.
        Clustered by subject.
    """
    return [
        Choice((pair.good, pair.bad), pair.thing, "noun between" if pair.attractor else "next to it")
        for pair in town.minimal_pairs(world)
    ]


def agreement_in_text(held: HeldOut, count: int, seed: int) -> list[Choice]:
    """Returns real sentences in one of which a word of `FORMS` was exchanged for its other form.

    For each two forms, equally many sentences have the one and the other: so one who merely prefers a form is right
    half the time.

    Args:
        held: real text.
        count: how many sentences at most.
        seed: of the draw.
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
    """Returns real sentences in which two neighbouring words were exchanged: the same words, in another order.

    Args:
        held: real text.
        count: how many sentences at most.
        seed: of the draw.
    """
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


def told_before(world: town.World, count: int, seed: int) -> dict[str, list[Choice]]:
    """Returns choices about a stranger who was introduced some sentences before, and the same without introduction.

    Args:
        world: the town.
        count: how many strangers.
        seed: of their draw.

    Returns:
        By test: `name` and `fact`, and `name, not told` and `fact, not told`, which nobody can know.
    """
    asked: dict[str, list[Choice]] = {}
    for what, clozes in town.visitor_clozes(world, count, seed=seed).items():
        for label, told in ((what, True), (f"{what}, not told", False)):
            asked[label] = [
                Choice(
                    tuple((cloze.prompt if told else GUEST_BOOK) + end for end in (cloze.answer, *cloze.alternatives)),
                    cloze.fact.person,
                )
                for cloze in clozes
            ]
    return asked


def facts(
    world: town.World, tellings: Mapping[tuple[str, str], int], *, familiar: bool, each: int, seed: int
) -> list[Choice]:
    """Returns choices about what is true of the town's people; the kind is how often training told it.

    Args:
        world: the town.
        tellings: by person and relation, how often a fact that is told by count is told; all others are `often`.
        familiar: whether the sentences are worded as in the training text, or in words that it never uses.
        each: how many facts that are told often are drawn; those told by count are all asked.
        seed: of the draw.
    """
    draw = random.Random(f"facts {seed}").random
    often: list[Choice] = []
    counted: list[Choice] = []
    for cloze in town.fact_clozes(world, seed=seed):
        if cloze.familiar != familiar or cloze.fact.relation not in PERSONAL:
            continue
        times = tellings.get((cloze.fact.person, cloze.fact.relation))
        ends = tuple(cloze.prompt + end for end in (cloze.answer, *cloze.alternatives))
        choice = Choice(ends, cloze.fact.person, "often" if times is None else str(times))
        (often if times is None else counted).append(choice)
    return sorted(counted, key=lambda choice: int(choice.kind)) + sorted(often, key=lambda _: draw())[:each]


def _is_structure(name: str) -> bool:
    return name.startswith("structure: ") and name.endswith(".our model")


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
