"""How far back does a model make use of what it read? The same tokens, guessed with more and more of the text before.

Compared are a model's own guesses at the same places, so that nothing else differs: one with a short memory gains
nothing at all. (Surprise by position alone would not show it, since texts do not stay equally hard to their end.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from helpers.evaluation.likelihood import HeldOut, row_bits
from helpers.evaluation.scorecard import OURS, RIVAL
from helpers.records import Record
from helpers.statistics import ratio_interval
from helpers.tokenization import encode_documents

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from helpers.evaluation.baselines import NGramModel


@dataclass(frozen=True)
class Place:
    """A token of a text with much before it.

    Attributes:
        before: the ids of the tokens before it, the begin token not counted.
        token: its id.
        group: of the text.
    """

    before: list[int]
    token: int
    group: str


def draw_places(held: HeldOut, tokenizer: PreTrainedTokenizerFast, reach: int, count: int, seed: int) -> list[Place]:
    """Draws about so many places of held-out texts, as many from each text that has any.

    Args:
        held: the texts.
        tokenizer: cuts them.
        reach: tokens that a place has before it at least.
        count: places in all; none where no text is long enough.
        seed: of the draw.
    """
    encoded = zip(encode_documents(tokenizer, held.texts), held.groups, strict=True)
    long = [(ids[1:-1], group) for ids, group in encoded if len(ids) > reach + 2]
    rng = np.random.default_rng(seed)
    places = []
    for ids, group in long:
        for at in rng.integers(reach, len(ids), -(-count // len(long))):
            places.append(Place(ids[at - reach : at], ids[at], group))
    return places


def measure_reach(
    record: Record, model: PreTrainedModel, ngram: NGramModel, places: Sequence[Place], shown: Sequence[int], seed: int
) -> None:
    """Adds to the record what each place costs with so many tokens shown before it, and what more of them gain.

    Args:
        record: gets `context: <shown> tokens shown.our model` and `.5-gram` in bits a token, and
            `context: gain.our model`: what each place costs with the most shown, less what it costs with the fewest.
        model: a causal model.
        ngram: the rival; it is shown the same.
        places: with at least the most tokens before them; nothing is measured where they are of fewer than two groups.
        shown: numbers of tokens, ascending.
        seed: behind the model.
    """
    groups = [place.group for place in places]
    if len(set(groups)) < 2:
        return
    known = {"n": len(set(groups)), "seeds": (seed,)}
    ones, costs = np.ones(len(places)), {}
    for count in shown:
        rows = [[*place.before[-count:], place.token] for place in places]
        costs[count] = np.array([bits[-1] for bits in row_bits(model, rows)])  # (places,)
        for method, bits in ((OURS, costs[count]), (RIVAL, np.array([row[-1] for row in ngram.token_bits(rows)]))):
            interval = ratio_interval(bits, ones, groups)
            record.measure(
                f"context: {count} tokens shown.{method}", bits.mean(), "bits a token", interval=interval, **known
            )
    gain = costs[shown[-1]] - costs[shown[0]]
    interval = ratio_interval(gain, ones, groups)
    record.measure(f"context: gain.{OURS}", gain.mean(), "bits a token", interval=interval, null=0.0, **known)
