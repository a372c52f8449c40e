"""The formats of the reader's own files, read as streams and checked line by line.

Whatever is wrong with a file becomes one error with its place, the reason and the remedy; who reads whole rows may
instead be told of each faulty one, and go on. Nothing is executed, and memory stays bounded, except that a .json and a
compressed .parquet file are read whole.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Callable, Container, Iterator, Mapping
from io import BufferedIOBase
from pathlib import Path
from typing import Any, NamedTuple

from helpers.corpora.report import shorten
from helpers.files import at

PIECE = 4000
"""Characters after which a text file is cut at the next blank line."""

LONGEST = 1 << 24
"""Bytes of the longest line that is read, and characters of the longest piece or CSV field."""

SHOWN = 1000
"""Bytes of a line that is too long which a fault shows."""

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


class Record(NamedTuple):
    """A whole row.

    Attributes:
        value: what the file has, not yet checked: a dict by column; in .jsonl and .json whatever stands there.
        number: where the row begins, counted from 1: the line, or in .json and .parquet the row.
    """

    value: Any
    number: int


class Flaw(NamedTuple):
    """What is wrong with a row.

    Attributes:
        kind: in a few words that are the same for all such rows.
        reason: what is wrong with this one.
        remedy: what the user can do.
    """

    kind: str
    reason: str
    remedy: str


class Fault(NamedTuple):
    """A row that cannot be read.

    Attributes:
        path: the file.
        number: its line.
        flaw: what is wrong with it.
        raw: how it stands in the file; bytes that are no UTF-8 as `\\xff`, a line longer than `LONGEST` only in part.
    """

    path: Path
    number: int
    flaw: Flaw
    raw: str


OnFault = Callable[[Fault], None]
"""What is called with a faulty row: it raises, or returns if the reading is to go on after it."""

Columns = Mapping[str, str]
"""Names of columns, by the argument with which the user chooses each, so that an error can name it."""


def refuse(fault: Fault) -> None:
    """Lets a faulty row stop the reading.

    Raises:
        WorkbookError: always.
    """
    raise at(fault.path, fault.flaw.reason, fault.flaw.remedy, fault.number)


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
    yield from _whole(path, READERS[ending(path)](path, columns, refuse))


def read_records(path: Path, on_fault: OnFault) -> Iterator[Record]:
    """Yields the rows of one file with all their columns.

    Args:
        path: a file whose ending is among `TABLES`.
        on_fault: is told of a row that cannot be read.

    Raises:
        WorkbookError: the file as a whole is not what its ending says.
    """
    told: set[Path] = set()

    def noted(fault: Fault) -> None:
        told.add(fault.path)
        on_fault(fault)

    for (value,), number in _whole(path, TABLES[ending(path)](path, None, noted), told):
        yield Record(value, number)


def _whole(path: Path, rows: Iterator[Row], told: Container[Path] = ()) -> Iterator[Row]:
    """Yields the rows of a file, and raises what is wrong with all of it; of faulty rows in it was `told`."""
    with path.open("rb") as stream:
        if stream.read(len(_LFS)) == _LFS:
            raise at(path, "it is only a pointer of Git LFS, not the data", "Fetch the data with: git lfs pull")
    found = False
    try:
        for row in rows:
            found = True
            yield row
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise at(path, "the compressed data are cut off or damaged", "Make or fetch the file again") from None
    if not found and path not in told:
        raise at(path, "the file is empty", "Remove it, or put text into it")


def checked(text: Any, path: str | Path, line: int | None, column: str) -> str:
    """Returns a text with its line ends made `\\n`, if it is one; None stands for no text and gives an empty one.

    Raises:
        WorkbookError: it is no string, or has characters that no text has.
    """
    if text is None:
        return ""
    if flaw := flaw_of(text, column):
        raise at(path, flaw.reason, flaw.remedy, line)
    return plain(text)


def flaw_of(text: Any, column: str) -> Flaw | None:
    """Returns why something is no text, if it is none."""
    if not isinstance(text, str):
        reason = f"{column!r} is {type(text).__name__}, not text"
        return Flaw("not text", reason, "Choose another with column=, or turn it into text")
    if "\0" in text:
        reason = "there is a NUL character in the text"
        return Flaw("NUL character", reason, "It may not be a text file; remove the character")
    try:
        text.encode()
    except UnicodeEncodeError:
        return Flaw("half a surrogate pair", "half of a surrogate pair (\\ud800 to \\udfff) is no text", "Remove it")
    return None


def plain(text: str) -> str:
    """Returns a text with its line ends made `\\n`."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def ending(path: Path) -> str:
    """Returns the ending that tells the format: of `a.csv.gz` it is `.csv`."""
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()


def where(path: Path, number: int) -> tuple[str, int | None]:
    """Returns what an error says of the place: path and line, or path with row where there are no lines to count."""
    return (f"{path}, row {number}", None) if ending(path) in (".json", ".parquet") else (str(path), number)


def _open(path: Path) -> BufferedIOBase:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


class _Line(NamedTuple):
    text: str
    number: int
    sound: bool


def _lines(path: Path, on_fault: OnFault) -> Iterator[_Line]:
    """Yields the lines of a file, decoded one by one to say where the bytes are wrong; of unsound ones it tells."""
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
            if flaw:
                on_fault(Fault(path, number, flaw, text.rstrip("\r\n")))
            yield _Line(text, number, flaw is None)


