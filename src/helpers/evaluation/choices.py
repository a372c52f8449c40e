"""Which of these texts is likelier? Forced choices, of which one option is right: the likeliest is the answer.

Compared are the log-likelihoods of whole texts that are alike but for one thing, as BLiMP does (Warstadt et al. 2020,
section 4.1). So no model has to follow an instruction, and one that counts words takes the same test.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from helpers.evaluation.baselines import NGramModel
from helpers.evaluation.likelihood import document_bits
from helpers.evaluation.metrics.formulas import choice_credit
from helpers.tokenization import encode_documents

Scorer = Callable[[Sequence[str]], np.ndarray]
"""Gives minus the log-likelihood of each text, in bits, (texts,)."""


@dataclass(frozen=True)
class Choice:
    """A question of which text is likelier: `options` are the right text, then the wrong ones.

    Its `group` is what it was sampled with (its person, its module), the unit of the interval; its `kind`
    distinguishes it from others of its test, such as how often a fact was told.
    """

    options: tuple[str, ...]
    group: str
    kind: str = ""


@dataclass(frozen=True)
class ChoiceTest:
    """Choices that are scored together; `about` tells this test from the others, for `Measurement.about`."""

    name: str
    choices: list[Choice]
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def groups(self) -> list[str]:
        """The group of each choice."""
        return [choice.group for choice in self.choices]

    @property
    def chance(self) -> float:
        """The accuracy of blind guessing."""
        return float(np.mean([1 / len(choice.options) for choice in self.choices]))

    def score(self, scorer: Scorer) -> np.ndarray:
        """Returns what `score_choices` does."""
        return score_choices(self.choices, scorer)


def model_scorer(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, context: int) -> Scorer:
    """Returns what scores texts by a causal model."""
    return lambda texts: document_bits(model, tokenizer, texts, context)


def ngram_scorer(ngram: NGramModel, tokenizer: PreTrainedTokenizerFast) -> Scorer:
    """Returns what scores texts by an n-gram model."""
    return lambda texts: ngram.document_bits(encode_documents(tokenizer, texts))


def score_choices(choices: Sequence[Choice], scorer: Scorer) -> np.ndarray:
    """Returns for each choice 1 if the right option is the likeliest, 0 if not, and its share of a tie, (choices,).

    One that cannot tell the options apart gets 1 / options on average.
    """
    bits = scorer([option for choice in choices for option in choice.options])
    ends = np.cumsum([len(choice.options) for choice in choices])
    return np.array([choice_credit(-costs, np.arange(len(costs)) == 0) for costs in np.split(bits, ends[:-1])])
