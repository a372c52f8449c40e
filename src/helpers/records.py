"""Where did this number come from? Measurements with their intervals, and all that is needed to make them again.

A chapter opens one `Record`, adds what it measures and what it concludes, and saves it into the run's
`results.json`: the one file from which pages, the index, README figures and comparisons are made.
"""

from __future__ import annotations

import json
import math
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from html import escape
from importlib import metadata
from pathlib import Path
from typing import Any

from helpers import files
from helpers.profiles import Profile, calibrate

VERDICTS = ("supported", "refuted", "not distinguishable")
LIBRARIES = ("torch", "transformers", "tokenizers", "datasets", "evaluate", "numpy", "seaborn")


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


@dataclass(frozen=True)
class Measurement:
    """One number and what stands behind it.

    Attributes:
        name: what was measured, as a dotted name, unique in its chapter.
        value: the estimate.
        unit: its unit, in words.
        interval: the interval, or None where nothing was sampled.
        n: how many units were sampled (the clusters of the bootstrap, where there are clusters).
        seeds: the seeds behind the number.
        null: what the number would be if there were nothing to find, or None.
    """

    name: str
    value: float
    unit: str
    interval: Interval | None = None
    n: int | None = None
    seeds: tuple[int, ...] = ()
    null: float | None = None

    def __format__(self, spec: str) -> str:
        """Formats the value, then its interval in brackets: `f"{m:.2f}"` gives `1.23 [1.20, 1.27]`."""
        text = format(self.value, spec)
        if self.interval is not None:
            text += f" [{self.interval.low:{spec}}, {self.interval.high:{spec}}]"
        return text


@dataclass(frozen=True)
class Verdict:
    """What a chapter concludes of a claim.

    Attributes:
        claim: its label, `C1` to `C13`.
        text: the claim, in a sentence.
        here: `supported`, `refuted` or `not distinguishable` by our small models.
        because: the evidence here, numbers computed; each line of it is shown as one.
        at_scale: what the literature found, with its source, and what would have to hold for ours to carry over.
    """

    claim: str
    text: str
    here: str
    because: str
    at_scale: str

    def __post_init__(self) -> None:
        if self.here not in VERDICTS:
            raise ValueError(f"verdict {self.here!r} is not one of {VERDICTS}")

    def _repr_html_(self) -> str:
        """Shows claim and evidence in a notebook and on its page."""
        return (
            f'<section class="verdict"><p class="small">{escape(self.claim)}</p>'
            f'<p class="claim">{escape(self.text)}</p>'
            f'<dl><div><dt>Here: <span class="{self.here.replace(" ", "-")}">{self.here}</span></dt>'
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
        verdicts: by claim.
        fingerprints: of corpora, tokenizer and models, by name.
    """

    chapter: str
    profile: Profile
    run: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    measurements: dict[str, Measurement] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    _started: float = field(default_factory=time.perf_counter, repr=False)

    @property
    def folder(self) -> Path:
        """The run's folder under `results/`."""
        return files.RESULTS / (self.run or self.profile.name)

    def measure(self, name: str, value: float, unit: str, **behind: Any) -> Measurement:
        """Adds a measurement; see `Measurement` for the arguments. A second one of the same name replaces it.

        Raises:
            ValueError: the value is no finite number, which JSON could not hold and no reader could use.
        """
        if not math.isfinite(value):
            raise ValueError(f"measurement {name!r} is {value}")
        measurement = Measurement(name, float(value), unit, **behind)
        self.measurements[name] = measurement
        return measurement

    def points(self, names: Iterable[str]) -> list[tuple[float, float, float]]:
        """Returns of each measurement its value and the ends of its interval, as `plotting.band` draws them.

        Args:
            names: of measurements that have an interval.
        """
        found = [(self.measurements[name].value, self.measurements[name].interval) for name in names]
        return [(value, interval.low, interval.high) for value, interval in found if interval]

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

    def _repr_html_(self) -> str:
        """Shows where the chapter's numbers came from, and the numbers, folded; displayed at the chapter's end."""
        return provenance_html(self.as_dict())


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


def environment() -> dict[str, Any]:
    """Returns what a number can depend on beside its seed: machine, threads, versions, commit."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "accelerator": _accelerator(),
        "threads": _threads(),
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
        "commit": _commit(),
    }


def peak_memory_mb() -> float:
    """Returns the most memory this process has held, in MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def _threads() -> int:
    """Returns the threads that torch computes with: one a core, unless the environment says fewer."""
    if wanted := os.environ.get("OMP_NUM_THREADS"):
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _accelerator() -> str:
    """Returns the device that torch computes on, beside the processor; empty without one, or without torch."""
    torch = sys.modules.get("torch")  # a process that has not imported it has not computed with it
    if torch is None:
        return ""
    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return "mps" if torch.backends.mps.is_available() else ""


def _commit() -> str:
    """Returns the commit of the workbook, with `+` where files were changed since; empty without git."""
    command = ["git", "-C", str(files.ROOT), "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
