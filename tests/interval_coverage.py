"""How often do 95% intervals cover the truth? `python tests/interval_coverage.py` prints a table in Markdown.

Each row draws data of a known truth many times: clusters that resemble themselves, few or many, of one size or not. The
interval in use stands beside a percentile bootstrap over clusters, or t over seeds. `--trials 1000` draws more.
"""

import argparse
from itertools import product

import numpy as np
from scipy import stats

from helpers import statistics

CLUSTERS = (4, 12, 30, 60)
RESEMBLANCE = (0.0, 0.1, 0.3, 0.6)
SHARES = (0.5, 0.8, 0.95)


def draw_clusters(rng, count, rows, uneven):
    """Returns each row's cluster; about so many rows a cluster, or of sizes that differ."""
    sizes = rng.multinomial(count * rows, rng.dirichlet(np.full(count, 2.0))) if uneven else np.full(count, rows)
    return np.repeat(np.arange(count), np.maximum(sizes, 1))


def draw_rates(rng, share, resemblance, count):
    """Returns each cluster's share of successes: beta, so that rows have this correlation within clusters."""
    if resemblance == 0:
        return np.full(count, share)
    return rng.beta(*(np.array([share, 1 - share]) * (1 / resemblance - 1)), count)


def share(rng, count, resemblance, truth, uneven=False):
    """Draws credits of clusters of about ten rows; returns them with their clusters."""
    of = draw_clusters(rng, count, 10, uneven)
    return (rng.random(len(of)) < draw_rates(rng, truth, resemblance, count)[of]).astype(float), of.tolist()


def gap(rng, count, resemblance, only_one, only_other):
    """Draws paired credits, of which so large a part is right in one alone, and in the other alone."""
    parts = np.array([only_one, only_other, 1 - only_one - only_other])
    rates = rng.dirichlet(np.maximum(parts, 1e-6) * (1 / resemblance - 1), count) if resemblance else [parts] * count
    of = draw_clusters(rng, count, 10, False)
    drawn, ends = rng.random(len(of)), np.cumsum(rates, 1)[of]
    one, other = drawn < ends[:, 0], (drawn >= ends[:, 0]) & (drawn < ends[:, 1])
    return one.astype(float), other.astype(float), of.tolist()


def ratio(rng, count):
    """Draws bits and bytes of clusters whose sizes differ as those of modules do; in truth 2 bits per byte."""
    sizes = rng.lognormal(0, 1, count)
    return sizes * rng.normal(2, 0.5, count), sizes, list(range(count))


def classes(rng, count, resemblance, right, number=4):
    """Draws classes and predictions, of which a part is right and the rest the class after; and clusters."""
    of = draw_clusters(rng, count, 20, False)
    true = rng.integers(number, size=len(of))
    hit = rng.random(len(of)) < draw_rates(rng, right, resemblance, count)[of]
    return np.where(hit, true, (true + 1) % number), true, of.tolist()


def seeds(rng, number, count, truth, spread):
    """Draws credits of several seeds on the same clusters; logits of both differ, those of seeds by `spread`."""
    of, seed = np.tile(draw_clusters(rng, count, 8, False), number), np.repeat(np.arange(number), 8 * count)
    logits = np.log(truth / (1 - truth)) + rng.normal(0, spread, number)[seed] + rng.normal(0, 1, count)[of]
    return (rng.random(len(of)) < 1 / (1 + np.exp(-logits))).astype(float), of.tolist(), seed.tolist()


def seeds_truth(truth, spread):
    """Returns the share over all seeds and clusters that could be drawn."""
    logits = np.log(truth / (1 - truth)) + np.hypot(1, spread) * stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    return float((1 / (1 + np.exp(-logits))).mean())


def combined(credits, of, seed):
    """Returns the interval of several seeds from what each one's record says, its share and interval."""
    each = [(np.array(seed) == one) for one in dict.fromkeys(seed)]
    found = [
        (credits[rows].mean(), statistics.share_interval(credits[rows], np.array(of)[rows].tolist())) for rows in each
    ]
    return statistics.combined_interval(*zip(*found, strict=True), bounds=(0, 1))[1]


