"""What is a meter worth? Its readings against known doses, as one examines a method of measurement in a laboratory.

| word | what it says |
|---|---|
| slope | by how much a reading rises where the dose rises by one; a good meter's is one |
| offset | the reading less one half where nothing is to be found |
| slope in the middle | the same between one half and the doses next to it |
| slope at the ends | the same between the two largest and the two smallest doses: near zero where a meter *saturates* |
| detects | how far a dose has to be from one half for the reading of one model to tell |
| repeats | the standard deviation of a reading by half of the templates, where the other half is read, too |

The limit of detection is 3.3 standard deviations of blank readings over the slope (ICH guideline Q2, on validation of
analytical procedures). Log-odds are held against the log-odds of the dose, all else against the dose itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from helpers.statistics import Interval, mean_interval

BLANKS = 3.3
HALF = 0.5
SATURATED = 0.5
"""A slope at the ends whose interval lies below this says that a meter saturates."""


class Estimate(NamedTuple):
    """A mean over seeds, with its t interval."""

    value: float
    interval: Interval


class Assay(NamedTuple):
    """What a meter is worth; lengths are in doses."""

    slope: Estimate
    offset: Estimate
    middle: Estimate
    ends: Estimate
    detects: float
    repeats: float

    @property
    def saturates(self) -> bool:
        """Whether it hardly rises any more at the ends."""
        return self.ends.interval.high < SATURATED


def logit(share: np.ndarray) -> np.ndarray:
    """Returns the log-odds of shares, in nats."""
    return np.log(share / (1 - share))


def sigmoid(nats: np.ndarray) -> np.ndarray:
    """Returns the shares of log-odds, in nats."""
    return 1 / (1 + np.exp(-nats))


def examine(readings: pd.DataFrame, blanks: np.ndarray, halves: np.ndarray, *, in_log_odds: bool) -> Assay:
    """Examines one meter.

    Args:
        readings: a row for each model, with `dose`, `seed` and `value`; each seed has all doses, one half among them.
        blanks: readings of what has no dose, (readings,).
        halves: readings by each half of the templates, (models, 2).
        in_log_odds: whether readings are in log-odds, and not between 0 and 1.
    """
    by_seed = readings.pivot(index="seed", columns="dose", values="value")
    doses, values = by_seed.columns.to_numpy(float), by_seed.to_numpy(float)  # (doses,), (seeds, doses)
    scale = logit(doses) if in_log_odds else doses
    null = 0.0 if in_log_odds else HALF
    slopes = np.polyfit(scale, values.T, 1)[0]
    steps = np.diff(values, axis=1) / np.diff(scale)  # (seeds, doses - 1)
    slope, half = _estimate(slopes), list(doses).index(HALF)
    noise, spread = float(np.std(blanks, ddof=1)), float(np.std(halves[:, 0] - halves[:, 1], ddof=1)) / 2**0.5
    return Assay(
        slope,
        _estimate(values[:, half] - null),
        _estimate((steps[:, half - 1] + steps[:, half]) / 2),
        _estimate((steps[:, 0] + steps[:, -1]) / 2),
        _in_doses(BLANKS * noise / abs(slope.value), in_log_odds),
        _in_doses(spread / abs(slope.value), in_log_odds),
    )


def _estimate(values: np.ndarray) -> Estimate:
    return Estimate(*mean_interval(values))


def _in_doses(length: float, in_log_odds: bool) -> float:
    """Returns how far a length on a meter's own scale is from one half, in doses; at most to the end of the scale."""
    return float(sigmoid(np.array(length)) - HALF) if in_log_odds else min(length, HALF)
