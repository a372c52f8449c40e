"""Which published benchmarks are here, and are they whole? One table from a name to how its files become items.

    benchmark, message = available("crows_pairs")

Files lie under `data/benchmarks/<name>/`, or in the folder that the environment variable WORKBOOK_BENCHMARKS names, and
are never committed. `hub:owner/name[:config][:split]` reads a data set of the Hub instead, where it has the columns of
its authors' files; nothing is fetched unless a reader asks so.
"""

from __future__ import annotations

import hashlib
import html
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from helpers import files
from helpers.corpora.readers.hub import PREFIX, open_hub
from helpers.corpora.report import aligned, html_table
from helpers.evaluation import benchmark_files as published
from helpers.evaluation import benchmark_pronouns
from helpers.evaluation.benchmark_files import Files, Found, Item
from helpers.evaluation.scoring import encode_requests
from helpers.files import WorkbookError, at

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

FOLDER = "data/benchmarks"


class Rows(NamedTuple):
    """A benchmark of which each row is an item by itself: its columns, and what makes the item."""

    columns: tuple[str, ...]
    make: published.Make


class Definition(NamedTuple):
    """A benchmark: where its authors publish it, under which licence, in which files, and how these become items."""

    repository: str
    folder: str
    licence: str
    files: tuple[str, ...]
    read: Rows | Callable[[Files], Found]

    @property
    def remedy(self) -> str:
        """How to get the files."""
        return f"Get the files of https://github.com/{self.repository}, folder {self.folder}/, and put them there."


BENCHMARKS = {
    "crows_pairs": Definition(
        "nyu-mll/crows-pairs",
        "data",
        "CC-BY-SA-4.0",
        ("crows_pairs_anonymized.csv",),
        Rows(("sent_more", "sent_less", "stereo_antistereo", "bias_type", "anon_writer"), published.crows_pairs),
    ),
    "winobias": Definition(
        "uclanlp/corefBias",
        "WinoBias/wino/data",
        "MIT",
        tuple(
            f"{side}_stereotyped_type{kind}.txt.{split}"
            for kind in "12"
            for split in ("dev", "test")
            for side in ("pro", "anti")
        ),
        benchmark_pronouns.winobias,
    ),
    "winogender": Definition(
        "rudinger/winogender-schemas",
        "data",
        "MIT",
        ("all_sentences.tsv", "occupations-stats.tsv"),
        benchmark_pronouns.winogender,
    ),
    "stereoset": Definition("moinnadeem/StereoSet", "data", "CC-BY-SA-4.0", ("dev.json",), published.stereoset),
    "bbq": Definition(
        "nyu-mll/BBQ",
        "data",
        "CC-BY-4.0",
        ("*.jsonl",),
        Rows(published.BBQ_COLUMNS, published.bbq),
    ),
    "blimp": Definition(
        "alexwarstadt/blimp",
        "data",
        "CC-BY-4.0",
        ("*.jsonl",),
        Rows(("sentence_good", "sentence_bad", "UID", "field", "linguistics_term"), published.blimp),
    ),
}
"""The benchmarks that are known: by name, what to read, and how."""


class File(NamedTuple):
    """A file that was read, or a data set of the Hub, of which neither size nor hash is known but its revision."""

    name: str
    bytes: int | None
    sha256: str


@dataclass(frozen=True)
class Benchmark:
    """The items of a benchmark, with an account of what was read and what was set aside; shown without its texts."""

    name: str
    items: list[Item]
    sources: list[File]
    aside: list[tuple[str, str]] = field(default_factory=list)

    def of(self, form: str, *roles: str) -> list[Item]:
        """Returns the items of a form, of which some options have each of the roles."""
        return [item for item in self.items if item.form == form and all(role in item.roles for role in roles)]

    @property
    def set_aside(self) -> dict[str, int]:
        """How many rows were set aside, by reason."""
        return dict(Counter(reason for reason, _ in self.aside))

    def tables(self) -> list[tuple[str, list[str], list[list[str]]]]:
        """Returns what there is to say: for each table its title, its header and its rows, all as text."""
        of = BENCHMARKS[self.name]
        about = [[f"github.com/{of.repository}", of.licence, f"{len(self.items):,}"]]
        forms = Counter((item.form, item.category) for item in self.items)
        marks = Counter((item.form, mark) for item in self.items for mark in sorted(item.marks))
        places = {reason: [place for why, place in self.aside if why == reason][:3] for reason in self.set_aside}
        aside = [[reason, f"{count:,}", ", ".join(places[reason])] for reason, count in self.set_aside.items()]
        read = [[file.name, "" if file.bytes is None else f"{file.bytes:,}", file.sha256] for file in self.sources]
        tables = [
            (self.name, ["source", "licence", "items"], about),
            ("Items", ["form", "category", "items"], [[*key, f"{count:,}"] for key, count in sorted(forms.items())]),
            ("Marked", ["form", "mark", "items"], [[*key, f"{count:,}"] for key, count in sorted(marks.items())]),
            ("Set aside", ["reason", "rows", "for example"], aside),
            ("Read", ["file", "bytes", "SHA-256 or revision"], read),
        ]
        return [table for table in tables if table[2]]

    def __str__(self) -> str:
        return "\n\n".join("\n".join([title, *aligned([header, *rows])]) for title, header, rows in self.tables())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        (name, header, rows), *others = self.tables()
        parts = [f"<p><strong>{html.escape(name)}</strong></p>{html_table(header, rows)}"]
        for title, header, rows in others:
            table = html_table(header, rows)
            parts.append(f"<details><summary>{html.escape(title)}</summary>{table}</details>")
        return "\n".join(parts)


