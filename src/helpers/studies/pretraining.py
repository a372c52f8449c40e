"""Chapter 01's study: the base run with other seeds, so other weights, another order of reading and another town."""

from __future__ import annotations

from helpers.profiles import Profile
from helpers.records import Record
from helpers.studies.study import Arm, Study

SEEDS = 3


def _arms(profile: Profile) -> list[Arm]:
    return [Arm(f"seed-{seed}", profile, seed) for seed in range(SEEDS)]


def _run_arm(arm: Arm, record: Record) -> None:
    from helpers.evaluation import scorecard
    from helpers.evaluation.baselines import NGramModel
    from helpers.evaluation.likelihood import document_bits, held_out
    from helpers.tokenization import encode_documents, pack
    from helpers.training.base import base_text, starting_point
    from helpers.training.pretraining import pretrain

    text = base_text(arm.profile, arm.seed)
    model, tokenizer = starting_point("", text.training, arm.profile, arm.seed)
    encoded = encode_documents(tokenizer, text.training)
    pretrain(model, pack(encoded, arm.profile.context), arm.profile, arm.seed)
    ngrams = {name: NGramModel(n, len(tokenizer)).fit(encoded) for name, n in (("unigram", 1), ("5-gram", 5))}
    for name, corpus in text.corpora.items():
        held = held_out(corpus.splits["test"], arm.profile.heldout_bytes, arm.seed)
        ids = encode_documents(tokenizer, held.texts)
        costs = {method: ngram.document_bits(ids) for method, ngram in ngrams.items()}
        costs[scorecard.OURS] = document_bits(model, tokenizer, held.texts, arm.profile.context)
        scorecard.measure_surprise(record, name, held, costs, arm.seed)


STUDY = Study("Does the base run come out alike with other seeds?", _arms, _run_arm)
