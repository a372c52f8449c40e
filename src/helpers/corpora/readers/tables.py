"""The formats of the reader's own files, each read as a stream of rows with their lines.

Which format a file has, `helpers.corpora.readers.content` says. A row that cannot be read comes with its flaw, and the
reading goes on. What is wrong with a whole file is one error with its place, the reason and the remedy; and so is any
fault in plain text or .json, which are read as a whole. Nothing is executed, and memory stays bounded, except that a
.json and a compressed .parquet file are read whole.
"""

from __future__ import annotations

import ast
import csv
import json
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from helpers.corpora.readers.content import Content, look, open_bytes, open_utf8, told, wrapped_rows
from helpers.corpora.report import shorten
from helpers.corpora.rows import Flaw, Row, Unfit
from helpers.files import at

if TYPE_CHECKING:
    import pyarrow as pa

PIECE = 4000
"""Characters after which a text file is cut at the next blank line; after twice as many at the end of a line, or of a
sentence."""

LONGEST = 1 << 24
"""Bytes of the longest line that is read, and characters of the longest CSV field."""

SPLIT = "split"
"""The column that names a row's split, where a table has it."""

SPLIT_NAMES = {
    name: split
    for split, names in {
        "train": "train training trainset traindata trn",
        "validation": "validation valid val dev devel development devdata eval evaluation",
        "test": "test testing testset testdata tst holdout heldout",
    }.items()
    for name in names.split()
}
"""What files, columns and the Hub call the splits."""

NOT_UTF8 = "not UTF-8"
"""The kind of flaw of a line in another encoding; more than a few mean that all of the file is in another."""

NO_COLUMN = "no such column"

SHOWN = 1000  # bytes that are kept of a line that is too long

Columns = Mapping[str, str]
"""Names of columns, by the argument with which the user chooses each, so that an error can name it."""


def read_rows(path: Path, columns: Columns) -> Iterator[Row]:
    """Yields the rows of a file; of .parquet, if any columns are wanted, only these and what may name splits.

    Raises:
        WorkbookError: the file as a whole cannot be read, or has not these columns.
    """
    content = look(path)
    found = False
    with told(path):
        for row in READERS[content.ending](path, content, columns):
            found = True
            yield row
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
        remedy = f"{choose('column', 'another')}, or turn it into text"
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
            return Flaw(NO_COLUMN, reason, choose(argument))
    return None


def choose(argument: str, which: str = "one") -> str:
    """Returns how a column is chosen: in `report`, and in `run`."""
    return f"Choose {which} with --{argument} NAME (in run: --set {argument.upper()}=NAME)"


def value_in(text: str, column: str) -> Any:
    """Returns the list or object that a column of a table holds as text: JSON, or what Python prints.

    Raises:
        Unfit: it is neither.
    """
    try:
        return json.loads(text)
    except (RecursionError, ValueError) as error:
        reason = f"{column!r} is text, but no JSON ({error})"
    try:
        return ast.literal_eval(text.strip())
    except (MemoryError, RecursionError, SyntaxError, TypeError, ValueError):
        raise Unfit("broken JSON", reason, "Write it as JSON, such as with json.dumps of Python") from None


