"""How surprised is a model by text it has never read? Bits for each document, bits per byte, and what was forgotten.

Bits per byte survive a change of tokenizer, which loss per token does not; and they are what a compressor would
need, so that xz can be set beside a model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from helpers.evaluation.metrics.formulas import bits_per_byte
from helpers.evaluation.scoring import Request, token_log_likelihoods
from helpers.models import context_length
from helpers.records import Measurement, Record
from helpers.statistics import Interval, ratio_interval
from helpers.tokenization import encode_documents


@dataclass(frozen=True)
class HeldOut:
    """Documents that no model was trained on.

    Their `groups` are what they were sampled with (the module, the person), the unit of the interval; their
    `floor_bits` are what each costs a reader who knows the source by heart, (documents,), None where nobody can know.
    """

    texts: list[str]
    groups: list[str]
    floor_bits: np.ndarray | None = None

    @property
    def bytes(self) -> np.ndarray:
        """Bytes of each document in UTF-8, (documents,)."""
        return byte_lengths(self.texts)

    @property
    def n_groups(self) -> int:
        """How many groups were sampled."""
        return len(set(self.groups))

    def bits_per_byte(self, bits: np.ndarray) -> tuple[float, Interval | None]:
        """Returns bits per byte over all documents, with the interval over groups if there are two.

        Of the bits that each document costs, (documents,), or of the difference of two models' bits.
        """
        return bits_per_byte(bits, self.bytes), ratio_interval(bits, self.bytes, self.groups)

    def measure(self, record: Record, name: str, bits: np.ndarray, seed: int, **more: Any) -> Measurement:
        """Adds bits per byte to the record, as `bits_per_byte` has them; `more` are null and what they are about."""
        value, interval = self.bits_per_byte(bits)
        known: dict[str, Any] = {"interval": interval, "groups": self.groups, "seeds": (seed,)}
        return record.measure(name, value, "bits per byte", **known, **more)

    def parts(self, count: int) -> list[HeldOut]:
        """Divides the documents into so many parts, or one a group, for methods that cannot score one alone."""
        count = min(count, self.n_groups)
        part_of = {group: i % count for i, group in enumerate(dict.fromkeys(self.groups))}
        rows = [[row for row, group in enumerate(self.groups) if part_of[group] == part] for part in range(count)]
        return [HeldOut([self.texts[row] for row in part], [self.groups[row] for row in part]) for part in rows]


def held_out(documents: Dataset, bytes_wanted: int, seed: int) -> HeldOut:
    """Draws documents of a validation or test split, with `text` and `group`, up to so many bytes or all.

    They are of two groups at least, if the split has two.
    """
    drawn = documents.shuffle(seed=seed)
    ends = np.cumsum(byte_lengths(drawn["text"]))
    others = (place for place, group in enumerate(drawn["group"]) if group != drawn[0]["group"])
    count = min(max(int(np.searchsorted(ends, bytes_wanted)), next(others, 0)) + 1, len(ends))
    chosen = drawn[:count]
    known = chosen.get("log2_probability")
    return HeldOut(chosen["text"], chosen["group"], None if known is None else -np.array(known, float))


def document_bits(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], context: int
) -> np.ndarray:
    """Returns the bits of each text, its end included: the sums of `token_bits`, (len(texts),), in float64."""
    return np.array([bits.sum() for bits in token_bits(model, tokenizer, texts, context)])


def token_bits(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], context: int
) -> list[np.ndarray]:
    """Returns the bits that a causal model needs for each token of each text, its end included.

    A text longer than the context, the model's own or fewer tokens, is scored in windows that overlap by half, so that
    a token has at least half the context before it, or all of the text before it.

    Returns:
        For each text the bits of its tokens, (tokens,), in float64; the begin token, which is given, has none.
    """
    windows, rows = [], []  # what is scored, and of which document
    for row, ids in enumerate(encode_documents(tokenizer, texts)):
        ends = [min(len(ids), context), *range(context + context // 2, len(ids) + context // 2, context // 2)]
        for begin, end in zip([1, *ends], ends, strict=False):
            stop = min(end, len(ids))
            windows.append(Request(ids[max(0, stop - context) : stop], stop - begin))
            rows.append(row)
    parts: list[list[np.ndarray]] = [[] for _ in texts]
    for row, nats in zip(rows, token_log_likelihoods(model, windows), strict=True):
        parts[row].append(nats / -math.log(2))
    return [np.concatenate(part) for part in parts]


def row_bits(model: PreTrainedModel, rows: Sequence[Sequence[int]]) -> list[np.ndarray]:
    """Returns the bits that a causal model needs for each token of each row but the first, (tokens - 1,), in float64.

    No row of token ids is longer than the model's context.
    """
    requests = [Request(list(row), len(row) - 1) for row in rows]
    return [nats / -math.log(2) for nats in token_log_likelihoods(model, requests)]


def byte_lengths(texts: Sequence[str]) -> np.ndarray:
    """Returns the bytes of each text in UTF-8, (len(texts),)."""
    return np.array([len(text.encode("utf-8")) for text in texts])


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
