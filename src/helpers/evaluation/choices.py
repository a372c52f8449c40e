"""Which of these would it rather have said? Forced choices, of which one end is right: the cheapest is the answer.

What is compared is the surprise at whole texts that are alike but for one thing, as BLiMP does (Warstadt et al. 2020,
section 4.1); so no model has to follow an instruction, and one that counts words takes the same test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from helpers.evaluation.likelihood import document_bits
from helpers.statistics import share_interval
from helpers.tokenization import encode_documents

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from helpers.evaluation.baselines import NGramModel

Pricer = Callable[[Sequence[str]], np.ndarray]
"""Gives the bits of each text, (texts,)."""

TIE = 1e-6
"""Bits within which two prices are one: sums of the same numbers in another order differ by less."""


@dataclass(frozen=True)
class Choice:
    """A question of which text is likelier.

    Attributes:
        options: the right text, then the wrong ones.
        group: what it was sampled with (its person, its module): the unit of the bootstrap.
        kind: what distinguishes it from others of its test, such as how often a fact was told.
    """

    options: tuple[str, ...]
    group: str
    kind: str = ""


def model_pricer(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, context: int) -> Pricer:
    """Returns what prices texts by a causal model."""
    return lambda texts: document_bits(model, tokenizer, texts, context)


def ngram_pricer(ngram: NGramModel, tokenizer: PreTrainedTokenizerFast) -> Pricer:
    """Returns what prices texts by an n-gram model."""
    return lambda texts: ngram.document_bits(encode_documents(tokenizer, texts))


def share_right(choices: Sequence[Choice], scores: np.ndarray) -> list[float]:
    """Returns the share of choices that were right, and the ends of its interval over groups.

    Args:
        choices: what was asked.
        scores: what `score_choices` returned.
    """
    interval = share_interval(scores, [choice.group for choice in choices])
    return [float(scores.mean()), interval.low, interval.high]


def score_choices(choices: Sequence[Choice], price: Pricer) -> np.ndarray:
    """Returns for each choice 1 if the right option is the cheapest, 0 if not, and of a tie its share.

    Args:
        choices: what is asked.
        price: whom it is asked of.

    Returns:
        (len(choices),). One who cannot tell the options apart gets 1 / options in the mean.
    """
    bits = price([option for choice in choices for option in choice.options])
    ends = np.cumsum([len(choice.options) for choice in choices])
    cheapest = [np.flatnonzero(prices <= prices.min() + TIE) for prices in np.split(bits, ends[:-1])]
    return np.array([(0 in tied) / len(tied) for tied in cheapest])
