"""Where did this number come from? Measurements with their intervals, predictions, verdicts, and what made them.

A chapter opens one `Record`, adds what it predicts, measures and concludes, and saves it into the run's `results.json`,
from which pages, the index and comparisons are made. No name of a measurement is read apart: see `Measurement.about`.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from html import escape
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

from helpers import files
from helpers.machine import environment, measured_gflops, peak_memory_mb
from helpers.profiles import Profile, calibrate
from helpers.progress import aside
from helpers.statistics import Interval, gap_interval, mean_interval, ratio_interval, share_interval

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

VERDICTS = ("supported", "refuted", "not distinguishable")
DEPENDS = "depends on "  # how a verdict begins that no single word can give
OUTCOMES = ("held", "missed", "undecided")  # of a prediction
# At this profile models have read next to nothing: what comes out shows that all runs, and is not judged.
UNPROVEN = "smoke"
NOT_JUDGED = f"not judged at {UNPROVEN}"
NOTHING_PROVEN = f"Profile {UNPROVEN} shows that everything runs. It proves nothing: its models have hardly read."
ACCURACY = "accuracy"
BOUNDED = (ACCURACY, "share", "macro-F1")  # how units begin that cannot leave 0 and 1
# MIME type of a record in a notebook's output, from which the exporter makes the box at the head of the page.
RECORD_MIME = "application/vnd.workbook.record+json"


@dataclass(frozen=True)
class Measurement:
    """One number and what stands behind it. Its name is unique in its chapter, and never read apart."""

    name: str
    value: float
    unit: str
    interval: Interval | None = None  # None where nothing was sampled
    n: int | None = None  # how many units were sampled (the clusters, where there are clusters)
    seeds: tuple[int, ...] = ()
    null: float | None = None  # what the number would be if there were nothing to find
    about: dict[str, Any] = field(default_factory=dict)  # what tells it from others, by column: task, method, size

    def __format__(self, spec: str) -> str:
        """Formats the value, then its interval in brackets: `f"{m:.2f}"` gives `1.23 [1.20, 1.27]`."""
        return f"{self.value:{spec}}" + (f" [{self.low:{spec}}, {self.high:{spec}}]" if self.interval else "")

    @property
    def low(self) -> float:
        """The interval's lower end; the value itself without one."""
        return self.interval.low if self.interval else self.value

    @property
    def high(self) -> float:
        """The interval's upper end; the value itself without one."""
        return self.interval.high if self.interval else self.value

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Measurement:
        """Returns the measurement of which `dataclasses.asdict` made a dict."""
        interval = value["interval"] and Interval(**value["interval"])
        return cls(**value | {"interval": interval, "seeds": tuple(value["seeds"])})


def bounds(unit: str, null: float | None) -> tuple[float, float] | None:
    """Returns between what values of this unit lie: shares between 0 and 1, their gaps, whose null is 0, from -1 on.

    None of other units.
    """
    if not unit.startswith(BOUNDED):
        return None
    return (0.0 if null != 0 else -1.0, 1.0)


def frame(measurements: Iterable[Measurement]) -> pd.DataFrame:
    """Returns measurements as a tidy table, one a row.

    Its columns are `name`, `value`, `low`, `high` (NaN without an interval), `unit`, `n`, `null`, and one for each key
    of `about`, None where a measurement lacks it.
    """
    import pandas as pd

    ends = ((m, (m.low, m.high) if m.interval else (math.nan, math.nan)) for m in measurements)
    return pd.DataFrame(
        {"name": m.name, "value": m.value, "low": low, "high": high, "unit": m.unit, "n": m.n, "null": m.null} | m.about
        for m, (low, high) in ends
    )


def pick(measurements: Iterable[Measurement], **about: Any) -> list[Measurement]:
    """Returns those that are about all of this, whatever else they are about."""
    return [found for found in measurements if about.items() <= found.about.items()]


