"""What do more text and more parameters buy? A curve through a grid of runs, and how far it can be trusted.

The curve is that of Hoffmann et al. (2022, 'Training compute-optimal large language models', equation 2),
L(N, D) = E + A / N^alpha + B / D^beta: the loss that no model of the kind gets below, what too few parameters cost, and
what too little text costs. Left out: compute-optimal sizes, which need grids far larger than one that runs in an
afternoon, and their Huber loss, which is for grids in which some runs failed.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import least_squares

from helpers.records import Measurement
from helpers.statistics import Interval

RESAMPLES = 500
START = (0.0, -1.0, 0.5, -1.0, 0.5)
"""The numbers of a curve from which a fit starts; any near these gives the same."""


@dataclass(frozen=True)
class ScalingLaw:
    """A fitted curve: `numbers` are log E, log A, alpha, log B and beta, N in millions of parameters, D of tokens."""

    numbers: np.ndarray

    def __call__(self, parameters: ArrayLike, tokens: ArrayLike) -> np.ndarray:
        """Returns the loss for so many parameters and tokens."""
        return sum(self._parts(parameters, tokens), np.array(0.0))

    def _parts(self, parameters: ArrayLike, tokens: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the three terms, of which E does not vary."""
        least, size_cost, alpha, text_cost, beta = self.numbers
        size, text = (np.log(np.asarray(count, float) / 1e6) for count in (parameters, tokens))
        return np.exp(least + 0 * size), np.exp(size_cost - alpha * size), np.exp(text_cost - beta * text)

    def slopes(self, parameters: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Returns how the loss changes with each of the numbers, (runs, 5)."""
        least, size_part, text_part = self._parts(parameters, tokens)
        size, text = np.log(parameters / 1e6), np.log(tokens / 1e6)
        return np.stack([least, size_part, -size * size_part, text_part, -text * text_part], axis=1)


@dataclass(frozen=True)
class Forecast:
    """Losses that a curve predicts: at each place, (places,), and in each resample, (resamples, places)."""

    values: np.ndarray
    draws: np.ndarray
    method: str

    @property
    def bounds(self) -> np.ndarray:
        """The ends of the 95% intervals, (2, places)."""
        low, high = np.quantile(self.draws, [0.025, 0.975], axis=0)
        return np.stack([np.minimum(low, self.values), np.maximum(high, self.values)])

    def at(self, place: int) -> Measurement:
        """Returns the loss at a place, with its interval."""
        low, high = self.bounds[:, place]
        return Measurement("loss", self.values[place], "bits per byte", Interval(low, high, self.method))

    def difference(self, place: int, other: int) -> Measurement:
        """Returns how far the loss at a place is above that at another, paired."""
        values, draws = (each[..., [place]] - each[..., [other]] for each in (self.values, self.draws))
        return Forecast(values, draws, self.method).at(0)


class Grid:
    """Runs of several sizes and amounts of text, and the curve through them.

    The runs have the columns `parameters`, `tokens` and `value`, the loss.

    Raises:
        ValueError: there are fewer runs than the curve has numbers.
    """

    def __init__(self, runs: pd.DataFrame) -> None:
        if len(runs) < 5:
            raise ValueError("a curve with five numbers needs at least five runs")
        self.parameters, self.tokens, self.losses = runs[["parameters", "tokens", "value"]].to_numpy(float).T
        self.law = self.fit()
        self.fitted = self.law(self.parameters, self.tokens)

    def fit(self, losses: np.ndarray | None = None, start: ArrayLike = START) -> ScalingLaw:
        """Fits the curve by least squares of the relative errors, to the runs' losses or to others in their place."""
        observed, runs = self.losses if losses is None else losses, (self.parameters, self.tokens)
        fitted = least_squares(
            lambda numbers: (ScalingLaw(numbers)(*runs) - observed) / self.losses,
            start,
            jac=lambda numbers: ScalingLaw(numbers).slopes(*runs) / self.losses[:, None],
            method="lm",
            xtol=1e-5,
            ftol=1e-5,
            max_nfev=100,  # where the runs leave a number open, its path is long and changes little
        )
        return ScalingLaw(fitted.x)

    def forecast(self, parameters: ArrayLike, tokens: ArrayLike, seed: int = 0) -> Forecast:
        """Returns what the curve gives at other places, by a bootstrap over the runs' residuals.

        (Efron and Tibshirani 1993, section 9.4.) A residual is added for the run that is predicted. The result knows
        how the runs scatter around the curve, and nothing of whether the curve has the right form: far outside the grid
        its intervals are too narrow.
        """
        fitted, values = self.fitted, self.law(parameters, tokens)
        inflation = np.sqrt(len(fitted) / max(1, len(fitted) - 5))  # five numbers were fitted: residuals are too small
        residuals = (self.losses / fitted - 1) * inflation
        rng = np.random.default_rng(seed)
        draws = []
        for _ in range(RESAMPLES):
            again = self.fit(fitted * (1 + rng.choice(residuals, len(fitted))), self.law.numbers)
            draws.append(again(parameters, tokens) * (1 + rng.choice(residuals, len(values))))
        return Forecast(values, np.array(draws), f"bootstrap of the residuals of {len(fitted)} runs")


def leave_largest_out(runs: pd.DataFrame) -> tuple[pd.DataFrame, Forecast]:
    """Returns the runs of the largest model, and what the curve through all others predicts for them."""
    largest = runs[runs["parameters"] == runs["parameters"].max()]
    return largest, Grid(runs.drop(largest.index)).forecast(largest["parameters"], largest["tokens"])
