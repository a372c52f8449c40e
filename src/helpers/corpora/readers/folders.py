"""The reader's own files and folders.

| ending | rows |
|---|---|
| .txt, .md | pieces of about 4 kB, cut at blank lines; a shorter file is one row |
| .jsonl | one a line: an object, or a bare value |
| .json | one for each member of a list, alike |
| .csv, .tsv | one a row; the first line names the columns |
| .parquet | one a row |

Each may be compressed (`.gz`). In a folder all files of these endings are read, in the order of their names, hidden
ones skipped; any other ending is an error, since a file left out unnoticed would be worse. Text is UTF-8; a byte-order
mark is dropped, line ends become `\\n`.

If every file of a folder is named for a split (`train.jsonl`, `test-00000.parquet`), the splits are kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from helpers.corpora.readers.tables import READERS, TABLES, Columns, ending, read_rows, where
from helpers.corpora.report import Source
from helpers.corpora.rows import Input, Part
from helpers.files import at
from helpers.imports import code_version

SPLIT_NAMES = {"train": "train", "validation": "validation", "valid": "validation", "val": "validation",
                "dev": "validation", "test": "test"}  # fmt: skip
"""What files and the Hub call the splits."""


def open_files(source: str, columns: Columns, example: str = "") -> Input:
    """Finds the files of a path, to be read as rows; if there is an `example` of two, plain text will not do.

    Raises:
        WorkbookError: there is nothing at the path, or a file has an ending that will not do.
    """
    top = Path(source).expanduser()
    paths = find(top, example)
    key = [code_version(__name__), *stamps(paths)]
    return Input(source, key, lambda: _parts(top, paths, columns))


def _parts(top: Path, paths: list[Path], columns: Columns) -> Iterator[Part]:
    for path, split in zip(paths, given_splits(top, paths), strict=True):
        name = path.relative_to(top).as_posix() if top.is_dir() else path.name
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()[:16]
        together = len(paths) > 1 and ending(path) not in TABLES
        rows = partial(read_rows, path, columns)
        yield Part(name, split, rows, partial(where, path), Source(name, fingerprint=digest), together)


def find(top: Path, example: str = "") -> list[Path]:
    """Lists the files to be read, in the order of their names; with an example, tables alone.

    Raises:
        WorkbookError: there is nothing at the path, or a file has an unknown ending or no columns.
    """
    known = ", ".join(TABLES if example else READERS)
    if top.is_dir():
        within = [path for path in sorted(top.rglob("*")) if path.is_file()]
        paths = [path for path in within if not any(part.startswith(".") for part in path.relative_to(top).parts)]
        if example:  # a README.md beside tables is none
            paths = [path for path in paths if path.name != "README.md"]
        if not paths:
            reason = "the folder holds no files" + (" but perhaps a README.md" if example else "")
            raise at(top, reason, f"Put files there that end in {known}")
    elif top.is_file():
        paths = [top]
    else:
        raise at(top, "there is no such file or folder", "Name another, or hub:owner/name for a data set of the Hub")
    for path in paths:
        if ending(path) not in READERS:
            raise at(path, "its ending is unknown", f"Known: {known}, each also with .gz. Rename it or move it away")
        if example and ending(path) not in TABLES:
            remedy = f"Write a table ({known}, each also with .gz); two lines of a .jsonl file, for example:\n{example}"
            raise at(path, "plain text has no columns", remedy)
    return paths


def stamps(paths: Iterable[Path]) -> list[str]:
    """Returns what tells, without reading them, whether files have changed: their names, sizes and times."""
    return [f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in paths]


def given_splits(top: Path, paths: list[Path]) -> list[str | None]:
    """Returns the split of each file of a folder; None for all unless every one is named for one, and one for train."""
    splits = [SPLIT_NAMES.get(re.split(r"[-_.]", path.name)[0].lower()) for path in paths]
    return splits if top.is_dir() and None not in splits and "train" in splits else [None] * len(paths)
