"""What do a model's inner states hold? A linear probe on its features of whole documents.

The model is not changed: its states are averaged over each document (`models.mean_states`), and a logistic regression
learns to predict from them where a document is from (Conneau et al. 2018, section 2; Alain and Bengio 2017).
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from datasets import Dataset
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.evaluation.classification import word_classifier

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


def probe(inputs: np.ndarray | Sequence[str], labels: Sequence[str], groups: Sequence[str]) -> np.ndarray:
    """Returns for each document whether a probe that has not learned from its group predicts its label, (documents,).

    It learns from features, (documents, width), or from the words of texts alone, by TF-IDF.
    """
    on_features = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    classifier = on_features if isinstance(inputs, np.ndarray) else word_classifier()
    predicted = cross_val_predict(classifier, inputs, labels, groups=groups, cv=StratifiedGroupKFold(FOLDS))
    return np.asarray(predicted) == np.asarray(labels)
