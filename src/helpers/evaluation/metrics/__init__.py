"""How good are predictions? Modules of `evaluate`, which need no network here.

Each lies in a folder of its own, as `evaluate.load` wants it: `agreement` calls scikit-learn's or sacrebleu's, and
`likelihoods` takes `formulas`. Left out: `evaluate.load` by name, which asks the Hub for the code of every metric.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import evaluate
import numpy as np
from sacrebleu.metrics import CHRF

from helpers import files

METRICS = dict.fromkeys(("accuracy", "macro_f1", "chrf"), "agreement") | dict.fromkeys(
    ("choice_accuracy", "crows_pairs", "mc1", "mc2", "brier", "bits_per_byte", "ece", "icat", "bbq_bias"),
    "likelihoods",
)
"""In which module each metric lies."""


@cache
def load_metric(name: str) -> evaluate.EvaluationModule:
    """Loads one of `METRICS`, as `evaluate.load` does: `compute` returns `{name: value}`.

    Raises:
        ValueError: there is no such metric.
    """
    if name not in METRICS:
        raise ValueError(f"metric {name!r} is unknown. Known: {', '.join(METRICS)}.")
    return evaluate.load(str(Path(__file__).parent / METRICS[name]), name, cache_dir=str(files.CACHE / "metrics"))


def compute(
    name: str,
    predictions: Sequence[Any] | np.ndarray,
    references: Sequence[Any] | np.ndarray,
) -> float:
    """Returns the value of a metric of class numbers; for `chrf`, of texts; for others, of likelihoods.

    `macro_f1` is the mean over classes of the harmonic mean of precision and recall (Manning, Raghavan and Schütze
    2008, section 13.6); `chrf`, 0 to 100, is how many of the runs of one to six characters two texts share, recall
    counting twice as much as precision (Popović 2015).

    `choice_accuracy`, `crows_pairs`, `mc1`, `mc2` (log-likelihoods) and `brier` (probabilities) want a list of each
    item's options, and another of which are right, 1 or 0. `bits_per_byte` wants bits and bytes of each text, `ece` the
    confidence of each answer and whether it is right. `icat` wants StereoSet's lms and ss of each term, `bbq_bias`
    which answers are biased and which are other than unknown. `formulas` has their definitions and sources.
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
