"""How surprised is a model by text it has never read? Bits for each document, and bits per byte.

Bits per byte survive a change of tokenizer, which loss per token does not; and they are what a compressor would
need, so that xz can be set beside a model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from helpers.tokenization import IGNORED, encode_documents

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

BATCH_TOKENS = 8192


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
