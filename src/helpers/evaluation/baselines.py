"""What must a model beat? A unigram, a smoothed 5-gram and xz, given the same training text.

The 5-gram has interpolated modified Kneser-Ney smoothing (Chen and Goodman 1998, section 3), the strongest of its kind,
and reads the model's own tokens. xz is primed: the training text is compressed before the held-out text, and only
the bytes that the latter adds are counted.
"""

import lzma
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from helpers.evaluation.likelihood import HeldOut, byte_lengths
from helpers.records import Record
from helpers.statistics import ratio_interval


@dataclass
class _Order:
    """Counts of one order: an n-gram is known by the number of its prefix and its last token."""

    keys: np.ndarray  # (n-grams,), sorted: prefix number × vocabulary + last token
    counts: np.ndarray  # (n-grams,): occurrences, or distinct left neighbours below the highest order
    totals: np.ndarray  # (prefixes,): sum of the counts over last tokens
    backoff: np.ndarray  # (prefixes,): the mass that is left to the lower order
    discounts: np.ndarray  # (4,): what is taken off counts of 0, 1, 2, 3 and more
    vocab_size: int

    def find(self, prefix: np.ndarray, token: np.ndarray | int) -> np.ndarray:
        """Returns the numbers of n-grams by those of their prefixes and their last tokens, -1 if never seen."""
        keys = np.where(prefix < 0, -1, prefix * self.vocab_size + token)
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[place] == keys, place, -1)

    def interpolated(self, prefix: np.ndarray, gram: np.ndarray, lower: np.ndarray) -> np.ndarray:
        """Returns the probabilities of n-grams by their numbers and those of their prefixes, the lower order given."""
        counts = np.where(gram < 0, 0, self.counts[gram])
        total = np.where(prefix < 0, 0, self.totals[prefix])
        discounted = np.maximum(counts - self.discounts[np.minimum(counts, 3).astype(int)], 0)
        seen = total > 0
        return np.where(seen, discounted / np.where(seen, total, 1) + self.backoff[prefix] * lower, lower)


