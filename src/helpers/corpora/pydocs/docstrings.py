"""Real English without a download: the docstrings of Python and of the packages that the workbook stands on.

Sources are read with `ast`, never imported, so nothing of them runs. A document is the prose of one docstring, its
paragraphs told from code, tables and lists of parameters (`pydocs.prose`). Each paragraph is kept once, where
it first stands; what is left of a docstring is dropped if it nearly repeats an earlier document
(`helpers.corpora.duplicates`). All docstrings of a module are in one split, by a hash of its name.

The standard library comes first, then the packages in the order of `PACKAGES`, then `LEFT_OUT`; modules by name. So the
same Python and the same versions give the same documents, and adding a package takes nothing from those before it.

Left out: docstrings that a module attaches while it runs (numpy's and torch's compiled functions), tests, and parts of
the standard library that some systems package apart.
"""

from __future__ import annotations

import ast
import inspect
import json
import multiprocessing
import os
import platform
import re
import sysconfig
import warnings
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import asdict
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from helpers import files
from helpers.corpora.corpus import Corpus, cached, split_of
from helpers.corpora.duplicates import Unique
from helpers.corpora.pydocs import prose
from helpers.corpora.report import Report, Source, shorten
from helpers.files import WorkbookError
from helpers.imports import code_version
from helpers.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

PYTHON = "python"
LEFT_OUT = "networkx"
"""The package that the base run never reads: graphs, a world of its own, for chapter 03 to transfer to."""

PACKAGES = (
    PYTHON,
    "torch",
    "transformers",
    "accelerate",
    "datasets",
    "evaluate",
    "peft",
    "trl",
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "statsmodels",
    "matplotlib",
    "seaborn",
    "sympy",
)
"""What is read by default: the standard library, then the distributions marked * in requirements.txt but `LEFT_OUT`."""

_SKIPPED_FOLDERS = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"}
_PACKAGED_APART = {"ensurepip", "idlelib", "lib2to3", "tkinter", "turtledemo", "distutils"}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_NAMED = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_BODIES = ("body", "handlers", "orelse", "finalbody", "cases")
"""Where a statement holds other statements."""
POOL_ABOVE = 2_000_000
"""Bytes of source up to which starting workers costs more than it saves."""


class SourceFile(NamedTuple):
    """A file to be read.

    Attributes:
        path: where it lies.
        label: its path inside the package, the same on every machine.
    """

    path: str
    label: str


class Docstring(NamedTuple):
    """What one docstring holds.

    Attributes:
        module: the module's dotted name.
        name: the qualified name inside the module; empty for the module's own.
        prose: its paragraphs of sentences, separated by blank lines.
        text: all of it, dedented.
        sizes: UTF-8 bytes of each kind of text, in the order of `prose.KINDS`.
    """

    module: str
    name: str
    prose: str
    text: str
    sizes: list[int]


Contents = tuple[list[Docstring], str | None]
"""What a file holds: its docstrings, and the problem with it, or None."""


def load(packages: Iterable[str] = (), parts: str = "prose", left_out: bool = False) -> Corpus:
    """Loads the corpus, from the cache where it has been read before.

    Args:
        packages: installed distributions, `python` for the standard library; empty means `PACKAGES`.
        parts: `prose`, or `all` for whole docstrings, code and tables included.
        left_out: gives the documents of `LEFT_OUT` instead, less those that repeat one of `packages`.

    Returns:
        The corpus; columns `text`, `group` (the module), `package` and `name` (the qualified name).

    Raises:
        WorkbookError: a package is not installed, or `parts` is unknown.
    """
    import pyarrow as pa

    if parts not in ("prose", "all"):
        raise WorkbookError(f"pydocs: parts={parts!r} is unknown. Known: prose, all.")
    wanted = tuple(dict.fromkeys(packages)) or PACKAGES
    if left_out:
        wanted = (*(package for package in wanted if package != LEFT_OUT), LEFT_OUT)
    tables = read_packages(wanted)
    columns = pa.schema([(name, pa.string()) for name in ("text", "group", "package", "name")])

    def make(report: Report) -> Iterator[dict[str, Any]]:
        unique = Unique()
        if left_out:
            others = {package: path for package, path in tables.items() if package != LEFT_OUT}
            deque(_documents(others, parts, unique, Report("the others")), maxlen=0)  # only to know what they say
            return _documents({LEFT_OUT: tables[LEFT_OUT]}, parts, unique, report)
        return _documents(tables, parts, unique, report)

    name = "pydocs" if wanted == PACKAGES else "pydocs:" + (LEFT_OUT if left_out else ",".join(wanted))
    fingerprints = [source_of(path)[0].fingerprint for path in tables.values()]
    return cached(name, [parts, code_version(__name__), *fingerprints], columns, make)


