"""The formats of the reader's own files, read as streams and checked line by line.

Whatever is wrong with a file becomes one error with its place, the reason and the remedy. Nothing is executed, and
memory stays bounded, except that a .json and a compressed .parquet file are read whole.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
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
    """A text of a file.

    Attributes:
        text: the text.
        number: where it begins, counted from 1: the line, or in .json and .parquet the row.
    """

    text: str
    number: int


class Row(NamedTuple):
    """What a file has in the columns asked for.

    Attributes:
        values: in the order in which they were asked for, not yet checked.
        number: where the row begins, counted from 1: the line, or in .json and .parquet the row.
    """

    values: tuple[Any, ...]
    number: int


Columns = Mapping[str, str]
"""Names of columns, by the argument with which the user chooses each, so that an error can name it."""


def read(path: Path, column: str = "text") -> Iterator[Item]:
    """Yields the texts of one file, each checked to be text.

    Args:
        path: a file whose ending is among `READERS`.
        column: which column or key holds the text.

    Raises:
        WorkbookError: the file is not what its ending says, or something in it is no text.
    """
    for (text,), number in read_rows(path, {"column": column}):
        yield Item(checked(text, *where(path, number), column), number)


def read_rows(path: Path, columns: Columns) -> Iterator[Row]:
    """Yields the rows of one file, their values as the file has them.

    Args:
        path: a file whose ending is among `READERS`; if there are several columns, among `TABLES`.
        columns: which columns or keys are wanted.

    Raises:
        WorkbookError: the file is not what its ending says, or has not these columns.
    """
    with path.open("rb") as stream:
        if stream.read(len(_LFS)) == _LFS:
            raise at(path, "it is only a pointer of Git LFS, not the data", "Fetch the data with: git lfs pull")
    found = False
    try:
        for row in READERS[ending(path)](path, columns):
            found = True
            yield row
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


def where(path: Path, number: int) -> tuple[str, int | None]:
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


def _read_text(path: Path, columns: Columns) -> Iterator[Row]:
    """Gathers paragraphs to pieces; a paragraph that does not end is cut at a line's end."""
    piece: list[str] = []
    size, start = 0, 1
    for line, number in _lines(path):
        if size > (LONGEST if line.strip() else PIECE):
            yield Row(("".join(piece).strip("\r\n"),), start)
            piece, size = [], 0
        if line.strip() or piece:
            start = start if piece else number
            piece.append(line)
            size += len(line)
    if piece:
        yield Row(("".join(piece).strip("\r\n"),), start)


def _read_json_lines(path: Path, columns: Columns) -> Iterator[Row]:
    for line, number in _lines(path):
        if line.strip():
            yield _members(_parse(line.strip(), path, number), columns, path, number)


def _read_json(path: Path, columns: Columns) -> Iterator[Row]:
    text = "".join(line for line, _ in _lines(path))
    if not text.strip():
        return
    members = _parse(text, path, 1)
    if not isinstance(members, list):
        raise at(path, "it is not a list", "Write a list of strings or objects, or one object a line as .jsonl")
    for number, member in enumerate(members, 1):
        yield _members(member, columns, path, number)


def _parse(text: str, path: Path, line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise at(path, f"broken JSON ({error.msg})", "Mend the line", line + error.lineno - 1) from None
    except (RecursionError, ValueError) as error:
        raise at(path, f"this JSON cannot be read ({error})", "Mend the line", line) from None


def _members(value: Any, columns: Columns, path: Path, number: int) -> Row:
    """Returns the row of a JSON value: members of an object; where one column is wanted, also the bare value."""
    if isinstance(value, dict):
        require(columns, list(value), *where(path, number))
        return Row(tuple(value[column] for column in columns.values()), number)
    if len(columns) == 1:
        return Row((value,), number)
    wanted = " and ".join(map(repr, columns.values()))
    example = json.dumps(dict.fromkeys(columns.values(), "..."))
    place, line = where(path, number)
    raise at(place, f"this {type(value).__name__} is no object with {wanted}", f"Write {example}", line)


def require(columns: Columns, found: list[str], path: str | Path, line: int | None = None) -> None:
    """Checks that columns are there.

    Raises:
        WorkbookError: one is not; the error says which were found.
    """
    for argument, column in columns.items():
        if column not in found:
            reason = f"there is no column {column!r}; found: {', '.join(map(str, found)) or 'none'}"
            raise at(path, reason, f"Choose one with {argument}=", line)


def _read_csv(path: Path, columns: Columns) -> Iterator[Row]:
    csv.field_size_limit(LONGEST)
    rows = csv.reader(
        (line for line, _ in _lines(path)), delimiter="\t" if ending(path) == ".tsv" else ",", strict=True
    )
    start = 1
    try:
        header = next(rows, None)
        if header is None:
            return
        require(columns, header, path, 1)
        places = [header.index(column) for column in columns.values()]
        start = rows.line_num + 1
        for row in rows:
            if row and len(row) != len(header):
                reason = f"the row has {len(row)} fields, the header {len(header)}"
                raise at(path, reason, "Quote fields that contain the separator or a line break", start)
            if row:
                yield Row(tuple(row[place] for place in places), start)
            start = rows.line_num + 1
    except csv.Error as error:
        raise at(path, f"broken table ({error})", "Check the quotes from this line on", start) from None


def _read_parquet(path: Path, columns: Columns) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with _open(path) as stream:
            source = pa.BufferReader(stream.read()) if path.suffix == ".gz" else stream
            table = pq.ParquetFile(source, pre_buffer=False)  # or all that was read stays until the end
            require(columns, table.schema_arrow.names, path)
            number = 0
            for batch in table.iter_batches(batch_size=1000, columns=list(columns.values())):
                parts = (batch.column(batch.schema.names.index(column)).to_pylist() for column in columns.values())
                for values in zip(*parts, strict=True):
                    number += 1
                    yield Row(values, number)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, gzip.BadGzipFile):
            raise
        raise at(path, f"it is no readable Parquet file ({shorten(str(error))})", "Make or fetch it again") from None


Reader = Callable[[Path, Columns], Iterator[Row]]

TABLES: dict[str, Reader] = {
    ".jsonl": _read_json_lines,
    ".json": _read_json,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
}
"""What reads rows of several columns, by ending."""

READERS: dict[str, Reader] = {".txt": _read_text, ".md": _read_text, **TABLES}
"""What reads texts, by ending: plain text is a table of one column, whatever that is called."""