@dataclass
class Prediction:
    """What was expected before it was measured, and what came of it."""

    text: str
    rule: str  # when it counts as held, missed or undecided
    above: float | None = None  # each measurement it is judged by should lie above this; or `below` that
    below: float | None = None
    outcome: str = ""  # one of `OUTCOMES`, or `NOT_JUDGED`; empty until it is judged
    why: str = ""  # of a missed one, the reason in a sentence

    def judge(self, found: Sequence[Measurement], held: bool | None) -> str:
        """Returns the outcome: by the bound and the intervals, or, without a bound, what the caller found."""
        if self.above is None and self.below is None:
            return "undecided" if held is None else "held" if held else "missed"
        if self.above is not None:
            bound, ends = self.above, [(m.low, m.high) for m in found]
        else:
            bound, ends = -(self.below or 0.0), [(-m.high, -m.low) for m in found]
        near, far = map(min, zip(*ends, strict=True))  # the least of the nearer ends, and of the farther
        return "held" if near > bound else "missed" if far < bound else "undecided"

    def _repr_html_(self) -> str:
        why = f" Why: {escape(self.why)}" if self.why else ""
        return (
            f'<p class="prediction"><strong>{f"Prediction {self.outcome}".strip()}.</strong> '
            f"{escape(self.text)} <small>({escape(self.rule)})</small>{why}</p>"
        )


@dataclass(frozen=True)
class Verdict:
    """What a chapter concludes of a claim."""

    claim: str  # its label, `C1` to `C13`
    text: str
    here: str  # what our small models say: one of `VERDICTS`, `depends on` and what it depends on, or `NOT_JUDGED`
    because: str  # the evidence here, numbers computed; each line of it is shown as one
    at_scale: str  # what the literature found, with its source, and what would have to hold for ours to carry over
    real: str = ""  # what a real model, measured in the same way, says of it; empty where none was

    def __post_init__(self) -> None:
        if self.here not in (*VERDICTS, NOT_JUDGED) and not self.here.startswith(DEPENDS):
            raise ValueError(f"verdict {self.here!r} is not one of {VERDICTS} and does not begin with {DEPENDS!r}")

    @property
    def colour(self) -> str:
        """The class by which a page colours it."""
        return "depends" if self.here.startswith(DEPENDS) else self.here.replace(" ", "-")

    def _repr_html_(self) -> str:
        """Shows claim and evidence in a notebook and on its page."""
        return (
            f'<section class="verdict"><p class="small">{escape(self.claim)}</p>'
            f'<p class="claim">{escape(self.text)}</p>'
            f'<dl><div><dt>Here: <span class="{self.colour}">{escape(self.here)}</span></dt>'
            f"<dd>{escape(self.because)}</dd></div>"
            + (f"<div><dt>A real model</dt><dd>{escape(self.real)}</dd></div>" if self.real else "")
            + f"<div><dt>At scale</dt><dd>{escape(self.at_scale)}</dd></div></dl></section>"
        )


