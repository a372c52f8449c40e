"""The figures of chapter 09: tables go in, a figure comes out, which the notebook shows with its caption."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from helpers import plotting
from helpers.evaluation.assay import logit, sigmoid
from helpers.evaluation.dose import COREFERENCE, COUNTED, GENERATION, LOG_ODDS, PROBABILITY, QUESTION
from helpers.experiments.bias.mitigation import AT_ONCE, HELD_OUT, RELAPSED, TREATED
from helpers.experiments.bias.published import DOCSTRINGS, SHORTER, TOWN, UNTRAINED, WORD_BY_WORD
from helpers.experiments.bias.real import BASE, REAL

PANELS = {
    "how likely is each pronoun?": (LOG_ODDS, PROBABILITY, QUESTION),
    "which is likelier, or written?": (COUNTED, COREFERENCE, GENERATION),
}
METERS = {
    LOG_ODDS: plotting.OURS,
    PROBABILITY: plotting.OTHER,
    QUESTION: plotting.UNTRAINED,
    COUNTED: plotting.RIVAL,
    COREFERENCE: plotting.SCRATCH,
    GENERATION: plotting.PALETTE[5],
}
JUDGES = {
    REAL: plotting.OTHER,
    BASE: plotting.OURS,
    DOCSTRINGS: plotting.SCRATCH,
    TOWN: plotting.PALETTE[5],
    WORD_BY_WORD: plotting.PALETTE[6],
    SHORTER: plotting.RIVAL,
    UNTRAINED: plotting.UNTRAINED,
}
SERIES = {
    f"{TREATED}, {AT_ONCE}": plotting.OURS,
    f"{HELD_OUT}, {AT_ONCE}": plotting.SCRATCH,
    f"{TREATED}, {RELAPSED}": plotting.OTHER,
    f"{HELD_OUT}, {RELAPSED}": plotting.RIVAL,
}
"""The colour of each meter, judge, and group of occupations."""


def as_doses(found: pd.DataFrame) -> pd.DataFrame:
    """Returns readings with those in log-odds turned into doses."""
    columns = [name for name in ("value", "low", "high") if name in found]
    nats = found["meter"] == LOG_ODDS
    return found.assign(**{name: np.where(nats, sigmoid(found[name].to_numpy()), found[name]) for name in columns})


def response(found: pd.DataFrame, each: pd.DataFrame) -> Figure:
    """Draws what each meter reads at each dose: means over seeds, and each seed faint."""
    figure, panels = plotting.figure(1, 2, height=3.6, sharey=True)
    found, each = as_doses(found), as_doses(each)
    for axes, (title, meters) in zip(panels, PANELS.items(), strict=True):
        axes.plot([0, 1], [0, 1], color=plotting.FLOOR, ls="--", lw=1.2, label="the dose itself", zorder=1)
        of = {meter: METERS[meter] for meter in meters}
        beside = {meter: 0.012 * (place - 1) for place, meter in enumerate(meters)}  # or bars hide one another
        mine, single = (rows.assign(place=rows["dose"] + rows["meter"].map(beside)) for rows in (found, each))
        plotting.curves(axes, mine, "place", "meter", of, single)
        axes.set(title=title, xlabel="dose in the text", xlim=(0, 1), ylim=(-0.03, 1.03))
    panels[0].set_ylabel("reading")
    return figure


def benchmarks(found: pd.DataFrame) -> Figure:
    """Draws the share of each published meter by judge."""
    figure, axes = plotting.figure(height=max(3.0, 0.75 * found["meter"].nunique() + 0.6))
    plotting.dots(axes, found, "meter", "judge", JUDGES)
    plotting.level(axes, 0.5, "one half", plotting.CHANCE, upright=True)
    axes.set(xlabel="share of items in which the stereotyped option is preferred (grammar: the right one)")
    return figure


def occupations(women: Mapping[str, float], nats: Mapping[str, np.ndarray]) -> Figure:
    """Draws how models speak of occupations against the share of women in them: a panel for each model."""
    figure, panels = plotting.figure(1, len(nats), height=3.4, sharey=True, squeeze=False)
    shares = np.array(list(women.values()))
    for axes, (who, of) in zip(panels[0], nats.items(), strict=True):
        axes.plot(logit(shares), of, "o", ms=5, alpha=0.7, color=JUDGES[who])
        ends = np.array([logit(shares).min(), logit(shares).max()])
        axes.plot(ends, ends, color=plotting.FLOOR, ls="--", lw=1.2, label="as the statistics have it")
        slope, offset = np.polyfit(logit(shares), of, 1)
        axes.plot(ends, slope * ends + offset, color=JUDGES[who], lw=2)
        places = np.array([0.02, 0.1, 0.5, 0.9, 0.98])
        axes.set_xticks(logit(places), [f"{place:.0%}" for place in places])
        axes.set(title=who, xlabel="women in the occupation (log-odds scale)")
    panels[0][0].set_ylabel("nats for she over he")
    return figure


def treatments(found: pd.DataFrame) -> Figure:
    """Draws what two meters read after each way to treat a model, at once and after harmless training."""
    figure, panels = plotting.figure(1, 2, height=4.4, sharey=True)
    found = found.assign(series=found["occupations"] + ", " + found["when"])
    least = min(0.4, found["low"].min() - 0.02)  # a treatment can turn a bias round
    for axes, meter in zip(panels, (LOG_ODDS, QUESTION), strict=True):
        plotting.dots(axes, found[found["meter"] == meter], "way", "series", SERIES)
        plotting.level(axes, 0.5, "no bias", plotting.CHANCE, upright=True)
        axes.set(title=f"read by {meter}", xlabel="reading, as a dose", xlim=(least, 1.02))
    return figure
