"""Does a trained start learn new text faster? Two domains that the base model has never read, each read once.

The left-out package (real English, of a new trade) and the second town (other people, streets and words). A fresh model
and the trained one read the same text; what counts is how soon the trained one is where the fresh one ends.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from helpers.corpora import town
from helpers.corpora.pydocs.corpus import load_docstrings
from helpers.evaluation.likelihood import HeldOut, document_bits, held_out
from helpers.models import context_length
from helpers.profiles import BYTES_PER_TOKEN, Profile
from helpers.records import Record
from helpers.tokenization import encode_documents, pack
from helpers.training.pretraining import pretrain, steps_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

PACKAGE, TOWN = "left-out package", "second town"

TRAINED_ON = (0.5, 0.1)
"""Of a fresh model's learning rates (Muon's, Adam's), the share at which a trained one goes on: in trials here it then
learned the package better, and the town as well."""


@dataclass(frozen=True)
class Domain:
    """New text.

    Attributes:
        texts: documents to learn from, in order.
        test: documents to be measured on.
    """

    texts: list[str]
    test: HeldOut


@dataclass(frozen=True)
class Course:
    """What became of a model on the way.

    Attributes:
        surprise: bits per byte of the test, by training step.
        seconds: of the training, without the measuring.
        model: at the end.
    """

    surprise: dict[int, float]
    seconds: float
    model: PreTrainedModel


def read_domains(profile: Profile, seed: int, tokens: int) -> dict[str, Domain]:
    """Loads both domains: text to learn from, and a little to measure on.

    Args:
        profile: gives packages, people, and how much is measured on.
        seed: of the order of the documents, and of the second town.
        tokens: of the text to learn from, about.
    """
    size = round(tokens * BYTES_PER_TOKEN)
    package = load_docstrings(profile.packages, left_out=True).splits
    world = town.make_world(profile.people, seed, dialect="valley")
    learned, asked = (
        town.write_chronicle(world, wanted, seed, split=split, contract=False).documents
        for split, wanted in (("train", size), ("test", profile.heldout_bytes // 5))
    )
    groups = [document.people[0] if document.people else str(place) for place, document in enumerate(asked)]
    return {
        PACKAGE: Domain(
            held_out(package["train"], size, seed).texts, held_out(package["test"], profile.heldout_bytes // 5, seed)
        ),
        TOWN: Domain([document.text for document in learned], HeldOut([document.text for document in asked], groups)),
    }


def learn(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, domain: Domain, profile: Profile, seed: int, fresh: bool
) -> Course:
    """Lets a copy of a model read a domain once.

    Args:
        model: a causal model; not changed.
        tokenizer: its tokenizer.
        domain: the text.
        profile: gives context, batch and a fresh model's learning rates.
        seed: of the order.
        fresh: whether the model is untrained; if not, its rates are `TRAINED_ON` of those.
    """
    learner = copy.deepcopy(model)
    matrices, rest = (1.0, 1.0) if fresh else TRAINED_ON
    slower = dataclasses.replace(
        profile,
        context=min(profile.context, context_length(model)),
        matrix_learning_rate=matrices * profile.matrix_learning_rate,
        learning_rate=rest * profile.learning_rate,
    )
    blocks = pack(encode_documents(tokenizer, domain.texts), slower.context)
    steps = steps_of(blocks, slower)

    def look(step: int) -> float:
        return domain.test.bits_per_byte(document_bits(learner, tokenizer, domain.test.texts, slower.context))[0]

    log = pretrain(learner, blocks, slower, seed, milestones(steps), look)
    return Course(log.evaluations, log.seconds, learner)


def milestones(steps: int) -> list[int]:
    """Returns the steps at which to look: 0, the powers of two up to the half, three quarters, and the last."""
    return sorted({0, *(2**k for k in range(20) if 2**k < 0.6 * steps), round(0.75 * steps), steps})


def share_of_steps(fresh: Mapping[int, float], trained: Mapping[int, float]) -> float:
    """Returns how many steps the trained model needs to be where the fresh one ends, over the fresh one's steps.

    Args:
        fresh: surprise by step; its last value is the goal.
        trained: surprise by step, of as many steps; drawn straight between its points.

    Returns:
        0 if it is there before its first step, 1 if it needs them all or is never there.
    """
    goal, steps = fresh[max(fresh)], sorted(trained)
    best = np.minimum.accumulate([trained[step] for step in steps])
    for i, step in enumerate(steps):
        if best[i] <= goal:
            if i == 0:
                return 0.0
            part = (best[i - 1] - goal) / (best[i - 1] - best[i])
            return float(steps[i - 1] + part * (step - steps[i - 1])) / max(fresh)
    return 1.0


def measure_courses(record: Record, name: str, fresh: Course, trained: Course, seed: int) -> None:
    """Adds to the record what both starts came to, and how much sooner the trained one was where the fresh one ended.

    Args:
        record: gets `<name>.<start>, at first`, `<name>.<start>, at the end` and `<name>.share of steps`.
        name: of the domain.
        fresh: the course of the fresh model.
        trained: the course of the trained one.
        seed: behind both.
    """
    for start, course in (("from scratch", fresh), ("from the trained model", trained)):
        for when, step in (("at first", 0), ("at the end", max(course.surprise))):
            record.measure(f"{name}.{start}, {when}", course.surprise[step], "bits per byte", seeds=(seed,))
    share = share_of_steps(fresh.surprise, trained.surprise)
    record.measure(f"{name}.share of steps", share, "share of the steps from scratch", seeds=(seed,), null=1.0)
    record.measure(f"{name}.seconds from scratch", fresh.seconds, "seconds", seeds=(seed,))
