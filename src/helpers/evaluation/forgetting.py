"""What has a changed model forgotten? Bits that it needs for text beyond those that it needed before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from helpers.evaluation.likelihood import HeldOut, document_bits
from helpers.models import context_length
from helpers.records import Record


class Forgetting:
    """Compares changed models with the `original` on documents of each corpus that it never read, its `unread` ones.

    They are read in windows of at most `context` tokens.
    """

    def __init__(
        self, original: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, unread: Mapping[str, HeldOut], context: int
    ) -> None:
        self.tokenizer, self.unread = tokenizer, unread
        self.context = min(context, context_length(original))
        self.bits_before = {corpus: self._bits(original, corpus) for corpus in unread}

    @property
    def before(self) -> dict[str, float]:
        """Bits per byte of each corpus by the original."""
        return {corpus: held.bits_per_byte(self.bits_before[corpus])[0] for corpus, held in self.unread.items()}

    def measure(self, record: Record, who: str, model: PreTrainedModel, seed: int, **about: Any) -> None:
        """Adds to the record what a changed model needs for unread text, and how much more than the original.

        The names are `<corpus>.<who>` and `forgotten: <corpus>.<who>`; the latter is paired by document. They are about
        the metric, `bits per byte` or `forgotten`, the corpus, and what else is given.
        """
        for corpus, held in self.unread.items():
            after, known = self._bits(model, corpus), {"corpus": corpus} | about
            held.measure(record, f"{corpus}.{who}", after, seed, metric="bits per byte", **known)
            more, name = after - self.bits_before[corpus], f"forgotten: {corpus}.{who}"
            held.measure(record, name, more, seed, null=0.0, metric="forgotten", **known)

    def _bits(self, model: PreTrainedModel, corpus: str) -> np.ndarray:
        return document_bits(model, self.tokenizer, self.unread[corpus].texts, self.context)
