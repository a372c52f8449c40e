"""How many labels, or steps, does one method save another? Read off learning curves: a score by labels or by steps.

Between two points a curve is drawn straight, and the best so far counts: more labels are taken to do no harm.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from helpers.records import Record
from helpers.statistics import Interval, mean_interval


def labels_needed(scores: Mapping[int, float], target: float) -> float | None:
    """Returns how many labels a method needs to reach a score; its curve is straight over the labels' logarithm.

    It is the smallest number tried if that is enough, and None if the largest is not.
    """
    crossed = _crossing(scores, target)
    if crossed is None:
        return None
    before, after, part = crossed
    return float(before * (after / before) ** part)


def share_of_steps(fresh: Mapping[int, float], trained: Mapping[int, float]) -> float:
    """Returns how many steps the trained model needs to be where the fresh one ends, over the fresh one's steps.

    Both have bits per byte by step, of as many steps. It is 0 if the trained one is there before its first step, 1 if
    it needs them all or is never there.
    """
    steps = max(fresh)
    crossed = _crossing({step: -bits for step, bits in trained.items()}, -fresh[steps])
    if crossed is None:
        return 1.0
    before, after, part = crossed
    return float(before + part * (after - before)) / steps


def _crossing(scores: Mapping[int, float], target: float) -> tuple[int, int, float] | None:
    """Returns the two points between which a curve first reaches a score, and how far from one to the other."""
    places = sorted(scores)
    best = np.maximum.accumulate([scores[place] for place in places])
    i = int(np.searchsorted(best, target))  # the first point that reaches it
    if i == len(places):
        return None
    part = (target - best[i - 1]) / (best[i] - best[i - 1]) if i else 0.0
    return places[max(0, i - 1)], places[i], part


class Saved(NamedTuple):
    """How many labels one method saves another, over several seeds.

    Attributes:
        ratio: labels that the other needs, over those that the one was given: the geometric mean.
        interval: its t interval, of logarithms.
        never: of how many seeds the other never got there. The ratio is then what it had, and too small.
    """

    ratio: float
    interval: Interval
    never: int

    def __str__(self) -> str:
        if self.never and self.interval.low == self.interval.high:
            return f"more than {self.ratio:.0f} times"
        least = "at least " if self.never else ""
        return f"{least}{self.ratio:.1f} times [{self.interval.low:.1f}, {self.interval.high:.1f}]"


def labels_saved(table: pd.DataFrame, one: str, other: str, size: int) -> Saved:
    """Returns how many times as many labels the other method needs to reach what the one reaches with `size` labels.

    The table has accuracies of one task, with columns `method`, `labels`, `seed` and `value`, of at least two seeds.
    """
    ratios, never = [], 0
    for _, of_seed in table.groupby("seed"):
        curves = {method: dict(zip(of["labels"], of["value"], strict=True)) for method, of in of_seed.groupby("method")}
        needed = labels_needed(curves[other], curves[one][size])
        never += needed is None
        ratios.append((max(curves[other]) if needed is None else needed) / size)
    mean, interval = mean_interval([math.log2(ratio) for ratio in ratios])
    around = Interval(2**interval.low, 2**interval.high, f"{interval.method}, of logarithms")
    return Saved(2**mean, around, never)


def measure_saved(
    record: Record, table: pd.DataFrame, one: str, other: str, sizes: Mapping[str, int]
) -> dict[str, Saved]:
    """Adds to the record, and returns by task, what `labels_saved` says at one of the numbers of labels of each task.

    The table has also a column `task`. The record gets `<task>: labels saved at <n>`.
    """
    found = {}
    for task, at in sizes.items():
        of_task = table[table["task"] == task]
        ratio, interval, _ = found[task] = labels_saved(of_task, one, other, at)
        seeds = sorted(of_task["seed"].unique().tolist())
        about: dict[str, Any] = {"n": len(seeds), "seeds": seeds, "null": 1.0, "task": task, "labels": at}
        name, unit = f"{task}: labels saved at {at}", f"labels from {other}, over labels given"
        record.measure(name, ratio, unit, interval=interval, metric="labels saved", **about)
    return found
