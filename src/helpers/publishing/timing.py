"""How long will it take here? A chapter's expected time on this machine, and its line in the terminal.

A chapter's own record says what it cost, and how fast that machine was; a short calibration says how fast this one is.
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from dataclasses import asdict
from types import TracebackType

from helpers import files, records
from helpers.progress import clock
from helpers.publishing.run import Run


def expected(chapter: str, run: Run) -> str:
    """Says how long a chapter will take on this machine.

    A record of the same sizes is looked for in the run itself, the run named like the profile, the published run.

    Returns:
        `about m:ss`, scaled from the record; without one `at least m:ss`, from the training alone.
    """
    sizes = json.loads(json.dumps(asdict(run.profile)))
    for folder in (run.folder, files.RESULTS / run.profile_name, files.REFERENCE):
        found = records.load_results(folder)["chapters"] if (folder / "results.json").exists() else {}
        if chapter in found and found[chapter]["sizes"] == sizes:
            cost = found[chapter]["cost"]
            return f"about {clock(cost['seconds'] * cost['calibration_gflops'] / run.gflops)}"
    return f"at least {clock(run.profile.training_seconds(run.gflops))}"


class ChapterLine:
    """Shows what a chapter is doing: its cell, the time so far, the time expected.

    Use as a context manager. In a terminal one line is drawn anew every second; in a log, a line is written every
    fifteen.

    Args:
        chapter: its name.
        cells: how many cells it has.
        expected: what `expected` said.
    """

    def __init__(self, chapter: str, cells: int, expected: str) -> None:
        self.chapter, self.cells, self.expected = chapter, cells, expected
        self.number, self.heading = 0, "starting"
        self._overwrites = sys.stdout.isatty()
        self._stopped = threading.Event()
        self._drawing = threading.Thread(target=self._draw_until_stopped, daemon=True)

    def __enter__(self) -> ChapterLine:
        self._start = time.perf_counter()
        self._draw()
        self._drawing.start()
        return self

    def at_cell(self, number: int, heading: str) -> None:
        """Notes the cell that is being executed."""
        self.number, self.heading = number, heading

    @property
    def seconds(self) -> float:
        """Time so far."""
        return time.perf_counter() - self._start

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopped.set()
        self._drawing.join()
        how = "took" if kind is None else "stopped after"
        self._write(f"{self.chapter}: {how} {clock(self.seconds)}, expected {self.expected}")
        if self._overwrites:
            print()

    def _draw_until_stopped(self) -> None:
        while not self._stopped.wait(1 if self._overwrites else 15):
            self._draw()

    def _draw(self) -> None:
        cell = f"cell {self.number} of {self.cells}"
        self._write(f"{self.chapter}: {clock(self.seconds)} of {self.expected}, {cell}, {self.heading}")

    def _write(self, line: str) -> None:
        if self._overwrites:
            width = shutil.get_terminal_size().columns - 1
            print("\r" + line[:width].ljust(width), end="", flush=True)
        else:
            print(line, flush=True)
