"""The reader's own text: files and folders, checked line by line.

| ending | documents |
|---|---|
| .txt, .md | pieces of about 4 kB, cut at blank lines; a shorter file is one document |
| .jsonl | one a line: a string, or an object with the text in `column` |
| .json | one for each member of a list, alike |
| .csv, .tsv | one a row; the first line names the columns |
| .parquet | one a row |

Each may be compressed (`.gz`). In a folder all files of these endings are read, in the order of their names, hidden
ones skipped; any other ending is an error, since a file left out unnoticed would be worse. Text is UTF-8; a byte-order
mark is dropped, line ends become `\\n`. A document that repeats an earlier one word for word is removed. Files are read
as streams (but .json and a compressed .parquet whole), so memory does not grow with their size. Nothing is executed.

If every file of a folder is named for a split (`train.jsonl`, `test-00000.parquet`), the splits are kept. Otherwise
documents are divided by a hash: those of one text file together if there are several files, each for itself if not.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.corpora.corpus import Corpus, cached
from helpers.corpora.readers.tables import READERS, ending, read
from helpers.corpora.report import Report, Source, shorten
from helpers.files import at
from helpers.imports import code_version

if TYPE_CHECKING:
    import pyarrow as pa

SPLIT_NAMES = {"train": "train", "validation": "validation", "valid": "validation", "val": "validation",
                "dev": "validation", "test": "test"}  # fmt: skip
"""What files and the Hub call the splits."""


def load(source: str, column: str = "text") -> Corpus:
    """Loads a file or a folder.

    Args:
        source: its path.
        column: which column or key holds the text, where there are several.

    Returns:
        The corpus; columns `text` and `group`.

    Raises:
        WorkbookError: something cannot be read; it says which file and line, why, and what to do.
    """
    top = Path(source).expanduser()
    paths = find(top)
    return cached(
        source,
        [column, code_version(__name__), *stamps(paths)],
        schema(),
        lambda report: _documents(top, paths, column, report),
    )


def schema() -> pa.Schema:
    """Returns the columns of a document from a source that says nothing more about it."""
    import pyarrow as pa

    return pa.schema([("text", pa.string()), ("group", pa.string())])


def stamps(paths: Iterable[Path]) -> list[str]:
    """Returns what tells, without reading them, whether files have changed: their names, sizes and times."""
    return [f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in paths]


def find(top: Path) -> list[Path]:
    """Lists the files to be read, in the order of their names.

    Raises:
        WorkbookError: there is nothing at the path, or a file has an unknown ending.
    """
    known = ", ".join(READERS)
    if top.is_dir():
        within = [path for path in sorted(top.rglob("*")) if path.is_file()]
        paths = [path for path in within if not any(part.startswith(".") for part in path.relative_to(top).parts)]
        if not paths:
            raise at(top, "the folder holds no files", f"Put files there that end in {known}")
    elif top.is_file():
        paths = [top]
    else:
        raise at(top, "there is no such file or folder", "Known sources are pydocs, town, hub:owner/name, and paths")
    for path in paths:
        if ending(path) not in READERS:
            raise at(path, "its ending is unknown", f"Known: {known}, each also with .gz. Rename it or move it away")
    return paths


def new_texts(items: Iterator[tuple[str, str]], report: Report) -> Iterator[tuple[str, str]]:
    """Yields the pairs of label and text whose text is neither empty nor a repetition; reports the others."""
    seen = set()
    for label, text in items:
        digest = hashlib.sha256(text.encode()).digest()[:16]
        if not text.strip():
            report.remove("empty", text, label)
        elif digest in seen:
            report.remove("repeated word for word", text, f"{label}: {shorten(text)}")
        else:
            seen.add(digest)
            yield label, text


def _documents(top: Path, paths: list[Path], column: str, report: Report) -> Iterator[dict[str, Any]]:
    splits = dict(zip((name_of(path, top) for path in paths), given_splits(top, paths), strict=True))
    counts = dict.fromkeys(paths, 0)

    def items() -> Iterator[tuple[str, str]]:
        for path in paths:
            for text, number in read(path, column):
                counts[path] += 1
                yield f"{name_of(path, top)}:{number}", text

    for label, text in new_texts(items(), report):
        name, _, _number = label.rpartition(":")
        together = len(paths) > 1 and ending(Path(name)) in (".txt", ".md")
        yield {"text": text, "group": name if together else label, "split": splits[name]}
    for path, count in counts.items():
        report.sources.append(described(path, top, count))


def described(path: Path, top: Path, documents: int) -> Source:
    """Returns what the report says of a file from which so many documents were read."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()[:16]
    return Source(name_of(path, top), documents=documents, fingerprint=digest)


def name_of(path: Path, top: Path) -> str:
    """Returns what a file is called in the report: its path within the folder that was asked for."""
    return path.relative_to(top).as_posix() if top.is_dir() else path.name


def given_splits(top: Path, paths: list[Path]) -> list[str | None]:
    """Returns the split of each file of a folder; None for all unless every one is named for one, and one for train."""
    splits = [SPLIT_NAMES.get(re.split(r"[-_.]", path.name)[0].lower()) for path in paths]
    return splits if top.is_dir() and None not in splits and "train" in splits else [None] * len(paths)
