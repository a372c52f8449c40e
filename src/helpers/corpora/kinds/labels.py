"""Which kind of text is it? Texts with one label each, from tables, the Hub, or the workbook's own tasks.

A label is text, a whole number, or true or false; it is kept as text, without blanks around it. Set aside are, besides
what is faulty in itself: empty texts; texts that are there twice; texts that are there under different labels, all of
them; texts of the test split that are in train too; and classes with too few documents to learn or to test. Texts count
as the same if they have the same word characters in the same order, whatever their case.

A test split that files are named for, or that the Hub has, is kept, and validation (dev) joined to train; where there
is a validation split and no test split, it is the test split. Everything else is divided by a hash of the group: a
quarter is test, since a tenth or less of a small file would test nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from helpers.corpora.corpus import place_of
from helpers.corpora.kinds.loading import Document, Kind, digest, is_visible, kept_splits, named_split
from helpers.corpora.readers.tables import as_text, choose, missing
from helpers.corpora.report import Report, shorten
from helpers.corpora.rows import MEND, Flaw, Labelled, Part, Unfit
from helpers.files import WorkbookError, at

FEWEST = 10
"""Training documents that a class must have."""

HELD_OUT = 0.25
"""Share of the groups that are for test, where the source does not say which are."""

SHOWN = 10  # classes, in an error

MISSING = {"nan", "none", "null", "nil", "na", "n/a", "#n/a", "<na>", "-", "--", "?"}
"""What tables write where there is no value."""

_EMPTY = Flaw("empty", "there is no text", MEND)
_CONTRADICTORY = Flaw("contradictory labels", "the same text has other labels too", "Give it one label")
_LEAKED = Flaw("stands also in train", "the same text is in train", "Take another text to test with")
_REPEATED = Flaw("repeated", "an earlier row has the same text and label", "Nothing: one is kept")
_FEW = Flaw("too few of its class", "its class can be neither learned nor tested", "Give more texts of the class")

_WORD = re.compile(r"\w+")


class _Seen(NamedTuple):
    """What is remembered of a row: its split and label, and hashes of its text and group."""

    split: str | None
    label: str
    same: int | None
    place: float


class Labels(Kind):
    """Texts with labels; splits `train` and `test` with the columns `text`, `group` and `label`.

    Raises:
        WorkbookError: the columns are one; later on, fewer than two classes are left.
    """

    name = "labels"
    fields = ("text", "group", "label")
    identity = ("group", "text", "label")
    example = '{"text": "I would come again.", "label": "good"}\n{"text": "The soup was cold.", "label": "bad"}'

    def __init__(self, column: str = "text", label: str = "label", source: str = "labels") -> None:
        if column == label:
            remedy = "Choose two with --column and --label (in run: --set COLUMN=NAME and --set LABEL=NAME)"
            raise at(source, f"text and label are both to be read from {label!r}", remedy)
        self.columns = {"column": column, "label": label}
        self._rows: list[_Seen] = []

    def parse(self, value: Any, place: str, part: Part) -> Document:
        """See `Kind`."""
        if isinstance(value, Labelled):
            return {**value._asdict(), "text": as_text(value.text, "text")}
        column, label = self.columns["column"], self.columns["label"]
        if not isinstance(value, dict):
            reason = f"this {type(value).__name__} is no object with {column!r} and {label!r}"
            raise Unfit("no object", reason, f'Write {{"{column}": "...", "{label}": "..."}}')
        if flaw := missing(self.columns, value):
            raise Unfit(*flaw)
        text = as_text(value[column], column)
        split = named_split(value, self.columns) or part.split
        return {"text": text, "label": _label(value[label], label), "group": place, "split": split}

    def add(self, document: Document) -> Flaw | None:
        """See `Kind`."""
        same = _same(document["text"])
        place, code = place_of(document["group"]), digest(same) if is_visible(same) else None
        self._rows.append(_Seen(document["split"], document["label"], code, place))
        return None

    def settle(self, report: Report) -> Iterator[str | Flaw]:
        """Yields the split of each row, or why it is set aside; raises at the end if only one class is left."""
        names = kept_splits({row.split for row in self._rows}, report)
        given = {split: "train" if name == "validation" else name for split, name in names.items()}
        flaws = list(self._flaws(given))
        splits = [given.get(row.split) or ("train", "test")[row.place < HELD_OUT] for row in self._rows]
        fit = zip(self._rows, splits, flaws, strict=True)
        counts = Counter((row.label, split) for row, split, flaw in fit if not flaw)
        found = {label: (counts[label, "train"], counts[label, "test"]) for label, _ in counts}
        few = {label for label, (train, test) in found.items() if train < FEWEST or not test}
        for row, split, flaw in zip(self._rows, splits, flaws, strict=True):
            yield flaw or (_FEW if row.label in few else split)
        kept = sorted(found.keys() - few, key=lambda label: (-sum(found[label]), label))
        report.classes.update({label: dict(zip(("train", "test"), found[label], strict=True)) for label in kept})
        report.problems.extend(_doubtful(sorted({row.label for row in self._rows})))
        for label in sorted(few):
            train, test = found[label]
            report.problems.append(f"class {shorten(label)!r}: too few documents, {train} in train and {test} in test")
        if len(found) - len(few) < 2:
            raise _too_few_classes(found, report)

    def _flaws(self, given: dict[str | None, str]) -> Iterator[Flaw | None]:
        """Yields what is wrong with each row beside the others."""
        train = {row.same for row in self._rows if given.get(row.split) == "train"}
        labels = defaultdict(set)
        for row in self._rows:
            labels[row.same].add(row.label)
        seen = set()
        for row in self._rows:
            if row.same is None:
                yield _EMPTY
            elif len(labels[row.same]) > 1:
                yield _CONTRADICTORY
            elif row.same in train and given.get(row.split) == "test":
                yield _LEAKED
            elif row.same in seen:
                yield _REPEATED
            else:
                seen.add(row.same)
                yield None


def _label(value: Any, column: str) -> str:
    """Returns a label as text, or raises Unfit."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # pandas makes numbers of a column with gaps fractional
    if value is None or value != value or (isinstance(value, str) and not value.strip()):
        remedy = "Give the row a label, or remove it; of a data set of the Hub, choose a split that has labels"
        raise Unfit("no label", f"{column!r} is empty", remedy)
    if not isinstance(value, str | int):
        remedy = f"{choose('label', 'another')}, or turn it into text or a whole number"
        raise Unfit("no label", f"{column!r} is {type(value).__name__}, no label", remedy)
    return as_text(str(value), column).strip()


