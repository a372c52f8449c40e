"""Real English without a download: the docstrings of Python and of the packages that the workbook stands on.

A document is the prose of one docstring, without code, tables and lists of parameters (`pydocs.prose`). Each paragraph
is kept once, where it first occurs; what is left of a docstring is dropped if it nearly repeats an earlier document
(`helpers.corpora.duplicates`). All docstrings of a module are in one split, by a hash of its name.

The standard library comes first, then the packages in the order of `PACKAGES`, then `LEFT_OUT`; modules by name. So the
same Python and the same versions give the same documents, and adding a package takes nothing from those before it.
"""

from __future__ import annotations

import platform
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from helpers.corpora.corpus import Corpus, cached, split_of
from helpers.corpora.duplicates import Unique
from helpers.corpora.pydocs import prose
from helpers.corpora.pydocs.docstrings import PYTHON, read_packages, source_of, version_of
from helpers.corpora.report import Report, shorten
from helpers.imports import code_version
from helpers.progress import Progress

LEFT_OUT = "networkx"
"""The package that the base run never reads: graphs, a world of its own, for chapter 03 to transfer to."""

_MACHINE_LEARNING = ("torch", "transformers", "accelerate", "datasets", "evaluate", "peft", "trl")
_SCIENCE = ("numpy", "scipy", "pandas", "scikit-learn", "statsmodels", "matplotlib", "seaborn", "sympy")
PACKAGES = (PYTHON, *_MACHINE_LEARNING, *_SCIENCE)
"""What is read by default: the standard library, then the distributions marked * in requirements.txt but `LEFT_OUT`."""


def load_docstrings(packages: Iterable[str] = (), left_out: bool = False) -> Corpus:
    """Loads the corpus, from the cache where it has been read before.

    Args:
        packages: installed distributions, `python` for the standard library; empty means `PACKAGES`.
        left_out: gives the documents of `LEFT_OUT` instead, less those that repeat one of `packages`.

    Returns:
        The corpus; columns `text`, `group` (the module), `package` and `name` (the qualified name).

    Raises:
        WorkbookError: a package is not installed.
    """
    import pyarrow as pa

    wanted = chosen(packages)
    if left_out:
        wanted = (*(package for package in wanted if package != LEFT_OUT), LEFT_OUT)
    tables = read_packages(wanted)
    columns = pa.schema([(name, pa.string()) for name in ("text", "group", "package", "name")])

    def make(report: Report) -> Iterator[dict[str, Any]]:
        unique = Unique()
        if left_out:
            others = {package: path for package, path in tables.items() if package != LEFT_OUT}
            deque(_documents(others, unique, Report("the others")), maxlen=0)  # only to know what they say
            return _documents({LEFT_OUT: tables[LEFT_OUT]}, unique, report)
        return _documents(tables, unique, report)

    name = "pydocs" if wanted == PACKAGES else "pydocs:" + (LEFT_OUT if left_out else ",".join(wanted))
    return cached(name, [code_version(__name__), *(path.name for path in tables.values())], columns, make)


def chosen(packages: Iterable[str]) -> tuple[str, ...]:
    """Returns the packages, each once; `PACKAGES` for none."""
    return tuple(dict.fromkeys(packages)) or PACKAGES


def key_of(packages: Iterable[str]) -> list[str]:
    """Returns what decides all that is made from packages: their documents, and the versions that their code is of.

    The documents alone do not: a new version may have the same docstrings above other code.
    """
    wanted = chosen(packages)
    versions = [f"{package} {version_of(package)}" for package in wanted]
    return [load_docstrings(wanted).fingerprint, platform.python_version(), *versions]


def _documents(tables: dict[str, Path], unique: Unique, report: Report) -> Iterator[dict[str, Any]]:
    """Yields the documents of the packages that say something new; enters the rest into the report."""
    import pyarrow.parquet as pq

    report.kinds = dict.fromkeys(prose.BLOCK_KINDS, 0)
    total = sum(pq.read_metadata(path).num_rows for path in tables.values())
    with Progress("Removing duplicates", total, "docstrings") as progress:
        for package, path in tables.items():
            source, problems = source_of(path)
            report.sources.append(source)
            report.problems += problems
            for row in pq.read_table(path).to_pylist():
                for kind, size in zip(prose.BLOCK_KINDS, row["sizes"], strict=True):
                    report.kinds[kind] += size
                label = f"{row['module']}:{row['name']}".rstrip(":")
                units = row["prose"].split("\n\n")
                if units == [""]:
                    report.remove("docstrings without a sentence", row["text"], f"{label}: {shorten(row['text'])}")
                if text := unique.add(label, units, report):
                    place = {"group": row["module"], "package": package, "name": row["name"]}
                    yield {"text": text, **place, "split": split_of(row["module"])}
                progress.advance()
