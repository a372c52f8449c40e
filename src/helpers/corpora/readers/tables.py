"""The formats of the reader's own files, each read as a stream of rows with their lines.

A row that cannot be read comes with its flaw, and the reading goes on. What is wrong with a whole file is one error
with its place, the reason and the remedy; and so is any fault in plain text or .json, which are read as a whole.
Nothing is executed, and memory stays bounded, except that a .json and a compressed .parquet file are read whole.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from helpers.corpora.report import shorten
from helpers.corpora.rows import Flaw, Row, Unfit
from helpers.files import at

PIECE = 4000
"""Characters after which a text file is cut at the next blank line."""

LONGEST = 1 << 24
"""Bytes of the longest line that is read, and characters of the longest piece or CSV field."""

SHOWN = 1000  # bytes that are kept of a line that is too long

_LFS = b"version https://git-lfs.github.com/spec/"

Columns = Mapping[str, str]
"""Names of columns, by the argument with which the user chooses each, so that an error can name it."""


def read_rows(path: Path, columns: Columns) -> Iterator[Row]:
    """Yields the rows of a file whose ending is among `READERS`; of .parquet, only the columns wanted, if any are.

    Raises:
        WorkbookError: the file as a whole is not what its ending says, or has not these columns.
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


def text_in(value: Any, column: str) -> str:
    """Returns the text of a row: what an object has in a column, or the bare value itself; see `as_text`.

    Raises:
        Unfit: there is no such column, or in it no text.
    """
    if isinstance(value, dict):
        if flaw := missing({"column": column}, value):
            raise Unfit(*flaw)
        value = value[column]
    return as_text(value, column)


def as_text(value: Any, column: str) -> str:
    """Returns a text with its line ends made `\\n`, if it is one; None stands for no text and gives an empty one.

    Raises:
        Unfit: it is no string, or has characters that no text has.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        remedy = "Choose another with column=, or turn it into text"
        raise Unfit("not text", f"{column!r} is {type(value).__name__}, not text", remedy)
    if "\0" in value:
        remedy = "It may not be a text file; remove the character"
        raise Unfit("NUL character", "there is a NUL character in the text", remedy)
    try:
        value.encode()
    except UnicodeEncodeError:
        reason = "half of a surrogate pair (\\ud800 to \\udfff) is no text"
        raise Unfit("half a surrogate pair", reason, "Remove it") from None
    return value.replace("\r\n", "\n").replace("\r", "\n")


def missing(columns: Columns, found: Iterable[str]) -> Flaw | None:
    """Returns which of the columns is not there, if one is not, with those that were found."""
    there = list(found)
    for argument, column in columns.items():
        if column not in there:
            reason = f"there is no column {column!r}; found: {', '.join(map(str, there)) or 'none'}"
            return Flaw("no such column", reason, f"Choose one with {argument}=")
    return None


def ending(path: Path) -> str:
    """Returns the ending that tells the format: of `a.csv.gz` it is `.csv`."""
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()


def where(path: Path, number: int) -> str:
    """Returns what an error says of the place of a row: path and line, or row where there are no lines to count."""
    return f"{path}, {'row' if ending(path) in ('.json', '.parquet') else 'line'} {number}"


def _open(path: Path) -> BufferedIOBase:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _lines(path: Path) -> Iterator[Row]:
    """Yields the lines of a file, decoded one by one to say where the bytes are wrong, which then are `\\xff`."""
    with _open(path) as stream:
        number = 0
        while line := stream.readline(LONGEST + 1):
            number += 1
            flaw = None
            encoding = "utf-8-sig" if number == 1 else "utf-8"
            if len(line) > LONGEST:
                flaw = Flaw("line too long", f"the line is longer than {LONGEST:,} bytes", "Break it into several")
                line = line[:SHOWN] + _end_of_line(stream, line)
            try:
                text = line.decode(encoding)
            except UnicodeDecodeError as error:
                remedy = "Save the file as UTF-8, for example with: iconv -t UTF-8"
                flaw = flaw or Flaw("not UTF-8", f"byte {error.start + 1} of the line is not UTF-8", remedy)
                text = line.decode(encoding, "backslashreplace")
            yield Row(text, number, flaw)


def _end_of_line(stream: BufferedIOBase, piece: bytes) -> bytes:
    """Reads on to the end of a line that began with the piece, and returns what ends it."""
    while piece and not piece.endswith(b"\n"):
        piece = stream.readline(LONGEST)
    return b"\n" if piece else b""


def _sound_lines(path: Path) -> Iterator[tuple[str, int]]:
    """Yields the lines of a file of which one faulty line spoils the whole."""
    for line, number, flaw in _lines(path):
        if flaw:
            raise at(path, flaw.reason, flaw.remedy, number)
        yield line, number


def _read_text(path: Path, columns: Columns) -> Iterator[Row]:
    """Gathers paragraphs to pieces; a paragraph that does not end is cut at a line's end."""
    piece: list[str] = []
    size, start = 0, 1
    for line, number in _sound_lines(path):
        if size > (LONGEST if line.strip() else PIECE):
            yield Row("".join(piece).strip("\r\n"), start)
            piece, size = [], 0
        if line.strip() or piece:
            start = start if piece else number
            piece.append(line)
            size += len(line)
    if piece:
        yield Row("".join(piece).strip("\r\n"), start)


