"""The figures of chapter 01: tables go in, a figure comes out, which the notebook shows with its caption."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers import plotting
from helpers.evaluation.language import OFTEN
from helpers.evaluation.objective_tasks import NGRAM, UNTRAINED, WORDS, WRITING
from helpers.evaluation.scaling_law import Forecast, ScalingLaw
from helpers.evaluation.scorecard import NULL, OURS, RIVAL
from helpers.experiments.pretraining.study import HIDDEN, NEXT
from helpers.records import Measurement

METHODS = {
    "untrained model": plotting.UNTRAINED,
    NULL: plotting.MUTED,
    "xz, primed": plotting.MUTED,
    RIVAL: plotting.RIVAL,
    OURS: plotting.OURS,
    "floor": plotting.FLOOR,
}
"""The colour of each method."""

COUNTING = "counting (5-gram; for features TF-IDF)"
FAMILIAR, NEW = "familiar words", "new words"


def learning(bits: pd.DataFrame) -> Figure:
    """Draws bits per byte by training step, a curve for each corpus, as `Evaluation.tables` gives them."""
    figure, axes = plotting.figure(height=3.2)
    for (corpus, values), marker in zip(bits.items(), "so", strict=True):
        axes.plot(bits.index, values, marker=marker, ms=4, color=plotting.OURS)
        end = (bits.index[-1], values.iloc[-1])
        axes.annotate(corpus, end, (8, 0), textcoords="offset points", va="center", color=plotting.OURS)
    plotting.step_axis(axes, list(bits.index))
    axes.set(xlabel=plotting.STEPS, ylabel="bits per byte", ylim=(0, None))
    return figure


def methods(measured: pd.DataFrame) -> Figure:
    """Draws the bits per byte of all methods, a panel for each corpus; `measured` is as `Record.frame` gives it."""
    figure, panels = plotting.figure(1, 2, height=2.8, sharey=True)
    for axes, (corpus, found) in zip(panels, measured.groupby("corpus", sort=False), strict=True):
        table = found.set_index("method").reindex(list(METHODS)).reset_index()
        for method, colour in METHODS.items():
            plotting.dots(axes, table, "method", "method", {method: colour})
            axes.lines[-1].set_label("")  # its name is on the left
        axes.set(title=corpus, xlabel="bits per byte (less is better)", xscale="log", xlim=(0.15, 6))
        plotting.plain_ticks(axes, [0.2, 0.5, 1, 2, 4])
    return figure


def structure(by_step: pd.DataFrame, rivals: Mapping[str, Measurement]) -> Figure:
    """Draws the accuracy at each test by training step, beside that of the 5-gram, which is given by test."""
    figure, panels = plotting.figure(2, 2, height=5.2, sharex=True, sharey=True)
    for axes, (test, rival) in zip(panels.flat, rivals.items(), strict=False):
        _by_step(axes, by_step[by_step["test"] == test], 0.5)
        plotting.level(axes, rival.value, RIVAL, plotting.RIVAL)
        axes.set(title=test.replace(", ", ",\n"), xlabel="", ylabel="")
    figure.supxlabel(plotting.STEPS, size=11, color=plotting.MUTED)
    figure.supylabel("accuracy", size=11, color=plotting.MUTED)
    return figure


def context(by_step: pd.DataFrame, measured: pd.DataFrame) -> Figure:
    """Draws bits per token by tokens shown, if they were measured, and accuracies about strangers by training step."""
    figure, (left, *others) = plotting.figure(1, 3, height=3.2)
    if "tokens_shown" in measured:
        shown = measured.dropna(subset="tokens_shown")
        plotting.curves(left, shown, "tokens_shown", "method", {RIVAL: plotting.RIVAL, OURS: plotting.OURS})
        left.set(xscale="log")
        plotting.plain_ticks(left, sorted(shown["tokens_shown"].unique()))
    left.set(title="more shown", xlabel="tokens shown", ylabel="bits per token (less is better)")
    titles = {"name": "the stranger's name", "fact": "a fact about them"}
    for axes, (what, title) in zip(others, titles.items(), strict=True):
        _by_step(axes, by_step[by_step["test"] == what], 0.1)
        axes.set(title=title, xlabel="training steps")
    return figure


def knowledge(by_step: pd.DataFrame, measured: pd.DataFrame, often: float) -> Figure:
    """Draws accuracies at facts by training step, and at the end by how often they were told: `often` is how often."""
    figure, (left, right) = plotting.figure(1, 2, height=3.6)
    on_the_way, known = (
        table.query("part == 'knowledge' and method == @OURS").replace({"words": {"familiar": FAMILIAR, "new": NEW}})
        for table in (by_step, measured)
    )
    names = {OFTEN: "told often", 3: "told 3 times", 0: "never told"}
    colours = dict(zip(names.values(), (plotting.OURS, plotting.PALETTE[6], plotting.SCRATCH), strict=True))
    _by_step(left, on_the_way.replace({"times_told": names}), 0.1, "times_told", colours)
    known = known.sort_values("times_told", key=lambda told: told.replace({OFTEN: often}).astype(float), kind="stable")
    known = known.replace({"times_told": {OFTEN: f"{often:.0f} or so"}})
    plotting.dots(right, known, "times_told", "words", {FAMILIAR: plotting.OURS, NEW: plotting.PALETTE[5]})
    right.axvline(0.1, color=plotting.CHANCE, ls=":")
    left.set(title="on the way, familiar words", xlabel=plotting.STEPS)
    right.set(title="at the end", xlabel="accuracy", ylabel="times told in training", xlim=(-0.03, 1.03))
    return figure


def objectives(trained: Mapping[str, pd.DataFrame]) -> Figure:
    """Draws means and single seeds at the four tasks, a row of panels for each table of task, method and value."""
    colours = {NEXT: plotting.OURS, HIDDEN: plotting.OTHER, COUNTING: plotting.RIVAL, UNTRAINED: plotting.UNTRAINED}
    figure, panels = plotting.figure(len(trained), 2, height=2.5 * len(trained), squeeze=False, width_ratios=[2, 1])
    for row, (name, found) in zip(panels, trained.items(), strict=True):
        each = found[["task", "method", "value"]].replace({"method": dict.fromkeys((NGRAM, WORDS), COUNTING)})
        each = each.assign(low=math.nan, high=math.nan)  # no interval but the seeds
        for axes, chosen in zip(row, (each["task"] != WRITING, each["task"] == WRITING), strict=True):
            means = each[chosen].groupby(["task", "method"], sort=False, as_index=False).mean()
            plotting.dots(axes, means, "task", "method", colours, each[chosen])
        row[0].set(title=name, xlabel="accuracy", xlim=(-0.03, 1.03))
        row[1].set(xlabel="bits per token\nabove real text", xlim=(min(0, row[1].get_xlim()[0]), None))
    return figure


def scaling(grid: pd.DataFrame, law: ScalingLaw, largest: Forecast) -> Figure:
    """Draws the runs of a grid, the fitted curve, and the intervals that were predicted for the largest model."""
    figure, axes = plotting.figure(height=3.8)
    sizes = sorted(grid["parameters"].unique())
    text = np.geomspace(grid["tokens"].min(), grid["tokens"].max(), 20)
    for strength, parameters in enumerate(sizes, start=1):
        runs, alpha = grid[grid["parameters"] == parameters], strength / len(sizes)
        axes.plot(runs["tokens"] / 1e6, runs["value"], "o", color=plotting.OURS, alpha=alpha)
        curve = law(parameters, text)
        axes.plot(text / 1e6, curve, lw=1.2, color=plotting.OURS, alpha=alpha)
        label = f"{parameters / 1e6:.2f} million parameters"
        axes.text(1.06 * text[-1] / 1e6, curve[-1], label, color=plotting.OURS, size=9, va="center")
    span = {"color": plotting.MUTED, "lw": 6, "alpha": 0.4, "zorder": 0, "label": "predicted for the largest model"}
    axes.vlines(grid[grid["parameters"] == sizes[-1]]["tokens"] / 1e6, *largest.bounds, **span)
    axes.set(xscale="log", xlabel="million tokens read", ylabel="bits per byte, pydocs", xlim=(0.18, 3.6))
    plotting.plain_ticks(axes, [0.2, 0.5, 1, 2])
    return figure


def _by_step(
    axes: Axes, table: pd.DataFrame, chance: float, series: str = "method", colours: Mapping[str, str] | None = None
) -> None:
    """Draws accuracies by training step."""
    plotting.curves(axes, table, "step", series, colours or {OURS: plotting.OURS})
    axes.axhline(chance, color=plotting.CHANCE, ls=":", label="chance")
    plotting.step_axis(axes, sorted(table["step"].unique()))
    axes.set(ylabel="accuracy", ylim=(-0.03, 1.03))