def splits_in(*names: str) -> set[str]:
    """Returns the splits that names are words for: `reviewsTest` and `my-test.csv` for test."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", " ".join(names)).lower()
    words = re.sub(r"h[eo]ld[-_ ]out", "holdout", words)
    return {SPLIT_NAMES[word] for word in re.split(r"[^a-z]+", words) if word in SPLIT_NAMES}


def may_split(column: str, value: Any = None) -> bool:
    """Says whether a column, by its value in a row or its name alone, may say what is for which split."""
    if value is None:
        return bool(splits_in(column)) or column.lower() in (SPLIT, "set", "subset", "partition", "fold")
    said = str(value).strip().lower()
    return said in SPLIT_NAMES or (said in ("0", "1", "true", "false", "yes", "no") and bool(splits_in(column)))


def where(path: Path, number: int) -> str:
    """Returns what an error says of the place of a row: path and line, or row where there are no lines to count."""
    return f"{path}, {'line' if look(path).by_line else 'row'} {number}"


def _lines(path: Path, content: Content) -> Iterator[Row]:
    """Yields the lines of a file, decoded one by one to say where the bytes are wrong, which then are `\\xff`."""
    with open_utf8(path, content) as stream:
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
                flaw = flaw or _not_utf8(path, line, error.start)
                text = line.decode(encoding, "backslashreplace")
            yield Row(text, number, flaw)


def _not_utf8(path: Path, line: bytes, place: int) -> Flaw:
    """Returns what is wrong with a line in another encoding, and a command that mends the file if it is Windows' own.

    That one is named, not taken: what is Latin-2 or MacRoman reads without an error, and wrongly, as Windows-1252 too.
    """
    reason, likely = f"byte {place + 1} of the line is not UTF-8", True
    try:
        line.decode("windows-1252")
    except UnicodeDecodeError:
        likely = False
    reason += ", but may be Windows-1252" if likely else ", nor Windows-1252"
    name = path.name.removesuffix(".gz")
    command = f"iconv -f {'WINDOWS-1252' if likely else 'ENCODING'} -t UTF-8 {quote(name)} > {quote('utf-8-' + name)}"
    return Flaw(NOT_UTF8, reason, f"Save the file as UTF-8, in its folder with: {command}")


def _end_of_line(stream: BinaryIO, piece: bytes) -> bytes:
    """Reads on to the end of a line that began with the piece, and returns what ends it."""
    while piece and not piece.endswith(b"\n"):
        piece = stream.readline(LONGEST)
    return b"\n" if piece else b""


def _sound_lines(path: Path, content: Content) -> Iterator[tuple[str, int]]:
    """Yields the lines of a file of which one faulty line spoils the whole."""
    for line, number, flaw in _lines(path, content):
        if flaw:
            raise at(path, flaw.reason, flaw.remedy, number)
        yield line, number


def _read_text(path: Path, content: Content, columns: Columns) -> Iterator[Row]:
    """Gathers paragraphs to pieces; where there are no blank lines, lines; where there are no lines, sentences."""
    piece: list[str] = []
    size, start = 0, 1
    for line, number in _short_lines(path, content):
        if size and (size + len(line) > 2 * PIECE if line.strip() else size > PIECE):
            yield Row("".join(piece).strip("\r\n"), start)
            piece, size = [], 0
        if line.strip() or piece:
            start = start if piece else number
            piece.append(line)
            size += len(line)
    if piece:
        yield Row("".join(piece).strip("\r\n"), start)


def _short_lines(path: Path, content: Content) -> Iterator[tuple[str, int]]:
    for line, number in _sound_lines(path, content):
        for part in _cut(line):
            yield part, number


def read_whole(path: Path) -> str:
    """Returns all of a text file, or raises WorkbookError."""
    with told(path):
        return "".join(line for line, _ in _sound_lines(path, look(path))).strip("\r\n")


_SENTENCE = re.compile(r"[.!?…]['\")\]»”’]*\s+|[。！？]")
_BLANK, _BLANKS = re.compile(r"\s+"), re.compile(r"\s*")


def _cut(line: str) -> Iterator[str]:
    """Cuts a line longer than two pieces after a sentence, or where there is none after a word, or anywhere."""
    start = 0
    while len(line) - start > 2 * PIECE:
        window = start + PIECE, start + 2 * PIECE
        found = _SENTENCE.search(line, *window) or _BLANK.search(line, *window)
        end = found.end() if found else window[0]
        yield line[start:end]
        start = end
    yield line[start:]


def _read_json_lines(path: Path, content: Content, columns: Columns) -> Iterator[Row]:
    for line, number, flaw in _lines(path, content):
        if flaw:
            yield Row(line.rstrip("\r\n"), number, flaw)
        elif line.strip():
            yield _parsed(line.strip(), number)


def _read_json(path: Path, content: Content, columns: Columns) -> Iterator[Row]:
    """Reads a list, an object that wraps one, or several values one after the other."""
    text = "".join(line for line, _ in _sound_lines(path, content))
    values, place = [], _blank_from(text, 0)
    while place < len(text):
        try:
            value, end = _JSON.raw_decode(text, place)
        except (RecursionError, ValueError) as error:
            reason, line = _broken(error)
            raise at(path, reason, "Mend it there", line) from None
        values.append(value)
        place = _blank_from(text, end)
    if len(values) == 1:
        (value,) = values
        values = value if isinstance(value, list) else _members(path, value)
    yield from (Row(value, number) for number, value in enumerate(values, 1))


def _members(path: Path, value: Any) -> list[Any]:
    """Returns the rows of a .json that holds one value, which is no list."""
    if not isinstance(value, dict):
        return [value]
    if value and SPLIT_NAMES.keys() >= value.keys() and all(map(_is_rows, value.values())):
        return [{**row, SPLIT: split} for split, rows in value.items() for row in rows]
    if rows := wrapped_rows(value):
        return rows
    held = list(value.values())
    if held and (all(isinstance(of, dict) for of in held) or all(isinstance(of, list) for of in held)):
        reason = f"it is an object of columns or splits ({shorten(', '.join(value))}), not a list of rows"
        raise at(path, reason, "Write a list of objects (in pandas: to_json(NAME, orient='records')), one file a split")
    return [value]


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def _one_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns the object of some keys and values; one that has a key twice has no meaning."""
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"two keys are called {next(name for name in names if names.count(name) > 1)!r}")
    return value


