"""Does a trained start learn new text faster? Two domains that the base model has never read, each read once.

The left-out package (real English, of a new trade) and the second town (other people, streets and words). A fresh model
and the trained one read the same text; what counts is how soon the trained one is where the fresh one ends.
"""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from helpers.corpora import town
from helpers.corpora.pydocs import corpus
from helpers.evaluation.learning_curves import share_of_steps
from helpers.evaluation.likelihood import HeldOut, document_bits, held_out
from helpers.models import is_own
from helpers.profiles import BYTES_PER_TOKEN, Profile
from helpers.records import Record
from helpers.tokenization import encode_documents, pack
from helpers.training.base import fitted
from helpers.training.pretraining import pretrain, steps_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

PACKAGE, TOWN = "left-out package", "second town"
FROM_SCRATCH, FROM_TRAINED = "from scratch", "from the trained model"
"""The domains and the starts, as the columns `domain` and `start` have them."""

TRAINED_ON = (0.5, 0.1)
"""Of a fresh model's learning rates (Muon's, Adam's), the share at which a trained one goes on: in trials here it then
learned the package better, and the town as well."""


@dataclass(frozen=True)
class Domain:
    """New text: documents to learn from, in order, and documents to be measured on."""

    texts: list[str]
    test: HeldOut


@dataclass(frozen=True)
class DomainRun:
    """A training on a domain, and the model at its end.

    Attributes:
        bits: bits per byte of the test, by training step.
        seconds: of the training, without the measuring.
    """

    bits: dict[int, float]
    seconds: float
    model: PreTrainedModel


def read_domains(profile: Profile, seed: int, tokens: int) -> dict[str, Domain]:
    """Loads both domains, each with about so many tokens to learn from, and a little to measure on."""
    size = round(tokens * BYTES_PER_TOKEN)
    package = corpus.load_docstrings(profile.packages, left_out=True).splits
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


def train_on(
    domain: Domain, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, profile: Profile, seed: int, fresh: bool
) -> DomainRun:
    """Trains a copy of a causal model on a domain, once.

    Args:
        profile: gives context, batch and a fresh model's learning rates.
        fresh: whether the model is untrained; if not, the rates of ours are `TRAINED_ON` of those, others' gentle.
    """
    learner = copy.deepcopy(model)
    slower = fitted(profile, model)
    if fresh or is_own(model.config):
        matrices, rest = (1.0, 1.0) if fresh else TRAINED_ON
        rates = matrices * profile.matrix_learning_rate, rest * profile.learning_rate
        slower = dataclasses.replace(slower, matrix_learning_rate=rates[0], learning_rate=rates[1])
    blocks = pack(encode_documents(tokenizer, domain.texts), slower.context)

    def bits(step: int) -> float:
        return domain.test.bits_per_byte(document_bits(learner, tokenizer, domain.test.texts, slower.context))[0]

    log = pretrain(learner, blocks, slower, seed, milestones(steps_of(blocks, slower)), bits)
    return DomainRun(log.evaluations, log.seconds, learner)


def milestones(steps: int) -> list[int]:
    """Returns the steps to measure at: 0, the powers of two up to the half, three quarters, and the last."""
    return sorted({0, *(2**k for k in range(20) if 2**k < 0.6 * steps), round(0.75 * steps), steps})


def compare_starts(
    record: Record,
    starts: tuple[PreTrainedModel, PreTrainedModel],
    tokenizer: PreTrainedTokenizerFast,
    profile: Profile,
    seed: int,
    tokens: int,
) -> dict[str, dict[str, DomainRun]]:
    """Trains both starts, the fresh model and the trained one, on both domains, and adds to the record what came of it.

    Returns:
        The runs, by domain and by start.
    """
    runs: dict[str, dict[str, DomainRun]] = {}
    for name, domain in read_domains(profile, seed, tokens).items():
        runs[name] = {
            start: train_on(domain, model, tokenizer, profile, seed, fresh=start == FROM_SCRATCH)
            for start, model in zip((FROM_SCRATCH, FROM_TRAINED), starts, strict=True)
        }
        measure_domain(record, name, runs[name][FROM_SCRATCH], runs[name][FROM_TRAINED], seed)
    return runs


def measure_domain(record: Record, domain: str, fresh: DomainRun, trained: DomainRun, seed: int) -> None:
    """Adds to the record what both starts came to, and how much sooner the trained one was where the fresh one ended.

    It gets `<domain>.<start>, at first`, `<domain>.<start>, at the end`, `<domain>.share of steps` and
    `<domain>.seconds from scratch`.
    """
    for start, run in ((FROM_SCRATCH, fresh), (FROM_TRAINED, trained)):
        for when, step in (("at first", 0), ("at the end", max(run.bits))):
            about: dict[str, Any] = {"metric": "bits per byte", "domain": domain, "start": start, "when": when}
            record.measure(f"{domain}.{start}, {when}", run.bits[step], "bits per byte", seeds=(seed,), **about)
    known: dict[str, Any] = {"seeds": (seed,), "domain": domain}
    share = share_of_steps(fresh.bits, trained.bits)
    name, unit = f"{domain}.share of steps", "share of the steps from scratch"
    record.measure(name, share, unit, null=1.0, metric="share of steps", **known)
    known |= {"metric": "seconds", "start": FROM_SCRATCH}
    record.measure(f"{domain}.seconds from scratch", fresh.seconds, "seconds", **known)
