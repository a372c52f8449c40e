"""How much of the context does a model use? The same tokens, predicted from more and more of the text before them.

The same places are compared, so that nothing else differs: a model with a short memory gains nothing at all. (Loss by
position alone would not show it, since texts do not stay equally hard to their end.)
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from helpers.evaluation.baselines import NGramModel
from helpers.evaluation.likelihood import HeldOut
from helpers.evaluation.scorecard import OURS, RIVAL
from helpers.evaluation.scoring import Request, log_likelihoods
from helpers.records import Measurement, Record
from helpers.tokenization import encode_documents


@dataclass(frozen=True)
class Place:
    """A token of a text, the ids of those before it (the begin token not counted), and the group of the text."""

    before: list[int]
    token: int
    group: str


def draw_places(held: HeldOut, tokenizer: PreTrainedTokenizerFast, before: int, count: int, seed: int) -> list[Place]:
    """Draws about `count` places with so many tokens `before` them, as many from each held-out text that has any.

    There are none where no text is long enough.
    """
    encoded = zip(encode_documents(tokenizer, held.texts), held.groups, strict=True)
    long = [(ids[1:-1], group) for ids, group in encoded if len(ids) > before + 2]
    rng = np.random.default_rng(seed)
    return [
        Place(ids[at - before : at], ids[at], group)
        for ids, group in long
        for at in rng.integers(before, len(ids), -(-count // len(long)))
    ]


def measure_context(
    record: Record, model: PreTrainedModel, ngram: NGramModel, places: Sequence[Place], shown: Sequence[int], seed: int
) -> Measurement | None:
    """Adds what each place costs model and n-gram with so many tokens shown before it, and what the model gains.

    The record gets `context: <shown> tokens shown.<method>`, about `tokens_shown`, and `context: gain.our model`. All
    `places` have the most tokens of `shown`, which ascends, before them; `seed` is behind the model.

    Returns:
        What each place costs the model with the most shown, less what it costs with the fewest. None where the places
        are of fewer than two groups: then nothing is measured.
    """
    groups = [place.group for place in places]
    if len(set(groups)) < 2:
        return None
    known: dict[str, Any] = {"unit": "bits per token", "seeds": (seed,)}
    costs = {}
    for count in shown:
        rows = [[*place.before[-count:], place.token] for place in places]
        costs[count] = log_likelihoods(model, [Request(row, 1) for row in rows]) / -math.log(2)  # (places,)
        for method, bits in ((OURS, costs[count]), (RIVAL, np.array([row[-1] for row in ngram.token_bits(rows)]))):
            name = f"context: {count} tokens shown.{method}"
            about: dict[str, Any] = {"tokens_shown": count, "method": method}
            record.mean(name, bits, groups, **known, **about)
    gained: dict[str, Any] = {"null": 0.0, "method": OURS, "gain": "context"} | known
    return record.mean(f"context: gain.{OURS}", costs[shown[-1]] - costs[shown[0]], groups, **gained)