def _end_of_line(stream: BufferedIOBase, piece: bytes) -> bytes:
    """Reads on to the end of a line that began with the piece, and returns what ends it."""
    while piece and not piece.endswith(b"\n"):
        piece = stream.readline(LONGEST)
    return b"\n" if piece else b""


def _read_text(path: Path, columns: Columns | None, on_fault: OnFault) -> Iterator[Row]:
    """Gathers paragraphs to pieces; a paragraph that does not end is cut at a line's end."""
    piece: list[str] = []
    size, start = 0, 1
    for line, number, _ in _lines(path, on_fault):
        if size > (LONGEST if line.strip() else PIECE):
            yield Row(("".join(piece).strip("\r\n"),), start)
            piece, size = [], 0
        if line.strip() or piece:
            start = start if piece else number
            piece.append(line)
            size += len(line)
    if piece:
        yield Row(("".join(piece).strip("\r\n"),), start)


def _read_json_lines(path: Path, columns: Columns | None, on_fault: OnFault) -> Iterator[Row]:
    for line, number, sound in _lines(path, on_fault):
        if sound and line.strip():
            value, broken = _parse(line.strip(), path, number)
            if broken:
                on_fault(broken)
            else:
                yield _members(value, columns, path, number)


def _read_json(path: Path, columns: Columns | None, on_fault: OnFault) -> Iterator[Row]:
    text = "".join(line for line, _, _ in _lines(path, refuse))  # a list that is damaged anywhere has no rows
    if not text.strip():
        return
    members, broken = _parse(text, path, 1)
    if broken:
        refuse(broken)
    if not isinstance(members, list):
        raise at(path, "it is not a list", "Write a list of strings or objects, or one object a line as .jsonl")
    for number, member in enumerate(members, 1):
        yield _members(member, columns, path, number)


def _parse(text: str, path: Path, line: int) -> tuple[Any, Fault | None]:
    """Returns the value of a JSON text that begins in a line, and what is wrong if it has none."""
    try:
        return json.loads(text), None
    except json.JSONDecodeError as error:
        reason, line = f"broken JSON ({error.msg})", line + error.lineno - 1
    except (RecursionError, ValueError) as error:
        reason = f"this JSON cannot be read ({error})"
    return None, Fault(path, line, Flaw("broken JSON", reason, "Mend the line"), text)


def _members(value: Any, columns: Columns | None, path: Path, number: int) -> Row:
    """Returns the row of a JSON value: members of an object; where one column is wanted, also the bare value."""
    if columns is None:
        return Row((value,), number)
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


def _read_csv(path: Path, columns: Columns | None, on_fault: OnFault) -> Iterator[Row]:
    header: list[str] | None = None
    lines = _CsvLines(_lines(path, lambda fault: refuse(fault) if header is None else on_fault(fault)))
    rows = csv.reader(lines, delimiter="\t" if ending(path) == ".tsv" else ",", strict=True)
    csv.field_size_limit(LONGEST)
    while True:
        start, flaw = rows.line_num + 1, None
        lines.begin()
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            flaw = Flaw("broken table", f"broken table ({error})", "Check the quotes from this line on")
        else:
            if header is not None and row and len(row) != len(header):
                reason = f"the row has {len(row)} fields, the header {len(header)}"
                flaw = Flaw("ragged row", reason, "Quote fields that contain the separator or a line break")
        if flaw and header is None:
            refuse(Fault(path, start, flaw, ""))  # without a header there are no columns
        if flaw and lines.sound:
            on_fault(Fault(path, start, flaw, lines.raw()))
        elif header is None:
            header = row
            if columns is not None:
                require(columns, header, path, 1)
        elif row and lines.sound:
            yield _fields(row, header, columns, start)


def _fields(row: list[str], header: list[str], columns: Columns | None, number: int) -> Row:
    if columns is None:
        return Row((dict(zip(header, row, strict=True)),), number)
    return Row(tuple(row[header.index(column)] for column in columns.values()), number)


class _CsvLines:
    """The lines of a table, as its parser takes them; remembers those of the row at hand.

    A damaged line is handed on all the same, since it may open or close a quote; its row is unsound.
    """

    def __init__(self, lines: Iterator[_Line]) -> None:
        self._lines = lines
        self.begin()

    def begin(self) -> None:
        self.sound = True
        self._taken: list[str] = []

    def raw(self) -> str:
        return "".join(self._taken).rstrip("\r\n")

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line, _, sound = next(self._lines)
        self.sound = self.sound and sound
        self._taken.append(line)
        return line


def _read_parquet(path: Path, columns: Columns | None, on_fault: OnFault) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = None if columns is None else list(columns.values())
    try:
        with _open(path) as stream:
            source = pa.BufferReader(stream.read()) if path.suffix == ".gz" else stream
            table = pq.ParquetFile(source, pre_buffer=False)  # or all that was read stays until the end
            if columns is not None:
                require(columns, table.schema_arrow.names, path)
            number = 0
            for batch in table.iter_batches(batch_size=1000, columns=wanted):
                for row in batch.to_pylist():
                    number += 1
                    yield Row((row,) if wanted is None else tuple(row[column] for column in wanted), number)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, gzip.BadGzipFile):
            raise
        raise at(path, f"it is no readable Parquet file ({shorten(str(error))})", "Make or fetch it again") from None


Reader = Callable[[Path, Columns | None, OnFault], Iterator[Row]]
"""Reads the columns of a file, or where they are None each row as one value, a dict; and tells of faulty rows."""

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
