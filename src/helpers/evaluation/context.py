"""How far back does a model use what it read? Its surprise by position, beside a method with a short memory.

Texts do not stay equally hard from beginning to end, so a fall of the surprise alone proves nothing. But an n-gram
model always sees the same few tokens: what a model gains on it along a text is due to what lies further back.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from helpers.evaluation.likelihood import HeldOut
from helpers.evaluation.scorecard import OURS, RIVAL
from helpers.records import Record
from helpers.statistics import ratio_interval


def position_bits(token_bits: Sequence[np.ndarray], edges: Sequence[int]) -> np.ndarray:
    """Returns the mean bits a token by position, of the texts that reach the last position.

    Args:
        token_bits: of each text, the bits of its tokens, the first at position 1.
        edges: the last position of each stretch.

    Returns:
        (texts that are long enough, stretches).
    """
    bounds = [0, *edges]
    long = [bits for bits in token_bits if len(bits) >= edges[-1]]
    means = [[bits[a:b].mean() for a, b in zip(bounds, edges, strict=False)] for bits in long]
    return np.array(means).reshape(len(long), len(edges))


def measure_context(
    record: Record,
    held: HeldOut,
    token_bits: dict[str, Sequence[np.ndarray]],
    edges: Sequence[int],
    seed: int,
) -> None:
    """Adds to the record each method's surprise by position, and what our model gains on the rival along a text.

    Args:
        record: gets `context: tokens <first>-<last>.<method>` in bits a token, and `context: gain.our model - 5-gram`:
            by how much the difference to the rival in the last stretch is below that in the first.
        held: the texts; where fewer than two groups have long ones, nothing is measured.
        token_bits: by method, of each text the bits of its tokens; `OURS` and `RIVAL` among them.
        edges: the last position of each stretch.
        seed: behind the model.
    """
    groups = [g for g, bits in zip(held.groups, token_bits[OURS], strict=True) if len(bits) >= edges[-1]]
    if len(set(groups)) < 2:
        return
    means = {method: position_bits(bits, edges) for method, bits in token_bits.items()}
    known = {"n": len(set(groups)), "seeds": (seed,)}
    ones = np.ones(len(groups))
    for i, (first, last) in enumerate(zip([1, *(edge + 1 for edge in edges)], edges, strict=False)):
        for method, of in means.items():
            interval = ratio_interval(of[:, i], ones, groups)
            name = f"context: tokens {first}-{last}.{method}"
            record.measure(name, of[:, i].mean(), "bits a token", interval=interval, **known)
    lead = means[OURS] - means[RIVAL]  # (texts, stretches)
    gain = lead[:, -1] - lead[:, 0]
    interval = ratio_interval(gain, ones, groups)
    record.measure(f"context: gain.{OURS} - {RIVAL}", gain.mean(), "bits a token", interval=interval, null=0.0, **known)
