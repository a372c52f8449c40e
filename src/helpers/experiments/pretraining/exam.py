"""What can a model do that was trained by one objective or the other? The same small exam for both.

Four tasks: guess a token that was taken out, with both sides shown; guess it from the left side alone, which is to say
what comes next; write; and lend its inner states to a probe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from datasets import concatenate_datasets

from helpers.evaluation.baselines import NGramModel
from helpers.evaluation.gaps import (
    SIDE,
    Gap,
    draw_gaps,
    ngram_from_both,
    ngram_from_left,
    right_from_both,
    right_from_left,
)
from helpers.evaluation.likelihood import held_out
from helpers.evaluation.probes import labelled, probe, word_probe
from helpers.generation import sample, sample_by_filling
from helpers.models import is_bidirectional, mean_states
from helpers.profiles import Profile
from helpers.statistics import Interval, mean_interval
from helpers.tokenization import encode_documents
from helpers.training.base import BaseText

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

FILLING, CONTINUING, WRITING, FEATURES = "filling a gap", "saying what comes next", "writing", "features for a probe"
UNITS = {FILLING: "share right", CONTINUING: "share right", WRITING: "bits a token above real text",
         FEATURES: "share right"}  # fmt: skip
"""The tasks and their units; in `WRITING` nearer to 0 is better, in the others more."""

WRITTEN_TOKENS = 40
"""Tokens of each written document that are judged at most."""

LABELS = 6
"""Origins between which the probe has to tell."""


@dataclass(frozen=True)
class Exam:
    """The tasks, drawn once for all models that are to be compared.

    Attributes:
        gaps: for `FILLING` and `CONTINUING`.
        judge: a 5-gram that has read the same text, or more of it; it compares what is written with real text by its
            surprise.
        real: held-out texts, encoded.
        probed: texts, labels and groups for `FEATURES`; empty where the corpus has no two origins.
        profile: the sizes of the models.
        seed: of all draws.
    """

    gaps: list[Gap]
    judge: NGramModel
    real: list[list[int]]
    probed: tuple[list[str], list[str], list[str]]
    profile: Profile
    seed: int

    def sit(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> dict[str, float]:
        """Returns a model's results by task; those of tasks that the corpus does not allow are left out."""
        mask = tokenizer.mask_token_id
        results = {
            FILLING: float(right_from_both(model, self.gaps, mask).mean()),
            CONTINUING: float(right_from_left(model, self.gaps, mask).mean()),
            WRITING: self._surprise(encode_documents(tokenizer, self._written(model, tokenizer))) - self.real_surprise,
        }
        texts, labels, groups = self.probed
        if texts:
            rows = [ids[: self.profile.context // 4] for ids in encode_documents(tokenizer, texts)]
            inner = mean_states(model, rows).reshape(len(rows), -1)  # all layers side by side
            results[FEATURES] = float(probe(inner, labels, groups).mean())
        return results

    def rivals(self, untrained: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> dict[str, dict[str, float]]:
        """Returns by task what others get: an untrained model, chance, and methods that only count."""
        results = {task: {"untrained": result} for task, result in self.sit(untrained, tokenizer).items()}
        results[FILLING]["5-gram"] = float(ngram_from_both(self.judge, self.gaps).mean())
        results[CONTINUING]["5-gram"] = float(ngram_from_left(self.judge, self.gaps).mean())
        if FEATURES in results:
            results[FEATURES]["TF-IDF"] = float(word_probe(*self.probed).mean())
            results[FEATURES]["chance"] = 1 / len(set(self.probed[1]))
        return results

    @property
    def real_surprise(self) -> float:
        """What the judge pays for real text, in bits a token."""
        return self._surprise(self.real)

    def _written(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> list[str]:
        count = len(self.real)
        if is_bidirectional(model):
            return sample_by_filling(model, tokenizer, count, WRITTEN_TOKENS, self.seed)
        return sample(model, tokenizer, [""] * count, WRITTEN_TOKENS, self.seed, temperature=1.0)

    def _surprise(self, encoded: Sequence[Sequence[int]]) -> float:
        """Returns the judge's bits a token, over the first tokens of each document, its end not counted."""
        begun = [ids[: WRITTEN_TOKENS + 1] for ids in (document[:-1] for document in encoded) if len(ids) > 1]
        return float(np.concatenate(self.judge.token_bits(begun)).mean()) if begun else 0.0


def draw_exam(
    text: BaseText, tokenizer: PreTrainedTokenizerFast, judge: NGramModel, profile: Profile, seed: int
) -> Exam:
    """Draws the tasks from the corpora's test splits; the probe's from the first alone.

    Gaps are drawn equally from each corpus. The real text beside which writing is judged is drawn as the models met it:
    from each corpus as often as its documents stand in the training text.

    Args:
        text: what the models read; the origins of its first corpus' documents are what the probe has to tell.
        tokenizer: the models' tokenizer.
        judge: an n-gram model that has read the same text, or more of it.
        profile: gives how much is asked.
        seed: of the draws.
    """
    tests = [held_out(c.splits["test"], profile.heldout_bytes // 2, seed) for c in text.corpora.values()]
    count = profile.heldout_bytes // 500 // len(tests)
    side = min(SIDE, profile.context // 2 - 1)  # begin, left, gap and right must fit the context
    gaps = [gap for held in tests for gap in draw_gaps(held, tokenizer, count, seed, side)]
    wanted = 8 * profile.samples
    counts = [round(wanted * text.documents[name] / len(text.training)) for name in text.corpora]
    real = [document for held, count in zip(tests, counts, strict=True) for document in held.texts[:count]]
    splits = next(iter(text.corpora.values())).splits
    unread = concatenate_datasets([splits[name] for name in ("validation", "test") if name in splits])
    probed = labelled(unread, LABELS, profile.heldout_bytes // 2500, seed)
    return Exam(gaps, judge, encode_documents(tokenizer, real), probed, profile, seed)


def differences(
    some: Sequence[Mapping[str, float]], others: Sequence[Mapping[str, float]]
) -> dict[str, tuple[float, Interval]]:
    """Returns by task how far the first models' results are above the others', paired, with t intervals.

    Args:
        some: of each seed, what `Exam.sit` returned; of `WRITING`, the distance from real text counts, not the side.
        others: the same of the other objective, for the same seeds; at least two.
    """
    pairs = list(zip(some, others, strict=True))
    tasks = [task for task in UNITS if all(task in one and task in other for one, other in pairs)]
    return {task: mean_interval([_size(task, one) - _size(task, other) for one, other in pairs]) for task in tasks}


def _size(task: str, results: Mapping[str, float]) -> float:
    return abs(results[task]) if task == WRITING else results[task]


def winner(task: str, interval: Interval, names: tuple[str, str]) -> str:
    """Returns which of two objectives is better at a task, by the whole interval of the difference; else an empty text.

    Args:
        task: decides whether more is better.
        interval: of the difference, first minus second.
        names: of the first and of the second.
    """
    if interval.low <= 0 <= interval.high:
        return ""
    more = interval.low > 0
    return names[0] if more != (task == WRITING) else names[1]


def decide(won: Mapping[str, str], names: tuple[str, str]) -> str:
    """Returns the verdict on the claim that hiding words makes such a model, from who is better at what.

    Args:
        won: what `winner` returned, by task.
        names: of the next-token objective and of the other.

    Returns:
        `refuted` if next tokens are better both at `CONTINUING` and at `WRITING`, `supported` if hidden ones are, else
        `not distinguishable`.
    """
    best = {won[CONTINUING], won[WRITING]}
    return "refuted" if best == {names[0]} else "supported" if best == {names[1]} else "not distinguishable"
