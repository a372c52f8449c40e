"""What follows for claim C12: the rules by which chapter 09 decides, and tables that say in words what was measured."""

from collections.abc import Iterable, Sequence
from itertools import product

import pandas as pd

from helpers.evaluation.assay import Assay, logit
from helpers.evaluation.dose import LOG_ODDS, QUESTION
from helpers.experiments.bias.dose import NATS
from helpers.experiments.bias.mitigation import AT_ONCE, HELD_OUT, NONE, RELAPSED, SHAM, TREATED, WAYS
from helpers.experiments.bias.published import CLEAN, CROWS, MATCHED, NULL, OTHER_LENGTHS, PRONOUN, STATISTICS
from helpers.experiments.study import Findings
from helpers.records import DEPENDS, Measurement, pick
from helpers.statistics import mean_interval

GONE = 0.6
"""A reading nearer to one half than this, as a dose, with its interval, counts as no bias left."""

PARTS = (TREATED, HELD_OUT)
COLUMNS = ("way", "occupations", "when", "meter")


def shares(found: Iterable[Measurement], **about: str) -> list[Measurement]:
    """Returns the shares of whole meters: what is about all of this, and neither about a part nor beside a rival."""
    return [of for of in pick(found, **about) if "meter" in of.about and not {"part", "rival"} & of.about.keys()]


def added(found: Iterable[Measurement], **about: str) -> list[Measurement]:
    """Returns what judges add to nulls in whole meters."""
    return [of for of in pick(found, **about) if "rival" in of.about and "part" not in of.about]


def by_category(found: Sequence[Measurement], judge: str) -> pd.DataFrame:
    """Returns CrowS-Pairs by category: a judge's share, the null's, what is added, and that in words, with its p."""
    of_judge, lines = [of for of in pick(found, meter=CROWS, judge=judge) if "part" in of.about], {}
    for share in _categories(of_judge):
        part = share.about["part"]
        (gap,), (p,) = (pick(of_judge, part=part, **more) for more in ({"rival": NULL}, {"metric": "Holm"}))
        says = "not distinguishable" if p.value >= 0.05 else "above its null" if gap.value > 0 else "below its null"
        lines[part] = [f"{share:.0%}", f"{share.null:.0%}", f"{gap:+.0%}", f"{says}, p {p.value:.2f}"]
    columns = [judge, NULL, "added", "so, p by Holm"]
    return pd.DataFrame.from_dict(lines, orient="index", columns=columns)


def highest(found: Sequence[Measurement], judge: str) -> Measurement:
    """Returns a judge's share of the category of CrowS-Pairs in which it is largest."""
    return max(_categories(pick(found, meter=CROWS, judge=judge)), key=lambda share: share.value)


def _categories(found: Iterable[Measurement]) -> list[Measurement]:
    """Returns the shares of categories among what is about parts of CrowS-Pairs."""
    plain = [of for of in found if "part" in of.about and not {"rival", "metric"} & of.about.keys()]
    return [of for of in plain if of.about["part"] not in (MATCHED, OTHER_LENGTHS, CLEAN)]


def gone(means: Iterable[Measurement]) -> dict[str, list[str]]:
    """Returns which treatments leave no bias by log-odds and question: on treated occupations at once; and everywhere.

    Everywhere is on held-out occupations, too, and after harmless training; and the treatment's sham does not do it.
    """
    ends = {tuple(of.about[name] for name in COLUMNS): (of.low, of.high) for of in means if {*COLUMNS} <= {*of.about}}

    def none_left(way: str, which: Sequence[str], when: Sequence[str]) -> bool:
        wanted = [ends.get(of, (0.0, 1.0)) for of in product([way], which, when, [LOG_ODDS, QUESTION])]
        return all(low > 1 - GONE and high < GONE for low, high in wanted)

    shams = {way: f"{way}, {SHAM}" for way in WAYS}
    tested = [way for way in WAYS if any(of[0] == shams[way] for of in ends)]
    once = [way for way in tested if none_left(way, [TREATED], [AT_ONCE])]
    once = [way for way in once if not none_left(shams[way], [TREATED], [AT_ONCE])]
    return {AT_ONCE: once, RELAPSED: [way for way in once if none_left(way, PARTS, [AT_ONCE, RELAPSED])]}


def decide(log_odds: Assay, left: dict[str, list[str]]) -> tuple[str, list[str]]:
    """Returns the verdict on C12 by the chapter's rule, and the sentences behind it."""
    low, high = log_odds.slope.interval.low, log_odds.slope.interval.high
    takes, reduced = low > 0.5, bool(left[RELAPSED])
    because = [
        f"Taken up: log-odds rise by {log_odds.slope.value:.2f} [{low:.2f}, {high:.2f}] where the dose's rise by one. "
        f"Reduced everywhere, and for good: by {', '.join(left[RELAPSED]) or 'no treatment that was tried'}.",
        f"Reduced on the treated occupations, at once, by two meters: {', '.join(left[AT_ONCE]) or 'by no treatment'}.",
    ]
    if takes and reduced:
        return "supported", because
    if high < 0.5 and not left[AT_ONCE]:
        return "refuted", because
    part = "reduced only in part" if left[AT_ONCE] else "not reduced by what was tried"
    return f"{DEPENDS}the half: {'taken up' if takes else 'hardly taken up'}, but {part}", because


def rung(found: Sequence[Measurement], treated: Sequence[Measurement], judge: str) -> str:
    """Returns what a real model says of the claim, in sentences, one a line."""
    (slope,) = pick(found, metric="slope", judge=judge, part=STATISTICS)
    lines = [f"{judge}: log-odds against the labour statistics, slope {slope:.2f}; the dose of its text is not known."]
    for meter in (CROWS, PRONOUN):
        (share,), (gap,) = shares(found, meter=meter, judge=judge), added(found, meter=meter, judge=judge, rival=NULL)
        lines.append(f"{meter}: {share:.1%}; the null {share.null:.1%}; added {gap:+.1%}.")
    for way in dict.fromkeys(of.about["way"] for of in treated if of.about.get("metric") == "slope"):
        of_way = {of.about["part"]: of for of in pick(treated, metric="slope", way=way)}
        lines.append(f"Slope after {way}: " + ", ".join(f"{part} {of_way[part]:.2f}" for part in PARTS) + ".")
    return "\n".join(lines)


def rises(found: Findings, way: str, which: str) -> tuple[Measurement, Measurement, Measurement]:
    """Returns how many nats log-odds gain by harmless training, of a treated model, of an untreated one, and the rest.

    The rest is the relapse: what is not done to any model. All are means over seeds with t intervals.
    """
    rows = found.frame().query("meter == @LOG_ODDS and occupations == @which")
    nats = rows.assign(nats=logit(rows["value"].to_numpy())).pivot(index="seed", columns=["way", "when"], values="nats")
    own, untreated = (nats[each, RELAPSED] - nats[each, AT_ONCE] for each in (way, NONE))
    seeds = tuple(map(int, nats.index))
    means = (
        (name, mean_interval(list(of))) for name, of in (("own", own), ("any", untreated), ("rest", own - untreated))
    )
    own_rise, any_rise, rest = (Measurement(name, mean, NATS, t, len(seeds), seeds) for name, (mean, t) in means)
    return own_rise, any_rise, rest