_JSON = json.JSONDecoder(object_pairs_hook=_one_of_each)


def _parsed(text: str, number: int) -> Row:
    """Returns the value of a line of JSON, or why it has none."""
    try:
        return Row(_JSON.decode(text), number)
    except (RecursionError, ValueError) as error:
        return Row(text, number, Flaw("broken JSON", _broken(error)[0], "Mend the line"))


def _broken(error: Exception) -> tuple[str, int]:
    """Returns what is wrong with a JSON text, and in which of its lines."""
    if isinstance(error, json.JSONDecodeError):
        return f"broken JSON ({error.msg})", error.lineno
    return f"this JSON cannot be read ({error})", 1


def _blank_from(text: str, place: int) -> int:
    """Returns where the blanks end that begin at a place."""
    found = _BLANKS.match(text, place)
    return found.end() if found else place


SEPARATORS = ",;\t|:"
"""What may stand between the cells of a table, the commonest first."""

_SEP = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_INVISIBLE = "\ufeff\u200b\u2060"  # a byte-order mark within, and spaces without width


def _read_csv(path: Path, content: Content, columns: Columns) -> Iterator[Row]:
    csv.field_size_limit(LONGEST)
    lines = _lines(path, content)
    separator, first = _begin(lines)
    if not first:
        return
    if first.flaw:
        raise at(path, first.flaw.reason, first.flaw.remedy, first.number)
    separator = separator or _separator(first.value, "\t" if content.ending == ".tsv" else ",", columns)
    records = _Records(lines, first, separator)
    cells, _, flaw = next(records)
    header = [name.strip().strip(_INVISIBLE).strip() for name in cells]
    if flaw := flaw or missing(columns, header) or _twice(header):  # without a header there are no columns
        above = ". Or remove what is above the line that names the columns, or write such a line"
        raise at(path, flaw.reason, flaw.remedy + (above if flaw.kind == NO_COLUMN else ""), first.number)
    records.header = header
    waiting: list[Row] = []  # rows of blank cells: what spreadsheets write below a table is none
    for cells, taken, flaw in records:
        if flaw:
            reason = flaw.reason + (f", in {len(taken)} lines" if len(taken) > 1 else "")
            number = next((line.number for line in taken if line.flaw), taken[0].number)
            text = "".join(line.value for line in taken).rstrip("\r\n")
            waiting.append(Row(text, number, flaw._replace(reason=reason)))
        elif cells:
            waiting.append(Row(dict(zip(header, cells, strict=True)), taken[0].number))
        if flaw or len(cells) == 1 or any(map(str.strip, cells)):
            yield from waiting
            waiting.clear()


def _begin(lines: Iterator[Row]) -> tuple[str, Row | None]:
    """Returns the separator that a line `sep=;` of Excel names, if there is one, and the first line that says more."""
    separator = ""
    for line in lines:
        if named := _SEP.fullmatch(line.value):
            separator = named[1]
        elif line.value.strip(f'{SEPARATORS} "\r\n'):
            return separator, line
    return separator, None


def _separator(header: str, usual: str, columns: Columns) -> str:
    """Returns what separates the cells: with it the header has the columns wanted, or else the most cells."""
    cells = {of: next(csv.reader([header], delimiter=of)) for of in dict.fromkeys(usual + SEPARATORS)}
    wanted = set(columns.values())
    having = (of for of, names in cells.items() if wanted and wanted <= {name.strip() for name in names})
    return next(having, "") or max(cells, key=lambda of: len(cells[of]) if of != ":" else 0)


_RAGGED = "Quote fields that contain the separator or a line break, and name every column in the header"


class _Record(NamedTuple):
    """Cells, the lines that they are from, and what is wrong with them."""

    cells: list[str]
    lines: list[Row]
    flaw: Flaw | None


