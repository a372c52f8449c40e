"""Where did this number come from? Measurements with their intervals, predictions, verdicts, and what made them.

A chapter opens one `Record`, adds what it predicts, measures and concludes, and saves it into the run's `results.json`:
the one file from which pages, the index, README figures and comparisons are made. What a measurement is about (its
task, method, size) stands beside it as columns, so that nobody has to read it out of a name.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

from helpers import files
from helpers.machine import environment, peak_memory_mb
from helpers.profiles import Profile, calibrate
from helpers.statistics import Interval, mean_interval, ratio_interval, share_interval

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

VERDICTS = ("supported", "refuted", "not distinguishable")
DEPENDS = "depends on "
"""How a verdict begins that no single word can give."""

ACCURACY = "accuracy"
RECORD_MIME = "application/vnd.workbook.record+json"
"""MIME type of a record in a notebook's output, from which the exporter makes the box at the head of the page."""


@dataclass(frozen=True)
class Measurement:
    """One number and what stands behind it.

    Attributes:
        name: unique in its chapter; never read apart.
        value: the estimate.
        unit: its unit, in words.
        interval: None where nothing was sampled.
        n: how many units were sampled (the clusters of the bootstrap, where there are clusters).
        seeds: the seeds behind the number.
        null: what the number would be if there were nothing to find, or None.
        about: what tells it from the others, by column: its task, method, size.
    """

    name: str
    value: float
    unit: str
    interval: Interval | None = None
    n: int | None = None
    seeds: tuple[int, ...] = ()
    null: float | None = None
    about: dict[str, Any] = field(default_factory=dict)

    def __format__(self, spec: str) -> str:
        """Formats the value, then its interval in brackets: `f"{m:.2f}"` gives `1.23 [1.20, 1.27]`."""
        text = format(self.value, spec)
        if self.interval is not None:
            text += f" [{self.interval.low:{spec}}, {self.interval.high:{spec}}]"
        return text

    @property
    def low(self) -> float:
        """The interval's lower end; the value itself without one."""
        return self.value if self.interval is None else self.interval.low

    @property
    def high(self) -> float:
        """The interval's upper end; the value itself without one."""
        return self.value if self.interval is None else self.interval.high

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Measurement:
        """Returns the measurement of which `dataclasses.asdict` made a dict."""
        interval = value["interval"] and Interval(**value["interval"])
        return cls(**value | {"interval": interval, "seeds": tuple(value["seeds"])})


def frame(measurements: Iterable[Measurement]) -> pd.DataFrame:
    """Returns measurements as a tidy table, one a row.

    Returns:
        The columns `name`, `value`, `low`, `high` (NaN without an interval), `unit`, `n`, `null`, and one for each key
        of `about`, None where a measurement lacks it.
    """
    import pandas as pd

    rows = [
        {"name": m.name, "value": m.value}
        | ({"low": m.interval.low, "high": m.interval.high} if m.interval else {"low": math.nan, "high": math.nan})
        | {"unit": m.unit, "n": m.n, "null": m.null}
        | m.about
        for m in measurements
    ]
    return pd.DataFrame(rows)


@dataclass
class Prediction:
    """What was expected before it was measured, and what came of it.

    Attributes:
        text: what was expected, in a sentence.
        rule: when it counts as held, missed or undecided.
        above: each measurement it is judged by should lie above this, if not None.
        below: or below this.
        outcome: `held`, `missed` or `undecided`; empty until it is judged.
        why: of a missed one, the reason in a sentence, or `not known`.
    """

    text: str
    rule: str
    above: float | None = None
    below: float | None = None
    outcome: str = ""
    why: str = ""

    def judge(self, found: Sequence[Measurement], held: bool | None) -> str:
        """Returns the outcome: by the bound and the intervals, or, without a bound, what the caller found."""
        if self.above is None and self.below is None:
            return "undecided" if held is None else "held" if held else "missed"
        low, high = min(m.low for m in found), max(m.high for m in found)
        worst_high, worst_low = min(m.high for m in found), max(m.low for m in found)
        if self.above is not None:
            return "held" if low > self.above else "missed" if worst_high < self.above else "undecided"
        return "held" if high < (self.below or 0.0) else "missed" if worst_low > (self.below or 0.0) else "undecided"

    def _repr_html_(self) -> str:
        why = f" Why: {escape(self.why)}" if self.why else ""
        return (
            f'<p class="prediction"><strong>Prediction {self.outcome or "not yet judged"}.</strong> '
            f"{escape(self.text)} <small>({escape(self.rule)})</small>{why}</p>"
        )


@dataclass(frozen=True)
class Verdict:
    """What a chapter concludes of a claim.

    Attributes:
        claim: its label, `C1` to `C13`.
        text: the claim, in a sentence.
        here: what our small models say: one of `VERDICTS`, or `depends on` and what it depends on.
        because: the evidence here, numbers computed; each line of it is shown as one.
        at_scale: what the literature found, with its source, and what would have to hold for ours to carry over.
    """

    claim: str
    text: str
    here: str
    because: str
    at_scale: str

    def __post_init__(self) -> None:
        if self.here not in VERDICTS and not self.here.startswith(DEPENDS):
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
            f"<div><dt>At scale</dt><dd>{escape(self.at_scale)}</dd></div></dl></section>"
        )


