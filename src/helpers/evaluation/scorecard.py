"""On one card, before and after every stage: surprise at held-out text, and choices, beside methods that count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from helpers.evaluation.choices import Choice
from helpers.evaluation.likelihood import HeldOut
from helpers.records import Record
from helpers.statistics import ratio_interval, share_interval

OURS, NULL, RIVAL = "our model", "unigram", "5-gram"


def measure_surprise(record: Record, name: str, held: HeldOut, costs: Mapping[str, np.ndarray], seed: int) -> None:
    """Adds to the record the bits per byte of each method, and our model's paired differences to null and rival.

    Args:
        record: gets `<name>.<method>` and `<name>.our model - <method>`.
        name: of the held-out text.
        held: its documents.
        costs: by method, the bits of each document, (documents,); `OURS`, `NULL` and `RIVAL` among them.
        seed: behind the model.
    """
    null = held.bits_per_byte(costs[NULL])[0]
    for method, bits in costs.items():
        value, interval = held.bits_per_byte(bits)
        known = {"interval": interval, "n": held.n_groups, "seeds": (seed,), "null": null}
        record.measure(f"{name}.{method}", value, "bits per byte", **known)
    for method in (NULL, RIVAL):
        value, interval = held.bits_per_byte(costs[OURS] - costs[method])
        known = {"interval": interval, "n": held.n_groups, "seeds": (seed,), "null": 0.0}
        record.measure(f"{name}.{OURS} - {method}", value, "bits per byte", **known)


def measure_choices(
    record: Record, name: str, choices: Sequence[Choice], scores: Mapping[str, np.ndarray], seed: int
) -> None:
    """Adds to the record each method's share of right choices, and our model's paired difference to the rival.

    Args:
        record: gets `<name>.<method>` and `<name>.our model - 5-gram`.
        name: of the test.
        choices: what was asked.
        scores: by method, what `score_choices` returned, (choices,); `OURS` and `RIVAL` among them.
        seed: behind the model.
    """
    groups = [choice.group for choice in choices]
    known = {"n": len(set(groups)), "seeds": (seed,)}
    chance = float(np.mean([1 / len(choice.options) for choice in choices]))
    for method, earned in scores.items():
        interval = share_interval(earned, groups)
        record.measure(f"{name}.{method}", earned.mean(), "share right", interval=interval, null=chance, **known)
    gap = scores[OURS] - scores[RIVAL]
    interval = ratio_interval(gap, np.ones(len(gap)), groups)
    record.measure(f"{name}.{OURS} - {RIVAL}", gap.mean(), "share right", interval=interval, null=0.0, **known)
