"""Is it whole? Where things lie, how they are written, and how a user's mistake is told.

Everything that the workbook writes goes first to a temporary name beside its goal and is renamed only when it is
complete, so that a reader of the folder, or a later run, never meets half a file.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]  # the workbook's top folder: the package is installed in place (`-e .`)
# Where runs are written; the environment variable moves it, as tests do. A kernel inherits it.
RESULTS = Path(os.environ.get("WORKBOOK_RESULTS", ROOT / "results")).absolute()
REFERENCE = ROOT / "results" / "reference"  # the published run
CACHE = ROOT / "data" / "cache"
NOTEBOOKS = ROOT / "notebooks"


class WorkbookError(Exception):
    """A mistake that the user can mend: the message says where it is, what is wrong and what to do."""


def at(path: str | Path, reason: str, remedy: str, line: int | None = None) -> WorkbookError:
    """Returns the error for bad input in a file, at a line counted from 1, to be raised by the caller."""
    where = f"{path}, line {line}" if line is not None else str(path)
    return WorkbookError(f"{where}: {reason}. {remedy}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, where the caller makes a file or a folder.

    It is renamed to `path` on success, and removed on failure or Ctrl-C. Parent folders are made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        if partial.is_dir() and path.exists():
            shutil.rmtree(path)
        partial.replace(path)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial)
        else:
            partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Writes indented JSON whole or not at all; NaN is refused, since JSON has none."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, remedy: str) -> Any:
    """Reads JSON; what is none is a mistake with this remedy."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # also of UTF-8
        raise at(path, f"not valid JSON ({error})", remedy, getattr(error, "lineno", None)) from error


def fingerprint(parts: Iterable[str | bytes]) -> str:
    """Returns 16 hex digits of SHA-256 over the parts, in order.

    Each part is preceded by its length, so that ("ab", "c") and ("a", "bc") differ.
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()[:16]
