"""How well predictions agree with references, as a module of evaluate: its configuration says by which metric."""

import datasets
import evaluate
from sacrebleu.metrics import CHRF
from sklearn.metrics import accuracy_score, f1_score

METRICS = {
    "accuracy": accuracy_score,
    "macro_f1": lambda true, predicted: f1_score(true, predicted, average="macro", zero_division=0),
    "chrf": lambda right, written: CHRF().corpus_score(written, [right]).score,
}


class Agreement(evaluate.Metric):
    """Accuracy or macro-F1 of class numbers, or chrF of texts."""

    def _info(self) -> evaluate.MetricInfo:
        value = datasets.Value("string" if self.config_name == "chrf" else "int64")
        columns = datasets.Features({"predictions": value, "references": value})
        return evaluate.MetricInfo(description=__doc__, citation="", features=columns)

    def _compute(self, predictions: list, references: list) -> dict[str, float]:
        return {self.config_name: float(METRICS[self.config_name](references, predictions))}
