"""How well does a method classify texts? Accuracy and macro-F1 over all seeds, and differences paired by text.

It must beat the commonest label, and methods that only count words: TF-IDF of words, or of words and of pairs of
neighbours, with logistic regression. These read the labelled texts alone, and of the order of words only the pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from helpers.corpora.kinds.draws import Sample
from helpers.evaluation import metrics
from helpers.records import ACCURACY, Record
from helpers.statistics import macro_f1_interval

MAJORITY, WORDS, PAIRS = "majority", "bag of words", "pairs of words"
BASELINES = (MAJORITY, WORDS, PAIRS)
MACRO_F1, GAP = "macro-F1", "accuracy gap"
"""What a measurement is about, in the column `metric`, where it is no accuracy."""


def word_classifier(**counting: Any) -> Pipeline:
    """Returns a logistic regression on TF-IDF vectors, untrained; `counting` are options of `TfidfVectorizer`."""
    return make_pipeline(TfidfVectorizer(**counting), LogisticRegression(C=10, max_iter=1000))


def predict_by_counts(
    baseline: str, texts: Sequence[str], classes: np.ndarray, unlabelled: Sequence[str]
) -> np.ndarray:
    """Returns the class, a number, that one of `BASELINES` gives each unlabelled text, (unlabelled,).

    It learns from `texts` and the classes of these, (texts,).
    """
    if baseline == MAJORITY:
        return np.full(len(unlabelled), np.bincount(classes).argmax())
    most = 2 if baseline == PAIRS else 1
    classifier = word_classifier(sublinear_tf=True, ngram_range=(1, most), token_pattern=r"\w+|[^\w\s]")
    return classifier.fit(texts, classes).predict(unlabelled)


@dataclass(frozen=True)
class Predicted:
    """The class `predicted` for each text of a test, (texts,), by a method that learned a task from so many labels."""

    task: str
    method: str
    labels: int
    seed: int
    test: Sample
    predicted: np.ndarray

    @property
    def about(self) -> dict[str, Any]:
        """What it has in common with the same of other seeds: task, labels and method."""
        return {"task": self.task, "labels": self.labels, "method": self.method}

    @property
    def right(self) -> np.ndarray:
        """1 for each text of the test whose class is right, else 0, (texts,)."""
        return (self.predicted == self.test.classes).astype(float)


def measure_methods(
    record: Record, found: Sequence[Predicted], chance: float, compared: Sequence[tuple[str, str]]
) -> None:
    """Adds to the record the accuracy and macro-F1 of each method and number of labels, and the gaps of some methods.

    The record gets `<task>, <n> labels.<method>`, `<task>, <n> labels, macro-F1.<method>` and `<task>, <n>
    labels.<method> - <rival>`, about all of these. What was `found` is of all seeds of a task, guessing has the
    accuracy `chance`, and `compared` are pairs of a method and its rival.
    """
    cells: dict[tuple[str, int], list[Predicted]] = {}
    for one in found:
        cells.setdefault((one.method, one.labels), []).append(one)
    for (method, size), of in cells.items():
        right, groups, seed_of = _pooled(of)
        known: dict[str, Any] = {"null": chance} | of[0].about
        name = f"{of[0].task}, {size} labels"
        record.share(f"{name}.{method}", right, groups, seed_of=seed_of, metric=ACCURACY, **known)
        predicted = np.concatenate([one.predicted for one in of])
        true = np.concatenate([one.test.classes for one in of])
        known |= {"interval": macro_f1_interval(predicted, true, groups, seed_of), "groups": groups}
        known |= {"seeds": [one.seed for one in of], "metric": MACRO_F1}
        record.measure(f"{name}, {MACRO_F1}.{method}", metrics.compute("macro_f1", predicted, true), MACRO_F1, **known)
    for (method, rival), size in product(compared, sorted({one.labels for one in found})):
        if (method, size) in cells and (rival, size) in cells:
            (ones, groups, seed_of), (others, *_) = _pooled(cells[method, size]), _pooled(cells[rival, size])
            about = cells[method, size][0].about | {"metric": GAP, "rival": rival}
            name = f"{about['task']}, {size} labels.{method} - {rival}"
            record.gap(name, ones, others, groups, seed_of=seed_of, **about)


def _pooled(found: Sequence[Predicted]) -> tuple[np.ndarray, list[str], list[int]]:
    """Returns of all texts of all seeds whether they were right, their groups, and their seeds."""
    groups = [group for one in found for group in one.test.groups]
    seed_of = [one.seed for one in found for _ in one.test.groups]
    return np.concatenate([one.right for one in found]), groups, seed_of
