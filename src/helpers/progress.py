"""How far is it, how fast, and how long still? One line on stdout that overwrites itself.

Libraries' own bars save blank widgets into notebooks or go to stderr; this line does neither. In a notebook it is an
output of its own MIME type, which pages leave out. In a log, only the last line is written.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, Self, TypeVar

Item = TypeVar("Item")

# MIME type that marks what in a notebook's output is for who sits before it, beside its text.
PROGRESS_MIME = "application/vnd.workbook.progress+json"


def in_notebook() -> bool:
    """Returns whether this is a notebook's kernel, whose stdout goes into a cell's output."""
    return type(sys.stdout).__module__ == "ipykernel.iostream"


def aside(text: str) -> None:
    """Displays Markdown in a notebook for who works in it: pages leave it out. Elsewhere it does nothing."""
    if in_notebook():
        from IPython.display import display

        display({"text/markdown": text, "text/plain": text, PROGRESS_MIME: {}}, raw=True)


class Progress:
    """Shows one updating line: share done, rate, time left.

    Use as a context manager; on leaving, the line says what was done in all, also after an error. All processes of a
    run but one are `silent`.
    """

    def __init__(self, label: str, total: int, unit: str, *, silent: bool = False) -> None:
        self.label, self.total, self.unit, self.silent = label, total, unit, silent
        self.done = self._before = 0
        self.note = ""
        self._start = self._shown = time.perf_counter()
        self._width = 0
        self._overwrites = sys.stdout.isatty()
        self._in_notebook = in_notebook()
        self._output: Any = None  # of the notebook

    def __enter__(self) -> Self:
        self._draw(f"{self.label}: 0 of {self.total:,} {self.unit}")
        return self

    def resume(self, done: int) -> None:
        """Counts units as done before, by an earlier process: they are not part of the rate."""
        self.done = self._before = done

    def advance(self, units: int = 1, note: str = "") -> None:
        """Counts units as done; the line, with a note such as the loss, is drawn at most twice a second."""
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
        self._draw(f"{self._so_far((self.done - self._before) / max(elapsed, 1e-9))}, took {clock(elapsed)}", "\n")

    def _so_far(self, rate: float) -> str:
        note = f", {self.note}" if self.note else ""
        pace = f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"
        return f"{self.label}: {self.done:,} of {self.total:,} {self.unit}, {pace} a second{note}"

    def _draw(self, line: str, end: str = "") -> None:
        if self.silent:
            return
        if self._in_notebook:
            from IPython.display import display

            shown = {"text/plain": line, PROGRESS_MIME: {"label": self.label}}
            if self._output is None:
                self._output = display(shown, raw=True, display_id=True)
            else:
                self._output.update(shown, raw=True)
        elif self._overwrites or end:
            print(("\r" if self._overwrites else "") + line.ljust(self._width), end=end, flush=True)
            self._width = len(line)


def each(items: Sequence[Item], label: str, unit: str) -> Iterator[Item]:
    """Yields the items, and shows how far it is; of a single one nothing."""
    with Progress(label, len(items), unit, silent=len(items) < 2) as line:
        for item in items:
            yield item
            line.advance()


def clock(seconds: float) -> str:
    """Returns a duration as `m:ss`, or `h:mm:ss` from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
