"""Which kind of text is it? Texts with one label each, from tables, the Hub, or the workbook's own tasks.

| source | labelled texts |
|---|---|
| `pydocs-packages`, `pydocs-order` | two tasks made from docstrings (`helpers.corpora.pydocs.tasks`) |
| .jsonl, .json, .csv, .tsv, .parquet, each also .gz, or a folder of them | one a row or object |
| `hub:owner/name[:config][:split][:column]` | one a row; the numbers of a ClassLabel become the names of the classes |

A label is text, a whole number, or true or false; it is kept as text, without blanks around it. Set aside are, each
counted in the report: empty texts; texts that stand there twice; texts that stand there under different labels, all of
them; texts of the test split that are in train too; and classes with too few documents to learn or to test. Texts count
as the same if they have the same word characters in the same order, whatever their case.

Splits are `train` and `test`. A test split that files are named for, or that the Hub has, is kept, and validation (dev)
is joined to train; where there is a validation split and no test split, it is the test split. Everything else is
divided by a hash of the group: a quarter is test, since a tenth or less of a small file would test nothing.

Rows are held in memory while they are checked: labelled data are small.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers import files
from helpers.corpora.corpus import Corpus, cached, place_of
from helpers.corpora.readers import folders, hub
from helpers.corpora.readers.tables import TABLES, Columns, checked, ending, read_rows, require, where
from helpers.corpora.report import Report, Source, shorten
from helpers.corpora.rows import Labelled
from helpers.files import WorkbookError, at
from helpers.imports import code_version

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import IterableDataset

FEWEST = 10
"""Training documents that a class must have."""

HELD_OUT = 0.25
"""Share of the groups that are for test, where the source does not say which are."""

SHOWN = 10
"""How many classes an error lists."""

EXAMPLE = '{"text": "I would come again.", "label": "good"}\n{"text": "The soup was cold.", "label": "bad"}'

_WORD = re.compile(r"\w+")


def load(source: str, column: str = "text", label: str = "label", limit: int | None = None) -> Corpus:
    """Loads labelled texts.

    Args:
        source: a task of `helpers.corpora.pydocs.tasks`, the path to a file or a folder, or an address of the Hub
            (see `helpers.corpora.readers.hub`).
        column: which column or key holds the text.
        label: which one holds the label.
        limit: how many documents to take at most of each split of the Hub; None for all. Many data sets are sorted by
            label, and begin with thousands of one class.

    Returns:
        The corpus; splits `train` and `test` with the columns `text`, `label` and `group`.

    Raises:
        WorkbookError: something cannot be read, a label is missing or is none, or fewer than two classes are left.
    """
    key, read = _open(source, column, label, limit)

    def make(report: Report) -> Iterator[dict[str, Any]]:
        rows = _divided(_cleaned(read(report), report))
        for row in _large_enough(rows, report):
            yield {"text": row.text, "label": row.label, "group": row.group, "split": row.split}

    return cached(source, [*key, code_version(__name__)], _schema(), make, "labels")


def _schema() -> pa.Schema:
    import pyarrow as pa

    return folders.schema().append(pa.field("label", pa.string()))


def _open(
    source: str, column: str, label: str, limit: int | None
) -> tuple[list[str], Callable[[Report], list[Labelled]]]:
    """Returns what the rows of a source depend on, and what reads them and enters their sources into the report."""
    from helpers.corpora.pydocs import corpus, tasks

    if source in tasks.TASKS:
        return corpus.key_of(()), partial(_read_task, source, tasks.TASKS[source])
    if source.startswith("hub:"):
        address = source.removeprefix("hub:")
        name, config, split, column = hub.parse(address, column)
        columns = _columns(source, column, label)
        key = [column, label, str(limit), *hub.local_stamps(name)]
        return key, partial(_read_hub, address, (name, config, split), columns, limit)
    top = Path(source).expanduser()
    if not top.exists():
        known = ", ".join(tasks.TASKS)
        raise at(source, "there are no such labelled texts", f"Known are {known}, hub:owner/name, and paths")
    paths = _find(top)
    key = [column, label, *folders.stamps(paths)]
    return key, partial(_read_files, top, paths, _columns(source, column, label))


def _columns(source: str, column: str, label: str) -> Columns:
    if column == label:
        raise at(source, f"text and label are both to be read from {label!r}", "Choose two with column= and label=")
    return {"column": column, "label": label}


def _find(top: Path) -> list[Path]:
    """Lists the files to be read.

    Raises:
        WorkbookError: there is none, or one has no labels.
    """
    paths = folders.find(top)
    for path in paths:
        if ending(path) not in TABLES:
            accepted = f"Accepted are {', '.join(TABLES)}, each also with .gz; two lines of a .jsonl file, for example"
            raise at(path, "plain text has no labels", f"{accepted}:\n{EXAMPLE}")
    return paths


def _read_task(source: str, task: Callable[[Iterable[str]], Iterator[Labelled]], report: Report) -> list[Labelled]:
    rows = list(task(()))
    digest = files.fingerprint(part for row in rows for part in (row.text, row.label))
    report.sources.append(Source(source, documents=len(rows), fingerprint=digest))
    return rows


def _read_files(top: Path, paths: list[Path], columns: Columns, report: Report) -> list[Labelled]:
    given = folders.given_splits(top, paths)
    division = _division(set(given))
    rows: list[Labelled] = []
    for path, split in zip(paths, given, strict=True):
        before = len(rows)
        for (text, label), number in read_rows(path, columns):
            place, line = where(path, number)
            text = checked(text, place, line, columns["column"])
            name = f"{folders.name_of(path, top)}:{number}"
            rows.append(Labelled(text, _label(label, place, line, columns["label"]), name, division[split], name))
        report.sources.append(folders.described(path, top, len(rows) - before))
    return rows


def _read_hub(
    address: str, parts: tuple[str, str, str], columns: Columns, limit: int | None, report: Report
) -> list[Labelled]:
    with hub.told(address):
        report.sources.append(hub.ask(parts[0]))
        streams = hub.open_streams(*parts)
        division = _division(set(streams))
        return [
            Labelled(text, label, place, division[split], place)
            for split, stream in streams.items()
            for text, label, place in _read_stream(address, split or "row", stream, columns, limit)
        ]


def _read_stream(
    address: str, split: str, stream: IterableDataset, columns: Columns, limit: int | None
) -> Iterator[tuple[str, str, str]]:
    """Yields text, label and place of the rows of one split of the Hub."""
    from datasets import ClassLabel

    column, label = columns["column"], columns["label"]
    feature = (stream.features or {}).get(label)
    for number, row in enumerate(islice(stream, limit), 1):
        require(columns, list(row), f"hub:{address}")
        place = f"hub:{address}, {split}:{number}"
        value = _class_name(row[label], feature, place) if isinstance(feature, ClassLabel) else row[label]
        yield checked(row[column], place, None, column), _label(value, place, None, label), f"{split}:{number}"


def _class_name(value: int | None, feature: Any, place: str) -> str | None:
    """Returns the name of a class from its number; data sets that hide the labels of a split have -1 there."""
    if value is None:
        return None
    if not 0 <= value < feature.num_classes:
        raise at(place, f"{value} is no class", "Choose a split that has labels: hub:owner/name:config:split")
    return feature.names[value]


def _label(value: Any, path: str | Path, line: int | None, column: str) -> str:
    """Returns a label as text.

    Raises:
        WorkbookError: there is none, or it is none of text, whole number, true and false.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        raise at(path, f"{column!r} is empty", "Give the row a label, or remove it", line)
    if not isinstance(value, str | int):
        reason = f"{column!r} is {type(value).__name__}, no label"
        raise at(path, reason, "Choose another with label=, or turn it into text or a whole number", line)
    return checked(str(value), path, line, column).strip()


