"""A study and its arms: planned, priced, run one by one, resumed, and put together into one record.

Each arm's result is a `Record`, as a chapter's is: measurements with intervals, fingerprints, environment, cost.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from helpers import files
from helpers.profiles import Profile, calibrate
from helpers.progress import clock
from helpers.records import Measurement, Record


@dataclass(frozen=True, eq=False)
class Arm:
    """One cell of a study's grid.

    Attributes:
        name: unique in its study, fit for a file's name.
        profile: its sizes.
        seed: its seed.
        settings: what else is varied, as JSON values.
        share: tokens that it trains on, over `profile.tokens`, where it is no pretraining run.
    """

    name: str
    profile: Profile
    seed: int
    settings: dict[str, Any] = field(default_factory=dict)
    share: float = 1.0

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
    """A grid of arms that answers one question.

    Attributes:
        question: what is asked, in a sentence.
        arms: plans the arms from the run's profile.
        run_arm: runs one arm and adds what it measures to the record; it imports heavy libraries itself.
    """

    question: str
    arms: Callable[[Profile], list[Arm]]
    run_arm: Callable[[Arm, Record], None]


def run_study(name: str, study: Study, profile: Profile, run: str = "", only: str = "*") -> Path:
    """Runs the arms that are not yet done and, if then all are, writes the study's record.

    Args:
        name: of the study.
        study: the study.
        profile: from which its arms are planned.
        run: the name of the run; empty means the profile's.
        only: a pattern of names (`next-*`): other arms are left alone. So several processes, each with a core or a
            machine of its own, can share a study; the last to end writes the record.

    Returns:
        The record, `results/<run>/studies/<name>.json`. Those of the arms lie in the folder of the same name.

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
    for arm in mine:
        done = _done(arms, folder)  # another process may have been here
        if arm not in done:
            to_do = [other for other in mine if other not in done]
            print(f"\n{arm.name}. {len(to_do)} arms left: {_time(to_do, done, gflops)}", flush=True)
            record = Record(name, arm.profile, run, arm.parameters)
            study.run_arm(arm, record)
            files.write_json(folder / f"{arm.name}.json", record.as_dict())
    done = _done(arms, folder)
    if missing := [arm.name for arm in arms if arm not in done]:
        print(f"Not yet done: {', '.join(missing)}.")
    else:
        about = {"format": 1, "study": name, "question": study.question, "profile": profile.name}
        files.write_json(goal, about | {"arms": {arm.name: done[arm] for arm in arms}})
    return goal


def find_study(name: str, run: Path) -> Path | None:
    """Returns the record of a study: the run's own if it has one, else the published one; None without any.

    Args:
        name: of the study.
        run: the run's folder.
    """
    places = (run / "studies" / f"{name}.json", files.REFERENCE / "studies" / f"{name}.json")
    return next((path for path in places if path.exists()), None)


def load_study(name: str, run: Path) -> dict[str, Any] | None:
    """Reads what `find_study` finds.

    Returns:
        `question`, `profile`, `arms` (by name, each as `Record.as_dict` makes it) and `published`, which is true if it
        is the published study's record and not this run's. None if there is none.
    """
    path = find_study(name, run)
    if path is None:
        return None
    published = path.is_relative_to(files.REFERENCE)
    return _read(path) | {"published": published}


def over_seeds(arms: Sequence[Mapping[str, Any]]) -> dict[str, Measurement]:
    """Returns what arms that differ in their seed alone found on average, with t intervals.

    Args:
        arms: records, as `Record.as_dict` makes them.

    Returns:
        By name, each measurement that all arms have; its n is the number of arms.
    """
    from helpers.statistics import mean_interval

    found = [arm["measurements"] for arm in arms]
    spread = {}
    for name in found[0] if len(found) > 1 else ():
        if all(name in arm for arm in found):
            mean, interval = mean_interval([arm[name]["value"] for arm in found])
            seeds = tuple(seed for arm in found for seed in arm[name]["seeds"])
            known = {"interval": interval, "n": len(found), "seeds": seeds, "null": found[0][name]["null"]}
            spread[name] = Measurement(name, mean, found[0][name]["unit"], **known)
    return spread


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise files.at(path, f"not valid JSON ({error})", "Delete it and run the study again.") from error


def _done(arms: list[Arm], folder: Path) -> dict[Arm, dict[str, Any]]:
    return {arm: result for arm in arms if (result := _result(arm, folder))}


def _result(arm: Arm, folder: Path) -> dict[str, Any] | None:
    """Returns an arm's record if it was finished with the same sizes and settings."""
    path = folder / f"{arm.name}.json"
    found = _read(path) if path.exists() else {}
    planned = json.loads(json.dumps({"sizes": asdict(arm.profile), "parameters": arm.parameters}))
    return found if found and all(found[key] == value for key, value in planned.items()) else None


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
