"""Is it whole? Where things lie, how they are written, and how a user's mistake is told.

Everything that the workbook writes goes first to a temporary name beside its goal and is renamed only when it is
complete, so that a reader of the folder, or a later run, never meets half a file.
"""

import hashlib
import json
import os
import re
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


def shown(source: str) -> str:
    """Returns what a page that is shared calls a source: of a path the last name alone, of anything else all."""
    hub, name, rest = re.fullmatch(r"(hub:)?([^:]*)(.*)", source, re.DOTALL).groups("")  # type: ignore[union-attr]
    if name.startswith((".", "/", "~")) or (name and Path(name).exists()):
        name = Path(name).expanduser().absolute().name
    return hub + name + rest


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


def expanded(source: str) -> str:
    """Returns a source with a `~` at its beginning, or after `hub:`, replaced by the user's home, as a shell does.

    Raises:
        WorkbookError: there is no such user.
    """
    prefix, name = ("hub:", source.removeprefix("hub:")) if source.startswith("hub:") else ("", source)
    if not name.startswith("~"):
        return source
    try:
        return f"{prefix}{Path(name).expanduser()}"
    except RuntimeError:
        remedy = "Write the path in full, or begin it with ./ if there is a ~ in the name."
        raise at(source, "there is no such user", remedy) from None


def read_json(path: Path, remedy: str) -> Any:
    """Reads JSON; what is none, or may not be read, is a mistake with this remedy."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise at(path, f"it cannot be read ({error.strerror})", remedy) from error
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
