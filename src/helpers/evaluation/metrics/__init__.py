"""How well do predictions and labels agree? Metrics as modules of `evaluate`, which need no network here.

Each lies in a folder of its own, as `evaluate.load` wants it, and calls scikit-learn's. Left out: `evaluate.load` by
name, which asks the Hub for the code of every metric.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from helpers import files

if TYPE_CHECKING:
    from evaluate import EvaluationModule


@cache
def load(name: str) -> EvaluationModule:
    """Loads a metric.

    Args:
        name: `accuracy` or `macro_f1`.

    Returns:
        What `evaluate.load` gives: `compute(predictions=..., references=...)` returns a dictionary.

    Raises:
        FileNotFoundError: there is no such metric.
    """
    import evaluate

    return evaluate.load(str(Path(__file__).parent / name), cache_dir=str(files.CACHE / "metrics"))


def compute(name: str, predictions: Sequence[int] | np.ndarray, references: Sequence[int] | np.ndarray) -> float:
    """Returns a metric's value.

    Args:
        name: `accuracy` (share right) or `macro_f1` (the mean over classes of the harmonic mean of precision and
            recall; Manning, Raghavan and Schütze 2008, section 13.6).
        predictions: class numbers.
        references: the right ones.
    """
    return float(load(name).compute(predictions=predictions, references=references)[name])