class NGramModel:
    """An n-gram model of `order` n with interpolated modified Kneser-Ney smoothing; of order 1, a unigram.

    The lowest order is interpolated with the uniform distribution over the `vocab_size` tokens of the vocabulary.
    """

    def __init__(self, order: int, vocab_size: int) -> None:
        self.order, self.vocab_size = order, vocab_size
        self._pads = max(order - 2, 0)  # a document's own begin token makes the prefix whole
        self._orders: list[_Order] = []

    def fit(self, documents: Sequence[Sequence[int]]) -> Self:
        """Counts n-grams of encoded documents, each `begin, tokens, end`, none across documents; returns itself."""
        stream, is_target = self._stream(documents)
        numbers = [np.zeros(len(stream) + 1, np.int64)]  # numbers[n][i]: which n-gram starts at i; one is empty
        tables: list[tuple[np.ndarray, np.ndarray]] = []  # of each order: keys, and where each first occurs
        for n in range(1, self.order + 1):
            keys = numbers[-1][: len(stream) - n + 1] * self.vocab_size + stream[n - 1 :]
            keys, first, number = np.unique(keys, return_index=True, return_inverse=True)
            tables.append((keys, first))
            numbers.append(number)
        for n, (keys, _) in enumerate(tables, start=1):
            if n == self.order:
                counts = np.bincount(numbers[n], weights=is_target[n - 1 :], minlength=len(keys))
            else:  # distinct left neighbours: each longer n-gram counts once, where it first occurs
                first = tables[n][1]
                counts = np.bincount(numbers[n][first + 1], weights=is_target[first + n], minlength=len(keys))
            prefixes = len(tables[n - 2][0]) if n > 1 else 1
            self._orders.append(_smoothed(keys, counts, prefixes, self.vocab_size))
        return self

    def document_bits(self, documents: Sequence[Sequence[int]]) -> np.ndarray:
        """Returns the bits of each encoded document, its first token (begin) given, (len(documents),)."""
        return np.array([bits.sum() for bits in self.token_bits(documents)])

    def token_bits(self, documents: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """Returns for each encoded document the bits of its tokens but the first, which is given, (tokens - 1,)."""
        stream, is_target = self._stream(documents)
        bits = -np.log2(self._probabilities(stream, np.flatnonzero(is_target)))
        return np.split(bits, np.cumsum([len(ids) - 1 for ids in documents])[:-1])

    def next_probabilities(self, ids: Sequence[int]) -> np.ndarray:
        """Returns the probability of each token of the vocabulary after those given, begin first, (vocabulary,).

        The same numbers as those behind `token_bits`, for all tokens at once.
        """
        padded = [ids[0]] * self._pads + list(ids)
        probability = np.full(self.vocab_size, 1 / self.vocab_size)
        for n, table in enumerate(self._orders, start=1):
            prefix = np.array(0)
            for lower, token in zip(self._orders, padded[len(padded) - n + 1 :], strict=False):
                prefix = lower.find(prefix, token)
            probability = table.interpolated(prefix, table.find(prefix, np.arange(self.vocab_size)), probability)
        return probability

    def _probabilities(self, stream: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Returns the probability of each target token given those before it."""
        probability = np.full(len(targets), 1 / self.vocab_size)
        known = np.zeros(len(stream) + 1, np.int64)  # number of the prefix that starts here, -1 where it was never seen
        for n, table in enumerate(self._orders, start=1):
            grams, start = table.find(known[: len(stream) - n + 1], stream[n - 1 :]), targets - n + 1
            probability = table.interpolated(known[start], grams[start], probability)
            known = grams
        return probability

    def _stream(self, documents: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
        """Returns all documents in one line, each begun often enough for the longest prefix, and which are targets."""
        parts = [np.concatenate([[ids[0]] * self._pads, ids]) for ids in documents]
        targets = [np.arange(len(part)) > self._pads for part in parts]
        return np.concatenate(parts).astype(np.int64), np.concatenate(targets)


def _smoothed(keys: np.ndarray, counts: np.ndarray, prefixes: int, vocab_size: int) -> _Order:
    """Works out discounts and back-off weights of one order (Chen and Goodman 1998, equations 23 to 26)."""
    n1, n2, n3, n4 = (max(np.sum(counts == k), 1) for k in (1, 2, 3, 4))
    y = n1 / (n1 + 2 * n2)
    estimates = [0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
    # The estimates can fall to zero on little text; a small discount keeps unseen tokens possible.
    discounts = np.clip(estimates, [0, 0.05, 0.05, 0.05], [0, 1, 2, 3])
    prefix = keys // vocab_size
    totals = np.bincount(prefix, weights=counts, minlength=prefixes)
    taken = np.bincount(prefix, weights=discounts[np.minimum(counts, 3).astype(int)], minlength=prefixes)
    backoff = np.divide(taken, totals, out=np.ones_like(taken), where=totals > 0)
    return _Order(keys, counts, totals, backoff, discounts, vocab_size)


XZ, XZ_PARTS = "xz, primed", 4
"""Parts into which held-out text is divided for xz, which cannot score a single document."""


def measure_xz(record: Record, corpus: str, held: HeldOut, training: Sequence[str]) -> None:
    """Adds the bits per byte of held-out text by xz, primed with the training text; interval over parts of it.

    The record has the unigram's already, as the null, and gets `<corpus>.xz, primed`.
    """
    parts = held.parts(XZ_PARTS)
    bits = xz_bits(training, [part.texts for part in parts])
    interval = ratio_interval(bits, [part.bytes.sum() for part in parts], range(len(parts)))
    null = record.find(corpus=corpus, method="unigram").value
    about: dict[str, Any] = {"corpus": corpus, "method": XZ}
    value = bits.sum() / held.bytes.sum()
    record.measure(f"{corpus}.{XZ}", value, "bits per byte", interval=interval, n=len(parts), null=null, **about)


def xz_bits(training: Sequence[str], chunks: Sequence[Sequence[str]]) -> np.ndarray:
    """Returns the bits that xz adds for each chunk of held-out documents after the training text, (len(chunks),).

    The documents of one chunk also help one another, which favours xz.
    """
    prime = "\n\n".join(training).encode("utf-8")
    # The dictionary reaches back over all of the text; a longer list of matches gains under 1% and takes twice as long.
    dictionary = max(1 << 20, len(prime) + int(max(byte_lengths(["\n\n".join(chunk) for chunk in chunks]))))
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": dictionary}]

    def size(documents: Sequence[str]) -> int:
        data = prime + "".join("\n\n" + document for document in documents).encode("utf-8")
        return len(lzma.compress(data, format=lzma.FORMAT_RAW, filters=filters))

    with ThreadPoolExecutor() as pool:  # lzma works outside Python's lock
        alone, *primed = pool.map(size, [[], *chunks])
    return 8.0 * (np.array(primed) - alone)