def folder() -> Path:
    """Returns where the benchmarks lie: the folder that WORKBOOK_BENCHMARKS names, or `data/benchmarks`."""
    return Path(os.environ.get("WORKBOOK_BENCHMARKS") or files.ROOT / FOLDER)


def available(name: str, source: str = "") -> tuple[Benchmark | None, str]:
    """Loads a benchmark as `load` does; where it is missing or damaged, returns None and what to do about it.

    So a chapter can go on without one, and say so. The message names no folder of this machine.
    """
    try:
        return load(name, source), ""
    except WorkbookError as error:
        return None, str(error).replace(str(folder()), FOLDER)


def load(name: str, source: str = "") -> Benchmark:
    """Loads a benchmark from its folder, or from a source such as `hub:owner/name[:config][:split]`.

    Raises:
        WorkbookError: a file is missing or damaged, or nothing in it can be used; the Hub does not give the data set.
        ValueError: there is no such benchmark.
    """
    if name not in BENCHMARKS:
        raise ValueError(f"benchmark {name!r} is unknown. Known: {', '.join(BENCHMARKS)}.")
    definition = BENCHMARKS[name]
    found, sources = _from_hub(name, source) if source else _from_folder(name)
    if not found.items:
        reason = f"none of its {len(found.aside):,} rows can be used"
        raise at(source or folder() / name, reason, definition.remedy)
    return Benchmark(name, found.items, sources, found.aside)


def _from_folder(name: str) -> tuple[Found, list[File]]:
    definition = BENCHMARKS[name]
    there = Files(_paths(folder() / name, definition), definition.remedy)
    if isinstance(definition.read, Rows):
        found = published.from_rows(there.parts(), *definition.read, definition.remedy)
    else:
        found = definition.read(there)
    return found, [_file(path) for path in there.paths]


def _paths(place: Path, definition: Definition) -> list[Path]:
    """Returns the files of a benchmark.

    Raises:
        WorkbookError: one is missing.
    """
    paths = []
    for pattern in definition.files:
        matching = sorted(place.glob(pattern))
        if not matching:
            raise at(place / pattern, "there is no such file", definition.remedy)
        paths += matching
    return paths


def _file(path: Path) -> File:
    with path.open("rb") as stream:
        return File(path.name, path.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest())


def _from_hub(name: str, source: str) -> tuple[Found, list[File]]:
    read = BENCHMARKS[name].read
    if not source.startswith(PREFIX) or not isinstance(read, Rows):
        known = ", ".join(known for known, of in BENCHMARKS.items() if isinstance(of.read, Rows))
        remedy = f"Leave the source out, or write hub:owner/name[:config][:split] for one of: {known}."
        raise at(source, f"{name} cannot be read from here", remedy)
    parts = list(open_hub(source).parts())
    remedy = "Name a data set that has the columns of the authors' files."
    found = published.from_rows(parts, *read, remedy)
    return found, [File(part.name, None, part.source.version) for part in parts]


def token_lengths(items: Sequence[Item], tokenizer: PreTrainedTokenizerFast) -> list[np.ndarray]:
    """Returns of each item how many tokens of each option are scored, (options,)."""
    requests = encode_requests(tokenizer, [option for item in items for option in item.options], 1 << 30)
    return split_by_item(items, [request.scored for request in requests])


def length_matched(items: Sequence[Item], tokenizer: PreTrainedTokenizerFast) -> np.ndarray:
    """Returns which items have options of one length in tokens, (items,): elsewhere a model may prefer the shorter."""
    return np.array([len(set(lengths)) == 1 for lengths in token_lengths(items, tokenizer)])


def fits(items: Sequence[Item], tokenizer: PreTrainedTokenizerFast, context: int) -> np.ndarray:
    """Returns which items a model that reads so many tokens at once reads whole, (items,)."""
    requests = encode_requests(tokenizer, [option for item in items for option in item.options], 1 << 30)
    read = split_by_item(items, [len(request.ids) - 1 for request in requests])  # the last token is not read
    return np.array([of.max() <= context for of in read])


def split_by_item(items: Sequence[Item], values: Sequence[float] | np.ndarray) -> list[np.ndarray]:
    """Divides what there is of each option of all items, in order, by item."""
    return np.split(np.asarray(values), np.cumsum([len(item.options) for item in items])[:-1])
