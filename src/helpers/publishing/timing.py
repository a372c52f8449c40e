"""How long will it take here? A chapter's expected time on this machine, and its line in the terminal.

The runner notes what each chapter took from start to end, at which sizes, and how fast the machine was then (`pace`),
in the run's `costs.json`; the published run keeps these notes, of `smoke` too. From a note of the same sizes comes its
time, from two of others a fixed part and one in proportion to the training.
"""

import contextlib
import json
import random
import shutil
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, Self

from helpers import files
from helpers.imports import closure
from helpers.machine import cores
from helpers.profiles import PROFILES, Profile, calibrate
from helpers.progress import clock
from helpers.publishing import chapters
from helpers.publishing.run import Run

ALIKE = ("SEED", "CORPUS", "COLUMN")  # settings that change no cost: of another text as much is read
FARTHEST = 4  # how many times the largest training known an expectation may reach
READER = "helpers.corpora.pydocs.docstrings"
UNKNOWN = "an unknown time"
SAMPLE_SECONDS = 0.3  # for which sources are read to price the rest


class Cost(NamedTuple):
    """What one execution of a chapter cost."""

    chapter: str
    sizes: dict[str, Any]
    settings: dict[str, Any]
    flops: float  # of a pretraining run of these sizes
    seconds: float  # less the reading of docstrings
    pace: float  # of the machine


def expected(chapter: str, run: Run, at_pace: float, reading: float) -> str:
    """Says how long a chapter will take on a machine of this pace, of which reading takes so many seconds.

    That is `about m:ss`, from what is known; without that `at least m:ss`, from the training alone. What it takes with
    a model of the reader's, a chapter says itself when it has opened the model, before it trains.
    """
    own = _cost(chapter, run, 0.0, at_pace)
    known_here = _known(run.folder, *(files.RESULTS / name for name in PROFILES), files.REFERENCE)
    seconds = _predict([c for c in known_here if (c.chapter, c.settings) == (chapter, own.settings)], own)
    if seconds:
        known = f"about {clock(seconds)}"
    elif run.settings.get("MODEL"):
        known = UNKNOWN
    else:
        known = f"at least {clock(run.profile.training_seconds(calibrate()))}"
    return f"{known}, and {clock(reading)} more to read the docstrings, this once" if reading >= 1 else known


def _predict(noted: Iterable[Cost], wanted: Cost) -> float | None:
    """Returns the seconds a chapter will take, by what it cost before, the most telling first; None if unknown."""
    by_flops: dict[float, float] = {}
    for cost in noted:
        seconds = cost.seconds * cost.pace / wanted.pace
        if cost.sizes == wanted.sizes:
            return seconds
        by_flops.setdefault(cost.flops, seconds)
    if len(by_flops) < 2 or wanted.flops > FARTHEST * max(by_flops):
        return None
    (less, few), (more, many) = sorted(sorted(by_flops.items(), key=lambda known: abs(known[0] - wanted.flops))[:2])
    return max(min(few, many), few + (many - few) * (wanted.flops - less) / (more - less))


def _as_json(profile: Profile) -> dict[str, Any]:
    return json.loads(json.dumps(asdict(profile)))


def _cost(chapter: str, run: Run, seconds: float, at_pace: float) -> Cost:
    kept = {key: value for key, value in run.settings.items() if key not in (*run.overrides, *ALIKE)}
    settings = {key: str(value).rstrip("/").rpartition("/")[2] for key, value in kept.items()}  # names, not whose home
    flops = run.profile.tokens * run.profile.flops_per_token
    return Cost(chapter, _as_json(run.profile), settings, flops, seconds, at_pace)


def note(chapter: str, run: Run, seconds: float, at_pace: float) -> None:
    """Notes what a chapter cost in the run's `costs.json`, in place of what the same cost before."""
    _write(run.folder, [_cost(chapter, run, seconds, at_pace), *_known(run.folder)])


def publish(run: Path, reference: Path, into: Path) -> None:
    """Writes what the published run tells of costs: a run's and others' here, at the sizes of the profiles."""
    sizes = list(map(_as_json, PROFILES.values()))
    noted = _known(run, *(files.RESULTS / name for name in PROFILES), reference)
    _write(into, [cost for cost in noted if cost.sizes in sizes and not cost.settings])


def _write(folder: Path, costs: Iterable[Cost]) -> None:
    """Writes costs into a folder, of alike ones the first."""
    kept = {json.dumps([cost.chapter, cost.sizes, cost.settings]): cost for cost in reversed(list(costs))}
    files.write_json(folder / "costs.json", {"format": 1, "costs": [cost._asdict() for cost in kept.values()]})


def _known(*folders: Path) -> list[Cost]:
    """Returns what was noted in folders, in their order; a file that cannot be read tells nothing."""
    found = []
    for folder in folders:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            noted = json.loads((folder / "costs.json").read_text(encoding="utf-8"))
            found += [Cost(**cost) for cost in noted["costs"]]
    return found


def reading_seconds(chapter: str, run: Run) -> float:
    """Returns how long it will take to read the docstrings that a chapter needs and no cache has, from a sample."""
    if run.settings.get("CORPUS") or READER not in closure(chapters.imports(chapters.source(chapter))):
        return 0.0
    from helpers.corpora.pydocs import corpus, docstrings

    paths = docstrings.paths_of(corpus.chosen(run.profile.packages))
    unread = [package for package, path in paths.items() if not path.exists()]
    sources = [source for package in unread for source in docstrings.list_files(package)]
    random.Random(0).shuffle(sources)
    sizes = [path.stat().st_size if (path := Path(source.path)).is_file() else 0 for source in sources]
    read, start = 0, time.perf_counter()
    for source, size in zip(sources, sizes, strict=True):
        docstrings.read_file(source)
        read += size
        if time.perf_counter() - start > SAMPLE_SECONDS:
            break
    return sum(sizes) / read * (time.perf_counter() - start) / cores() if read else 0.0


class ChapterLine:
    """Shows, as a context, what a chapter is doing: its cell, the time so far, the time expected.

    In a terminal one line is drawn anew every second; in a log, a line is written every fifteen.
    """

    def __init__(self, chapter: str, cells: int, expected: str) -> None:
        self.chapter, self.cells, self.expected = chapter, cells, expected
        self.number, self.heading = 0, "starting"
        self._overwrites = sys.stdout.isatty()
        self._stopped = threading.Event()
        self._drawing = threading.Thread(target=self._draw, daemon=True)
        self._start = time.perf_counter()

    def __enter__(self) -> Self:
        self._drawing.start()
        return self

    def at_cell(self, number: int, heading: str) -> None:
        """Notes the cell that is being executed."""
        self.number, self.heading = number, heading

    @property
    def seconds(self) -> float:
        """Time so far."""
        return time.perf_counter() - self._start

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stopped.set()
        self._drawing.join()
        how = "stopped after" if kind else "took"
        self._write(f"{self.chapter}: {how} {clock(self.seconds)}, expected {self.expected}")
        if self._overwrites:
            print()

    def _draw(self) -> None:
        while not self._stopped.is_set():
            cell = f"cell {self.number} of {self.cells}"
            self._write(f"{self.chapter}: {clock(self.seconds)} of {self.expected}, {cell}, {self.heading}")
            self._stopped.wait(1 if self._overwrites else 15)

    def _write(self, line: str) -> None:
        if self._overwrites:
            width = shutil.get_terminal_size().columns - 1
            print("\r" + line[:width].ljust(width), end="", flush=True)
        else:
            print(line, flush=True)
