"""Is it real? Intervals for what was sampled.

Each tool is added when a chapter needs it; scipy and statsmodels do the work where they can. What is resampled here are
clusters (modules, people), because rows of one cluster resemble each other and resampling them would pretend
to know more than was seen. `scipy.stats.bootstrap` resamples rows, and gives NaN on degenerate data.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """An interval around an estimate.

    Attributes:
        low: its lower end.
        high: its upper end.
        method: how it was made, in words a reader can check.
        level: its coverage.
    """

    low: float
    high: float
    method: str
    level: float = 0.95


def mean_interval(values: Sequence[float]) -> tuple[float, Interval]:
    """Returns the mean of a few independent values, such as those of several seeds, with its t interval.

    Args:
        values: at least two; too few for a bootstrap.

    Raises:
        ValueError: there are fewer than two.
    """

    import numpy as np
    from scipy import stats

    if len(values) < 2:
        raise ValueError("an interval needs at least two values")
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    mean = float(np.mean(values))
    return mean, Interval(mean - float(half), mean + float(half), f"t over {len(values)} values")


def _cluster_sums(
    values: Sequence[float] | np.ndarray, clusters: Sequence[Hashable]
) -> np.ndarray:  # (clusters,), in order of first appearance
    import numpy as np

    index = {cluster: i for i, cluster in enumerate(dict.fromkeys(clusters))}
    rows = np.array([index[cluster] for cluster in clusters])
    return np.bincount(rows, weights=np.asarray(values, float), minlength=len(index))


def ratio_interval(
    numerators: Sequence[float] | np.ndarray,
    denominators: Sequence[float] | np.ndarray,
    clusters: Sequence[Hashable],
    seed: int = 0,
) -> Interval:
    """Bootstraps the ratio of two sums, such as bits per byte, over clusters (percentile method).

    Args:
        numerators: of each row, such as the bits of a document. For a paired difference of two models on the same
            rows, give the differences.
        denominators: of each row, such as the bytes of a document.
        clusters: of each row, such as its module; clusters are resampled with replacement.
        seed: of the resampling.

    Returns:
        The 95% interval of sum(numerators) / sum(denominators). (Efron and Tibshirani 1993, chapter 13;
        Davison and Hinkley 1997, section 3.8, for clusters.)

    Raises:
        ValueError: lengths differ, or there are fewer than two clusters.
    """

    import numpy as np

    if not len(numerators) == len(denominators) == len(clusters):
        raise ValueError("numerators, denominators and clusters must be of one length")
    top, bottom = _cluster_sums(numerators, clusters), _cluster_sums(denominators, clusters)
    if len(top) < 2:
        raise ValueError("a bootstrap over clusters needs at least two of them")
    draws = np.random.default_rng(seed).multinomial(len(top), np.full(len(top), 1 / len(top)), RESAMPLES)
    low, high = np.quantile((draws @ top) / (draws @ bottom), [0.025, 0.975])  # draws: (resamples, clusters)
    return Interval(float(low), float(high), f"bootstrap over {len(top)} clusters, percentile")


def share_interval(credits: Sequence[float] | np.ndarray, clusters: Sequence[Hashable], seed: int = 0) -> Interval:
    """Returns the interval of a share of successes, over clusters.

    Args:
        credits: of each row, 1 for a success, 0 for a failure, a fraction for a tie.
        clusters: of each row, such as its person.
        seed: of the resampling.

    Returns:
        The bootstrap's 95% interval (`ratio_interval`). Where all rows succeeded, or all failed, the bootstrap cannot
        vary: then Wilson's (1927) for as many trials as there are clusters.

    Raises:
        ValueError: lengths differ, or there are fewer than two clusters.
    """

    import numpy as np
    from statsmodels.stats.proportion import proportion_confint

    values = np.asarray(credits, float)
    if len(values) and values.min() == values.max() and values[0] in (0, 1):
        n = len(set(clusters))
        low, high = proportion_confint(round(values[0] * n), n, method="wilson")
        low, high = min(low, values[0]), max(high, values[0])  # rounding can leave the share itself out
        return Interval(float(low), float(high), f"Wilson, {n} clusters all alike")
    return ratio_interval(values, np.ones(len(values)), clusters, seed)


def macro_f1_interval(
    predicted: Sequence[int] | np.ndarray, true: Sequence[int] | np.ndarray, clusters: Sequence[Hashable], seed: int = 0
) -> Interval:
    """Bootstraps the macro-F1 over clusters (percentile method).

    Args:
        predicted: class of each row, numbered from 0.
        true: the right one.
        clusters: of each row; resampled with replacement.
        seed: of the resampling.

    Returns:
        The 95% interval of the mean over classes of F1 = 2 × hits / (predicted + true); in each resample over the
        classes that it has, as scikit-learn's.

    Raises:
        ValueError: lengths differ, or there are fewer than two clusters.
    """

    import numpy as np

    if not len(predicted) == len(true) == len(clusters):
        raise ValueError("predicted, true and clusters must be of one length")
    predicted, true = np.asarray(predicted), np.asarray(true)
    classes = np.unique(np.concatenate([predicted, true]))
    hits, twice = (
        np.stack([_cluster_sums(of(label), clusters) for label in classes], 1)  # (clusters, classes)
        for of in (
            lambda label: (predicted == label) & (true == label),
            lambda label: (predicted == label).astype(int) + (true == label),
        )
    )
    if len(hits) < 2:
        raise ValueError("a bootstrap over clusters needs at least two of them")
    draws = np.random.default_rng(seed).multinomial(len(hits), np.full(len(hits), 1 / len(hits)), RESAMPLES)
    both = draws @ twice  # (resamples, classes), 0 where a resample has nothing of a class
    f1 = 2 * (draws @ hits) / np.maximum(both, 1)
    low, high = np.quantile(f1.sum(1) / (both > 0).sum(1), [0.025, 0.975])
    value = (2 * hits.sum(0) / twice.sum(0)).mean()  # with few clusters resamples tend to less, and could leave it out
    low, high = min(low, value), max(high, value)
    return Interval(float(low), float(high), f"bootstrap over {len(hits)} clusters, percentile")
