"""Which token was here? One is taken out of a held-out text, and predicted from what is around it.

The same gaps are given to a model that looks both ways and to one that looks back, once with both sides shown and once
with the left side alone. So what an objective can do is kept apart from what it was shown.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from helpers.evaluation.baselines import NGramModel
from helpers.evaluation.likelihood import HeldOut, row_bits
from helpers.models import full_attention_mask, is_bidirectional
from helpers.tokenization import encode_documents

SIDE = 32
"""Tokens shown at most on each side of a gap."""

CANDIDATES = 10
"""Guesses that a model that looks back tries out, to see how likely each makes the right side."""


@dataclass(frozen=True)
class Gap:
    """A token taken out of a text of some group, as ids; a begin token comes first on the left."""

    left: list[int]
    token: int
    right: list[int]
    group: str


def draw_gaps(held: HeldOut, tokenizer: PreTrainedTokenizerFast, count: int, seed: int, side: int = SIDE) -> list[Gap]:
    """Takes out one token each of `count` held-out texts, drawn again where there are fewer.

    At most `side` tokens are shown on each side. Texts of fewer than three tokens are left out.

    Raises:
        ValueError: no text is long enough.
    """
    encoded = zip(encode_documents(tokenizer, held.texts), held.groups, strict=True)
    texts = [(ids, group) for ids, group in encoded if len(ids) > 4]
    if not texts:
        raise ValueError("no text has three tokens, from which one could be taken out")
    rng = np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(len(texts)) for _ in range(-(-count // len(texts)))])[:count]
    gaps = []
    for row in order:
        ids, group = texts[row]
        place = int(rng.integers(1, len(ids) - 1))  # neither the begin nor the end token
        left = ids[max(1, place - side) : place]
        gaps.append(Gap([ids[0], *left], ids[place], ids[place + 1 : place + 1 + side], group))
    return gaps


def fills_from_left(model: PreTrainedModel, gaps: Sequence[Gap], mask_token_id: int) -> np.ndarray:
    """Returns for each gap whether the model's first guess is right if it sees the left side alone, (gaps,)."""
    rows = [[*gap.left, mask_token_id] if is_bidirectional(model) else gap.left for gap in gaps]
    guesses = _best_guesses(model, rows, [len(row) - 1 for row in rows], 1)[:, 0]
    return guesses == [gap.token for gap in gaps]


def fills_from_both(model: PreTrainedModel, gaps: Sequence[Gap], mask_token_id: int) -> np.ndarray:
    """Returns for each gap whether the model's guess is right if it sees both sides, (gaps,).

    A model that looks both ways guesses at once. One that looks back takes its `CANDIDATES` best guesses, reads on with
    each, and keeps the one with which the whole is likeliest.
    """
    if is_bidirectional(model):
        rows = [[*gap.left, mask_token_id, *gap.right] for gap in gaps]
        guesses = _best_guesses(model, rows, [len(gap.left) for gap in gaps], 1)[:, 0]
    else:
        tried = _best_guesses(model, [gap.left for gap in gaps], [len(gap.left) - 1 for gap in gaps], CANDIDATES)
        guesses = _likeliest(gaps, tried, partial(row_bits, model))
    return guesses == [gap.token for gap in gaps]


def ngram_fills_from_left(ngram: NGramModel, gaps: Sequence[Gap]) -> np.ndarray:
    """Returns for each gap whether an n-gram model's first guess is right, (gaps,)."""
    return np.array([ngram.next_probabilities(gap.left).argmax() for gap in gaps]) == [gap.token for gap in gaps]


def ngram_fills_from_both(ngram: NGramModel, gaps: Sequence[Gap]) -> np.ndarray:
    """Returns the same of an n-gram model that tries out its `CANDIDATES` best guesses as a model does, (gaps,)."""
    tried = np.array([np.argsort(-ngram.next_probabilities(gap.left))[:CANDIDATES] for gap in gaps])
    return _likeliest(gaps, tried, ngram.token_bits) == [gap.token for gap in gaps]


def _likeliest(
    gaps: Sequence[Gap], tried: np.ndarray, row_bits: Callable[[Sequence[list[int]]], list[np.ndarray]]
) -> np.ndarray:
    """Returns of the guesses tried, (gaps, candidates), the one with which each text is likeliest, (gaps,)."""
    rows = [[*gap.left, guess, *gap.right] for gap, some in zip(gaps, tried.tolist(), strict=True) for guess in some]
    costs = np.array([bits.sum() for bits in row_bits(rows)]).reshape(tried.shape)
    return tried[np.arange(len(gaps)), costs.argmin(1)]


@torch.inference_mode()
def _best_guesses(model: PreTrainedModel, rows: Sequence[list[int]], places: Sequence[int], count: int) -> np.ndarray:
    """Returns the likeliest tokens at a place of each row, best first, (rows, count)."""
    guesses = np.zeros((len(rows), count), int)
    for length in sorted({len(row) for row in rows}):  # rows of one length need no padding
        same = [i for i, row in enumerate(rows) if len(row) == length]
        ids = torch.tensor([rows[i] for i in same], device=model.device)  # (rows, tokens)
        seen = full_attention_mask(ids) if is_bidirectional(model) else None
        logits = model(input_ids=ids, attention_mask=seen, use_cache=False).logits  # (rows, tokens, vocabulary)
        at = torch.tensor([places[i] for i in same], device=model.device)
        there = logits[torch.arange(len(same), device=model.device), at]  # (rows, vocabulary)
        guesses[same] = there.topk(count).indices.cpu().numpy()
    return guesses