@dataclass
class Record:
    """What one chapter of one run found."""

    chapter: str  # the notebook's name without its ending, such as `01_pretraining`
    profile: Profile
    run: str = ""  # the run's name; empty means the profile's
    parameters: dict[str, Any] = field(default_factory=dict)  # what else was asked for: seed, model, corpus, overrides
    measurements: dict[str, Measurement] = field(default_factory=dict)
    predictions: dict[str, Prediction] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)  # of corpora, tokenizer and models, by name
    _started: float = field(default_factory=time.perf_counter, repr=False)

    @property
    def folder(self) -> Path:
        """The run's folder under `results/`."""
        return files.RESULTS / (self.run or self.profile.name)

    @property
    def unproven(self) -> str:
        """What has to be said where numbers of this profile are shown; empty where they are judged."""
        return NOTHING_PROVEN if self.profile.name == UNPROVEN else ""

    def measure(
        self,
        name: str,
        value: float,
        unit: str,
        *,
        interval: Interval | None = None,
        n: int | None = None,
        groups: Sequence[Hashable] = (),
        seeds: Sequence[int] = (),
        null: float | None = None,
        **about: Any,
    ) -> Measurement:
        """Adds a measurement, a finite number; see `Measurement`. A second one of the same name replaces it.

        The groups are what was sampled, each row's, where there are rows; they say `n`.
        """
        if not math.isfinite(value):
            raise ValueError(f"measurement {name!r} is {value}")
        made = Measurement(name, float(value), unit, interval, len(set(groups)) or n, tuple(seeds), null, about)
        self.measurements[name] = made
        return made

    def share(
        self,
        name: str,
        credits: np.ndarray,
        groups: Sequence[Hashable],
        *,
        unit: str = ACCURACY,
        seed_of: Sequence[int] = (),
        **more: Any,
    ) -> Measurement:
        """Adds a share of successes, such as an accuracy, with an interval over groups where there are two of them.

        A row's credit is 1 for a success, 0 for a failure, a fraction for a tie; its group is what was sampled: its
        person, its module. Where rows are of several seeds, `seed_of` has each one's: then the interval is of both.
        `more` are seeds, null, and what it is about, as for `measure`.
        """
        more = {"seeds": tuple(dict.fromkeys(seed_of))} | more
        interval = share_interval(credits, groups, seed_of)
        return self.measure(name, credits.mean(), unit, interval=interval, groups=groups, **more)

    def gap(
        self,
        name: str,
        ones: np.ndarray,
        others: np.ndarray,
        groups: Sequence[Hashable],
        *,
        unit: str = ACCURACY,
        seed_of: Sequence[int] = (),
        **more: Any,
    ) -> Measurement:
        """Adds how far a share is above another of the same rows: what the credits say, (rows,); else like `share`."""
        more = {"seeds": tuple(dict.fromkeys(seed_of))} | more
        interval = gap_interval(ones, others, groups, seed_of)
        value = (ones - others).mean()
        return self.measure(name, value, unit, interval=interval, groups=groups, null=0.0, **more)

    def mean(self, name: str, values: np.ndarray, groups: Sequence[Hashable], unit: str, **more: Any) -> Measurement:
        """Adds a mean of values, (rows,), that are no credits, such as bits or their differences; else like `share`."""
        interval = ratio_interval(values, [1.0] * len(values), groups)
        return self.measure(name, values.mean(), unit, interval=interval, groups=groups, **more)

    def over_seeds(
        self, name: str, values: Sequence[float], unit: str, *, seeds: Sequence[int], **more: Any
    ) -> Measurement:
        """Adds the mean of one value a seed, with its t interval; there are at least two. `more` is as for `share`."""
        mean, interval = mean_interval(values, bounds(unit, more.get("null")))
        return self.measure(name, mean, unit, interval=interval, n=len(values), seeds=seeds, **more)

    def find(self, **about: Any) -> Measurement:
        """Returns the one measurement that is about all of this and nothing more; a KeyError if that is not one."""
        found = [m for m in self.measurements.values() if m.about == about]
        if len(found) != 1:
            raise KeyError(f"{len(found)} measurements are about {about}")
        return found[0]

    def frame(self) -> pd.DataFrame:
        """Returns the measurements as `records.frame` does."""
        return frame(self.measurements.values())

    def predict(
        self, key: str, text: str, *, above: float | None = None, below: float | None = None, rule: str = ""
    ) -> Prediction:
        """Notes what is expected before it is measured, under a key by which `judge` finds it.

        A bound gives the rule: held if each interval lies above it (or below), missed if one lies on the other side.
        Where it is no bound, `rule` says it in words: one of the three is given.
        """
        if (above is not None) + (below is not None) + bool(rule) != 1:
            raise ValueError(f"prediction {key!r}: give one of above, below and rule")
        if not rule:
            side, other, bound = ("above", "below", above) if above is not None else ("below", "above", below)
            rule = f"held if every interval lies {side} {bound:g}, missed if one lies {other} it"
        self.predictions[key] = Prediction(text, rule, above, below)
        return self.predictions[key]

    def judge(self, key: str, *found: Measurement, held: bool | None = None, why: str = "") -> Prediction:
        """Judges a prediction by its rule, and shows it as the output of a cell that ends with this call.

        With a bound it is judged by the measurements; with a rule in words by `held`, None if that cannot be told.
        `why` is shown only if it was missed. At `smoke` nothing is judged.
        """
        prediction = self.predictions[key]
        outcome = prediction.judge(found, held)
        prediction.outcome = NOT_JUDGED if self.unproven else outcome
        prediction.why = (why or "not known.") if prediction.outcome == "missed" else ""
        return prediction

    def predicted(self) -> pd.DataFrame:
        """Returns a table of all predictions with their outcomes, for the end of a chapter."""
        import pandas as pd

        table = pd.DataFrame(map(asdict, self.predictions.values())).rename(columns={"text": "prediction"})
        return table.reindex(columns=["prediction", "outcome", "why", "rule"])

    @property
    def outcomes(self) -> dict[str, str]:
        """What came of each prediction so far, by its key."""
        return {key: prediction.outcome for key, prediction in self.predictions.items()}

    def say(self, text: str, **values: Any) -> None:
        """Displays Markdown in which `{name:.2f}` is the measurement of that name, in this format, with its interval.

        `{name!v:.2f}` is its value alone. A prediction's name gives its outcome. Further names are those of `values`:
        numbers or texts that are no measurements, or measurements under shorter names.
        """
        from IPython.display import Markdown, display

        display(Markdown(_Sentence(self.outcomes | self.measurements | values).format(text)))

    def conclude(self, claim: str, text: str, here: str, because: str, at_scale: str, real: str = "") -> Verdict:
        """Adds a verdict; see `Verdict` for the arguments. At `smoke` none is given, whatever is `here`."""
        verdict = Verdict(claim, text, here, because, at_scale, real)
        not_judged = replace(verdict, here=NOT_JUDGED, because=self.unproven, real="")
        self.verdicts[claim] = not_judged if self.unproven else verdict
        return self.verdicts[claim]

    def as_dict(self) -> dict[str, Any]:
        """Returns the record as plain JSON values, with the environment and the cost so far."""
        found = asdict(self)
        shown = {key: files.shown(of) if isinstance(of, str) else of for key, of in self.parameters.items()}
        own = ("parameters", "measurements", "predictions", "verdicts", "fingerprints")
        cost: dict[str, Any] = {
            "seconds": round(time.perf_counter() - self._started, 1),
            "peak_memory_mb": round(peak_memory_mb()),
            "calibration_gflops": round(calibrate(), 1),
        }
        if gflops := measured_gflops():
            cost["matrix_gflops"] = gflops
        made_by = {"environment": environment(), "cost": cost}
        about = {"profile": self.profile.name, "sizes": found["profile"]}
        # A page that is shared names files, not whose home they lie in.
        return about | {key: found[key] for key in own} | {"parameters": shown} | made_by

    def save(self) -> Path:
        """Writes the record into the run's `results.json`, which it returns, in place of the chapter's earlier one.

        A notebook says how to get its page: what it shows can be read from its file alone, once that is saved.
        """
        path = self.folder / "results.json"
        chapters = chapters_of(self.folder) | {self.chapter: self.as_dict()}
        files.write_json(path, {"format": 1, "chapters": dict(sorted(chapters.items()))})
        page = Path(files.RESULTS.name, self.folder.name, f"{self.chapter}.html")  # a shared notebook names no home
        aside(
            f"**Save this notebook** (Ctrl+S, ⌘S), and its page is made: `{page}`. Where `make lab` did not open it, "
            "save it and call `python -m helpers export` with its name."
        )
        return path

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Shows where the chapter's numbers came from, and the numbers, folded; displayed at the chapter's end."""
        record = json.loads(json.dumps(self.as_dict()))
        text = f"the record of {self.chapter}"
        own = {"chapter": self.chapter, "run": self.folder.name}
        return {"text/html": _provenance(record), RECORD_MIME: record | own, "text/plain": text}


class _Sentence(Formatter):
    """Fills a text from a mapping whose keys may hold any character but `{`, `}`, `!` and `:`."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> tuple[Any, str]:
        """Looks the whole field up; dots in it are no attributes."""
        return self.values[field_name], field_name

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        """Turns a measurement into its value for `!v`."""
        return value.value if conversion == "v" else super().convert_field(value, conversion)


