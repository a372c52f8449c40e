"""What can a model do that was trained by one objective or another? Four tasks, the same for all.

Predict a token that was taken out, with both sides shown; predict it from the left side alone, which is to say what
comes next; write; and lend its inner states to a probe.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from datasets import concatenate_datasets
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from helpers.corpora.corpus import Corpus
from helpers.evaluation import gaps
from helpers.evaluation.baselines import NGramModel
from helpers.evaluation.likelihood import held_out
from helpers.evaluation.probes import labelled, probe
from helpers.generation import sample, sample_by_filling
from helpers.models import is_bidirectional, mean_states
from helpers.profiles import Profile
from helpers.records import ACCURACY
from helpers.tokenization import encode_documents

FILLING, CONTINUING, WRITING, FEATURES = "filling a gap", "saying what comes next", "writing", "features for a probe"
UNITS = {FILLING: ACCURACY, CONTINUING: ACCURACY, WRITING: "bits per token above real text", FEATURES: ACCURACY}
"""The tasks and their units; in `WRITING` nearer to 0 is better, in the others more."""

UNTRAINED, NGRAM, WORDS, CHANCE = "untrained", "5-gram", "TF-IDF", "chance"
"""What the models are compared with."""

WRITTEN_TOKENS = 40
"""Tokens of each written document that are judged at most."""

LABELS = 6
"""Origins that the probe has to tell apart."""


class Result(NamedTuple):
    """What a method reached at a task; a list of these makes a table."""

    task: str
    method: str
    seed: int
    value: float


@dataclass(frozen=True)
class ObjectiveTasks:
    """The tasks, drawn once for all models that are to be compared.

    Attributes:
        gaps: for `FILLING` and `CONTINUING`.
        judge: a 5-gram that has read the same text, or more; what is written is set beside real text by its bits.
        real: held-out texts, encoded.
        probed: texts, labels and groups for `FEATURES`; empty where the corpus has no two origins.
    """

    gaps: list[gaps.Gap]
    judge: NGramModel
    real: list[list[int]]
    probed: tuple[list[str], list[str], list[str]]
    profile: Profile
    seed: int

    def evaluate(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, method: str) -> list[Result]:
        """Returns a model's results; those of tasks that the corpus does not allow are left out."""
        mask = tokenizer.mask_token_id
        written = encode_documents(tokenizer, self._written(model, tokenizer))
        results = {
            FILLING: float(gaps.fills_from_both(model, self.gaps, mask).mean()),
            CONTINUING: float(gaps.fills_from_left(model, self.gaps, mask).mean()),
            WRITING: self._bits(written) - self._bits(self.real),
        }
        texts, labels, groups = self.probed
        if texts:
            rows = [ids[: self.profile.context // 4] for ids in encode_documents(tokenizer, texts)]
            inner = np.concatenate(mean_states(model, rows), axis=1)  # all layers side by side
            results[FEATURES] = float(probe(inner, labels, groups).mean())
        return [Result(task, method, self.seed, value) for task, value in results.items()]

    def baselines(self, untrained: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> list[Result]:
        """Returns the results of an untrained model, of methods that count, and of blind guessing."""
        counted = {
            (FILLING, NGRAM): gaps.ngram_fills_from_both(self.judge, self.gaps).mean(),
            (CONTINUING, NGRAM): gaps.ngram_fills_from_left(self.judge, self.gaps).mean(),
        }
        if self.probed[0]:
            counted[FEATURES, WORDS] = probe(*self.probed).mean()
            counted[FEATURES, CHANCE] = 1 / len(set(self.probed[1]))
        results = [Result(task, method, self.seed, float(value)) for (task, method), value in counted.items()]
        return self.evaluate(untrained, tokenizer, UNTRAINED) + results

    def _written(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> list[str]:
        count = len(self.real)
        if is_bidirectional(model):
            return sample_by_filling(model, tokenizer, count, WRITTEN_TOKENS, self.seed)
        return sample(model, tokenizer, [""] * count, WRITTEN_TOKENS, self.seed, temperature=1.0)

    def _bits(self, encoded: Sequence[Sequence[int]]) -> float:
        """Returns the judge's bits per token, over the first tokens of each document, its end not counted."""
        begun = [ids[: WRITTEN_TOKENS + 1] for ids in (document[:-1] for document in encoded) if len(ids) > 1]
        return float(np.concatenate(self.judge.token_bits(begun)).mean()) if begun else 0.0


def draw_objective_tasks(
    corpora: Mapping[str, Corpus],
    documents: Mapping[str, int],
    tokenizer: PreTrainedTokenizerFast,
    judge: NGramModel,
    profile: Profile,
    seed: int,
) -> ObjectiveTasks:
    """Draws the tasks from the corpora's test splits; the probe's from the first alone, whose origins it predicts.

    Gaps are drawn equally from each corpus. The real text with which writing is compared is drawn as the models read
    it: from each corpus in proportion to how many `documents` of it the training text has. The `judge` is an n-gram
    model that has read the same text, or more of it.
    """
    tests = [held_out(corpus.splits["test"], profile.heldout_bytes // 2, seed) for corpus in corpora.values()]
    count = profile.heldout_bytes // 500 // len(tests)
    side = min(gaps.SIDE, profile.context // 2 - 1)  # begin, left, gap and right must fit the context
    drawn = [gap for held in tests for gap in gaps.draw_gaps(held, tokenizer, count, seed, side)]
    wanted, total = 8 * profile.samples, sum(documents.values())
    counts = [round(wanted * documents[name] / total) for name in corpora]
    real = [document for held, count in zip(tests, counts, strict=True) for document in held.texts[:count]]
    splits = next(iter(corpora.values())).splits
    unread = concatenate_datasets([splits[name] for name in ("validation", "test") if name in splits])
    probed = labelled(unread, LABELS, profile.heldout_bytes // 2500, seed)
    return ObjectiveTasks(drawn, judge, encode_documents(tokenizer, real), probed, profile, seed)
