"""Chapter 01's studies: the base run by both objectives, eight seeds each; and a small grid on real English alone.

A seed of the first gives other weights and another town.
"""

from dataclasses import replace
from typing import Any

import pandas as pd
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from helpers.corpora import load
from helpers.corpora.mixing import mix
from helpers.corpora.town import make_world
from helpers.evaluation import choices, scorecard
from helpers.evaluation.baselines import NGramModel
from helpers.evaluation.language import language_tests
from helpers.evaluation.likelihood import document_bits, held_out
from helpers.evaluation.objective_tasks import UNITS, WRITING, draw_objective_tasks
from helpers.experiments.study import Arm, Study, note_corpora
from helpers.models import causal_model, masked_model
from helpers.profiles import BYTES_PER_TOKEN, Profile
from helpers.records import Measurement, Record
from helpers.tokenization import encode_documents, pack, train_tokenizer
from helpers.training.base import BaseText, base_text
from helpers.training.pretraining import pretrain

SEEDS = 8
NEXT, HIDDEN = "next token", "hidden tokens"
"""The objectives, as an arm's setting `objective` has them."""

BOTH, LEAD = [NEXT, HIDDEN], f"{NEXT} - {HIDDEN}"

SIZES = ((0.25, 1, 1), (0.5, 2, 2), (0.75, 3, 3), (1, 4, 4))
"""Of the second study: width as a share of the profile's, blocks, and heads."""

PARTS = (8, 4, 2, 1)
"""The profile's tokens are divided by these."""

TOKENIZER_BYTES = 4_000_000
"""Of the text from which all its arms have their tokenizer, the same one."""

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
    record gets `objectives: <task>.next token - hidden tokens`. Returns them by task, where two seeds or more have
    both.
    """
    found = {}
    for task, unit in (UNITS | {WRITING: "bits per token of distance from real text (less is better)"}).items():
        seeds = results[results["task"] == task].pivot(index="seed", columns="method", values="value").abs()
        if {NEXT, HIDDEN} <= {*seeds} and len(seeds.dropna(subset=[NEXT, HIDDEN])) > 1:
            leads = (seeds[NEXT] - seeds[HIDDEN]).dropna()
            known: dict[str, Any] = {"seeds": [int(seed) for seed in leads.index], "null": 0.0}
            name = f"objectives: {task}.{LEAD}"
            found[task] = record.over_seeds(name, list(leads), unit, **known, task=task, method=LEAD)
    return found


def _arms(profile: Profile) -> list[Arm]:
    return [
        Arm(f"{objective.split()[0]}-{seed}", profile, seed, {"objective": objective})
        for seed in range(SEEDS)
        for objective in BOTH
    ]


def _run_arm(arm: Arm, record: Record) -> None:
    profile, seed, objective = arm.profile, arm.seed, arm.settings["objective"]
    text = base_text(profile, seed)
    note_corpora(record, text.corpora)
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


def _scaling_arms(profile: Profile) -> list[Arm]:
    arms = []
    for share, blocks, heads in SIZES:
        for part in PARTS:
            width, tokens = round(share * profile.hidden_size), profile.tokens // part
            sized = replace(profile, hidden_size=width, n_layer=blocks, n_head=heads, tokens=tokens)
            arms.append(Arm(f"width-{width}-tokens-{tokens}", sized, 0))
    return arms


def _run_scaling(arm: Arm, record: Record) -> None:
    profile, seed = arm.profile, arm.seed
    pydocs = load(":".join(["pydocs", ",".join(profile.packages)]).rstrip(":"))
    note_corpora(record, {"pydocs": pydocs})
    read, for_tokenizer = (
        mix({"pydocs": pydocs}, {"pydocs": 1.0}, size, seed)["text"]
        for size in (round(profile.tokens * BYTES_PER_TOKEN), TOKENIZER_BYTES)
    )
    tokenizer = train_tokenizer(for_tokenizer, profile.vocab_size)
    model = causal_model(profile, tokenizer, seed)
    log = pretrain(model, pack(encode_documents(tokenizer, read), profile.context), profile, seed)
    sizes = {"parameters": model.num_parameters(), "tokens": log.tokens}
    for name, size in sizes.items():
        record.measure(name, size, name, quantity=name)
    test = held_out(pydocs.splits["test"], profile.heldout_bytes, seed)
    bits = document_bits(model, tokenizer, test.texts, profile.context)
    test.measure(record, "pydocs.our model", bits, seed, **sizes, corpus="pydocs", method=scorecard.OURS)


OBJECTIVES = Study("Do other seeds, and the other objective, come out alike?", _arms, _run_arm)
SCALING = Study("What do more text and more parameters buy?", _scaling_arms, _run_scaling)
