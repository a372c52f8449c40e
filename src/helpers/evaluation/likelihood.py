"""How surprised is a model by text it has never read? Bits for each document, and bits per byte.

Bits per byte survive a change of tokenizer, which loss per token does not; and they are what a compressor would
need, so that xz can be set beside a model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from helpers.records import Interval
from helpers.statistics import ratio_interval
from helpers.tokenization import IGNORED, encode_documents

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

BATCH_TOKENS = 8192


@dataclass(frozen=True)
class HeldOut:
    """Documents that no model was trained on.

    Attributes:
        texts: the documents.
        groups: of each, what it was sampled with (its module, its person): the unit of the bootstrap.
        floor_bits: what each costs a reader who knows the source by heart, (documents,); None where nobody can know.
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

    def bits_per_byte(self, bits: np.ndarray) -> tuple[float, Interval]:
        """Returns bits per byte over all documents, with the interval over groups.

        Args:
            bits: what each document cost, or the difference of two models' costs, (documents,).
        """
        return float(bits.sum() / self.bytes.sum()), ratio_interval(bits, self.bytes, self.groups)

    def parts(self, count: int) -> list[HeldOut]:
        """Divides the documents into so many parts, whole groups in each, for methods that cannot score one alone."""
        part_of = {group: i % count for i, group in enumerate(dict.fromkeys(self.groups))}
        rows = [[row for row, group in enumerate(self.groups) if part_of[group] == part] for part in range(count)]
        return [HeldOut([self.texts[row] for row in part], [self.groups[row] for row in part]) for part in rows]


def held_out(documents: Dataset, bytes_wanted: int, seed: int) -> HeldOut:
    """Draws documents of a validation or test split until there are so many bytes.

    Args:
        documents: a split of a corpus, with columns `text` and `group`.
        bytes_wanted: bytes in all; fewer where the split has fewer.
        seed: of the draw.
    """
    drawn = documents.shuffle(seed=seed)
    ends = np.cumsum(byte_lengths(drawn["text"]))
    count = min(int(np.searchsorted(ends, bytes_wanted)) + 1, len(ends))
    chosen = drawn[:count]
    known = chosen.get("log2_probability")
    return HeldOut(chosen["text"], chosen["group"], None if known is None else -np.array(known, float))


@torch.inference_mode()
def document_bits(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], context: int
) -> np.ndarray:
    """Returns the bits that a causal model needs for each text, its end included.

    A text longer than the context is scored in windows that overlap by half, so that a token has at least half the
    context before it, or all of the text before it.

    Args:
        model: a causal model, on any device.
        tokenizer: its tokenizer.
        texts: the documents.
        context: tokens of a window, the model's own or fewer.

    Returns:
        Bits of each text, (len(texts),), in float64.
    """
    windows = []  # (document, token ids, how many of the last ones are scored)
    for row, ids in enumerate(encode_documents(tokenizer, texts)):
        windows.append((row, ids[:context], min(len(ids), context) - 1))
        for end in range(context, len(ids), context // 2):
            stop = min(end + context // 2, len(ids))
            windows.append((row, ids[stop - context : stop], stop - end))
    windows.sort(key=lambda window: len(window[1]))  # windows of like length share a batch, with little padding
    bits = np.zeros(len(texts))
    while windows:
        size = max(1, BATCH_TOKENS // len(windows[-1][1]))
        batch, windows = windows[-size:], windows[:-size]
        for (row, _, _), nats in zip(batch, _window_nats(model, batch), strict=True):
            bits[row] += nats / math.log(2)
    return bits


def _window_nats(model: PreTrainedModel, batch: Sequence[tuple[int, list[int], int]]) -> list[float]:
    """Returns the loss in nats, summed over the scored tokens of each window."""
    longest = max(len(ids) for _, ids, _ in batch)
    input_ids = torch.zeros(
        len(batch), longest, dtype=torch.long
    )  # (windows, tokens); causal, so padding needs no mask
    labels = torch.full_like(input_ids, IGNORED)
    for i, (_, ids, scored) in enumerate(batch):
        input_ids[i, : len(ids)] = torch.tensor(ids)
        labels[i, len(ids) - scored : len(ids)] = torch.tensor(ids[len(ids) - scored :])
    logits = model(input_ids=input_ids.to(model.device), use_cache=False).logits  # (windows, tokens, vocabulary)
    losses = torch.nn.functional.cross_entropy(
        logits[:, :-1].float().transpose(1, 2),
        labels[:, 1:].to(model.device),
        ignore_index=IGNORED,
        reduction="none",
    )  # (windows, tokens - 1)
    return losses.double().sum(1).tolist()


def byte_lengths(texts: Sequence[str]) -> np.ndarray:
    """Returns the bytes of each text in UTF-8, (len(texts),)."""
    return np.array([len(text.encode("utf-8")) for text in texts])
