"""How far is it, how fast, and how long still? One line on stdout that overwrites itself.

Libraries' own bars save blank widgets into notebooks or go to stderr, which pages show in red; this line does neither.
Where nothing can be overwritten, as in a log, only the last line is written.
"""

from __future__ import annotations

import sys
import time


class Progress:
    """Shows one updating line: share done, rate, time left.

    Use as a context manager; on leaving, the line says what was done in all, also after an error.

    Args:
        label: what is being done.
        total: units in all.
        unit: name of the unit, in the plural.
        silent: whether to draw nothing, as all processes of a run do but one.
    """

    def __init__(self, label: str, total: int, unit: str, *, silent: bool = False) -> None:
        self.label, self.total, self.unit, self.silent = label, total, unit, silent
        self.done = self._before = 0
        self.note = ""
        self._start = self._shown = time.perf_counter()
        self._width = 0
        self._overwrites = sys.stdout.isatty() or type(sys.stdout).__module__ == "ipykernel.iostream"

    def __enter__(self) -> Progress:
        self._draw(f"{self.label}: 0 of {self.total:,} {self.unit}")
        return self

    def resume(self, done: int) -> None:
        """Counts units as done before, by an earlier process: they are not part of the rate."""
        self.done = self._before = done

    def advance(self, units: int = 1, note: str = "") -> None:
        """Counts units as done; the line is drawn at most twice a second.

        Args:
            units: how many more.
            note: a word on the state, such as the loss.
        """
        self.done += units
        self.note = note or self.note
        now = time.perf_counter()
        if now - self._shown >= 0.5:
            self._shown = now
            rate = (self.done - self._before) / (now - self._start)
            left = (self.total - self.done) / max(rate, 1e-9)
            self._draw(f"{self._so_far(rate)}, {clock(left)} left")

    def __exit__(self, *_: object) -> None:
        elapsed = time.perf_counter() - self._start
        line = f"{self._so_far((self.done - self._before) / max(elapsed, 1e-9))}, took {clock(elapsed)}"
        if not self.silent:
            print(("\r" if self._overwrites else "") + line.ljust(self._width), flush=True)

    def _so_far(self, rate: float) -> str:
        note = f", {self.note}" if self.note else ""
        pace = f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"
        return f"{self.label}: {self.done:,} of {self.total:,} {self.unit}, {pace} a second{note}"

    def _draw(self, line: str) -> None:
        if self._overwrites and not self.silent:
            print("\r" + line.ljust(self._width), end="", flush=True)
            self._width = len(line)


def clock(seconds: float) -> str:
    """Returns a duration as `m:ss`, or `h:mm:ss` from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
