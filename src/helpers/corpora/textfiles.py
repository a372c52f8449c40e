"""The formats of the reader's own files, read as streams and checked line by line.

Whatever is wrong with a file becomes one error with its place, the reason and the remedy. Nothing is executed, and
memory stays bounded, except that a .json and a compressed .parquet file are read whole.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Any, NamedTuple

from helpers.corpora.report import shorten
from helpers.files import at

PIECE = 4000
"""Characters after which a text file is cut at the next blank line."""

LONGEST = 1 << 24
"""Bytes of the longest line that is read, and characters of the longest piece or CSV field."""

_LFS = b"version https://git-lfs.github.com/spec/"


class Item(NamedTuple):
    """A text as a file has it.

    Attributes:
        text: the text, not yet checked.
        number: where it begins, counted from 1: the line, or in .json and .parquet the row.
    """

    text: Any
    number: int


def read(path: Path, column: str = "text") -> Iterator[Item]:
    """Yields the texts of one file, each checked to be text.

    Args:
        path: a file whose ending is known.
        column: which column or key holds the text.

    Raises:
        WorkbookError: the file is not what its ending says.
    """
    with path.open("rb") as stream:
        if stream.read(len(_LFS)) == _LFS:
            raise at(path, "it is only a pointer of Git LFS, not the data", "Fetch the data with: git lfs pull")
    found = False
    try:
        for item in READERS[ending(path)](path, column):
            found = True
            yield Item(checked(item.text, *_place(path, item.number), column), item.number)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise at(path, "the compressed data are cut off or damaged", "Make or fetch the file again") from None
    if not found:
        raise at(path, "the file is empty", "Remove it, or put text into it")


def checked(text: Any, path: str | Path, line: int | None, column: str) -> str:
    """Returns a text with its line ends made `\\n`, if it is one; None stands for no text and gives an empty one.

    Raises:
        WorkbookError: it is no string, or has characters that no text has.
    """
    if text is None:
        return ""
    if not isinstance(text, str):
        reason = f"{column!r} is {type(text).__name__}, not text"
        raise at(path, reason, "Choose another with column=, or turn it into text", line)
    if "\0" in text:
        raise at(path, "there is a NUL character in the text", "It may not be a text file; remove the character", line)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise at(path, "half of a surrogate pair (\\ud800 to \\udfff) is no text", "Remove it", line) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def ending(path: Path) -> str:
    """Returns the ending that tells the format: of `a.csv.gz` it is `.csv`."""
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()


def _place(path: Path, number: int) -> tuple[str, int | None]:
    """Returns what an error says of the place: path and line, or path with row where there are no lines to count."""
    return (f"{path}, row {number}", None) if ending(path) in (".json", ".parquet") else (str(path), number)


def _open(path: Path) -> BufferedIOBase:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _lines(path: Path) -> Iterator[Item]:
    """Yields the lines of a file with their numbers, decoded one by one to say where the bytes are wrong."""
    with _open(path) as stream:
        number = 0
        while line := stream.readline(LONGEST + 1):
            number += 1
            if len(line) > LONGEST:
                raise at(path, f"the line is longer than {LONGEST:,} bytes", "Break it into several", number)
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                reason = f"byte {error.start + 1} of the line is not UTF-8"
                raise at(path, reason, "Save the file as UTF-8, for example with: iconv -t UTF-8", number) from None
            yield Item(text, number)


def _read_text(path: Path, column: str) -> Iterator[Item]:
    """Gathers paragraphs to pieces; a paragraph that does not end is cut at a line's end."""
    piece: list[str] = []
    size, start = 0, 1
    for line, number in _lines(path):
        if size > (LONGEST if line.strip() else PIECE):
            yield Item("".join(piece).strip("\r\n"), start)
            piece, size = [], 0
        if line.strip() or piece:
            start = start if piece else number
            piece.append(line)
            size += len(line)
    if piece:
        yield Item("".join(piece).strip("\r\n"), start)


def _read_json_lines(path: Path, column: str) -> Iterator[Item]:
    for line, number in _lines(path):
        if line.strip():
            yield Item(_field(_parse(line.strip(), path, number), column, path, number), number)


def _read_json(path: Path, column: str) -> Iterator[Item]:
    text = "".join(line for line, _ in _lines(path))
    if not text.strip():
        return
    members = _parse(text, path, 1)
    if not isinstance(members, list):
        raise at(path, "it is not a list", "Write a list of strings or objects, or one object a line as .jsonl")
    for number, member in enumerate(members, 1):
        yield Item(_field(member, column, path, number), number)


def _parse(text: str, path: Path, line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise at(path, f"broken JSON ({error.msg})", "Mend the line", line + error.lineno - 1) from None
    except (RecursionError, ValueError) as error:
        raise at(path, f"this JSON cannot be read ({error})", "Mend the line", line) from None


def _field(value: Any, column: str, path: Path, number: int) -> Any:
    """Returns the text of a JSON value: itself if it is a string, its member `column` if it is an object."""
    if isinstance(value, dict):
        require(column, list(value), *_place(path, number))
        return value[column]
    return value


def require(column: str, found: list[str], path: str | Path, line: int | None = None) -> None:
    """Checks that a column is there.

    Raises:
        WorkbookError: it is not; the error says which were found.
    """
    if column not in found:
        reason = f"there is no column {column!r}; found: {', '.join(map(str, found)) or 'none'}"
        raise at(path, reason, "Choose one with column=", line)


def _read_csv(path: Path, column: str) -> Iterator[Item]:
    csv.field_size_limit(LONGEST)
    rows = csv.reader(
        (line for line, _ in _lines(path)), delimiter="\t" if ending(path) == ".tsv" else ",", strict=True
    )
    start = 1
    try:
        header = next(rows, None)
        if header is None:
            return
        require(column, header, path, 1)
        start = rows.line_num + 1
        for row in rows:
            if row and len(row) != len(header):
                reason = f"the row has {len(row)} fields, the header {len(header)}"
                raise at(path, reason, "Quote fields that contain the separator or a line break", start)
            if row:
                yield Item(row[header.index(column)], start)
            start = rows.line_num + 1
    except csv.Error as error:
        raise at(path, f"broken table ({error})", "Check the quotes from this line on", start) from None


def _read_parquet(path: Path, column: str) -> Iterator[Item]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with _open(path) as stream:
            source = pa.BufferReader(stream.read()) if path.suffix == ".gz" else stream
            table = pq.ParquetFile(source, pre_buffer=False)  # or all that was read stays until the end
            require(column, table.schema_arrow.names, path)
            row = 0
            for batch in table.iter_batches(batch_size=1000, columns=[column]):
                for value in batch.column(0).to_pylist():
                    row += 1
                    yield Item(value, row)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, gzip.BadGzipFile):
            raise
        raise at(path, f"it is no readable Parquet file ({shorten(str(error))})", "Make or fetch it again") from None


READERS: dict[str, Callable[[Path, str], Iterator[Item]]] = {
    ".txt": _read_text,
    ".md": _read_text,
    ".jsonl": _read_json_lines,
    ".json": _read_json,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
}
"""By ending."""
