"""What do more text and more parameters buy? A curve through a grid of runs, and how far it can be trusted.

The curve is that of Hoffmann et al. (2022, 'Training compute-optimal large language models', equation 2),
L(N, D) = E + A / N^alpha + B / D^beta: what no model of the kind gets below, what too few parameters cost, and what too
little text costs. Left out: compute-optimal sizes, which need grids far larger than one that runs in an afternoon, and
their Huber loss, which is for grids in which some runs failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from helpers.statistics import Interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

RESAMPLES = 500
EXPONENTS = np.geomspace(0.05, 2.0, 50)
"""Of alpha and beta, those that are tried."""


@dataclass(frozen=True)
class ScalingLaw:
    """A fitted curve.

    Attributes:
        least: E, in the unit of the losses.
        size_cost, size_exponent: A and alpha, with N in millions of parameters.
        text_cost, text_exponent: B and beta, with D in millions of tokens.
    """

    least: float
    size_cost: float
    size_exponent: float
    text_cost: float
    text_exponent: float

    def __call__(self, parameters: np.ndarray | float, tokens: np.ndarray | float) -> np.ndarray:
        """Returns the loss for so many parameters and tokens."""
        size, text = np.asarray(parameters) / 1e6, np.asarray(tokens) / 1e6
        return self.least + self.size_cost * size**-self.size_exponent + self.text_cost * text**-self.text_exponent


class Grid:
    """Runs of several sizes and amounts of text, through which curves are drawn.

    Args:
        parameters: of each run.
        tokens: of each run.
        losses: of each run.

    Raises:
        ValueError: there are fewer runs than the curve has numbers.
    """

    def __init__(self, parameters: ArrayLike, tokens: ArrayLike, losses: ArrayLike) -> None:
        self.parameters, self.tokens, self.losses = (
            np.asarray(values, float) for values in (parameters, tokens, losses)
        )
        if len(self.losses) < 5:
            raise ValueError("a curve with five numbers needs at least five runs")
        # With the exponents given, the curve is linear in E, A and B: all exponents are tried, and the best are kept.
        self._exponents = np.array([(a, b) for a in EXPONENTS for b in EXPONENTS])  # (tried, 2)
        ones = np.ones((len(self._exponents), len(self.losses)))
        size = (self.parameters / 1e6) ** -self._exponents[:, :1]  # (tried, runs)
        text = (self.tokens / 1e6) ** -self._exponents[:, 1:]
        self._inputs = np.stack([ones, size, text], axis=2) / self.losses[:, None]  # errors relative to each loss
        self._solve = np.linalg.pinv(self._inputs)  # (tried, 3, runs)

    def fit(self, losses: np.ndarray | None = None) -> ScalingLaw:
        """Fits the curve by least squares of the relative errors.

        Args:
            losses: others in place of the runs' own, (runs,).
        """
        observed = (self.losses if losses is None else losses) / self.losses
        found = self._solve @ observed  # (tried, 3): E, A and B
        errors = ((self._inputs @ found[:, :, None])[:, :, 0] - observed) ** 2
        best = np.where((found > 0).all(1), errors.sum(1), np.inf).argmin()
        (least, size, text), (alpha, beta) = found[best], self._exponents[best]
        return ScalingLaw(float(least), float(size), float(alpha), float(text), float(beta))

    def predict(self, places: Sequence[tuple[float, float]], seed: int = 0) -> Forecast:
        """Returns what the curve gives at other places, by a bootstrap over the runs' residuals.

        (Efron and Tibshirani 1993, section 9.4.) A residual is added for the run that is predicted. The result knows
        how the runs scatter around the curve, and nothing of whether the curve has the right form: far outside the
        grid its intervals are too narrow.

        Args:
            places: parameters and tokens of what is to be predicted.
            seed: of the resampling.
        """
        law = self.fit()
        fitted = law(self.parameters, self.tokens)
        inflation = np.sqrt(len(fitted) / max(1, len(fitted) - 5))  # five numbers were fitted: residuals are too small
        residuals = (self.losses / fitted - 1) * inflation
        rng = np.random.default_rng(seed)
        at = np.array(places, float)  # (places, 2)
        draws = []
        for _ in range(RESAMPLES):
            again = self.fit(fitted * (1 + rng.choice(residuals, len(fitted))))
            draws.append(again(at[:, 0], at[:, 1]) * (1 + rng.choice(residuals, len(at))))
        return Forecast(law(at[:, 0], at[:, 1]), np.array(draws), f"bootstrap of the residuals of {len(fitted)} runs")


@dataclass(frozen=True)
class Forecast:
    """Losses that a curve foretells.

    Attributes:
        values: at each place, (places,).
        draws: the same of each resample, (resamples, places).
        method: of the resampling, in words.
    """

    values: np.ndarray
    draws: np.ndarray
    method: str

    def interval(self, place: int) -> Interval:
        """Returns the 95% interval of the loss at a place."""
        return self._interval(self.values[place], self.draws[:, place])

    def difference(self, place: int, other: int) -> tuple[float, Interval]:
        """Returns how far the loss at a place lies above that at another, with its 95% interval."""
        value = self.values[place] - self.values[other]
        return float(value), self._interval(value, self.draws[:, place] - self.draws[:, other])

    def _interval(self, value: float, draws: np.ndarray) -> Interval:
        low, high = np.quantile(draws, [0.025, 0.975])
        return Interval(float(min(low, value)), float(max(high, value)), self.method)
