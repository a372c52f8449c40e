"""Chapter 01's study: the base run by both objectives, each with eight seeds, so other weights and another town."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from helpers.experiments.study import Arm, Study
from helpers.profiles import Profile
from helpers.records import Measurement, Record

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from helpers.evaluation.baselines import NGramModel
    from helpers.training.base import BaseText

SEEDS = 8
NEXT, HIDDEN = "next token", "hidden tokens"
"""The objectives, as an arm's setting `objective` has them."""

BOTH, LEAD = [NEXT, HIDDEN], f"{NEXT} - {HIDDEN}"


AT_SCALE = {
    "C1": "Models trained by the same rule on far more text choose the grammatical one of two sentences far more often "
    "than n-grams do, though not as often as people (Warstadt et al. 2020, BLiMP); they use examples given up to two "
    "thousand tokens before (Brown et al. 2020); and they know a fact better the more often it is in their text "
    "(Kandpal et al. 2023), and can say it when it was read in many wordings (Allen-Zhu and Li 2024). Ours carries "
    "over only if large models learn the same kinds of things from the web, just more of them.",
    "C2": "By their makers' account, GPT-3 (Brown et al. 2020) and GPT-4 (OpenAI 2023), which ChatGPT has run on, were "
    "pretrained to predict the next token: as a statement of how it was done, the claim is wrong. BERT was trained by "
    "hiding (Devlin et al. 2019), and was better at tasks of understanding than a next-token model of its size. Hiding "
    "can be made to write: with a varying share of tokens hidden, up to all, a model of 8 billion parameters does (Nie "
    "et al. 2025, LLaDA). For ours to carry over, the lead of next tokens in writing must last with far more training.",
}
"""What the literature found of each claim."""


def measure_leads(record: Record, results: pd.DataFrame) -> dict[str, Measurement]:
    """Adds how far next tokens are above hidden ones at each task, paired by seed, with t intervals.

    The results have columns `task`, `method`, `seed` and `value`; of writing, the distances from real text count. The
    record gets `objectives: <task>.next token - hidden tokens`. Returned are the measurements by task, without tasks at
    which fewer than two seeds have both.
    """
    from helpers.evaluation.objective_tasks import UNITS, WRITING

    found = {}
    for task, unit in (UNITS | {WRITING: "bits per token of distance from real text (less is better)"}).items():
        seeds = results[results["task"] == task].pivot(index="seed", columns="method", values="value").abs()
        if {NEXT, HIDDEN} <= {*seeds} and len(seeds.dropna(subset=[NEXT, HIDDEN])) > 1:
            leads = (seeds[NEXT] - seeds[HIDDEN]).dropna()
            about: dict[str, Any] = {
                "seeds": [int(seed) for seed in leads.index],
                "null": 0.0,
                "task": task,
                "method": LEAD,
            }
            found[task] = record.over_seeds(f"objectives: {task}.{LEAD}", list(leads), unit, **about)
    return found


def _arms(profile: Profile) -> list[Arm]:
    return [
        Arm(f"{objective.split()[0]}-{seed}", profile, seed, {"objective": objective})
        for seed in range(SEEDS)
        for objective in (NEXT, HIDDEN)
    ]


def _run_arm(arm: Arm, record: Record) -> None:
    from helpers.evaluation.baselines import NGramModel
    from helpers.evaluation.objective_tasks import UNITS, draw_objective_tasks
    from helpers.models import causal_model, masked_model
    from helpers.tokenization import encode_documents, pack, train_tokenizer
    from helpers.training.base import base_text
    from helpers.training.pretraining import pretrain

    profile, seed, objective = arm.profile, arm.seed, arm.settings["objective"]
    text = base_text(profile, seed)
    tokenizer = train_tokenizer(text.training, profile.vocab_size)
    encoded = encode_documents(tokenizer, text.training)
    make = causal_model if objective == NEXT else masked_model
    model = make(profile, tokenizer, seed)
    pretrain(model, pack(encoded, profile.context), profile, seed)
    ngrams = {name: NGramModel(n, len(tokenizer)).fit(encoded) for name, n in (("unigram", 1), ("5-gram", 5))}
    tasks = draw_objective_tasks(text.corpora, text.documents, tokenizer, ngrams["5-gram"], profile, seed)
    for task, method, _, value in tasks.evaluate(model, tokenizer, objective):
        record.measure(f"exam: {task}", value, UNITS[task], seeds=(seed,), task=task, method=method)
    if objective == NEXT:
        for task, method, _, value in tasks.baselines(make(profile, tokenizer, seed).eval(), tokenizer):
            record.measure(f"exam: {task}, {method}", value, UNITS[task], seeds=(seed,), task=task, method=method)
        _measure_base(record, arm, text, (model, tokenizer), ngrams)


def _measure_base(
    record: Record,
    arm: Arm,
    text: BaseText,
    learned: tuple[PreTrainedModel, PreTrainedTokenizerFast],
    ngrams: dict[str, NGramModel],
) -> None:
    """Measures what chapter 01 measures of its own run: bits per byte, structure, context and knowledge."""
    from helpers.corpora.town import make_world
    from helpers.evaluation import choices, scorecard
    from helpers.evaluation.language import language_tests
    from helpers.evaluation.likelihood import held_out

    (model, tokenizer), profile, seed = learned, arm.profile, arm.seed
    scorers = {method: choices.ngram_scorer(ngram, tokenizer) for method, ngram in ngrams.items()}
    scorers[scorecard.OURS] = choices.model_scorer(model, tokenizer, profile.context)
    held = {name: held_out(corpus.splits["test"], profile.heldout_bytes, seed) for name, corpus in text.corpora.items()}
    for name, texts in held.items():
        bits = {method: scorer(texts.texts) for method, scorer in scorers.items()}
        scorecard.measure_bits(record, name, texts, bits, seed)
    for test in language_tests(make_world(profile.people, seed), held["pydocs"], profile, seed):
        scores = {method: test.score(scorer) for method, scorer in scorers.items()}
        scorecard.measure_choices(record, test, scores, seed)


STUDY = Study("Do other seeds, and the other objective, come out alike?", _arms, _run_arm)