def read_packages(packages: Iterable[str]) -> dict[str, Path]:
    """Reads all docstrings of the packages, from the cache where it has them; with a line of progress.

    Returns:
        By package, in the given order, a Parquet file with the fields of `Docstring` as columns; see `source_of` for
        what else it tells.

    Raises:
        WorkbookError: a package is not installed.
    """
    import pyarrow.parquet as pq

    code = code_version(__name__)
    grammar = ".".join(platform.python_version_tuple()[:2])  # a file may be a syntax error in one and not in another
    paths = {}
    for package in packages:
        key = files.fingerprint([package, _version(package), grammar, code])
        paths[package] = files.CACHE / "pydocs" / f"{package}-{key}.parquet"
    missing = {package: list_files(package) for package, path in paths.items() if not path.exists()}
    with closing(_read_files(missing)) as read:  # closed, and its workers with it, also on Ctrl-C
        for package, results in read:
            table = _gather(package, results)
            with files.replacing(paths[package]) as partial:
                pq.write_table(table, partial, compression="zstd")
    return paths


def list_files(package: str) -> list[SourceFile]:
    """Lists the Python sources of a package that may have docstrings, tests left out, in the order of their names.

    Args:
        package: an installed distribution, or `python`.

    Raises:
        WorkbookError: the package is not installed, or does not say which files it has.
    """
    if package == PYTHON:
        top = Path(sysconfig.get_paths()["stdlib"])
        found = []
        for folder, folders, names in os.walk(top):
            folders[:] = [name for name in folders if name not in _SKIPPED_FOLDERS | _PACKAGED_APART]
            found += [Path(folder, name).relative_to(top) for name in names]
        located = [(str(top / path), path.as_posix()) for path in found]
    else:
        listed = _distribution(package).files
        if listed is None:
            raise WorkbookError(f"pydocs: {package} does not list its files. Reinstall it with pip.")
        located = [(str(path.locate()), path.as_posix()) for path in listed if not _SKIPPED_FOLDERS & set(path.parts)]
    sources = [SourceFile(*pair) for pair in located if pair[1].endswith(".py") and not pair[1].startswith("..")]
    return sorted(sources, key=lambda source: source.label)


