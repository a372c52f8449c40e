"""A study and its arms: planned, priced, run one by one, resumed, and put together into one record.

Each arm's result is a `Record`, as a chapter's is: measurements with intervals, fingerprints, environment, cost.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers import files
from helpers.imports import code_version, path_of
from helpers.machine import environment
from helpers.profiles import Profile, calibrate
from helpers.progress import clock
from helpers.records import Measurement, Record, bounds, frame
from helpers.statistics import Interval, combined_interval, mean_interval

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from helpers.corpora import Corpus

BASE = "base model"
"""The fingerprint, in an arm's record, of the model that it started from; beside it those of corpora and `code`."""


@dataclass(frozen=True, eq=False)
class Arm:
    """One cell of a study's grid."""

    name: str
    """Unique in its study, fit for a file's name."""
    profile: Profile
    seed: int
    settings: dict[str, Any] = field(default_factory=dict)
    """What else is varied, as JSON values."""
    share: float = 1.0
    """Tokens that it trains on, over `profile.tokens`, where it is no pretraining run."""

    @property
    def parameters(self) -> dict[str, Any]:
        """What the arm's record says was asked for."""
        return {"seed": self.seed} | self.settings

    @property
    def flops(self) -> int:
        """Training FLOPs."""
        return round(self.share * self.profile.tokens * self.profile.flops_per_token)


@dataclass(frozen=True)
class Study:
    """A grid of arms that answers one question."""

    question: str
    arms: Callable[[Profile], list[Arm]]
    """Plans the arms from the run's profile."""
    run_arm: Callable[[Arm, Record], None]
    """Runs one arm and adds what it measures to the record."""


def run_study(name: str, study: Study, profile: Profile, run: str = "", only: str = "*") -> Path:
    """Runs the arms that are not yet done and, if then all are, writes the study's record.

    Arms whose names do not fit the pattern `only` (`next-*`) are left alone. So several processes, each with a core or
    a machine of its own, can share a study; the last to end writes the record. An empty `run` means the profile's.
    Returns the record's path, `results/<run>/studies/<name>.json`; beside it, those of the arms lie in a folder
    `<name>`.

    Raises:
        WorkbookError: no arm is named like that.
    """
    os.environ.setdefault("TQDM_DISABLE", "1")  # libraries' bars; training has a line of its own
    goal = files.RESULTS / (run or profile.name) / "studies" / f"{name}.json"
    arms, folder, gflops = study.arms(profile), goal.with_suffix(""), calibrate()
    mine = [arm for arm in arms if fnmatchcase(arm.name, only)]
    if not mine:
        raise files.WorkbookError(f"study {name}: no arm is named {only!r}. Known: {', '.join(a.name for a in arms)}.")
    done = _done(arms, folder)
    print(f"{study.question}\n" + "\n".join(_line(arm, done, gflops) for arm in mine))
    if stale := _stale(done, goal.parents[1]):
        print(
            f"Stale, made from another base model than this run's: {', '.join(stale)}. Delete them to run them again."
        )
    for arm in mine:
        done = _done(arms, folder)  # another process may have been here
        if arm not in done:
            to_do = [other for other in mine if other not in done]
            print(f"\n{arm.name}. {len(to_do)} arms left: {_time(to_do, done, gflops)}", flush=True)
            record = Record(name, arm.profile, run, arm.parameters)
            record.fingerprints |= _made_by(study)
            study.run_arm(arm, record)
            files.write_json(folder / f"{arm.name}.json", record.as_dict())
    done = _done(arms, folder)
    if missing := [arm.name for arm in arms if arm not in done]:
        print(f"Not yet done: {', '.join(missing)}.")
    else:
        about = {"format": 1, "study": name, "question": study.question, "profile": profile.name}
        files.write_json(goal, about | {"arms": {arm.name: done[arm] for arm in arms}})
    return goal


def find_studies(prefix: str, run: Path) -> list[Path]:
    """Returns the records of the studies whose names begin so, in order: the run's own, else the published ones."""
    found = {path.name: path for top in (files.REFERENCE, run) for path in top.glob(f"studies/{prefix}*.json")}
    return [found[name] for name in sorted(found)]


