"""Chapter 01's study: the base run by both objectives, each with eight seeds, so other weights and another town."""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers.experiments.study import Arm, Study
from helpers.profiles import Profile
from helpers.records import Record

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from helpers.evaluation.baselines import NGramModel
    from helpers.training.base import BaseText

SEEDS = 8
NEXT, HIDDEN = "next token", "hidden tokens"
"""The objectives, as an arm's setting `objective` has them."""


def _arms(profile: Profile) -> list[Arm]:
    return [
        Arm(f"{objective.split()[0]}-{seed}", profile, seed, {"objective": objective})
        for seed in range(SEEDS)
        for objective in (NEXT, HIDDEN)
    ]


def _run_arm(arm: Arm, record: Record) -> None:
    from helpers.evaluation.baselines import NGramModel
    from helpers.experiments.pretraining import exam
    from helpers.models import causal_model, masked_model
    from helpers.tokenization import encode_documents, pack, train_tokenizer
    from helpers.training.base import base_text
    from helpers.training.pretraining import pretrain

    profile, seed = arm.profile, arm.seed
    text = base_text(profile, seed)
    tokenizer = train_tokenizer(text.training, profile.vocab_size)
    encoded = encode_documents(tokenizer, text.training)
    make = causal_model if arm.settings["objective"] == NEXT else masked_model
    model = make(profile, tokenizer, seed)
    pretrain(model, pack(encoded, profile.context), profile, seed)
    ngrams = {name: NGramModel(n, len(tokenizer)).fit(encoded) for name, n in (("unigram", 1), ("5-gram", 5))}
    test = exam.draw_exam(text, tokenizer, ngrams["5-gram"], profile, seed)
    for task, result in test.sit(model, tokenizer).items():
        record.measure(f"exam: {task}", result, exam.UNITS[task], seeds=(seed,))
    if arm.settings["objective"] == NEXT:
        untrained = make(profile, tokenizer, seed).eval()
        for task, results in test.rivals(untrained, tokenizer).items():
            for rival, result in results.items():
                record.measure(f"exam: {task}, {rival}", result, exam.UNITS[task], seeds=(seed,))
        _measure_base(record, arm, text, (model, tokenizer), ngrams)


def _measure_base(
    record: Record,
    arm: Arm,
    text: BaseText,
    learned: tuple[PreTrainedModel, PreTrainedTokenizerFast],
    ngrams: dict[str, NGramModel],
) -> None:
    """Measures what chapter 01 measures of its own run: surprise, structure, context and facts."""
    from helpers.corpora.town import make_world
    from helpers.evaluation import choices, scorecard
    from helpers.evaluation.likelihood import document_bits, held_out
    from helpers.experiments.pretraining import tasks
    from helpers.tokenization import encode_documents

    (model, tokenizer), context = learned, arm.profile.context
    held = {name: held_out(c.splits["test"], arm.profile.heldout_bytes, arm.seed) for name, c in text.corpora.items()}
    for name, texts in held.items():
        ids = encode_documents(tokenizer, texts.texts)
        costs = {method: ngram.document_bits(ids) for method, ngram in ngrams.items()}
        costs[scorecard.OURS] = document_bits(model, tokenizer, texts.texts, context)
        scorecard.measure_surprise(record, name, texts, costs, arm.seed)
    price = {method: choices.ngram_pricer(ngram, tokenizer) for method, ngram in ngrams.items()}
    price[scorecard.OURS] = choices.model_pricer(model, tokenizer, context)
    world = make_world(arm.profile.people, arm.seed)
    for name, asked in tasks.tests(world, held["pydocs"], arm.profile, arm.seed).items():
        scores = {method: choices.score_choices(asked, pricer) for method, pricer in price.items()}
        scorecard.measure_choices(record, name, asked, scores, arm.seed)


STUDY = Study("Do other seeds, and the other objective, come out alike?", _arms, _run_arm)