@dataclass
class Record:
    """What one chapter of one run found.

    Attributes:
        chapter: the notebook's name without its ending, such as `01_pretraining`.
        profile: the run's sizes.
        run: the name of the run; its folder is `results/<run>`. Empty means the profile's name.
        parameters: what else was asked for: seed, model, corpus, overrides.
        measurements: by name.
        predictions: by key.
        verdicts: by claim.
        fingerprints: of corpora, tokenizer and models, by name.
    """

    chapter: str
    profile: Profile
    run: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    measurements: dict[str, Measurement] = field(default_factory=dict)
    predictions: dict[str, Prediction] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    _started: float = field(default_factory=time.perf_counter, repr=False)

    @property
    def folder(self) -> Path:
        """The run's folder under `results/`."""
        return files.RESULTS / (self.run or self.profile.name)

    def measure(
        self,
        name: str,
        value: float,
        unit: str,
        *,
        interval: Interval | None = None,
        n: int | None = None,
        seeds: Sequence[int] = (),
        null: float | None = None,
        **about: Any,
    ) -> Measurement:
        """Adds a measurement; see `Measurement` for the arguments. A second one of the same name replaces it.

        Raises:
            ValueError: the value is no finite number, which JSON could not hold and no reader could use.
        """
        if not math.isfinite(value):
            raise ValueError(f"measurement {name!r} is {value}")
        measurement = Measurement(name, float(value), unit, interval, n, tuple(seeds), null, about)
        self.measurements[name] = measurement
        return measurement

    def share(
        self,
        name: str,
        credits: np.ndarray,
        groups: Sequence[Hashable],
        *,
        unit: str = ACCURACY,
        seeds: Sequence[int] = (),
        null: float | None = None,
        **about: Any,
    ) -> Measurement:
        """Adds a share of successes, such as an accuracy, with an interval over groups where there are two of them.

        Args:
            name: of the measurement.
            credits: of each row, 1 for a success, 0 for a failure, a fraction for a tie; (rows,).
            groups: of each row, what was sampled: its person, its module.
            unit: as for `measure`, and so the others.
        """
        n = len(set(groups))
        interval = share_interval(credits, groups) if n > 1 else None
        return self.measure(name, credits.mean(), unit, interval=interval, n=n, seeds=seeds, null=null, **about)

    def gap(
        self,
        name: str,
        ones: np.ndarray,
        others: np.ndarray,
        groups: Sequence[Hashable],
        *,
        unit: str = ACCURACY,
        seeds: Sequence[int] = (),
        **about: Any,
    ) -> Measurement:
        """Adds how far the mean of some scores is above that of others of the same rows: paired, interval over groups.

        Args:
            name: of the measurement.
            ones: scores, (rows,).
            others: scores of the same rows by another method, (rows,).
            groups: of each row, what was sampled.
            unit: of the scores.
        """
        gap, n = ones - others, len(set(groups))
        interval = ratio_interval(gap, [1.0] * len(gap), groups) if n > 1 else None
        return self.measure(name, gap.mean(), unit, interval=interval, n=n, seeds=seeds, null=0.0, **about)

    def over_seeds(
        self,
        name: str,
        values: Sequence[float],
        unit: str,
        *,
        seeds: Sequence[int],
        null: float | None = None,
        **about: Any,
    ) -> Measurement:
        """Adds the mean of one value a seed, with its t interval; there are at least two."""
        mean, interval = mean_interval(values)
        return self.measure(name, mean, unit, interval=interval, n=len(values), seeds=seeds, null=null, **about)

    def find(self, **about: Any) -> Measurement:
        """Returns the one measurement that is about all of this and nothing more.

        Raises:
            KeyError: there is none, or there are several.
        """
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
        """Notes what is expected before it is measured; see `Prediction`.

        Args:
            key: by which `judge` finds it.
            text: what is expected.
            above: a bound, from which the rule follows: held if each interval lies above it, missed if one lies below.
            below: the same for the other side.
            rule: in words, where it is no bound.

        Raises:
            ValueError: not exactly one of `above`, `below` and `rule` is given.
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

        Args:
            key: of the prediction.
            found: what it is judged by, if it has a bound.
            held: whether it held, if its rule is in words; None if that cannot be told.
            why: why it was missed; it is shown only if it was.
        """
        prediction = self.predictions[key]
        prediction.outcome = prediction.judge(found, held)
        prediction.why = (why or "not known.") if prediction.outcome == "missed" else ""
        return prediction

    def predicted(self) -> pd.DataFrame:
        """Returns a table of all predictions with their outcomes, for the end of a chapter."""
        import pandas as pd

        rows = [
            {"prediction": p.text, "outcome": p.outcome, "why": p.why, "rule": p.rule}
            for p in self.predictions.values()
        ]
        return pd.DataFrame(rows)

    def say(self, text: str, **values: Any) -> None:
        """Displays Markdown in which `{name:.2f}` is the measurement of that name, in this format, with its interval.

        `{name!v:.2f}` is its value alone. A name may also be that of an argument; a prediction's gives its outcome.

        Args:
            text: Markdown.
            values: numbers or texts that are no measurements, or measurements under shorter names.
        """
        from IPython.display import Markdown, display

        outcomes = {key: prediction.outcome for key, prediction in self.predictions.items()}
        display(Markdown(_Sentence(outcomes | self.measurements | values).format(text)))

    def conclude(self, claim: str, text: str, here: str, because: str, at_scale: str) -> Verdict:
        """Adds a verdict; see `Verdict` for the arguments."""
        verdict = Verdict(claim, text, here, because, at_scale)
        self.verdicts[claim] = verdict
        return verdict

    def as_dict(self) -> dict[str, Any]:
        """Returns the record as plain JSON values, with the environment and the cost so far."""
        return {
            "profile": self.profile.name,
            "sizes": asdict(self.profile),
            "parameters": self.parameters,
            "measurements": {name: asdict(m) for name, m in self.measurements.items()},
            "predictions": {key: asdict(prediction) for key, prediction in self.predictions.items()},
            "verdicts": {claim: asdict(v) for claim, v in self.verdicts.items()},
            "fingerprints": self.fingerprints,
            "environment": environment(),
            "cost": {
                "seconds": round(time.perf_counter() - self._started, 1),
                "peak_memory_mb": round(peak_memory_mb()),
                "calibration_gflops": round(calibrate(), 1),
            },
        }

    def save(self) -> Path:
        """Writes the record into the run's `results.json`, in place of an earlier one of the same chapter.

        Returns:
            The file.
        """
        path = self.folder / "results.json"
        chapters = load_results(path)["chapters"] if path.exists() else {}
        chapters[self.chapter] = self.as_dict()
        files.write_json(path, {"format": 1, "chapters": dict(sorted(chapters.items()))})
        return path

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Shows where the chapter's numbers came from, and the numbers, folded; displayed at the chapter's end."""
        record = json.loads(json.dumps(self.as_dict()))
        return {
            "text/html": provenance_html(record),
            RECORD_MIME: record,
            "text/plain": f"the record of {self.chapter}",
        }


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


def provenance_html(record: dict[str, Any]) -> str:
    """Returns what made a record's numbers, and the numbers in a folded table, as HTML.

    Args:
        record: as `Record.as_dict` makes it. Its values are escaped.
    """
    environment, cost = record["environment"], record["cost"]
    lines = {
        "profile": record["profile"],
        "parameters": _joined(record["parameters"]),
        "fingerprints": _joined(record["fingerprints"]),
        "versions": f"Python {environment['python']}, {_joined(environment['libraries'])}",
        "machine": f"{environment['processor']}, {environment['platform']}, {environment['threads']} threads, "
        f"{cost['calibration_gflops']} GFLOP/s in the calibration",
        "commit": environment["commit"] or "unknown",
        "cost": f"{cost['seconds']:.0f} seconds, at most {cost['peak_memory_mb']:,.0f} MB of memory",
    }
    listed = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in lines.items() if value)
    head = "".join(f'<th scope="col">{name}</th>' for name in ("measurement", "value", "interval", "unit", "n", "null"))
    rows = "".join(_row(measurement) for measurement in record["measurements"].values())
    return (
        f'<section class="record"><dl>{listed}</dl><details><summary>All {len(record["measurements"])} measurements'
        f"</summary><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></details></section>"
    )


def _joined(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _row(measurement: dict[str, Any]) -> str:
    interval, n, null = measurement["interval"], measurement["n"], measurement["null"]
    cells = (
        f"{measurement['value']:.4g}",
        f"[{interval['low']:.4g}, {interval['high']:.4g}]" if interval else "–",
        measurement["unit"],
        "–" if n is None else f"{n:,}",
        "–" if null is None else f"{null:.4g}",
    )
    columns = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row">{escape(measurement["name"])}</th>{columns}</tr>'


def load_results(path: Path) -> dict[str, Any]:
    """Reads a `results.json`.

    Args:
        path: the file, or the run's folder that holds it.

    Returns:
        `{"format": 1, "chapters": {chapter: record}}`, each record as `Record.as_dict` makes it.

    Raises:
        WorkbookError: the file is absent, not JSON, or of another format.
    """
    path = path / "results.json" if path.is_dir() else path
    if not path.exists():
        raise files.at(path, "there is no such record", "Make one with `make run`, or name another run.")
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        line = getattr(error, "lineno", None)
        raise files.at(path, f"not valid JSON ({error})", "Delete it and run again.", line) from error
    if not isinstance(results, dict) or results.get("format") != 1 or "chapters" not in results:
        raise files.at(path, "not a record of this workbook's format 1", "Run again with this version.")
    return results


def withdraw(run: Path, chapter: str) -> None:
    """Removes a chapter from a run's `results.json`: it failed since, and must not pass for complete.

    Args:
        run: the run's folder.
        chapter: its name.
    """
    path = run / "results.json"
    if path.exists():
        results = load_results(path)
        results["chapters"].pop(chapter, None)
        files.write_json(path, results)
