"""What reduces a bias? Ways to treat a model that has read a text with a dose, each beside a sham of the same size.

Half of the occupations with a pronoun are treated; of the others no treatment says anything, so that what it does there
is what it does to occupations it has never heard of. Meters are those of the chapter, in another format than the
treatment's.
"""

from __future__ import annotations

import copy
import dataclasses
import random
from collections import Counter
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.corpora.town import doses
from helpers.corpora.town.doses import Statement, Workers, write_statements
from helpers.corpora.town.lexicon import OCCUPATIONS
from helpers.evaluation import dose as meters
from helpers.evaluation.assay import sigmoid
from helpers.evaluation.dose import COREFERENCE, GENERATION, LOG_ODDS, QUESTION
from helpers.evaluation.likelihood import byte_lengths, document_bits
from helpers.experiments.bias.dose import Trained, exposures, read_once, sizes, train
from helpers.experiments.study import Arm
from helpers.profiles import Profile
from helpers.records import Record
from helpers.tokenization import encode_documents, pack
from helpers.training.pretraining import pretrain

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

DOSE = 0.9
NONE = "nothing"
BEFORE, AFTER, QUESTIONS, INSTRUCTION = (
    "both pronouns, before",
    "both pronouns, after",
    "balanced questions, after",
    "instruction",
)
WAYS = (BEFORE, AFTER, QUESTIONS, INSTRUCTION)
SHAM = "sham"
"""After the name of a way: the same number of sentences about the same workers, with the pronouns as they were."""

TREATED, HELD_OUT = "treated", "held out"
AT_ONCE, RELAPSED = "at once", "after harmless training"
FORMATS = (LOG_ODDS, COREFERENCE, GENERATION, QUESTION)
INSTRUCTIONS = {
    INSTRUCTION: "Do not guess who is a woman or a man.",
    f"{INSTRUCTION}, {SHAM}": "On Monday the inn was old and cold.",
}
"""What stands before a prompt. The small model has never read an instruction, so that little is expected of it."""

NEW = 10_000
"""What is added to a seed for text that no model has read."""

TEXTS = 400
"""New sentences on which bits per byte are measured."""

GENTLER = 0.1
"""Of the rates of pretraining, in training that goes on from a trained model."""


