"""The reader's own files and folders.

| ending | rows |
|---|---|
| .txt, .md | pieces of about 4 kB, cut at blank lines (or lines, or sentences); a shorter file is one row |
| .jsonl | one a line: an object, or a bare value |
| .json | one for each member of a list, alike; also of lists in an object: `{"data": [...]}`, or one for each split |
| .csv, .tsv | one a row; the first line that is not blank names the columns |
| .parquet | one a row |

Each may be compressed (`.gz`). In a folder all files of these endings are read, in the order of their names, links
followed, hidden ones skipped; any other ending is an error, since a file left out unnoticed would be worse. What is
about the data (`README.md`, `LICENSE`) is passed over, and the report says so. Text is UTF-8, or UTF-16 that can be
told; a byte-order mark is dropped, line ends become `\\n`.

If every file of a folder is named for a split, or lies in a folder that is (`train.jsonl`, `reviews_test.csv`,
`eval/1.txt`), the splits are kept; if only some are, the report says so. Labels may also be folders of plain text, one
for each class (`good/1.txt`, `train/good/1.txt`).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from helpers.corpora.readers.content import ending, look, told
from helpers.corpora.readers.tables import READERS, TABLES, Columns, read_rows, read_whole, splits_in, where
from helpers.corpora.report import Source, shorten
from helpers.corpora.rows import Input, Labelled, Part, Row
from helpers.files import at, fingerprint, shown
from helpers.imports import code_version

FEW_FILES = 20
"""Up to so many files of plain text are held out by pieces, not whole: of three, one to test on were a third."""

_ABOUT = re.compile(
    r"(README|LICEN[CS]E|COPYING|NOTICE|CITATION|CHANGELOG)\b|DATASET_(INFOS?|DICT)\.JSON$|STATE\.JSON$"
)


class Found(NamedTuple):
    """Files to be read.

    Attributes:
        splits: of each file, what it is named for; None for all if a hash is to decide.
        unclear: which names are not understood.
        classes: of each text, where folders name them.
        passed: the files that are about the data.
    """

    paths: list[Path]
    splits: list[str | None]
    unclear: str
    classes: list[str]
    passed: str


def open_files(source: str, columns: Columns, example: str = "") -> Input:
    """Finds the files of a path, to be read as rows; if there is an `example` of two, plain text will not do.

    Raises:
        WorkbookError: there is nothing at the path, or a file has an ending that will not do.
    """
    top = Path(source).expanduser()
    found = find(top, example, "label" in columns)
    key = [code_version(__name__), *stamps(found.paths)]
    notes = [f"passed over, since about the data: {found.passed}"] if found.passed else []
    return Input(shown(source), key, lambda: _parts(top, found, columns), [*notes, *filter(None, [found.unclear])])


def _parts(top: Path, found: Found, columns: Columns) -> Iterator[Part]:
    if found.classes:
        yield _class_folders(top, found)
        return
    for path, split in zip(found.paths, found.splits, strict=True):
        name = path.relative_to(top).as_posix() if top.is_dir() else path.name
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()[:16]
        together = len(found.paths) > FEW_FILES and ending(path) not in TABLES
        rows = partial(read_rows, path, columns)
        yield Part(name, split, rows, partial(where, path), Source(name, fingerprint=digest), together)


def _class_folders(top: Path, found: Found) -> Part:
    """Returns the texts of folders that are named for classes, a row each."""

    def rows() -> Iterator[Row]:
        labelled = zip(found.paths, found.splits, found.classes, strict=True)
        for number, (path, split, label) in enumerate(labelled, 1):
            place = path.relative_to(top).as_posix()
            yield Row(Labelled(read_whole(path), label, place, split, place), number)

    name, digest = top.resolve().name, fingerprint(path.read_bytes() for path in found.paths)
    return Part(name, None, rows, lambda number: str(found.paths[number - 1]), Source(name, fingerprint=digest))


def find(top: Path, example: str = "", labelled: bool = False) -> Found:
    """Lists the files to be read, in the order of their names.

    Args:
        example: if there is one, only tables will do.
        labelled: whether folders of plain text may name classes.

    Raises:
        WorkbookError: there is nothing at the path; a file cannot be opened, or has an unknown ending or no columns.
    """
    paths, passed = _listed(top, bool(example))
    base = Path(os.path.commonpath([path.parent for path in paths]))
    within = [path.relative_to(base) for path in paths]
    plain = labelled and not any(ending(path) in TABLES for path in paths)
    classes = _classes(within) if plain and any(len(path.parts) > 1 for path in within) else []
    if "" in classes:
        raise at(paths[classes.index("")], "it lies in no folder that names its class", "Move it into one")
    for path in paths:
        _check_ending(path, "" if classes else example)
    asked = top.is_dir() and not any(map(splits_in, classes))  # classes may be called valid and invalid
    splits, unclear = given_splits(within, asked)
    if not unclear and not any(splits):  # the folder that all lie in may be named for a split
        splits, unclear = given_splits([path.relative_to(top) if asked else path for path in paths], asked)
    deeper = _deeper(within, classes)
    return Found(paths, splits, ". ".join(filter(None, [unclear, deeper])), classes, passed)


def _listed(top: Path, tables: bool) -> tuple[list[Path], str]:
    """Returns the files at a path, and the names of those that are passed over.

    Where all are Markdown, a README.md is text like the others.
    """
    if not top.is_dir():
        if not (top.exists() or top.is_symlink()):
            remedy = "Name another, or hub:owner/name for a data set of the Hub"
            raise at(top, "there is no such file or folder", remedy)
        return [_readable(top)], ""
    paths = list(_walk(top, ()))
    about = {path for path in paths if _ABOUT.match(path.name.upper())}
    if not tables and all(path in about or ending(path) == ".md" for path in paths):
        about = {path for path in about if ending(path) not in READERS}
    if len(about) == len(paths):
        reason = "the folder holds no files" + (" but perhaps a README.md" if tables else "")
        raise at(top, reason, f"Put files there that end in {', '.join(TABLES if tables else READERS)}")
    return [path for path in paths if path not in about], ", ".join(path.name for path in paths if path in about)


def _walk(folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    """Yields the files of a folder and of those in it, links followed."""
    with told(folder):
        above = (*above, folder.resolve())
        within = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    for path in within:
        if not path.is_dir():
            yield _readable(path)
        elif path.resolve() in above:
            raise at(path, "the link leads back to a folder that it lies in", "Remove the link")
        else:
            yield from _walk(path, above)


def _readable(path: Path) -> Path:
    """Returns the path of a file that can be opened."""
    if not path.exists():
        raise at(path, "the link leads nowhere", "Mend the link, or remove it")
    if not path.is_file():
        raise at(path, "it is a pipe, a socket or a device, not a file", "Write the text into a file and name that")
    if not os.access(path, os.R_OK):
        raise at(path, "it cannot be read (Permission denied)", "Give yourself the right to: chmod u+r")
    return path


def _check_ending(path: Path, example: str) -> None:
    known = ", ".join(TABLES if example else READERS)
    if ending(path) not in READERS:
        look(path)  # what can be told by content says more than an ending
        raise at(path, "its ending is unknown", f"Known: {known}, each also with .gz. Rename it or move it away")
    if example and ending(path) not in TABLES:
        remedy = f"Write a table ({known}, each also with .gz); two lines of a .jsonl file, for example:\n{example}"
        raise at(path, "plain text has no columns", remedy)


def stamps(paths: Iterable[Path]) -> list[str]:
    """Returns what tells, without reading them, whether files have changed: their names, sizes and times."""
    return [f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in paths]


def given_splits(paths: list[Path], asked: bool) -> tuple[list[str | None], str]:
    """Returns the split of each file by its name and its folders'; None for all unless each has one, with the reason.

    `paths` are relative to the folder that all have in common. They are not asked where the reader named one file.
    """
    named = [splits_in(*path.parts) if asked else set() for path in paths]
    understood = all(len(splits) == 1 for splits in named)
    if understood and "train" in set.union(*named):
        return [next(iter(splits)) for splits in named], ""
    reason = ""
    if any(named):
        one = next(path for path, splits in zip(paths, named, strict=True) if splits)
        other = next((path for path, splits in zip(paths, named, strict=True) if len(splits) != 1), None)
        reason = f"{one} is named for a split, but {f'{other} is not, or for two' if other else 'none for train'}"
        reason += ": all are divided by a hash. Name each file, or its folder, for train, validation or test"
    return [None for _ in paths], reason


def _classes(paths: list[Path]) -> list[str]:
    """Returns the class of each text: the first of its folders that is not named for a split, if all have such."""
    folders = [path.parent.parts for path in paths]
    classes = [next((name for name in names if not splits_in(name)), "") for names in folders]
    if "" in classes:
        return [next(iter(names), "") for names in folders]
    return classes


def _deeper(paths: list[Path], classes: list[str]) -> str:
    """Returns which folders lie in those of classes, and are named for nothing."""
    names = {name for path, label in zip(paths, classes, strict=False) for name in path.parent.parts if name != label}
    if unused := sorted(name for name in names if not splits_in(name)):
        named = shorten(", ".join(sorted(set(classes))))
        return f"classes are {named}: the folders within are not used: {shorten(', '.join(unused))}"
    return ""