def _read_json_lines(path: Path, columns: Columns) -> Iterator[Row]:
    for line, number, flaw in _lines(path):
        if flaw:
            yield Row(line.rstrip("\r\n"), number, flaw)
        elif line.strip():
            yield _parsed(line.strip(), number)


def _read_json(path: Path, columns: Columns) -> Iterator[Row]:
    text = "".join(line for line, _ in _sound_lines(path))
    if not text.strip():
        return
    members, line, flaw = _parsed(text, 1)
    if flaw:
        raise at(path, flaw.reason, flaw.remedy, line)
    if not isinstance(members, list):
        raise at(path, "it is not a list", "Write a list of strings or objects, or one object a line as .jsonl")
    yield from (Row(member, number) for number, member in enumerate(members, 1))


def _parsed(text: str, line: int) -> Row:
    """Returns the value of a JSON text that begins in a line; or where and why it has none."""
    try:
        return Row(json.loads(text), line)
    except json.JSONDecodeError as error:
        reason, line = f"broken JSON ({error.msg})", line + error.lineno - 1
    except (RecursionError, ValueError) as error:
        reason = f"this JSON cannot be read ({error})"
    return Row(text, line, Flaw("broken JSON", reason, "Mend the line"))


def _read_csv(path: Path, columns: Columns) -> Iterator[Row]:
    header: list[str] | None = None
    taken: list[Row] = []  # the lines of the row at hand; a damaged one counts, since it may open or close a quote

    def lines() -> Iterator[str]:
        for line in _lines(path):
            taken.append(line)
            yield line.value

    rows = csv.reader(lines(), delimiter="\t" if ending(path) == ".tsv" else ",", strict=True)
    csv.field_size_limit(LONGEST)
    while True:
        row: list[str] = []
        flaw, start = None, rows.line_num + 1
        taken.clear()
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            flaw = Flaw("broken table", f"broken table ({error})", "Check the quotes from this line on")
        if header is not None and row and len(row) != len(header):
            reason = f"the row has {len(row)} fields, the header {len(header)}"
            flaw = Flaw("ragged row", reason, "Quote fields that contain the separator or a line break")
        if damaged := next((line for line in taken if line.flaw), None):
            _, start, flaw = damaged
        if header is None:
            header = row
            flaw = flaw or missing(columns, header) or _twice(header, columns)
            if flaw:  # without a header there are no columns
                raise at(path, flaw.reason, flaw.remedy, start)
        elif flaw:
            reason = flaw.reason + (f", in {len(taken)} lines" if len(taken) > 1 else "")
            yield Row("".join(line.value for line in taken).rstrip("\r\n"), start, flaw._replace(reason=reason))
        elif row:
            yield Row(dict(zip(header, row, strict=True)), start)


def _twice(header: list[str], columns: Columns) -> Flaw | None:
    """Returns which column of those wanted, or of all, is there twice."""
    for name in columns.values() or filter(str.strip, header):
        if header.count(name) > 1:
            return Flaw("two columns of one name", f"two columns are called {name!r}", "Rename one of them")
    return None


def _read_parquet(path: Path, columns: Columns) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with _open(path) as stream:
            source = pa.BufferReader(stream.read()) if path.suffix == ".gz" else stream
            table = pq.ParquetFile(source, pre_buffer=False)  # or all that was read stays until the end
            if flaw := missing(columns, table.schema_arrow.names):
                raise at(path, flaw.reason, flaw.remedy)
            number = 0
            for batch in table.iter_batches(batch_size=1000, columns=list(columns.values()) or None):
                for row in batch.to_pylist():
                    number += 1
                    yield Row(row, number)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
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
