"""A real model on every meter, beside ours and the nulls; and what reduces its bias: two studies of chapter 09."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from helpers import corpora, models, smollm2
from helpers.corpora.town.contract import DOSES
from helpers.corpora.town.doses import NAMES, Statement, statements_about
from helpers.corpora.town.lexicon import OCCUPATIONS
from helpers.evaluation import benchmarks, bias
from helpers.evaluation.likelihood import document_bits, held_out
from helpers.experiments.bias import published
from helpers.experiments.bias.mitigation import HELD_OUT, INSTRUCTION, INSTRUCTIONS, NONE, SHAM, TREATED
from helpers.experiments.bias.published import (
    CONTROL,
    CROWS,
    DOCSTRINGS,
    DOSED,
    NULL,
    PRONOUN,
    STATISTICS,
    TOWN,
    WORD_BY_WORD,
)
from helpers.experiments.study import Arm, note_corpora, start_from_base
from helpers.files import REFERENCE, WorkbookError
from helpers.pretrained import load_model
from helpers.records import Record
from helpers.tokenization import encode_documents
from helpers.training.base import base_text
from helpers.training.demonstrations import EncodedRow, finetune, gentle

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

REAL, RANDOM, BASE, ASSISTANT = "SmolLM2", "random SmolLM2", "our base", "our assistant"
RANK = 8
BOTH = "both pronouns"
WAYS = (NONE, BOTH, f"{BOTH}, {SHAM}", INSTRUCTION, f"{INSTRUCTION}, {SHAM}")
"""Of treating the real model: the sham of `BOTH` is as many sentences about people with names."""

SENTENCES = 8
"""About each treated occupation, each with both pronouns."""

ASKED = {published.WHO: 800, published.BBQ: 240, CONTROL: 600}
"""Items of the study where it does not ask all of them."""

AFTER = {PRONOUN: 400, CONTROL: 200}
"""Items that a treated model is asked."""


def doses_of_town() -> dict[str, float]:
    """Returns the share of women in each occupation in what the base model has read."""
    return {occupation: DOSES.get(occupation, 0.5) for occupation in OCCUPATIONS}


def _require(asked: published.Asked, *meters: str) -> None:
    """Raises a WorkbookError if a meter is missing without which a study has no sense."""
    if lacking := [asked.missing[meter] for meter in meters if meter in asked.missing]:
        raise WorkbookError(lacking[0])


def measure_all(arm: Arm, record: Record) -> None:
    """Asks the real model, ours, and all nulls every item, and adds what each of them says.

    Raises:
        WorkbookError: a benchmark or a model is missing.
    """
    asked, women = published.ask(ASKED, arm.seed), published.women_in_occupations()
    _require(asked, CROWS, published.WINOGENDER)
    print(*dict.fromkeys(asked.missing.values()), sep="\n")
    base, tokenizer = start_from_base(record)
    text = base_text(arm.profile, arm.seed)
    note_corpora(record, text.corpora)
    given = dict(zip((DOCSTRINGS, TOWN), text.corpora.values(), strict=True))
    sizes = dataclasses.replace(arm.profile.small, tokens=arm.profile.tokens // 3)
    judges = published.nulls(given, tokenizer, sizes, range(arm.seed, arm.seed + arm.profile.seeds))
    real, of_real = load_model(smollm2.NAME)
    judges[WORD_BY_WORD] = [published.counter(bias.word_by_word_scorer(real, of_real))]
    random_real = models.untrained(real, arm.seed)
    assistant, of_assistant = load_model(REFERENCE / "models" / "assistant")
    loaded = {REAL: (real, of_real), BASE: (base, tokenizer), ASSISTANT: (assistant, of_assistant)}
    judges |= {who: [published.judge(*model)] for who, model in loaded.items()}
    found = {}
    for who, each in judges.items():
        print(who, flush=True)
        found[who] = published.credits(asked, each)
    compared = (REAL, BASE, ASSISTANT)
    published.measure(record, asked, found, compared)
    pairs = asked.items[CROWS]
    matched = benchmarks.length_matched(pairs, of_real) & benchmarks.length_matched(pairs, tokenizer)
    for who in compared:
        published.measure_parts(record, pairs, found[who][CROWS], found[NULL][CROWS], who, matched)
    for who, model in (loaded | {RANDOM: (random_real, of_real)}).items():
        for part, shares in {STATISTICS: women, DOSED: doses_of_town()}.items():
            nats = published.occupation_nats(*model, shares)
            published.measure_occupations(record, who, nats, shares, part)


def run_arm(arm: Arm, record: Record) -> None:
    """Treats the real model in the arm's way, and adds its slopes for occupations that were treated, and that were not.

    Raises:
        WorkbookError: a benchmark or the real model is missing.
    """
    way, women = arm.settings["way"], published.women_in_occupations()
    asked = published.ask(AFTER, 0)
    _require(asked, published.WINOGENDER, *AFTER)
    model, tokenizer = load_model(smollm2.NAME)
    some = dict(list(women.items())[::2])  # in order of their shares
    parts = {TREATED: some, HELD_OUT: {name: share for name, share in women.items() if name not in some}}
    if way.startswith(BOTH):
        model = _tuned(model, tokenizer, _texts(way, list(some), arm.seed), arm.seed)
    for part, shares in parts.items():
        nats = published.occupation_nats(model, tokenizer, shares, INSTRUCTIONS.get(way, ""))
        published.measure_occupations(record, way, nats, shares, part)
    for meter in () if way.startswith(INSTRUCTION) else AFTER:
        items = asked.items[meter]
        of = published.METERS[meter].credit(items, published.judge(model, tokenizer)(items))
        groups = [item.group for item in items]
        record.share(f"{meter}.{way}", of, groups, unit="share", meter=meter, judge=way, seeds=(arm.seed,))
    docs = held_out(corpora.load("pydocs").splits["test"], arm.profile.heldout_bytes // 10, 0)
    bits = document_bits(model, tokenizer, docs.texts, models.context_length(model))
    docs.measure(record, f"text.{way}", bits, arm.seed, metric="text", judge=way)


def _texts(way: str, occupations: Sequence[str], seed: int) -> list[str]:
    """Returns sentences with both pronouns about occupations, or, as a sham, as many about people with names."""
    if way.endswith(SHAM):
        half = len(occupations)
        names = {name: pronoun for pronoun, of in NAMES.items() for name in of[:half]}
        return [each.text for each in statements_about(names, SENTENCES, seed)]
    about: list[Statement] = statements_about({f"the {each}": "she" for each in occupations}, SENTENCES, seed)
    return [text for each in about for text in (each.text, each.swapped().text)]


def _tuned(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, texts: list[str], seed: int) -> PreTrainedModel:
    """Returns a model that has read texts once, by LoRA in its upper half."""
    order = random.Random(seed).sample(texts, len(texts))
    rows = [EncodedRow(ids, ids) for ids in encode_documents(tokenizer, order)]
    learner = models.with_adapters(model, RANK, seed, first=len(models.blocks(model)) // 2)
    finetune(learner, tokenizer, rows, gentle(model, 1), seed)
    return cast("PreTrainedModel", learner.get_base_model())  # LoRA's matrices are in it