@dataclass(frozen=True)
class Findings:
    """What a study found."""

    question: str
    profile: str
    published: bool
    """Whether it is the published study's record and not the run's own."""
    arms: dict[str, dict[str, Any]]
    """By name, each as `Record.as_dict` makes it."""

    def of_each(self) -> Iterator[tuple[int, Measurement]]:
        """Yields each arm's seed and measurements; what the arm varied is among what a measurement is about."""
        for arm in self.arms.values():
            settings = {name: value for name, value in arm["parameters"].items() if name != "seed"}
            for value in arm["measurements"].values():
                found = Measurement.from_dict(value)
                yield arm["parameters"]["seed"], replace(found, about=settings | found.about)

    def frame(self) -> pd.DataFrame:
        """Returns all measurements as `records.frame` does, with a column `seed`."""
        seeds, measurements = zip(*self.of_each(), strict=True)
        return frame(measurements).assign(seed=seeds)

    def over_seeds(self) -> list[Measurement]:
        """Returns what arms that differ in their seed alone found on average; n is their number.

        The intervals are of seeds and clusters together, or of seeds alone where an arm has none.
        """
        together: dict[str, list[Measurement]] = {}
        for _, found in self.of_each():
            together.setdefault(json.dumps([found.name, found.about], sort_keys=True), []).append(found)
        averaged = []
        for alike in together.values():
            if len(alike) > 1:
                mean, interval = _average(alike)
                seeds = tuple(seed for found in alike for seed in found.seeds)
                averaged.append(replace(alike[0], value=mean, interval=interval, n=len(alike), seeds=seeds))
        return averaged

    def mean(self, **about: Any) -> Measurement:
        """Returns the one mean over seeds that is about all of this.

        Raises:
            KeyError: there is none, or there are several.
        """
        found = [mean for mean in self.over_seeds() if about.items() <= mean.about.items()]
        if len(found) != 1:
            raise KeyError(f"{len(found)} means of the study are about {about}")
        return found[0]

    def _by_seed(self, about: Mapping[str, Any]) -> dict[int, Measurement]:
        found = [(seed, each) for seed, each in self.of_each() if about.items() <= each.about.items()]
        if len(dict(found)) < len(found):
            raise KeyError(f"several measurements of a seed are about {dict(about)}")
        return dict(found)

    def gap(self, name: str, ones: Mapping[str, Any], others: Mapping[str, Any]) -> Measurement:
        """Returns how far some measurements are above others of the same seeds, with a t interval over seeds alone.

        Of shares no half is narrower than where half a cluster disagrees for either side. Where all seeds are asked the
        same, the interval is too narrow for what others would show: then let arms record paired gaps, and take their
        `mean`.

        `ones` and `others` are what they are about, so that there is one for each seed.

        Raises:
            KeyError: fewer than two seeds have both, or one has several.
        """
        first, second = (self._by_seed(about) for about in (ones, others))
        seeds = [seed for seed in first if seed in second]
        if len(seeds) < 2:
            raise KeyError(f"fewer than two seeds have both {dict(ones)} and {dict(others)}")
        gaps, one = [first[seed].value - second[seed].value for seed in seeds], first[seeds[0]]
        within, clusters = bounds(one.unit, 0.0), min(first[seed].n or 1 for seed in seeds)
        # Half a cluster for either side: Agresti and Min (2005).
        mean, interval = mean_interval(gaps, within, least=1.96 / (clusters + 2) if within else 0.0)
        return Measurement(name, mean, one.unit, interval, len(seeds), tuple(seeds), 0.0)

    @property
    def base(self) -> str:
        """Fingerprints of the base models that its arms started from; empty if they started from none."""
        return ", ".join(sorted({arm["fingerprints"].get(BASE, "") for arm in self.arms.values()} - {""}))

    @property
    def dated(self) -> bool:
        """Whether all its arms keep fingerprints."""
        return all("code" in arm["fingerprints"] for arm in self.arms.values())


def _average(alike: Sequence[Measurement]) -> tuple[float, Interval]:
    """Returns the mean of one measurement of several seeds, with its interval."""
    values, unit = [found.value for found in alike], alike[0].unit
    intervals = [found.interval for found in alike if found.interval]
    if len(intervals) < len(alike):
        return mean_interval(values, bounds(unit, alike[0].null))
    return combined_interval(values, intervals, bounds(unit, alike[0].null))


def start_from_base(record: Record) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Loads the base model as `base.load_base` does, and notes its fingerprint in an arm's record."""
    from helpers.training.base import load_base

    model, tokenizer, _ = load_base(record.folder)
    record.fingerprints[BASE] = _fingerprint(model)
    return model, tokenizer


