"""What is in a file, whatever its name says: compression, format, encoding and line ends, told from its beginning.

An ending decides unless the content makes something else plain. What is no text is refused by what it is, with a
remedy. Encodings are read where a byte-order mark or the zeros of UTF-16 say which they are, and never guessed.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from helpers.files import at

HEAD = 1 << 16
"""Bytes of the beginning that are looked at."""

_READ = 1 << 20
_GZIP, _PARQUET, _ZIP = b"\x1f\x8b", b"PAR1", b"PK\x03\x04"
_UNPACK = "Unpack it, and name what is in it"
_EXPORT = "Open it in the program that made it, and save it as CSV with the encoding UTF-8"
_COPY = "Save its text as a plain .txt file in UTF-8"
_FETCH = "Fetch the file itself again, not the page that shows it"
_PARQUET_TOO = "Write it as Parquet or .jsonl with the library that made it"

SIGNATURES = (
    (b"version https://git-lfs.github.com/spec/", "only a pointer of Git LFS, not the data", "Fetch it: git lfs pull"),
    (b"PK\x05\x06", "an empty zip archive", _UNPACK),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file (.xls, .doc or .ppt)", _EXPORT),
    (b"%PDF", "a PDF document", _COPY),
    (b"{\\rtf", "an RTF document", _COPY),
    (b"BZh", "compressed with bzip2", "Unpack it: bunzip2"),
    (b"\xfd7zXZ\0", "compressed with xz", "Unpack it: unxz"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "Unpack it: unzstd"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"ARROW1\0\0", "an Arrow or Feather file", _PARQUET_TOO),
    (b"\xff\xff\xff\xff", "an Arrow stream", _PARQUET_TOO),
    (b"Obj\x01", "an Avro file", _PARQUET_TOO),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _PARQUET_TOO),
    (b"\x93NUMPY", "an array of NumPy", _PARQUET_TOO),
    (b"\x80\x04\x95", "a pickle, which could run code and is never opened", _PARQUET_TOO),
    (b"\x80\x05\x95", "a pickle, which could run code and is never opened", _PARQUET_TOO),
    (b"SQLite format 3\0", "an SQLite database", "Export the table as CSV: sqlite3 -header -csv"),
    (b"\x89PNG\r\n", "a picture (PNG)", "Name a file with text"),
    (b"\xff\xd8\xff", "a picture (JPEG)", "Name a file with text"),
    (b"GIF8", "a picture (GIF)", "Name a file with text"),
)
"""With what files begin that are not read, what they are, and what to do."""

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16's, which is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OFFICE = {"xl/": "an Excel workbook", "word/": "a Word document", "ppt/": "a PowerPoint presentation",
           "mimetype": "an OpenDocument or EPUB file"}  # fmt: skip
"""What a zip archive is that holds a name which begins so."""

_PAGE = re.compile(
    rb"(?:<!--.*?-->|\s)*<(?:!doctype\s+html|html|head|body|meta|table|div)\b", re.IGNORECASE | re.DOTALL
)
_JSON = re.compile(r'[\[{]\s*(?:["\[{]|$)')
_XML = re.compile(rb"\s*<\?xml\b")


class Content(NamedTuple):
    """What a file holds.

    Attributes:
        ending: that of the format: `.json` for one value or several over many lines, `.jsonl` for one a line.
        packed: whether it is compressed with gzip.
        encoding: what is not UTF-8 but says what it is; empty for UTF-8.
        carriage_returns: whether lines end with `\\r` alone, some or all.
    """

    ending: str
    packed: bool
    encoding: str
    carriage_returns: bool

    @property
    def by_line(self) -> bool:
        """Whether places are lines; otherwise they are rows."""
        return self.ending not in (".json", ".parquet")


def ending(path: Path) -> str:
    """Returns the ending that tells the format: of `a.csv.gz` it is `.csv`."""
    return (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower()


def look(path: Path) -> Content:
    """Looks at the beginning of a file.

    Raises:
        WorkbookError: it cannot be opened, or holds what is not read.
    """
    with told(path):
        with path.open("rb") as stream:
            packed = stream.read(len(_GZIP)) == _GZIP
        with open_bytes(path, packed) as stream:
            head = stream.read(HEAD)
    if head.startswith(_PARQUET):
        return Content(".parquet", packed, "", False)
    _refuse(path, head)
    encoding = _encoding(head)
    text = head.decode(encoding or "utf-8-sig", "replace")
    bare = re.search(r"\r[^\n]", text) is not None
    return Content(_text_format(ending(path), text.replace("\r", "\n") if bare else text), packed, encoding, bare)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turns what goes wrong in opening, unpacking or decoding a file into one error that names it."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise at(path, "the compressed data are cut off or damaged", "Make or fetch the file again") from None
    except UnicodeDecodeError as error:
        reason = f"it is no whole {error.encoding.upper()}, as its beginning says"
        raise at(path, reason, "Save it again, best as UTF-8") from None
    except OSError as error:
        raise at(path, f"it cannot be read ({error.strerror})", "Make it readable, or move it away") from None


def open_bytes(path: Path, packed: bool) -> BinaryIO:
    """Opens a file, unpacked."""
    return cast("BinaryIO", gzip.open(path)) if packed else path.open("rb")


def open_utf8(path: Path, content: Content) -> BinaryIO:
    """Opens a text file as UTF-8 with `\\n` at the ends of lines, or `\\r\\n`; bytes that are not UTF-8 stay."""
    stream = open_bytes(path, content.packed)
    if not content.encoding and not content.carriage_returns:
        return stream
    return cast("BinaryIO", io.BufferedReader(_Recoded(stream, content)))


class _Recoded(io.RawIOBase):
    """A stream of bytes in UTF-8, made of one in another encoding piece by piece."""

    def __init__(self, stream: BinaryIO, content: Content) -> None:
        self._stream = stream
        self._pieces = self._recode(content)
        self._rest = b""

    def _recode(self, content: Content) -> Iterator[bytes]:
        of_encoding = codecs.getincrementaldecoder(content.encoding or "latin-1")()  # Latin-1 keeps every byte
        decoder = io.IncrementalNewlineDecoder(of_encoding, translate=content.carriage_returns)
        after = "utf-8" if content.encoding else "latin-1"
        while piece := self._stream.read(_READ):
            yield decoder.decode(piece).encode(after)
        yield decoder.decode(b"", True).encode(after)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


def _refuse(path: Path, head: bytes) -> None:
    """Raises WorkbookError if a file is none that is read."""
    for beginning, what, remedy in SIGNATURES:
        if head.startswith(beginning):
            raise at(path, f"it is {what}", remedy)
    if head.startswith(_ZIP):
        what = _office(path)
        raise at(path, f"it is {what or 'a zip archive'}", _EXPORT if what else _UNPACK)
    if head[257:262] == b"ustar":
        raise at(path, "it is a tar archive", _UNPACK)
    if _PAGE.match(head.removeprefix(codecs.BOM_UTF8)):
        raise at(path, "it is an HTML page", _FETCH)
    if _XML.match(head.removeprefix(codecs.BOM_UTF8)):
        raise at(path, "it is an XML document", _COPY)


def _office(path: Path) -> str:
    """Returns what document a zip archive is, if it is one."""
    with suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        found = (what for folder, what in _OFFICE.items() if any(name.startswith(folder) for name in names))
        return next(found, "")
    return ""


def _encoding(head: bytes) -> str:
    """Returns the encoding by its mark; or UTF-16 without one, by zeros in every second byte alone."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) > max(4, len(head) / 40) and not min(even, odd):
        return "utf-16-le" if odd else "utf-16-be"
    return ""


def _text_format(named: str, text: str) -> str:
    """Returns the ending of what a text is: that of its name, but JSON in a table is told by its first two lines."""
    if named not in (".json", ".jsonl", ".csv", ".tsv"):
        return named
    first, second = [*islice(filter(None, map(str.strip, text.split("\n"))), 2), "", ""][:2]
    if not _JSON.match(first):
        return named
    try:
        value = json.loads(first)
    except (RecursionError, ValueError):
        begins = first[0] == "[" or (first[-1] in "{[," and second.startswith('"'))  # and goes on in the next line
        return ".json" if begins or named == ".json" else named
    if second:
        return ".jsonl"
    wrapped = isinstance(value, list) or named == ".json" or (len(value) == 1 and wrapped_rows(value) is not None)
    return ".json" if wrapped else ".jsonl"


def wrapped_rows(value: dict[str, Any]) -> list[Any] | None:
    """Returns the rows of an object such as `{"data": [...]}`: its one value that is a list of objects."""
    lists = [of for of in value.values() if isinstance(of, list) and of and all(isinstance(row, dict) for row in of)]
    return lists[0] if len(lists) == 1 else None
