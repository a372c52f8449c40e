"""What do packages say of themselves? Their docstrings, read from the sources with `ast`, so that nothing of them runs.

Left out: docstrings that a module attaches while it runs (numpy's and torch's compiled functions), tests, and parts of
the standard library that some systems package apart.
"""

from __future__ import annotations

import ast
import gc
import inspect
import json
import multiprocessing
import os
import platform
import re
import sysconfig
import warnings
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from helpers import files
from helpers.corpora.pydocs import prose
from helpers.corpora.report import Source
from helpers.files import WorkbookError
from helpers.imports import code_version
from helpers.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

PYTHON = "python"
"""Stands for the standard library among the names of packages."""

_SKIPPED_FOLDERS = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"}
_PACKAGED_APART = {"ensurepip", "idlelib", "lib2to3", "tkinter", "turtledemo", "distutils"}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_NAMED = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
Definition = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
"""What can have a docstring."""

POOL_ABOVE = 2_000_000
"""Bytes of source up to which starting workers costs more than it saves."""


class SourceFile(NamedTuple):
    """A file to be read; its label is its path inside the package, the same on every machine."""

    path: str
    label: str

    @property
    def module(self) -> str:
        """The dotted name."""
        return self.label.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


class Docstring(NamedTuple):
    """What one docstring holds.

    Attributes:
        name: the qualified name inside the module; empty for the module's own.
        prose: its paragraphs of sentences, separated by blank lines.
        sizes: UTF-8 bytes of each kind of text, in the order of `prose.BLOCK_KINDS`.
    """

    module: str
    name: str
    prose: str
    text: str
    sizes: list[int]


Contents = tuple[list[Docstring], str | None]
"""What a file holds: its docstrings in the order of the source, and the problem with it, or None."""


def read_packages(packages: Iterable[str]) -> dict[str, Path]:
    """Reads all docstrings of the packages, from the cache where it has them; with a line of progress.

    Returns:
        By package, in the given order, a Parquet file with the fields of `Docstring` as columns. Its name changes with
        the version of the package, and with the code that reads.

    Raises:
        WorkbookError: a package is not installed.
    """
    import pyarrow.parquet as pq

    paths = paths_of(packages)
    missing = {package: list_files(package) for package, path in paths.items() if not path.exists()}
    with closing(_read_files(missing)) as read:  # closed, and its workers with it, also on Ctrl-C
        for package, results in read:
            table = _gather(package, results)
            with files.replacing(paths[package]) as partial:
                pq.write_table(table, partial, compression="zstd")
    return paths


def paths_of(packages: Iterable[str]) -> dict[str, Path]:
    """Returns where `read_packages` keeps what it reads of each package."""
    code = code_version(__name__)
    grammar = ".".join(platform.python_version_tuple()[:2])  # a file may be a syntax error in one and not in another
    keys = {package: files.fingerprint([package, version_of(package), grammar, code]) for package in packages}
    return {package: files.CACHE / "pydocs" / f"{package}-{key}.parquet" for package, key in keys.items()}


def source_of(path: Path) -> tuple[Source, list[str]]:
    """Returns what a file of `read_packages` was read from, and what could not be read."""
    import pyarrow.parquet as pq

    about = json.loads(pq.read_schema(path).metadata[b"about"])
    return Source(**about["source"]), about["problems"]


def list_files(package: str) -> list[SourceFile]:
    """Lists the Python sources of a package that may have docstrings, tests left out, in the order of their names.

    Raises:
        WorkbookError: the package is not installed, or does not say which files it has.
    """
    if package == PYTHON:
        top = Path(sysconfig.get_paths()["stdlib"])
        located = []
        for folder, folders, names in os.walk(top):
            folders[:] = [name for name in folders if name not in _SKIPPED_FOLDERS | _PACKAGED_APART]
            located += [(str(path), path.relative_to(top).as_posix()) for path in map(Path(folder).joinpath, names)]
    else:
        listed = _distribution(package).files
        if listed is None:
            raise WorkbookError(f"pydocs: {package} does not list its files. Reinstall it with pip.")
        located = [(str(path.locate()), path.as_posix()) for path in listed if not _SKIPPED_FOLDERS & set(path.parts)]
    sources = [SourceFile(*pair) for pair in located if pair[1].endswith(".py") and not pair[1].startswith("..")]
    return sorted(sources, key=lambda source: source.label)