def _provenance(record: dict[str, Any]) -> str:
    """Returns what made a record's numbers, and the numbers in a folded table, as HTML."""
    import pandas as pd

    environment, cost = record["environment"], record["cost"]
    lines = {
        "profile": record["profile"],
        "parameters": _joined(record["parameters"]),
        "fingerprints": _joined(record["fingerprints"]),
        "versions": f"Python {environment['python']}, {_joined(environment['libraries'])}",
        "machine": f"{environment['processor']}, {environment['platform']}, {environment['threads']} threads, "
        f"{cost['calibration_gflops']} GFLOP/s in the calibration",
        "arithmetic": _arithmetic(environment.get("arithmetic"), cost.get("matrix_gflops")),
        "commit": environment["commit"] or "unknown",
        "cost": f"{cost['seconds']:.0f} seconds, at most {cost['peak_memory_mb']:,.0f} MB of memory",
    }
    listed = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in lines.items() if value)
    rows = [
        (m.name, f"{m:.4g}", m.unit, "–" if m.n is None else f"{m.n:,}", "–" if m.null is None else f"{m.null:.4g}")
        for m in map(Measurement.from_dict, record["measurements"].values())
    ]
    table = pd.DataFrame(rows, columns=["measurement", "value and interval", "unit", "n", "null"])
    with pd.option_context("display.max_colwidth", None):
        html = table.set_index("measurement").to_html(border=0)
    return (
        f'<section class="record"><dl>{listed}</dl><details>'
        f"<summary>All {len(table)} measurements</summary>{html}</details></section>"
    )


