"""What do a model's inner states hold? A linear probe on its features of whole documents.

The model is not changed: its states are averaged over each document (`models.mean_states`), and a logistic regression
learns to predict from them where a document is from (Conneau et al. 2018, section 2; Alain and Bengio 2017).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset

FOLDS = 5


def labelled(documents: Dataset, labels: int, each: int, seed: int) -> tuple[list[str], list[str], list[str]]:
    """Draws documents of the commonest origins, at most so many `labels`, equally many of each, at most `each`.

    The origin is the name in the column `group` up to the first dot, such as the package of a module.

    Returns:
        Texts, their origins and their groups; nothing if there are not two origins with as many groups as folds.
    """
    drawn = documents.shuffle(seed=seed)
    groups, origins = drawn["group"], [group.split(".")[0] for group in drawn["group"]]
    folds = Counter(group.split(".")[0] for group in set(groups))
    common = [origin for origin, _ in Counter(origins).most_common() if folds[origin] >= FOLDS][:labels]
    each = min([each, *(origins.count(origin) for origin in common)])
    rows = [row for origin in common for row in [i for i, other in enumerate(origins) if other == origin][:each]]
    if len(common) < 2:
        return [], [], []
    texts = drawn["text"]
    return [texts[row] for row in rows], [origins[row] for row in rows], [groups[row] for row in rows]


def word_probe(texts: Sequence[str], labels: Sequence[str], groups: Sequence[str]) -> np.ndarray:
    """Returns what `probe` does, from the words alone instead of a model's states: TF-IDF and logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return _predicted(make_pipeline(TfidfVectorizer(), LogisticRegression(C=10, max_iter=1000)), texts, labels, groups)


def probe(inputs: np.ndarray, labels: Sequence[str], groups: Sequence[str]) -> np.ndarray:
    """Returns for each document whether a probe that has not learned from its group predicts its label, (documents,).

    It learns from features, (documents, width).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    return _predicted(classifier, inputs, labels, groups)


def _predicted(classifier: Any, inputs: Any, labels: Sequence[str], groups: Sequence[str]) -> np.ndarray:
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    predicted = cross_val_predict(classifier, inputs, labels, groups=groups, cv=StratifiedGroupKFold(FOLDS))
    return np.asarray(predicted) == np.asarray(labels)
