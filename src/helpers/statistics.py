"""Is it real? Intervals for what was sampled.

What is resampled here are clusters (modules, people), because rows of one cluster resemble each other and resampling
them would pretend to know more than was seen. `scipy.stats.bootstrap` resamples rows, and gives NaN on degenerate data.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """An interval around an estimate."""

    low: float
    high: float
    method: str  # how it was made, in words a reader can check
    level: float = 0.95


def mean_interval(values: Sequence[float]) -> tuple[float, Interval]:
    """Returns the mean of two or more independent values, such as those of several seeds, with its t interval."""
    import numpy as np
    from scipy import stats

    if len(values) < 2:
        raise ValueError("an interval needs at least two values")
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    mean = float(np.mean(values))
    return mean, Interval(mean - float(half), mean + float(half), f"t over {len(values)} values")


def _cluster_sums(values: Sequence[float] | np.ndarray, clusters: Sequence[Hashable]) -> np.ndarray:
    """Returns sums, (clusters,), in the order in which clusters appear."""
    import numpy as np

    if len(values) != len(clusters):
        raise ValueError("values and their clusters must be of one length")
    index = {cluster: i for i, cluster in enumerate(dict.fromkeys(clusters))}
    rows = np.array([index[cluster] for cluster in clusters])
    return np.bincount(rows, weights=np.asarray(values, float), minlength=len(index))


def _bootstrap(of: Callable[[np.ndarray], np.ndarray], count: int, seed: int) -> Interval:
    """Returns the 95% interval of what is computed from how often each cluster is drawn, (resamples, clusters)."""
    import numpy as np

    if count < 2:
        raise ValueError("a bootstrap over clusters needs at least two of them")
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    low, high = np.quantile(of(draws), [0.025, 0.975])
    return Interval(float(low), float(high), f"bootstrap over {count} clusters, percentile")


def ratio_interval(
    numerators: Sequence[float] | np.ndarray,
    denominators: Sequence[float] | np.ndarray,
    clusters: Sequence[Hashable],
    seed: int = 0,
) -> Interval:
    """Bootstraps the ratio of two sums, such as bits per byte, over clusters (percentile method).

    All three are of each row, such as a document's bits, bytes and module. For a paired difference of two models on the
    same rows, the numerators are the differences. Clusters are resampled with replacement. (Efron and Tibshirani 1993,
    chapter 13; Davison and Hinkley 1997, section 3.8, for clusters.)

    Raises:
        ValueError: lengths differ, or there are fewer than two clusters.
    """
    top, bottom = _cluster_sums(numerators, clusters), _cluster_sums(denominators, clusters)
    return _bootstrap(lambda draws: (draws @ top) / (draws @ bottom), len(top), seed)


def share_interval(credits: Sequence[float] | np.ndarray, clusters: Sequence[Hashable], seed: int = 0) -> Interval:
    """Returns the 95% interval of a share of successes, over clusters; a credit is 1, 0, or a fraction for a tie.

    It is the bootstrap's (`ratio_interval`). Where all rows succeeded, or all failed, the bootstrap cannot vary: then
    Wilson's (1927) for as many trials as there are clusters.
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
    """Bootstraps the macro-F1 of classes, one a row, over clusters (percentile method).

    That is the mean over classes of F1 = 2 × hits / (predicted + true); in each resample over the classes that it has,
    as scikit-learn's. Raises as `ratio_interval` does.
    """
    import numpy as np

    classes = np.union1d(predicted, true)[:, None]
    is_predicted, is_true = classes == np.asarray(predicted), classes == np.asarray(true)  # (classes, rows)
    both = zip(is_predicted, is_true, strict=True)
    twice = np.stack([_cluster_sums(one, clusters) + _cluster_sums(other, clusters) for one, other in both], 1)
    hits = np.stack([_cluster_sums(of, clusters) for of in is_predicted & is_true], 1)  # (clusters, classes)

    def macro_f1(draws: np.ndarray) -> np.ndarray:
        both = draws @ twice  # (resamples, classes), 0 where a resample has nothing of a class
        return (2 * (draws @ hits) / np.maximum(both, 1)).sum(1) / (both > 0).sum(1)

    interval = _bootstrap(macro_f1, len(hits), seed)
    value = float((2 * hits.sum(0) / twice.sum(0)).mean())  # resamples of few clusters tend to less: it could be out
    return replace(interval, low=min(interval.low, value), high=max(interval.high, value))
