"""What was read, what was kept, what was left out and why: one report for every source.

The same tables are printed in a terminal and shown in a notebook; names, examples and problems come from data and are
escaped in HTML.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

CLASSES = 30
"""How many classes are listed."""

EXAMPLES = 3
"""How many examples of each reason are kept."""


@dataclass
class Tally:
    """How many documents (or paragraphs, as the reason says), their UTF-8 bytes, and the first few in a line each."""

    documents: int = 0
    bytes: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, text: str, example: str = "") -> None:
        """Counts a text, and keeps the example if there are few so far."""
        self.documents += 1
        self.bytes += len(text.encode())
        if example and len(self.examples) < EXAMPLES:
            self.examples.append(example)


@dataclass
class Noted:
    """What was altered or not used in rows that are kept: what to do about it, whether that is a warning, and where."""

    remedy: str
    warns: bool
    rows: int = 0
    places: list[str] = field(default_factory=list)

    def add(self, place: str) -> None:
        """Counts a row, and keeps its place if there are few so far."""
        self.rows += 1
        if len(self.places) < EXAMPLES:
            self.places.append(place)


@dataclass(frozen=True)
class Source:
    """One thing that was read: a package, a file, a data set; the documents are counted before any was removed."""

    name: str
    version: str = ""
    licence: str = ""
    documents: int = 0
    fingerprint: str = ""


@dataclass
class Report:
    """The account of one corpus.

    Kept is counted by split, removed by reason; `kinds` are bytes of each kind of text in what was read, where
    kinds were told apart; `problems` is what could not be read or used, or should be known, in a line each;
    `classes` are numbers of documents, by label and split.
    """

    name: str
    kept: dict[str, Tally] = field(default_factory=dict)
    removed: dict[str, Tally] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    noted: dict[str, Noted] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    classes: dict[str, dict[str, int]] = field(default_factory=dict)

    def remove(self, reason: str, text: str, example: str) -> None:
        """Counts a text that is left out."""
        self.removed.setdefault(reason, Tally()).add(text, example)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Report:
        """Returns the report that `dataclasses.asdict` made of one."""
        tallies = {part: {name: Tally(**tally) for name, tally in value[part].items()} for part in ("kept", "removed")}
        noted = {what: Noted(**noted) for what, noted in value["noted"].items()}
        sources = [Source(**source) for source in value["sources"]]
        return cls(**value | tallies | {"noted": noted, "sources": sources})

    def tables(self) -> list[tuple[str, list[str], list[list[str]]]]:
        """Returns what there is to say: for each table its title, its header and its rows, all as text."""
        total = sum(self.kinds.values())
        kept = [[split, f"{t.documents:,}", _mb(t.bytes)] for split, t in self.kept.items()]
        removed = [[r, f"{t.documents:,}", _mb(t.bytes), "; ".join(t.examples)] for r, t in self.removed.items()]
        kinds = [[kind, _mb(size), f"{size / total:.1%}"] for kind, size in self.kinds.items()]
        noted = [[what, f"{n.rows:,}", ", ".join(n.places), n.remedy] for what, n in self.noted.items()]
        sources = [[s.name, s.version, s.licence, f"{s.documents:,}", s.fingerprint] for s in self.sources]
        tables = [
            ("Kept", ["split", "documents", "MB"], kept),
            ("Removed", ["reason", "count", "MB", "for example"], removed),
            ("Classes", ["label", *self.kept], self._classes()),
            ("Altered or not used, in rows that are kept", ["what", "rows", "for example", "remedy"], noted),
            ("Kinds of text found, before anything was removed", ["kind", "MB", "share"], kinds),
            ("Sources", ["name", "version", "licence", "documents", "fingerprint"], sources),
            ("Findings", ["what"], [[problem] for problem in self.problems]),
        ]
        return [table for table in tables if table[2]]

    def _classes(self) -> list[list[str]]:
        """Returns the largest classes with their sizes in each split."""
        sizes = [(label, [of.get(split, 0) for split in self.kept]) for label, of in self.classes.items()]
        rows = [[shorten(label), *(f"{count:,}" for count in counts)] for label, counts in sizes[:CLASSES]]
        more = [f"and {len(sizes) - CLASSES:,} more", *("" for _ in self.kept)]
        return [*rows, more] if len(sizes) > CLASSES else rows

    def __str__(self) -> str:
        tables = ("\n".join([title, *aligned([header, *rows])]) for title, header, rows in self.tables())
        return "\n\n".join([self.name, *tables])

    def _repr_html_(self) -> str:
        parts = [f"<p><strong>{html.escape(self.name)}</strong></p>"]
        for title, header, rows in self.tables():
            table = html_table(header, rows)
            opened = " open" if title == "Kept" else ""
            parts.append(f"<details{opened}><summary>{html.escape(title)}</summary>{table}</details>")
        return "\n".join(parts)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns the rows of a table as lines whose columns are aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def html_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table as HTML, its cells escaped."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def shorten(text: str, width: int = 60) -> str:
    """Returns the beginning of a text in one line, for an example."""
    line = " ".join(text[: 4 * width].split())
    return line if len(line) <= width else line[: width - 1] + "…"


def _mb(size: int) -> str:
    return f"{size / 1e6:.2f}"
