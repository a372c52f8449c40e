"""How do rows become a corpus? One way for every kind of document and every source.

A reader gives rows. The kind's parser turns each into a document, or says what is wrong with it. When all are known,
the kind settles what one row means for another: splits, repetitions, contradictions. A faulty row stops nothing and
does not vanish: it is set aside, counted in the report with its reason, and written with its remedy to `SET_ASIDE` in
the corpus' folder. Too many are an error: when none of the first `FIRST` rows of a file can be used, or at its end more
than half cannot. Rows that only repeat or contradict others do not count for that.

A new kind is one class with `fields`, `parse` and `add`, and `settle` where rows must be compared.
"""

from __future__ import annotations

import json
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from helpers.corpora.corpus import Corpus, Faulty, cached, shown
from helpers.corpora.readers.tables import NOT_UTF8, SPLIT, SPLIT_NAMES, Columns, may_split
from helpers.corpora.report import Report, shorten
from helpers.corpora.rows import Conversation, Flaw, Input, Labelled, Part, Row, Unfit
from helpers.files import WorkbookError, at
from helpers.imports import code_version

if TYPE_CHECKING:
    import pyarrow as pa

FIRST = 20
"""Rows of a file of which one must be fit."""

UNSEEN = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and signs that are blank: fillers of Hangul, and the pattern without dots of Braille."""

Document = dict[str, Any]
"""By column; and `split`, one of `train`, `validation`, `test`, or None where a hash is to decide."""


class Kind(ABC):
    """What a document is; made for one corpus, of which it remembers what it must to compare rows."""

    name: ClassVar[str]
    fields: ClassVar[tuple[str, ...]] = ("text", "group")
    """The columns of a document that are text."""

    identity: ClassVar[tuple[str, ...]] = ("group", "text")
    """The columns that tell documents apart, in the order in which the fingerprint takes them."""

    example: ClassVar[str] = ""
    """Two rows that can be used, as .jsonl; empty where plain text will do."""

    settles: ClassVar[bool] = True
    """Whether `settle` decides on the documents; if not, their splits and groups do."""

    columns: Columns = MappingProxyType({})
    """Which columns a table must have, by the argument that chooses each."""

    def schema(self) -> pa.Schema:
        """Returns the columns of a document."""
        import pyarrow as pa

        return pa.schema([(field, pa.string()) for field in self.fields])

    def rows(self, part: Part) -> Iterator[Row]:
        """Returns the rows of a file, as they are or with those put together that make one document."""
        return part.rows()

    @abstractmethod
    def parse(self, value: Any, place: str, part: Part) -> Document:
        """Returns the document of a row, which has a place, such as `a.csv:12`; raises `Unfit` if it is none."""

    @abstractmethod
    def add(self, document: Document) -> Flaw | None:
        """Remembers a document, for `settle`; or says at once why it is to be left out."""

    def settle(self, report: Report) -> Iterator[str | Flaw]:
        """Yields the split of each document that was added, or why it is set aside."""
        raise NotImplementedError


def load_rows(source: Input, kind: Kind) -> Corpus:
    """Loads a corpus from the rows of a source.

    Raises:
        WorkbookError: a file cannot be read as a whole, too many rows are faulty, or no document is left.
    """

    def make(report: Report) -> Iterator[Document | Faulty]:
        for part in source.parts():
            watched = part._replace(rows=partial(_watched, part, kind, report))
            rows = yield from _documents(watched, kind)
            report.sources.append(replace(part.source, documents=rows))
        report.problems.extend(source.notes)

    key = [*kind.columns.values(), *source.key, code_version(type(kind).__module__)]
    settle = kind.settle if kind.settles else None
    return cached(source.name, key, kind.schema(), make, kind.name, kind.identity, settle)


def _watched(part: Part, kind: Kind, report: Report) -> Iterator[Row]:
    """Passes the rows of a file on, and reports which column names splits in each of them and is not read."""
    telling: set[str] | None = None
    for row in part.rows():
        yield row
        if isinstance(row.value, dict) and telling != set():
            names = row.value.keys() - {SPLIT, *kind.columns.values()} if telling is None else telling
            telling = {name for name in names if may_split(name, row.value.get(name, ""))}
    for name in sorted(telling or ()):
        unused = f"column {name!r} may name splits, but is not used: call it {SPLIT!r} if it does"
        report.problems.append(f"{part.name}: {unused}")


def _documents(part: Part, kind: Kind) -> Generator[Document | Faulty, None, int]:
    """Yields the documents of one file, and the rows to be set aside; returns how many rows there were."""
    rows, counts = 0, Counter[str]()
    first: dict[str, tuple[int, Flaw]] = {}  # of each kind of flaw

    def too_many(summary: str) -> WorkbookError:
        number, flaw = next(iter(first.values()))
        lines = [f"{at(part.where(number), flaw.reason, flaw.remedy)}.", f"{summary}:"]
        lines += [f"  {name}: {count:,}. {first[name][1].remedy}." for name, count in counts.most_common()]
        if kind.example:
            lines += ["Rows that can be used, as .jsonl:", kind.example]
        return WorkbookError("\n".join(lines))

    for rows, row in enumerate(kind.rows(part), 1):
        own = isinstance(row.value, Labelled | Conversation)
        place = row.value.place if own else f"{part.name}:{row.number}"
        try:
            if row.flaw:
                raise Unfit(*row.flaw)
            document = kind.parse(row.value, place, part)
        except Unfit as unfit:
            counts[unfit.flaw.kind] += 1
            first.setdefault(unfit.flaw.kind, (row.number, unfit.flaw))
            yield Faulty(place, unfit.flaw, row.value)
        else:
            if flaw := kind.add(document):
                yield Faulty(place, flaw, row.value, shown(document))
            elif kind.settles:
                yield document | {"place": place, "row": json.dumps(row.value, default=str)}
            else:
                yield document
        if rows == FIRST == counts.total():
            raise too_many(f"None of the first {FIRST} rows can be used")
    if counts[NOT_UTF8] > max(2, rows / 50):
        raise too_many(f"Of {rows:,} rows, {counts[NOT_UTF8]:,} are not UTF-8: the whole file is in another encoding")
    if counts.total() > rows / 2:
        raise too_many(f"Of {rows:,} rows, {counts.total():,} cannot be used")
    return rows


def kept_splits(named: set[str | None], report: Report) -> dict[str | None, str]:
    """Returns what becomes of each split that a source names; nothing if a hash is to decide, which the report tells.

    There must be one to learn from and one to test on; a validation split alone is the test split.
    """
    names = {split for split in named if split}
    if "train" in names and len(names) > 1:
        return {"train": "train", "test": "test", "validation": "validation" if "test" in names else "test"}
    if names:
        report.problems.append(f"rows are named for {' and '.join(sorted(names))} alone: divided by a hash instead")
    return {}


def named_split(value: Any, columns: Columns) -> str | None:
    """Returns the split that a row names in its column `split`, if it has one that is not one of those wanted.

    Raises:
        Unfit: the split is unknown.
    """
    given = value.get(SPLIT) if isinstance(value, dict) and SPLIT not in columns.values() else None
    if given is None or not str(given).strip():
        return None
    split = SPLIT_NAMES.get(str(given).strip().lower())
    if not split:
        reason = f"the split {shorten(repr(given))} is none of {', '.join(SPLIT_NAMES)}"
        raise Unfit("unknown split", reason, "Name one of these, or call the column something else than split")
    return split


def is_visible(text: str) -> bool:
    """Says whether there is anything to see in a text: more than blanks and characters without a form of their own."""
    return any(unicodedata.category(character)[0] in "LNPS" and character not in UNSEEN for character in text)


def digest(value: Any) -> int:
    """Returns a hash of 64 bits of a JSON value: two of a million are taken for one with a probability of 10⁻⁷."""
    return int.from_bytes(blake2b(json.dumps(value).encode(), digest_size=8).digest(), "big")