def _same(text: str) -> str:
    """Returns what texts that count as the same have in common; of a text without words, such as `:-)`, itself."""
    return " ".join(_WORD.findall(text.lower())) or "".join(text.split())


def _doubtful(labels: Iterable[str]) -> Iterator[str]:
    """Yields what of the labels may be a mistake: classes that look alike, and names that stand for no label."""
    alike = defaultdict(list)
    for label in labels:
        visible = "".join(char for char in unicodedata.normalize("NFKC", label) if unicodedata.category(char) != "Cf")
        number = re.fullmatch(r"[+-]?0*(\d+)(\.0*)?", visible)
        alike[number[1] if number else "".join(visible.casefold().split())].append(label)
    for twins in alike.values():
        if len(twins) > 1:
            names = ", ".join(shorten(repr(label)) for label in twins)
            yield f"classes {names} differ in case, blanks or invisible characters alone: make them one if they are"
    if none := [repr(label) for form, twins in alike.items() if form in MISSING for label in twins]:
        yield f"label {', '.join(none)} may stand for no label: leave such rows out if it does"


def _too_few_classes(found: dict[str, tuple[int, int]], report: Report) -> WorkbookError:
    most = sorted(found.items(), key=lambda item: (-sum(item[1]), item[0]))
    classes = [f"{shorten(label)!r} ({train} in train, {test} in test)" for label, (train, test) in most[:SHOWN]]
    more = [f"and {len(most) - SHOWN:,} more"] if len(most) > SHOWN else []
    reason = f"fewer than two classes have at least {FEWEST} documents in train and one in test; found: "
    remedy = "Give more documents of each class, or choose another column with --label NAME (in run: --set LABEL=NAME)"
    return WorkbookError(f"{at(report.name, reason + (', '.join(classes + more) or 'none'), remedy)}.\n{report}")