def read_file(source: SourceFile) -> Contents:
    """Reads the docstrings of one file. Whatever is wrong with the file is returned, not raised.

    Args:
        source: the file.

    Returns:
        The docstrings in the order of the source, and the problem, or None.
    """
    module = source.label.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    try:
        code = Path(source.path).read_bytes()
        if b'"""' not in code and b"'''" not in code:
            return [], None
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(code)
        return [_docstring(module, name, text) for name, text in _walk(tree, "")], None
    except (SyntaxError, ValueError, OSError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        return [], f"{source.label}{line}: {type(error).__name__}: {getattr(error, 'msg', '') or error}"


def source_of(path: Path) -> tuple[Source, list[str]]:
    """Returns what a file of `read_packages` was read from, and what could not be read."""
    import pyarrow.parquet as pq

    about = json.loads(pq.read_schema(path).metadata[b"about"])
    return Source(**about["source"]), about["problems"]


def _walk(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    """Yields qualified name and docstring of a module, class or function and of all inside it; skips expressions."""
    if isinstance(node, (ast.Module, *_NAMED)) and (text := ast.get_docstring(node, clean=False)):
        yield name, text
    for body in _BODIES:
        for child in getattr(node, body, ()):
            yield from _walk(child, f"{name}.{child.name}".lstrip(".") if isinstance(child, _NAMED) else name)


def _read_files(missing: dict[str, list[SourceFile]]) -> Generator[tuple[str, list[Contents]], None, None]:
    """Yields `read_file` of the files of each package, in order, on all cores where that pays.

    Workers are spawned, not forked: the same on Linux and macOS, and safe beside the threads of a notebook's kernel.
    """
    sources = [source for found in missing.values() for source in found]
    sizes = [path.stat().st_size if path.is_file() else 0 for path in (Path(source.path) for source in sources)]
    if sum(sizes) <= POOL_ABOVE:
        for package, found in missing.items():
            yield package, [read_file(source) for source in found]
        return
    pool = ProcessPoolExecutor(_cores(), mp_context=multiprocessing.get_context("spawn"))
    try:
        with Progress("Reading docstrings", sum(size // 1000 for size in sizes), "kB of source") as progress:
            results = zip(pool.map(read_file, sources, chunksize=8), sizes, strict=True)
            for package, found in missing.items():
                contents = []
                for content, size in islice(results, len(found)):
                    contents.append(content)
                    progress.advance(size // 1000)
                yield package, contents
    finally:
        pool.shutdown(cancel_futures=True)


def _cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _docstring(module: str, name: str, text: str) -> Docstring:
    text = inspect.cleandoc(_CONTROL.sub("", text))
    blocks = prose.split_blocks(text)
    sizes = [sum(len(block.text.encode()) for block in blocks if block.kind == kind) for kind in prose.KINDS]
    sentences = "\n\n".join(block.text for block in blocks if block.kind == "prose")
    return Docstring(module, name, sentences, text, sizes)


def _gather(package: str, results: Iterable[Contents]) -> pa.Table:
    """Gathers what the files of a package hold into one table."""
    import pyarrow as pa

    rows, problems = [], []
    for docstrings, problem in results:
        rows += docstrings
        if problem:
            problems.append(f"{package}: {problem}")
    columns = zip(*rows, strict=True) if rows else [[] for _ in Docstring._fields]
    types = [pa.string()] * 4 + [pa.list_(pa.int64())]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    parts = (part for row in rows for part in (row.module, row.name, row.text))
    source = Source(package, _version(package), _licence(package), len(rows), files.fingerprint(parts))
    about = json.dumps({"source": asdict(source), "problems": problems})
    return pa.table(arrays, names=list(Docstring._fields)).replace_schema_metadata({"about": about})


def _documents(tables: dict[str, Path], parts: str, unique: Unique, report: Report) -> Iterator[dict[str, Any]]:
    """Yields the documents of the packages that say something new; enters the rest into the report."""
    import pyarrow.parquet as pq

    report.kinds = dict.fromkeys(prose.KINDS, 0)
    total = sum(pq.read_metadata(path).num_rows for path in tables.values())
    with Progress("Removing duplicates", total, "docstrings") as progress:
        for package, path in tables.items():
            source, problems = source_of(path)
            report.sources.append(source)
            report.problems += problems
            for row in pq.read_table(path).to_pylist():
                for kind, size in zip(prose.KINDS, row["sizes"], strict=True):
                    report.kinds[kind] += size
                label = f"{row['module']}:{row['name']}".rstrip(":")
                units = row["prose"].split("\n\n") if parts == "prose" else [row["text"]]
                if units == [""]:
                    report.remove("docstrings without a sentence", row["text"], f"{label}: {shorten(row['text'])}")
                if text := unique.add(label, units, report):
                    place = {"group": row["module"], "package": package, "name": row["name"]}
                    yield {"text": text, **place, "split": split_of(row["module"])}
                progress.advance()


def _distribution(package: str) -> metadata.Distribution:
    try:
        return metadata.distribution(package)
    except (metadata.PackageNotFoundError, ValueError):
        raise WorkbookError(
            f"pydocs: {package!r} is not installed. Name installed packages, or 'python' for the standard library."
        ) from None


def _version(package: str) -> str:
    """Returns what decides the docstrings of a package: its version; for the standard library that of Python."""
    return platform.python_version() if package == PYTHON else _distribution(package).version


def _licence(package: str) -> str:
    """Returns the licence that a distribution states: as an expression, a classifier, or in words, whichever it has."""
    if package == PYTHON:
        return "PSF-2.0"
    about = _distribution(package).metadata
    expressions = about.get_all("License-Expression") or []
    classifiers = [c.split(" :: ")[-1] for c in about.get_all("Classifier") or [] if c.startswith("License ::")]
    words = [text.strip().partition("\n")[0] for text in about.get_all("License") or []]
    return next(filter(None, [*expressions, *classifiers, *words]), "not stated")
