"""Does a trained start learn new text faster? Two domains that the base model has never read, each read once.

The left-out package (real English, of a new trade) and the second town (other people, streets and words). A fresh model
and the trained one read the same text; what counts is how soon the trained one is where the fresh one ends.
"""

import copy
import dataclasses
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from helpers import files
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
    """A training on a domain: bits per byte of the test by step, seconds without measuring, the model at its end."""

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

    The profile gives context, batch and the learning rates of a `fresh` model; a trained one of ours has `TRAINED_ON`
    of those, and another gentle ones.
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

    Returns the runs, by domain and by start.
    """
    runs: dict[str, dict[str, DomainRun]] = {}
    for name, domain in read_domains(profile, seed, tokens).items():
        record.fingerprints[name] = files.fingerprint(domain.texts)
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
    known: dict[str, Any] = {"seeds": (seed,), "domain": domain}
    for start, run in ((FROM_SCRATCH, fresh), (FROM_TRAINED, trained)):
        for when, step in (("at first", 0), ("at the end", max(run.bits))):
            name, unit = f"{domain}.{start}, {when}", "bits per byte"
            record.measure(name, run.bits[step], unit, **known, metric=unit, start=start, when=when)
    share, unit = share_of_steps(fresh.bits, trained.bits), "share of the steps from scratch"
    record.measure(f"{domain}.share of steps", share, unit, null=1.0, **known, metric="share of steps")
    name, unit = f"{domain}.seconds from scratch", "seconds"
    record.measure(name, fresh.seconds, unit, **known, metric=unit, start=FROM_SCRATCH)
