"""What has a changed model forgotten? Bits that it needs for text beyond those that it needed before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from helpers.evaluation.likelihood import HeldOut, document_bits
from helpers.models import context_length
from helpers.records import Record

if TYPE_CHECKING:
    import numpy as np
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


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
        """Adds to the record how many bits per byte more a model needs, as `forgotten: <corpus>.<who>`.

        Differences are paired by document; the measurements are about `metric="bits forgotten"`, the corpus, and
        what else is given.
        """
        for corpus, held in self.unread.items():
            value, interval = held.bits_per_byte(self._bits(model, corpus) - self.bits_before[corpus])
            known: dict[str, Any] = {"interval": interval, "n": held.n_groups, "seeds": (seed,), "null": 0.0} | about
            name = f"forgotten: {corpus}.{who}"
            record.measure(name, value, "bits per byte", metric="bits forgotten", corpus=corpus, **known)

    def _bits(self, model: PreTrainedModel, corpus: str) -> np.ndarray:
        return document_bits(model, self.tokenizer, self.unread[corpus].texts, self.context)