def _division(given: set[str | None]) -> dict[str | None, str | None]:
    """Returns what becomes of each split of a source: train, test, or None where a hash is to decide."""
    test = next((split for split in ("test", "validation") if split in given), None)
    if test is None or "train" not in given:
        return dict.fromkeys(given)
    return {split: "test" if split == test else "train" for split in given}


def _same(text: str) -> str:
    """Returns what texts that count as the same have in common; of a text without words, such as `:-)`, itself."""
    return " ".join(_WORD.findall(text.lower())) or "".join(text.split())


def _cleaned(rows: list[Labelled], report: Report) -> Iterator[Labelled]:
    """Yields the rows that have a text, stand there once and under one label; reports the others."""
    sames = [_same(row.text) for row in rows]
    train = {same for row, same in zip(rows, sames, strict=True) if row.split == "train"}
    labels = defaultdict(set)
    for row, same in zip(rows, sames, strict=True):
        labels[same].add(row.label)
    seen = set()
    for row, same in zip(rows, sames, strict=True):
        if not same:
            _remove("empty", row, report)
        elif len(labels[same]) > 1:
            _remove("contradictory labels", row, report)
        elif row.split == "test" and same in train:
            _remove("stands also in train", row, report)
        elif same in seen:
            _remove("repeated", row, report)
        else:
            seen.add(same)
            yield row


def _divided(rows: Iterator[Labelled]) -> list[Labelled]:
    """Gives each row a split, where it has none by a hash of its group."""
    return [row._replace(split=row.split or ("train", "test")[place_of(row.group) < HELD_OUT]) for row in rows]


def _large_enough(rows: list[Labelled], report: Report) -> Iterator[Labelled]:
    """Yields the rows of the classes that can be learned and tested; reports the others.

    Raises:
        WorkbookError: fewer than two classes are left.
    """
    counts = {split: Counter(row.label for row in rows if row.split == split) for split in ("train", "test")}
    found = {label: (counts["train"][label], counts["test"][label]) for label in Counter(row.label for row in rows)}
    few = {label for label, (train, test) in found.items() if train < FEWEST or not test}
    if len(found) - len(few) < 2:
        raise _too_few_classes(found, report)
    for label in sorted(few):
        train, test = found[label]
        report.problems.append(f"class {shorten(label)!r}: too few documents, {train} in train and {test} in test")
    for row in rows:
        if row.label in few:
            _remove("too few of its class", row, report)
        else:
            yield row


def _too_few_classes(found: dict[str, tuple[int, int]], report: Report) -> WorkbookError:
    most = sorted(found.items(), key=lambda item: (-sum(item[1]), item[0]))
    classes = [f"{shorten(label)!r} ({train} in train, {test} in test)" for label, (train, test) in most[:SHOWN]]
    more = [f"and {len(most) - SHOWN:,} more"] if len(most) > SHOWN else []
    reason = f"fewer than two classes have at least {FEWEST} documents in train and one in test; found: "
    remedy = "Give more documents of each class, or choose another column with label="
    return WorkbookError(f"{at(report.name, reason + (', '.join(classes + more) or 'none'), remedy)}.\n{report}")


def _remove(reason: str, row: Labelled, report: Report) -> None:
    report.remove(reason, row.text, f"{row.place}: {shorten(row.label)}: {shorten(row.text)}")