def _arithmetic(chosen: str | None, gflops: dict[str, float] | None) -> str:
    """Says in what the real model was trained and wrote, and what was measured; nothing where it did not."""
    rates = f", measured in GFLOP/s: {_joined(gflops)}" if gflops else ""
    return f"{chosen} where rounding is no matter{rates}" if chosen else ""


def _joined(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def load_results(path: Path) -> dict[str, Any]:
    """Reads a `results.json`, or that of a run's folder.

    Returns:
        `{"format": 1, "chapters": {chapter: record}}`, each record as `Record.as_dict` makes it.

    Raises:
        WorkbookError: the file is absent, not JSON, or of another format.
    """
    path = path / "results.json" if path.is_dir() else path
    if not path.exists():
        raise files.at(path, "there is no such record", "Make one with `make run`, or name another run.")
    results = files.read_json(path, "Delete it and run again.")
    chapters = results.get("chapters") if isinstance(results, dict) and results.get("format") == 1 else None
    if not isinstance(chapters, dict) or not all(isinstance(record, dict) for record in chapters.values()):
        raise files.at(path, "not a record of this workbook's format 1", "Run again with this version.")
    return results


def chapters_of(run: Path) -> dict[str, Any]:
    """Returns the records in a run's `results.json` by chapter; none if there is no such file yet."""
    path = run / "results.json"
    return load_results(path)["chapters"] if path.exists() else {}


def withdraw(run: Path, chapter: str) -> None:
    """Removes a chapter from a run's `results.json`: it failed since, and must not pass for complete."""
    chapters = chapters_of(run)
    if chapters.pop(chapter, None):
        files.write_json(run / "results.json", {"format": 1, "chapters": chapters})
