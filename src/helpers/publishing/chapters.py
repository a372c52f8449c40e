"""Which chapters are there, and is this one whole? All that a page must know of its notebook and its neighbours."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from helpers import files


class Chapter(NamedTuple):
    """A chapter of the workbook.

    Attributes:
        name: its notebook's name without ending, such as `01_pretraining`.
        title: its first heading.
    """

    name: str
    title: str

    @property
    def number(self) -> str:
        """The two digits that its name begins with."""
        return self.name[:2]


def read(path: Path) -> NotebookNode:
    """Reads a notebook.

    Raises:
        WorkbookError: it is absent, or no notebook.
    """
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError as error:
        raise files.at(path, "there is no such notebook", "Run the chapter first: `make run`.") from error
    except (UnicodeDecodeError, nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
        raise files.at(path, "not a notebook", "Restore it from git, or run the chapter again.") from error


def title(notebook: NotebookNode, name: str) -> str:
    """Returns the notebook's first heading of level 1, without Markdown's marks; its name where it has none."""
    for cell in notebook.cells:
        found = re.search(r"^# +(.+)$", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else None
        if found:
            return re.sub(r"[*_`]", "", found[1]).strip()
    return name


def chapters(folder: Path | None = None) -> list[Chapter]:
    """Returns the chapters of a folder in order: its notebooks named like `01_pretraining.ipynb`.

    Args:
        folder: the folder; the workbook's notebooks by default.
    """
    found = sorted((folder or files.NOTEBOOKS).glob("[0-9][0-9]_*.ipynb"))
    return [Chapter(path.stem, title(read(path), path.stem)) for path in found]


def neighbours(name: str) -> tuple[Chapter | None, Chapter | None]:
    """Returns the chapters before and after the one of that name, None where there is none."""
    around: list[Chapter | None] = [None, *chapters(), None]
    for before, chapter, after in zip(around, around[1:], around[2:], strict=False):
        if chapter is not None and chapter.name == name:
            return before, after
    return None, None


def incomplete(notebook: NotebookNode) -> str:
    """Says why a notebook does not show a whole run; empty if it does.

    The runner leaves its reason in the metadata (`workbook.incomplete`); what is there to see in the cells is seen
    without it, so that a notebook run by hand is judged alike.
    """
    if reason := notebook.metadata.get("workbook", {}).get("incomplete"):
        return str(reason)
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        if any(output.output_type == "error" for output in cell.outputs):
            return f"cell {number} stopped with an error"
        if cell.execution_count is None:
            return f"cell {number} was not run"
    return ""
