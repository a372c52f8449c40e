"""What must a classifier of texts beat? The commonest label, and methods that only count words.

TF-IDF of words, or of words and of pairs of neighbours, with logistic regression: no text but the labelled ones is
read, and of the order of words nothing is known but the pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MAJORITY, WORDS, PAIRS = "majority", "bag of words", "pairs of words"
BASELINES = (MAJORITY, WORDS, PAIRS)


def predict_by_counts(
    baseline: str, texts: Sequence[str], classes: np.ndarray, unlabelled: Sequence[str]
) -> np.ndarray:
    """Returns the class, a number, that one of `BASELINES` gives each unlabelled text, (unlabelled,).

    It learns from `texts` and the classes of these, (texts,).
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    if baseline == MAJORITY:
        return np.full(len(unlabelled), np.bincount(classes).argmax())
    most = 2 if baseline == PAIRS else 1
    counter = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, most), token_pattern=r"\w+|[^\w\s]")
    return make_pipeline(counter, LogisticRegression(C=10, max_iter=1000)).fit(texts, classes).predict(unlabelled)