def note_corpora(record: Record, read: Mapping[str, Corpus]) -> None:
    """Notes the fingerprints of the corpora that an arm reads, by name."""
    record.fingerprints |= {name: corpus.fingerprint for name, corpus in read.items()}


def origin(prefix: str, run: Path) -> str:
    """Says in a sentence each from which base model studies started, and which are stale: from another than the run's.

    They are those whose names begin so, such as `04`. What started from none is left out, unless it is too old to say.
    """
    found = {path.stem: _findings(path) for path in find_studies(prefix, run)}
    today = current_base(run) if any(study.base for study in found.values()) else ""
    old = [name for name, study in found.items() if not study.dated]
    stale = [name for name, study in found.items() if study.dated and study.base not in ("", today)]
    fresh = [name for name, study in found.items() if study.dated and study.base == today != ""]
    said = {
        "made before fingerprints were kept": old,
        "**stale**: made from another base model than this run's": stale,
        "made from this run's base model": fresh,
    }
    return " ".join(f"Studies {', '.join(names)}: {what}." for what, names in said.items() if names)


def current_base(run: Path) -> str:
    """Returns the fingerprint of the base model that a study of this run would start from; empty without one."""
    from helpers.training.base import load_base

    try:
        return _fingerprint(load_base(run)[0])
    except files.WorkbookError:
        return ""


def _fingerprint(model: PreTrainedModel) -> str:
    """Returns a fingerprint that publishing, which rounds the weights, does not change."""
    import torch

    from helpers.models import weights_fingerprint

    return weights_fingerprint(model, torch.bfloat16)


def load_study(name: str, run: Path) -> Findings | None:
    """Reads a study's record, the run's own if it has one, else the published one; None if there is neither."""
    path = next((path for path in find_studies(name, run) if path.stem == name), None)
    return _findings(path) if path else None


def _findings(path: Path) -> Findings:
    read = _read(path)
    return Findings(read["question"], read["profile"], path.is_relative_to(files.REFERENCE), read["arms"])


def _made_by(study: Study) -> dict[str, str]:
    """Returns fingerprints of the code of a study, and of the machine with its libraries."""
    machine = {name: value for name, value in environment().items() if name not in ("commit", "arithmetic")}
    code = code_version(*filter(path_of, [study.run_arm.__module__]))  # a study of another package has none
    return {"code": code, "machine": files.fingerprint([json.dumps(machine)])}


def _read(path: Path) -> dict[str, Any]:
    return files.read_json(path, "Delete it and run the study again.")


def _done(arms: list[Arm], folder: Path) -> dict[Arm, dict[str, Any]]:
    """Returns the records of the arms that were finished with the same sizes and settings."""
    found = {arm: _read(path) for arm in arms if (path := folder / f"{arm.name}.json").exists()}
    planned = {arm: json.loads(json.dumps([asdict(arm.profile), arm.parameters])) for arm in found}
    return {arm: record for arm, record in found.items() if [record["sizes"], record["parameters"]] == planned[arm]}


def _stale(done: Mapping[Arm, dict[str, Any]], run: Path) -> list[str]:
    """Returns the names of finished arms that started from another base model than this run's."""
    bases = {arm.name: record["fingerprints"][BASE] for arm, record in done.items() if BASE in record["fingerprints"]}
    today = current_base(run) if bases else ""
    return [name for name, base in bases.items() if base != today]


def _line(arm: Arm, done: dict[Arm, dict[str, Any]], gflops: float) -> str:
    """Says of an arm what it costs and, if it is done, with which version of the workbook."""
    if arm in done:
        state = f"done in {clock(done[arm]['cost']['seconds'])}, commit {done[arm]['environment']['commit']}"
    else:
        state = _time([arm], done, gflops)
    return f"  {arm.name:<32} {round(arm.share * arm.profile.tokens):>14,} tokens, {state}"


def _time(arms: list[Arm], done: dict[Arm, dict[str, Any]], gflops: float) -> str:
    """Says how long arms will take here: as long for each FLOP as those done; without any, a lower bound."""
    if not done:
        return f"at least {clock(sum(arm.share * arm.profile.training_seconds(gflops) for arm in arms))}"
    costs = [result["cost"] for result in done.values()]
    spent = sum(cost["seconds"] * cost["calibration_gflops"] for cost in costs) / sum(arm.flops for arm in done)
    return f"about {clock(spent * sum(arm.flops for arm in arms) / gflops)}"