class _Records:
    """The records of a table, of which none swallows another for a quote that is no quotation mark.

    A cell that begins with a quote goes on over lines until another quote ends it. Where that fails, the first line
    alone is at fault, and reading goes on with the second. Between tabs quotes need not quote: a line that has the
    right number of cells without them is a row where reading with them fails, or where that would swallow such lines.
    """

    def __init__(self, lines: Iterator[Row], first: Row, separator: str) -> None:
        self.header: list[str] = []  # until it is known, nothing is asked of the number of cells
        self._lines, self._waiting, self._separator = lines, deque([first]), separator
        self._taken: list[Row] = []  # of the record at hand; a damaged one counts, since it may open or close a quote
        self._spaced = re.search(f'{re.escape(separator)} +"', first.value) is not None
        self._rows = self._reader()

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._values(), delimiter=self._separator, skipinitialspace=self._spaced, strict=True)

    def _values(self) -> Iterator[str]:
        while line := self._waiting.popleft() if self._waiting else next(self._lines, None):
            self._taken.append(line)
            yield line.value

    def __iter__(self) -> Iterator[_Record]:
        return self

    def __next__(self) -> _Record:
        self._taken = []
        cells: list[str] = []
        flaw = None
        try:
            cells = next(self._rows)
        except csv.Error as error:
            flaw = Flaw("broken table", f"broken table ({error})", "Double quotes within a cell, or remove them")
        if damaged := next((line.flaw for line in self._taken if line.flaw), None):
            return _Record([], self._taken, damaged)
        if self.header and cells and len(cells) != len(self.header):
            cells = self._fitted(cells)
            if len(cells) != len(self.header):
                reason = f"the row has {len(cells)} fields, the header {len(self.header)}"
                flaw = Flaw("ragged row", reason, _RAGGED)
        if self.header and (flaw or len(self._taken) > 1):
            return self._second_look(cells, flaw)
        return _Record(cells, self._taken, flaw)

    def _fitted(self, cells: list[str]) -> list[str]:
        """Returns as many cells as the header has, if only blank ones are more, or those without a name wanting."""
        if "".join(cells[len(self.header) :]).strip() or "".join(self.header[len(cells) :]):
            return cells
        return [*cells, *[""] * len(self.header)][: len(self.header)]

    def _second_look(self, cells: list[str], flaw: Flaw | None) -> _Record:
        """Returns the record of lines that could not be read together, or that may be several rows."""
        plain = [line.value.rstrip("\r\n").split(self._separator) for line in self._taken]
        width = len(self.header)
        rows = [len(of) == width > 1 for of in plain]
        if self._separator == "\t" and (rows[0] if flaw else all(rows)):
            return _Record(plain[0], self._first_line(), None)
        if flaw and flaw.kind == "broken table":
            return _Record([], self._first_line(), flaw)
        if not flaw and all(rows) and len(rows) + width > 4 and all(cell.strip() for of in plain for cell in of):
            reason = "a quote swallows lines that are rows by themselves"
            flaw = Flaw("broken table", reason, "Double quotes within a cell, or remove them")
        return _Record(cells, self._taken, flaw)

    def _first_line(self) -> list[Row]:
        """Takes the first line alone; the others are read anew."""
        self._waiting.extendleft(reversed(self._taken[1:]))
        self._rows = self._reader()  # the old one may have seen the end of the file
        return self._taken[:1]


def _twice(names: Iterable[str]) -> Flaw | None:
    """Returns which column is there twice."""
    for name, count in Counter(filter(str.strip, names)).items():
        if count > 1:
            return Flaw("two columns of one name", f"{count} columns are called {name!r}", "Rename all but one of them")
    return None


def _read_parquet(path: Path, content: Content, columns: Columns) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open_bytes(path, content.packed) as stream:
            source = pa.BufferReader(stream.read()) if content.packed else stream
            table = pq.ParquetFile(source, pre_buffer=False)  # or all that was read stays until the end
            names = table.schema_arrow.names
            if flaw := missing(columns, names) or _twice(names):
                raise at(path, flaw.reason, flaw.remedy)
            wanted = [name for name in names if name in columns.values() or may_split(name)] if columns else None
            classes = _class_names(table.schema_arrow)
            number = 0
            for batch in table.iter_batches(batch_size=1000, columns=wanted):
                for row in batch.to_pylist():
                    number += 1
                    yield Row(row | {name: of.get(row[name]) for name, of in classes.items() if name in row}, number)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise at(path, f"it is no readable Parquet file ({shorten(str(error))})", "Make or fetch it again") from None


def _class_names(schema: pa.Schema) -> dict[str, dict[int, str]]:
    """Returns the names of classes by column and number, which the library datasets writes beside the numbers."""
    with suppress(AttributeError, KeyError, TypeError, ValueError):  # what another wrote there is left alone
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"].items()
        return {name: dict(enumerate(of["names"])) for name, of in features if "names" in of}
    return {}


Reader = Callable[[Path, Content, Columns], Iterator[Row]]

TABLES: dict[str, Reader] = {
    ".jsonl": _read_json_lines,
    ".json": _read_json,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
}
"""What reads rows of several columns, by the ending of their format."""

READERS: dict[str, Reader] = {".txt": _read_text, ".md": _read_text, **TABLES}
"""What reads texts, alike: plain text is a table of one column, whatever that is called."""