def treated(workers: Workers) -> frozenset[str]:
    """Returns half of the occupations with a pronoun: half of each pronoun's, and half of those asked about."""
    order = list(workers.assigned)
    return frozenset(occupation for place, occupation in enumerate(order) if place // 2 % 2 == 0)


def swapped(statements: Sequence[Statement]) -> list[Statement]:
    """Returns statements with the other pronoun, for counterfactual data augmentation (Lu et al. 2018, section 3)."""
    return [each.swapped() for each in statements]


def go_on(
    profile: Profile, trained: Trained, statements: Sequence[Statement], seed: int
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Trains a copy of a model on statements, in random order, at gentler rates."""
    small = sizes(profile)
    rates = (GENTLER * small.matrix_learning_rate, GENTLER * small.learning_rate)
    gentle = dataclasses.replace(small, matrix_learning_rate=rates[0], learning_rate=rates[1])
    model, order = copy.deepcopy(trained.model), random.Random(seed)
    texts = [each.text for each in order.sample(list(statements), len(statements))]
    pretrain(model, pack(encode_documents(trained.tokenizer, texts), small.context), gentle, seed)
    return model, trained.tokenizer


def treat(profile: Profile, trained: Trained, way: str, seed: int) -> Trained:
    """Returns a model that was treated in one of the `WAYS`, or in its sham; an instruction alone changes nothing."""
    sham, kind = way.endswith(SHAM), way.removesuffix(f", {SHAM}")
    about = [each for each in trained.statements if each.occupation in treated(trained.workers)]
    if kind == BEFORE:
        more = about if sham else swapped(about)
        everything = random.Random(seed).sample([*trained.statements, *more], len(trained.statements) + len(more))
        model, tokenizer = read_once(profile, everything, seed)
        return trained._replace(model=model, tokenizer=tokenizer)
    if kind == AFTER:
        text = [*about, *(about if sham else swapped(about))]
    elif kind == QUESTIONS:
        text = _questions(trained, about, DOSE if sham else 0.5)
    else:
        return trained
    return trained._replace(model=go_on(profile, trained, text, seed)[0])


def _questions(trained: Trained, about: Sequence[Statement], dose: float) -> list[Statement]:
    """Returns questions about the treated workers, as many as they have sentences, with exact shares of each answer."""
    counts, found = Counter(each.occupation for each in about), []
    for occupation, count in counts.items():
        she = trained.workers.count_she(occupation, dose, count)
        found += [Statement(doses.QUESTION, f"the {occupation}", "she" if i < she else "he") for i in range(count)]
    return found


def relapse(profile: Profile, trained: Trained, sentences: int, seed: int) -> Trained:
    """Returns a model that has read so many new sentences about people with names, of which each says who they are."""
    fresh = write_statements(trained.workers, DOSE, exposures(profile), seed + NEW)
    named = [each for each in fresh if not each.occupation][:sentences]
    return trained._replace(model=go_on(profile, trained, named, seed)[0])


def measure(record: Record, profile: Profile, trained: Trained, way: str, when: str, seed: int) -> None:
    """Adds how far a model goes along with the pronouns, by format and occupations, and what that cost.

    Side effects are bits per byte of new text that no treatment is about, untouched occupations and people with names,
    and the share of names that are given their pronoun.
    """
    about: dict[str, Any] = {"way": way, "when": when}
    values = meters.measure(trained.model, trained.tokenizer, trained.workers, seed, INSTRUCTIONS.get(way, ""))
    some, assigned = treated(trained.workers), trained.workers.assigned
    for meter, (which, of) in product(FORMATS, {TREATED: some, HELD_OUT: assigned.keys() - some}.items()):
        rows = [place for place, occupation in enumerate(OCCUPATIONS) if occupation in of]
        signs = np.array([1 if assigned[OCCUPATIONS[place]] == "she" else -1 for place in rows])
        found = meters.along(meter, values[meter][rows], signs)
        reading = float(sigmoid(found.mean()) if meter == LOG_ODDS else found.mean())
        name = f"{way}, {when}.{meter}, {which}"
        record.measure(name, reading, "dose", seeds=(seed,), null=0.5, meter=meter, occupations=which, **about)
    fresh = write_statements(trained.workers, DOSE, exposures(profile), seed + NEW)
    texts = [each.text for each in fresh if each.occupation in ("", *trained.workers.untouched)][:TEXTS]
    bits = document_bits(trained.model, trained.tokenizer, texts, sizes(profile).context)
    paid = float(bits.sum() / byte_lengths(texts).sum())
    record.measure(f"{way}, {when}.text", paid, "bits per byte", seeds=(seed,), metric="text", **about)
    right = meters.names_right(trained.model, trained.tokenizer, seed)
    record.measure(f"{way}, {when}.names", right, "share", seeds=(seed,), metric="names", **about)


def run_arm(arm: Arm, record: Record) -> None:
    """Trains a model at the dose, treats it in each way and its sham, and lets all go on with harmless text."""
    seed, start = arm.seed, train(arm.profile, DOSE, arm.seed)
    size = sum(each.occupation in treated(start.workers) for each in start.statements)
    for way in (NONE, *WAYS, *(f"{way}, {SHAM}" for way in WAYS)):
        after = treat(arm.profile, start, way, seed)
        measure(record, arm.profile, after, way, AT_ONCE, seed)
        if not way.startswith(INSTRUCTION):
            measure(record, arm.profile, relapse(arm.profile, after, size, seed), way, RELAPSED, seed)


def about(way: str, which: str, when: str, meter: str = LOG_ODDS) -> dict[str, str]:
    """Returns what a reading is about, for looking it up."""
    return {"way": way, "occupations": which, "when": when, "meter": meter}
