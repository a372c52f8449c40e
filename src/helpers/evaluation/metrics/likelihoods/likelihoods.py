"""What a model's likelihoods say of a set of items, as a module of evaluate: its configuration says by which metric."""

import datasets
import evaluate
import numpy as np

from helpers.evaluation.metrics import formulas

BY_OPTION = {
    "choice_accuracy": formulas.choice_credit,
    "crows_pairs": formulas.choice_credit,
    "mc1": formulas.choice_credit,
    "mc2": formulas.true_mass,
    "brier": formulas.brier,
}
OF_ALL = {
    "bits_per_byte": formulas.bits_per_byte,
    "ece": formulas.calibration_error,
    "icat": formulas.icat,
    "bbq_bias": formulas.bbq_bias,
}
CITATIONS = {
    "choice_accuracy": "Warstadt et al. 2020, BLiMP",
    "crows_pairs": "Nangia et al. 2020, CrowS-Pairs",
    "mc1": "Lin et al. 2022, TruthfulQA",
    "mc2": "Lin et al. 2022, TruthfulQA",
    "brier": "Brier 1950",
    "bits_per_byte": "Gao et al. 2020, The Pile",
    "ece": "Guo et al. 2017, On Calibration of Modern Neural Networks",
    "icat": "Nadeem et al. 2021, StereoSet",
    "bbq_bias": "Parrish et al. 2022, BBQ",
}


class Likelihoods(evaluate.Metric):
    """Means over items of what each one's options say, or a number of all items together: see `formulas`."""

    def _info(self) -> evaluate.MetricInfo:
        number = datasets.Value("float64")
        column = datasets.Sequence(number) if self.config_name in BY_OPTION else number
        columns = datasets.Features({"predictions": column, "references": column})
        return evaluate.MetricInfo(description=__doc__, citation=CITATIONS[self.config_name], features=columns)

    def _compute(self, predictions: list, references: list) -> dict[str, float]:
        if self.config_name in OF_ALL:
            value = OF_ALL[self.config_name](predictions, references)
        else:
            of_item = BY_OPTION[self.config_name]
            value = float(np.mean([of_item(*item) for item in zip(predictions, references, strict=True)]))
        return {self.config_name: value}
