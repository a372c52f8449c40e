"""chrF, the F-score of the runs of one to six characters that two texts share, as a module of evaluate."""

import datasets
import evaluate
from sacrebleu.metrics import CHRF


class Chrf(evaluate.Metric):
    """The F-score of the runs of one to six characters that predictions share with references, 0 to 100."""

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=__doc__,
            citation="",
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def _compute(self, predictions: list[str], references: list[str]) -> dict[str, float]:
        return {"score": CHRF().corpus_score(predictions, [references]).score}
