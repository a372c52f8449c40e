"""How well do predictions and references agree? A module of `evaluate`, which needs no network here.

It lies in a folder of its own, as `evaluate.load` wants it, and calls scikit-learn's or sacrebleu's. Left out:
`evaluate.load` by name, which asks the Hub for the code of every metric.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import evaluate
import numpy as np
from sacrebleu.metrics import CHRF

from helpers import files


@cache
def load_metric(name: str) -> evaluate.EvaluationModule:
    """Loads `accuracy`, `macro_f1` or `chrf`, as `evaluate.load` does: `compute` returns `{name: value}`.

    Raises:
        ValueError: there is no such metric.
    """
    return evaluate.load(str(Path(__file__).parent / "agreement"), name, cache_dir=str(files.CACHE / "metrics"))


def compute(
    name: str,
    predictions: Sequence[int] | Sequence[str] | np.ndarray,
    references: Sequence[int] | Sequence[str] | np.ndarray,
) -> float:
    """Returns the value of a metric of class numbers, or, for `chrf`, of texts.

    `macro_f1` is the mean over classes of the harmonic mean of precision and recall (Manning, Raghavan and Schütze
    2008, section 13.6); `chrf`, 0 to 100, is how many of the runs of one to six characters two texts share, recall
    counting twice as much as precision (Popović 2015).
    """
    return float(load_metric(name).compute(predictions=predictions, references=references)[name])


def chrf_of_each(predictions: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Returns the chrF of each prediction alone, 0 to 100, (predictions,), for intervals over what was sampled.

    Its mean is not the chrF of all together, which counts the runs of all texts before it divides: there long texts
    weigh more.
    """
    chrf = CHRF()
    pairs = zip(predictions, references, strict=True)
    return np.array([chrf.sentence_score(prediction, [reference]).score for prediction, reference in pairs])