def t_over_seeds(credits, of, seed):
    """Returns the interval that sees seeds alone."""
    return statistics.mean_interval([credits[np.array(seed) == one].mean() for one in dict.fromkeys(seed)])[1]


def percentile(columns, of, statistic):
    """Returns the percentile interval of 500 resamples of clusters."""
    sums = np.stack([np.bincount(of, weights=column) for column in columns], 1)
    drawn = np.random.default_rng(0).integers(len(sums), size=(500, len(sums)))
    return statistics.Interval(*np.quantile(statistic(sums[drawn].sum(1)), [0.025, 0.975]), "percentile")


def quotient(sums):
    """Returns the ratio of two sums."""
    return sums[:, 0] / np.maximum(sums[:, 1], 1e-12)


def bootstrapped(values, of):
    """Returns the percentile interval of a mean."""
    return percentile([values, np.ones(len(of))], of, quotient)


def rate(draw, interval, truth, trials, seed=0):
    """Returns how often an interval of what is drawn covers the truth, in percent, and how wide it is on average."""
    rng = np.random.default_rng(seed)
    found = [interval(*draw(rng)) for _ in range(trials)]
    ends = np.array([(of.low, of.high) for of in found])
    return 100 * float(((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean()), float((ends[:, 1] - ends[:, 0]).mean())


def cases():
    """Yields what is measured, by how many clusters, in which data; how to draw it; both intervals; the truth."""
    for count, alike, truth, uneven in product(CLUSTERS, RESEMBLANCE, SHARES, (False, True)):
        about = f"correlation {alike}, share {truth}{', uneven' * uneven}"
        draw = lambda rng, at=(count, alike, truth, uneven): share(rng, *at)  # noqa: E731
        yield "share", count, about, draw, statistics.share_interval, bootstrapped, truth
    for count, alike, parts in product(CLUSTERS, (0, 0.2, 0.5), ((0.3, 0.1), (0.05, 0.05), (0.02, 0), (0.9, 0))):
        draw = lambda rng, at=(count, alike, *parts): gap(rng, *at)  # noqa: E731
        about, old = f"correlation {alike}, alone right {parts}", lambda one, other, of: bootstrapped(one - other, of)
        yield "gap", count, about, draw, statistics.gap_interval, old, parts[0] - parts[1]
    for count in CLUSTERS:
        old = lambda bits, sizes, of: percentile([bits, sizes], of, quotient)  # noqa: E731
        yield "ratio", count, "uneven", lambda rng, at=count: ratio(rng, at), statistics.ratio_interval, old, 2.0
    for count, alike, truth in product(CLUSTERS, (0.1, 0.4), (0.4, 0.95)):
        draw = lambda rng, at=(count, alike, truth): classes(rng, *at)  # noqa: E731
        about = f"correlation {alike}, share right {truth}"
        old = lambda one, true, of: bootstrapped((one == true).astype(float), of)  # noqa: E731
        yield "macro-F1", count, about, draw, statistics.macro_f1_interval, old, truth
    for number, count, share_of, spread in product((2, 3, 5), (4, 12, 30), (0.5, 0.9), (0, 0.5, 1)):
        draw = lambda rng, at=(number, count, share_of, spread): seeds(rng, *at)  # noqa: E731
        for name, interval in (("seeds, rows", statistics.share_interval), ("seeds, records", combined)):
            about, truth = f"{number} seeds that differ by {spread}, share {share_of}", seeds_truth(share_of, spread)
            yield name, count, about, draw, interval, t_over_seeds, truth


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=400)
    trials = parser.parse_args().trials
    print(
        "| interval of | clusters | data | covers | width | bootstrap, or t over seeds, covers | width |\n"
        + "|---" * 7
        + "|"
    )
    for name, count, about, draw, interval, old, truth in cases():
        (new, width), (was, then) = (rate(draw, by, truth, trials) for by in (interval, old))
        print(f"| {name} | {count} | {about} | {new:.1f} | {width:.2f} | {was:.1f} | {then:.2f} |", flush=True)


if __name__ == "__main__":
    main()
