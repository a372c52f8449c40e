"""The figures of chapter 03: tables go in, a figure comes out, which the notebook shows with its caption."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from helpers import plotting
from helpers.evaluation.classification import PAIRS, WORDS
from helpers.experiments.transfer import size
from helpers.experiments.transfer.domains import FROM_SCRATCH, FROM_TRAINED, DomainRun
from helpers.experiments.transfer.grid import RANDOM, TRAINED
from helpers.experiments.transfer.study import ORDERED, SHUFFLED
from helpers.training.finetuning import FROZEN, FULL, LORA, SCRATCH

COLOURS = {
    WORDS: plotting.PALETTE[6],
    PAIRS: plotting.RIVAL,
    SCRATCH: plotting.SCRATCH,
    FROZEN: plotting.PALETTE[5],
    LORA: plotting.OTHER,
    FULL: plotting.OURS,
    RANDOM: plotting.UNTRAINED,
    TRAINED: plotting.OURS,
    size.FULL_BASE: plotting.OURS,
    size.RANDOM: plotting.UNTRAINED,
    size.SURPRISE: plotting.FLOOR,
    size.PROBE: plotting.PALETTE[5],
    size.LORA: plotting.OTHER,
}
"""The colour of each method and start."""

STARTS = {SCRATCH: plotting.SCRATCH, SHUFFLED: plotting.UNTRAINED, ORDERED: plotting.OURS}
"""The colour of each start of the study of shuffled text."""


def curves(found: pd.DataFrame, x: str, series: str, drawn: Sequence[str], each: pd.DataFrame) -> Figure:
    """Draws accuracies over a column `x`: a panel for each task, a curve for each of the `drawn` values of `series`.

    Both tables are as `records.frame` gives them; those of `each` are drawn faint.
    """
    figure, panels = plotting.figure(1, found["task"].nunique(), height=3.6, squeeze=False)
    beside = {who: 1.07 ** (i - (len(drawn) - 1) / 2) for i, who in enumerate(drawn)}  # or intervals hide one another
    found, each = (rows.assign(place=rows[x] * rows[series].map(beside)) for rows in (found, each))
    colours = {who: COLOURS[who] for who in drawn}
    for axes, (task, of_task) in zip(panels[0], found.groupby("task", sort=False), strict=True):
        plotting.curves(axes, of_task, "place", series, colours, each[each["task"] == task])
        plotting.level(axes, of_task["null"].iloc[0], "chance", plotting.CHANCE)
        axes.set(title=task, ylabel="accuracy", xlabel=x, xscale="log" if x == "labels" else "linear")
        plotting.plain_ticks(axes, sorted(of_task[x].unique()))
    return figure


def shuffled(found: pd.DataFrame, each: pd.DataFrame) -> Figure:
    """Draws the accuracies that both pretrained starts and that from scratch reached in each task."""
    figure, axes = plotting.figure(height=2.6)
    ours, singles = (rows.query("metric == 'accuracy'") for rows in (found, each))
    plotting.dots(axes, ours, "task", "method", STARTS, singles)
    axes.set(xlabel=f"accuracy with {each['labels'].iloc[0]} labels")
    return figure


def domains(runs: Mapping[str, Mapping[str, DomainRun]]) -> Figure:
    """Draws bits per byte by training step: a panel for each domain, a curve for each start."""
    figure, panels = plotting.figure(1, len(runs), height=3.4, sharey=True)
    for axes, (name, of) in zip(panels, runs.items(), strict=True):
        for start, colour in {FROM_SCRATCH: plotting.SCRATCH, FROM_TRAINED: plotting.OURS}.items():
            axes.plot(list(of[start].bits), list(of[start].bits.values()), marker="o", ms=4, color=colour, label=start)
        plotting.level(axes, list(of[FROM_SCRATCH].bits.values())[-1], "the goal", plotting.FLOOR)
        plotting.step_axis(axes, sorted(of[FROM_SCRATCH].bits))
        axes.set(title=name, xlabel=plotting.STEPS, ylim=(0, None))
    panels[0].set_ylabel("bits per byte")
    return figure
