"""Is it real? Intervals for what was sampled, and tests of differences.

What was sampled are clusters (modules, people), because rows of one cluster resemble each other; and seeds, where a
method was run several times. `scipy.stats.bootstrap` draws rows, and gives NaN on degenerate data; percentiles of a
bootstrap of few clusters cover too little. So a variance is the jackknife's, over clusters, and t has as many degrees
of freedom as if the clusters were fewer and of one size. `tests/interval_coverage.py` shows how often each interval
covers what it should.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    Values = Sequence[float] | np.ndarray
    Statistic = Callable[[np.ndarray], np.ndarray]

LEVEL = 0.95
RESAMPLES = 10_000
PRIOR_ROWS = 2
"""Rows that speak for the other side, as if seen beside those that were, and filling whole clusters.

They decide how much rows of a cluster resemble each other where next to all rows are alike and cannot tell. (Agresti
and Coull 1998 add as many.)"""


@dataclass(frozen=True)
class Interval:
    """An interval around an estimate."""

    low: float
    high: float
    method: str  # how it was made, in words a reader can check
    level: float = LEVEL


def mean_interval(
    values: Values, bounds: tuple[float, float] | None = None, least: float = 0.0
) -> tuple[float, Interval]:
    """Returns the mean of two or more independent values, such as those of several seeds, with its t interval.

    No end lies beyond the bounds, and none is nearer to the mean than `least`: values that are all alike vary, too.
    """
    import numpy as np
    from scipy import stats

    if len(values) < 2:
        raise ValueError("an interval needs at least two values")
    mean, half = float(np.mean(values)), max(_t(len(values) - 1) * float(stats.sem(values)), least)
    return mean, _within(mean, half, half, bounds, f"t over {len(values)} values")


def combined_interval(
    values: Values, intervals: Sequence[Interval], bounds: tuple[float, float] | None
) -> tuple[float, Interval]:
    """Returns the mean of several seeds' values with an interval of seeds and clusters together.

    Squared, its half on each side is that of t over the seeds and that of their own intervals, over clusters, added
    (Zou and Donner 2008). Seeds are taken to have been tested on the same clusters, with which all of them err: where
    they were tested on others, the interval is too wide. No end lies beyond the bounds.
    """
    import numpy as np

    mean, seeds = mean_interval(values)
    ends = np.array([[value - of.low, of.high - value] for value, of in zip(values, intervals, strict=True)])
    clusters = (ends**2).mean(0)  # below, above
    below, above = (float(part + (mean - seeds.low) ** 2) ** 0.5 for part in clusters)
    return mean, _within(mean, below, above, bounds, f"{seeds.method} and their clusters")


def _within(mean: float, below: float, above: float, bounds: tuple[float, float] | None, method: str) -> Interval:
    least, most = bounds or (float("-inf"), float("inf"))
    return Interval(max(least, mean - below), min(most, mean + above), method)


def ratio_interval(
    numerators: Values, denominators: Values, clusters: Sequence[Hashable], level: float = LEVEL
) -> Interval | None:
    """Returns the interval of the ratio of two sums, such as bits per byte: t on the jackknife over clusters.

    All three are of each row, such as a document's bits, bytes and module. For a paired difference of two models on the
    same rows, the numerators are the differences; for a mean, the denominators are ones. (Efron and Tibshirani 1993,
    chapter 11.) Degrees of freedom are those of as many clusters of one size as have as uneven a total (Kish 1965).

    There is no interval of fewer than two clusters.

    Raises:
        ValueError: lengths differ.
    """
    import numpy as np

    if len(set(clusters)) < 2:
        return None
    spread = _jackknife(_ratio, np.column_stack([numerators, denominators]).astype(float), clusters, level)
    half = spread.t * spread.variance**0.5
    return Interval(spread.value - half, spread.value + half, f"t on the jackknife over {spread.words}", level)


def share_interval(credits: Values, clusters: Sequence[Hashable], seeds: Sequence[int] = ()) -> Interval | None:
    """Returns the 95% interval of a share of successes; a credit is 1, 0, or a fraction for a tie.

    It is Wilson's (1927) for as many trials as would vary like these clusters, with t in place of the normal. Where all
    rows succeeded, or all failed, nothing varies, and only one end is sought: the exact bound for as many trials as
    there are clusters (the rule of three: Jovanovic and Levy 1997). `seeds` are those of each row, where a method was
    run with several: then the interval is of seeds and clusters together, as `_two_way` has it.

    There is no interval of fewer than two clusters.

    Raises:
        ValueError: lengths differ, or a credit lies outside 0 and 1.
    """
    import numpy as np

    if len(set(clusters)) < 2:
        return None
    values = np.asarray(credits, float)
    if values.min() < 0 or values.max() > 1:
        raise ValueError("credits of a share lie between 0 and 1")
    spread = _two_way(_ratio, np.column_stack([values, np.ones(len(values))]), clusters, seeds)
    return _bounded(spread, len(values))


def macro_f1_interval(
    predicted: Sequence[int] | np.ndarray,
    true: Sequence[int] | np.ndarray,
    clusters: Sequence[Hashable],
    seeds: Sequence[int] = (),
) -> Interval | None:
    """Returns the 95% interval of the macro-F1 of classes, one a row, as `share_interval` returns that of a share.

    That is the mean over classes of F1 = 2 × hits / (predicted + true); over those that there are, as scikit-learn's.
    """
    import numpy as np

    if len(set(clusters)) < 2:
        return None
    classes = np.union1d(predicted, true)
    is_predicted, is_true = (np.asarray(of)[:, None] == classes for of in (predicted, true))  # (rows, classes)
    if len(is_predicted) != len(is_true):
        raise ValueError("predictions and classes must be of one length")
    hits, both = is_predicted & is_true, is_predicted.astype(float) + is_true

    def macro_f1(sums: np.ndarray) -> np.ndarray:
        hits, both = sums[:, : len(classes)], sums[:, len(classes) : -1]  # (sets, classes)
        return (2 * hits / np.maximum(both, 1)).sum(1) / np.maximum((both > 0).sum(1), 1)

    columns = np.column_stack([hits, both, np.ones(len(both))])
    return _bounded(_two_way(macro_f1, columns, clusters, seeds), len(both))


def gap_interval(
    ones: Values, others: Values, clusters: Sequence[Hashable], seeds: Sequence[int] = (), level: float = LEVEL
) -> Interval | None:
    """Returns the interval of how far one share of successes is above another of the same rows; else as that.

    It is Agresti and Min's (2005) for paired shares, for as many pairs as would vary like these clusters: half a pair
    more of each of the four kinds, with t in place of the normal. So gaps that are all alike have a width, too.
    """
    import numpy as np

    if len(set(clusters)) < 2:
        return None
    gaps = np.asarray(ones, float) - np.asarray(others, float)
    if np.abs(gaps).max() > 1:
        raise ValueError("credits of a share lie between 0 and 1")
    spread = _two_way(_ratio, np.column_stack([gaps, np.ones(len(gaps))]), clusters, seeds, level)
    apart, mean, t = float((gaps**2).mean()), spread.value, spread.t
    pairs = _effective(spread, apart - mean**2, len(gaps))
    added = t**2 / 2  # Agresti and Min's two pairs, which is that of the normal
    total = pairs + added
    shrunk, apart = mean * pairs / total, (apart * pairs + added / 2) / total
    half = t * ((apart - shrunk**2) / total) ** 0.5
    low, high = max(-1.0, min(shrunk - half, mean)), min(1.0, max(shrunk + half, mean))
    return Interval(low, high, f"Agresti-Min, t, over {spread.words}", level)


class _Spread(NamedTuple):
    """An estimate, its variance; from clusters of rows."""

    value: float
    variance: float
    t: float  # how many standard errors lie on each side
    rows: float  # of the cluster of a row, on average
    words: str  # over what


def _ratio(sums: np.ndarray) -> np.ndarray:
    return sums[:, 0] / sums[:, -1]


def _jackknife(
    of: Statistic, columns: np.ndarray, clusters: Sequence[Hashable], level: float, unit: str = "clusters"
) -> _Spread:
    """Returns the spread of a statistic of sums by leaving out one cluster at a time.

    `of` returns it of each set of sums, (sets, columns). The last of the columns, (rows, columns), is the size.
    """
    sums = _cluster_sums(columns, clusters)
    count, total = len(sums), sums.sum(0)
    value = float(of(total[None])[0])
    deviations = of(total - sums) - value
    variance = float((count - 1) / count * (deviations**2).sum())
    rows = float((sums[:, -1] ** 2).sum() / total[-1])
    df = max(float(total[-1]) / rows - 1, 1.0)
    return _Spread(value, variance, _t(df, level), rows, f"{count} {unit}")


def _cluster_sums(columns: np.ndarray, clusters: Sequence[Hashable]) -> np.ndarray:
    """Returns sums, (clusters, columns), in the order in which clusters appear."""
    import numpy as np

    if len(columns) != len(clusters):
        raise ValueError("values and their clusters must be of one length")
    index = {cluster: i for i, cluster in enumerate(dict.fromkeys(clusters))}
    rows = np.array([index[cluster] for cluster in clusters])
    return np.stack([np.bincount(rows, weights=column, minlength=len(index)) for column in columns.T], 1)


def _two_way(
    of: Statistic, columns: np.ndarray, clusters: Sequence[Hashable], seeds: Sequence[int], level: float = LEVEL
) -> _Spread:
    """Returns the spread over clusters, and over seeds, if several are given, as if both had been drawn anew.

    The variances are added, though that of single rows is in both. What takes the place of t is, squared, the mean of
    both their squares, by variance (Cochran 1964): t of the sum's degrees of freedom (Satterthwaite 1946) covers 86 to
    92% where two or three seeds matter much.
    """
    spread = _jackknife(of, columns, clusters, level)
    if len(set(seeds)) < 2:
        return spread
    over = _jackknife(of, columns, seeds, level, "seeds")
    total = spread.variance + over.variance
    squared = spread.variance * spread.t**2 + over.variance * over.t**2
    t = (squared / total) ** 0.5 if total else spread.t
    return spread._replace(variance=total, t=t, words=f"{spread.words} and {over.words}")


def _effective(spread: _Spread, variance: float, rows: int) -> float:
    """Returns how many independent rows of this variance would vary like the clusters do; at most the rows.

    Where rows are nearly all alike, their design effect cannot be told, and is taken for that of clusters that are all
    of a kind: see `PRIOR_ROWS`.
    """
    told = rows * variance  # rows that tell
    design = max(spread.variance * rows / variance, 1.0) if told > 1e-9 else 1.0
    return rows * (told + PRIOR_ROWS) / (told * design + PRIOR_ROWS * spread.rows)


def _bounded(spread: _Spread, rows: int) -> Interval:
    """Returns the interval of a share, or of another mean of what lies between 0 and 1; see `share_interval`."""
    value, variance = spread.value, spread.value * (1 - spread.value)
    n = _effective(spread, variance, rows)
    if variance < 1e-12:
        bound = (1 - LEVEL) ** (1 / n)
        low, high = (bound, 1.0) if value > 0.5 else (0.0, 1 - bound)
        return Interval(low, high, f"exact bound, {spread.words}, all alike")
    low, high = _wilson(value, n, spread.t)
    return Interval(low, high, f"Wilson, t, over {spread.words}, {n:.0f} effective rows")


def _wilson(share: float, n: float, t: float) -> tuple[float, float]:
    """Returns the ends of Wilson's interval of a share of n trials, with t in place of the normal."""
    centre, half = share + t**2 / (2 * n), t * (share * (1 - share) / n + t**2 / (4 * n**2)) ** 0.5
    return max(0.0, (centre - half) / (1 + t**2 / n)), min(1.0, (centre + half) / (1 + t**2 / n))


