"""What do more text and more parameters buy? A curve through a grid of runs, and how far it can be trusted.

The curve is that of Hoffmann et al. (2022, 'Training compute-optimal large language models', equation 2),
L(N, D) = E + A / N^alpha + B / D^beta: what no model of the kind gets below, what too few parameters cost, and what too
little text costs. Left out: compute-optimal sizes, which need grids far larger than one that runs in an afternoon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from helpers.records import Interval

RESAMPLES = 200
STARTS = [(e, alpha, beta) for e in (0.3, 0.9) for alpha in (0.3, 0.8) for beta in (0.3, 0.8)]
"""Where the search begins: shares of the least loss that are E, and exponents."""


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


def fit_law(
    parameters: Sequence[float] | np.ndarray,
    tokens: Sequence[float] | np.ndarray,
    losses: Sequence[float] | np.ndarray,
    near: ScalingLaw | None = None,
) -> ScalingLaw:
    """Fits the curve by least squares of the logarithms, with Huber's loss (ibid., section 3.3).

    Args:
        parameters: of each run.
        tokens: of each run.
        losses: of each run.
        near: a curve from which to search; without one, several starts are tried and the best fit is kept.

    Raises:
        ValueError: there are fewer runs than the curve has numbers.
    """
    from scipy.optimize import least_squares

    n, d, observed = (np.asarray(values, float) for values in (parameters, tokens, losses))
    if len(observed) < 5:
        raise ValueError("a curve with five numbers needs at least five runs")
    least = observed.min()
    low, high = np.log([1e-3, 1e-4, 0.05, 1e-4, 0.05]), np.log([least, 50, 3, 50, 3])
    starts = [astuple(near)] if near else [
        (e * least, (1 - e) * least / 2, alpha, (1 - e) * least / 2, beta) for e, alpha, beta in STARTS
    ]  # fmt: skip
    fits = [
        least_squares(
            lambda x: np.log(ScalingLaw(*np.exp(x))(n, d) / observed),
            np.clip(np.log(start), low + 1e-6, high - 1e-6),
            bounds=(low, high),
            loss="huber",
            f_scale=1e-3,
            max_nfev=200,
        )
        for start in starts
    ]
    return ScalingLaw(*np.exp(min(fits, key=lambda fit: fit.cost).x).tolist())


def predict(
    parameters: Sequence[float],
    tokens: Sequence[float],
    losses: Sequence[float],
    at: Sequence[tuple[float, float]],
    seed: int = 0,
) -> list[tuple[float, Interval]]:
    """Returns the loss that the fitted curve gives at other places, each with a 95% interval.

    The interval is a bootstrap over the runs' residuals (Efron and Tibshirani 1993, section 9.4), with a residual added
    for the run that is predicted. It knows how the runs scatter around the curve, and nothing of whether the curve has
    the right form: far outside the grid it is too narrow.

    Args:
        parameters: of each run.
        tokens: of each run.
        losses: of each run.
        at: parameters and tokens of what is to be predicted.
        seed: of the resampling.
    """
    n, d, observed = (np.asarray(values, float) for values in (parameters, tokens, losses))
    law = fit_law(n, d, observed)
    fitted = law(n, d)
    spread = np.sqrt(len(observed) / max(1, len(observed) - 5))  # five numbers were fitted, so residuals are too small
    residuals = (np.log(observed) - np.log(fitted)) * spread
    rng = np.random.default_rng(seed)
    places = np.array(at, float)  # (places, 2)
    drawn = []
    for _ in range(RESAMPLES):
        again = fit_law(n, d, fitted * np.exp(rng.choice(residuals, len(observed))), near=law)
        drawn.append(again(places[:, 0], places[:, 1]) * np.exp(rng.choice(residuals, len(places))))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    values = law(places[:, 0], places[:, 1])
    method = f"bootstrap of the residuals of {len(observed)} runs"
    return [
        (float(value), Interval(float(min(a, value)), float(max(b, value)), method))
        for value, a, b in zip(values, low, high, strict=True)
    ]