@contextmanager
def collector_off() -> Iterator[None]:
    """Keeps Python from seeking reference cycles: a syntax tree has none, and the search takes a tenth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def parse_source(code: bytes) -> ast.Module:
    """Parses Python source; what the compiler warns of, such as wrong escapes in other people's strings, is silent."""
    with warnings.catch_warnings(action="ignore"):
        return ast.parse(code)


def definitions(node: ast.AST, name: str = "") -> Iterator[tuple[str, Definition]]:
    """Yields a module, class or function and all inside it, outer ones first, with their qualified names.

    Only statements are searched: expressions hold no docstrings.
    """
    if isinstance(node, Definition):
        yield name, node
    for body in ("body", "handlers", "orelse", "finalbody", "cases"):
        for child in getattr(node, body, ()):
            yield from definitions(child, f"{name}.{child.name}".lstrip(".") if isinstance(child, _NAMED) else name)


@collector_off()
def read_file(source: SourceFile) -> Contents:
    """Reads the docstrings of one file. Whatever is wrong with the file is returned, not raised."""
    try:
        code = Path(source.path).read_bytes()
        if b'"""' not in code and b"'''" not in code:
            return [], None
        found = ((name, ast.get_docstring(node, clean=False)) for name, node in definitions(parse_source(code)))
        return [_docstring(source.module, name, text) for name, text in found if text], None
    except (SyntaxError, ValueError, OSError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        return [], f"{source.label}{line}: {type(error).__name__}: {getattr(error, 'msg', '') or error}"


def version_of(package: str) -> str:
    """Returns what decides the docstrings of a package: its version; for the standard library that of Python."""
    return platform.python_version() if package == PYTHON else _distribution(package).version


def _docstring(module: str, name: str, text: str) -> Docstring:
    text = inspect.cleandoc(_CONTROL.sub("", text))
    blocks = prose.split_blocks(text)
    sizes = [sum(len(block.text.encode()) for block in blocks if block.kind == kind) for kind in prose.BLOCK_KINDS]
    sentences = "\n\n".join(block.text for block in blocks if block.kind == "prose")
    return Docstring(module, name, sentences, text, sizes)


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
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    pool = ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn"))
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


def _gather(package: str, results: list[Contents]) -> pa.Table:
    """Gathers what the files of a package hold into one table."""
    import pyarrow as pa

    rows = [docstring for docstrings, _ in results for docstring in docstrings]
    problems = [f"{package}: {problem}" for _, problem in results if problem]
    parts = (part for row in rows for part in (row.module, row.name, row.text))
    source = Source(package, version_of(package), _licence(package), len(rows), files.fingerprint(parts))
    about = json.dumps({"source": asdict(source), "problems": problems})
    fields = [*((name, pa.string()) for name in Docstring._fields[:-1]), ("sizes", pa.list_(pa.int64()))]
    return pa.Table.from_pylist([row._asdict() for row in rows], pa.schema(fields, {"about": about}))


def _distribution(package: str) -> metadata.Distribution:
    try:
        return metadata.distribution(package)
    except (metadata.PackageNotFoundError, ValueError):
        raise WorkbookError(
            f"pydocs: {package!r} is not installed. Name installed packages, or 'python' for the standard library."
        ) from None


def _licence(package: str) -> str:
    """Returns the licence that a distribution states: as an expression, a classifier, or in words, whichever it has."""
    if package == PYTHON:
        return "PSF-2.0"
    about = _distribution(package).metadata
    expressions = about.get_all("License-Expression") or []
    classifiers = [c.split(" :: ")[-1] for c in about.get_all("Classifier") or [] if c.startswith("License ::")]
    words = [text.strip().partition("\n")[0] for text in about.get_all("License") or []]
    return next(filter(None, [*expressions, *classifiers, *words]), "not stated")