def _t(df: float, level: float = LEVEL) -> float:
    """Returns how many standard errors lie on each side."""
    from scipy import special

    return float(-special.stdtrit(df, (1 - level) / 2))


def bootstrap_interval(of: Statistic, columns: np.ndarray, clusters: Sequence[Hashable], seed: int = 0) -> Interval:
    """Returns the 95% interval of a statistic of sums, by drawing clusters with replacement.

    It is for statistics that are not smooth, for which the jackknife is wrong. Percentiles of few clusters lie too
    near: their distances are widened by t and by sqrt(n / (n - 1)) (Hesterberg 2015, section 4.3). Rows of several
    models are drawn together, so that their differences are paired.

    Args:
        of: returns the statistic of each set of sums, (sets, columns).
        columns: what is summed, (rows, columns).
        clusters: the cluster of each row; there are two or more.

    Raises:
        ValueError: lengths differ, or there is one cluster.
    """
    import numpy as np

    sums = _cluster_sums(columns, clusters)
    count, rng, found = len(sums), np.random.default_rng(seed), []
    if count < 2:
        raise ValueError("an interval needs at least two clusters")
    value, part = float(of(sums.sum(0)[None])[0]), min(RESAMPLES, max(1, 1_000_000 // count))
    for start in range(0, RESAMPLES, part):  # so that memory is small
        draws = min(part, RESAMPLES - start)
        drawn = rng.integers(count, size=(draws, count)) + np.arange(draws)[:, None] * count
        times = np.bincount(drawn.ravel(), minlength=draws * count).reshape(draws, count)
        found.append(of(times.astype(float) @ sums))
    low, high = np.quantile(np.concatenate(found), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    wider = _t(count - 1) / _t(float("inf")) * (count / (count - 1)) ** 0.5
    low, high = value - wider * (value - float(low)), value + wider * (float(high) - value)
    return Interval(low, high, f"bootstrap over {count} clusters, percentiles widened by t")


def mcnemar(ones: Values, others: Values) -> float:
    """Returns the exact p-value of McNemar's test (1947): are as many rows right in one alone as in the other alone?

    Rows are independent; of clusters, take `gap_interval`. Ties that earn a half count for whom they favour.
    """
    import numpy as np
    from statsmodels.stats.contingency_tables import mcnemar

    gaps = np.asarray(ones, float) - np.asarray(others, float)
    return float(mcnemar([[0, int((gaps > 0).sum())], [int((gaps < 0).sum()), 0]], exact=True).pvalue)


def gap_p_value(ones: Values, others: Values, clusters: Sequence[Hashable]) -> float:
    """Returns the two-sided p-value of there being no gap between paired credits: the t-test of their jackknife.

    That is 1 where there is no gap at all, or fewer than two clusters. Where all clusters have the same gap nothing
    varies, and it is that of the sign test: two that agree may do so by chance.
    """
    import numpy as np
    from scipy import special

    gaps = np.asarray(ones, float) - np.asarray(others, float)
    if len(set(clusters)) < 2 or not gaps.any():
        return 1.0
    spread = _jackknife(_ratio, np.column_stack([gaps, np.ones(len(gaps))]), clusters, LEVEL)
    if spread.variance < 1e-20:
        return float(0.5 ** (len(set(clusters)) - 1))
    df = max(len(gaps) / spread.rows - 1, 1.0)
    return float(2 * special.stdtr(df, -abs(spread.value) / spread.variance**0.5))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Returns p-values adjusted for there being several (Holm 1979): those below 0.05 are all right with 95%."""
    from statsmodels.stats.multitest import multipletests

    adjusted = multipletests(list(p_values.values()), method="holm")[1]
    return dict(zip(p_values, map(float, adjusted), strict=True))


def equivalent(gap: Interval, margin: float) -> bool:
    """Returns whether a gap is smaller than a margin on either side: two one-sided tests at 5% (Schuirmann 1987).

    Raises:
        ValueError: the interval is not of level 0.9, as the tests ask for.
    """
    if gap.level != 0.9:
        raise ValueError("two one-sided tests at 5% need an interval of level 0.9")
    return -margin < gap.low and gap.high < margin


def least_detectable(gaps: Values, clusters: Sequence[Hashable], power: float = 0.8) -> float:
    """Returns how large a mean gap has to be, for a t-test over so many such clusters to find it with this power."""
    import numpy as np
    from statsmodels.stats.power import TTestPower

    columns = np.column_stack([gaps, np.ones(len(gaps))]).astype(float)
    count, spread = len(set(clusters)), _jackknife(_ratio, columns, clusters, LEVEL)
    deviations = TTestPower().solve_power(nobs=count, alpha=1 - LEVEL, power=power)
    return float(deviations) * (spread.variance * count) ** 0.5
