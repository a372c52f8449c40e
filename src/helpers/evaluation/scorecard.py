"""On one card, before and after every stage: so far, the surprise at held-out text beside methods that count."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from helpers.evaluation.likelihood import HeldOut
from helpers.records import Record

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
