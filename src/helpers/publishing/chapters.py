"""Which chapters are there, and is this one whole? All that a page or a run must know of a notebook.

Importing nbformat takes seconds, so whatever is asked when nothing has changed is answered from the notebook's JSON.
"""

from __future__ import annotations

import ast
import contextlib
import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any, NamedTuple

from helpers import files
from helpers.imports import imported

if TYPE_CHECKING:
    from nbformat import NotebookNode


# Pages of text beside the chapters', and the files of the workbook that they are made from.
TEXTS = {"glossary.html": "GLOSSARY.md", "data.html": "data/README.md", "prompts.html": "data/custom/README.md"}


class Chapter(NamedTuple):
    """A chapter: its notebook's name without ending, such as `01_pretraining`, and its first heading."""

    name: str
    title: str

    @property
    def number(self) -> str:
        """The two digits that its name begins with."""
        return self.name[:2]


def read(path: Path) -> NotebookNode:
    """Reads a notebook, of an older format too; a file that is absent or no notebook is a WorkbookError."""
    import nbformat

    with _told(path):
        with warnings.catch_warnings(action="ignore"):  # what is missing and can be added, is
            notebook = nbformat.reads(_text(path), as_version=4)
        nbformat.validate(notebook, relax_add_props=True)
        return notebook


def _text(path: Path) -> str:
    """Reads a notebook's file, in which there must be a JSON object of the format that we know, or an older one."""
    text = path.read_text(encoding="utf-8")
    form = json.loads(text)
    if not isinstance(form, dict):
        raise ValueError(f"its JSON is a {type(form).__name__}, no object with cells")
    if not isinstance(form.get("nbformat"), int) or not 3 <= form["nbformat"] <= 4:
        raise ValueError(f"it has nbformat {form.get('nbformat')!r}; 4 is known, and 3")
    return text


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turns what may go wrong in reading a notebook into one error that says what."""
    remedy = "Run the chapter again, or restore it from git."
    try:
        yield
    except FileNotFoundError as error:
        raise files.at(path, "there is no such notebook", "Run the chapter first, or restore it from git.") from error
    except OSError as error:
        raise files.at(path, f"not a notebook that can be read ({error.strerror})", remedy) from error
    except Exception as error:  # nbformat meets malformed JSON with whatever its own code raises
        reason = shorten(str(error).strip().partition("\n")[0], 200, placeholder="...") or type(error).__name__
        raise files.at(path, f"not a notebook ({reason})", remedy) from error


def source(name: str) -> Path:
    """Returns the notebook of the chapter of that name."""
    return files.NOTEBOOKS / f"{name}.ipynb"


def cells(path: Path) -> list[dict[str, Any]]:
    """Reads a notebook's cells as plain JSON, each `source` as one string; otherwise like `read`."""
    with _told(path):
        found = json.loads(_text(path))["cells"]
        return [cell | {"source": "".join(cell["source"])} for cell in found]


def tags(cell: dict[str, Any]) -> list[str]:
    """Returns a cell's tags."""
    return cell.get("metadata", {}).get("tags", [])


def imports(path: Path) -> set[str]:
    """Returns the modules of this package that a notebook's cells import, but `lab`, which decides no result."""
    found: set[str] = set()
    for cell in cells(path):
        with contextlib.suppress(SyntaxError):  # a cell of a reader's may be anything; it fails when it is run
            found |= imported(ast.parse(cell["source"])) if cell["cell_type"] == "code" else set()
    return found - {"helpers.lab"}


def parameters(path: Path) -> dict[str, Any]:
    """Returns what a notebook's cell tagged `parameters`, which has to be there, assigns: values by name.

    A value that is no literal is None.
    """
    tagged = [cell["source"] for cell in cells(path) if "parameters" in tags(cell)]
    if not tagged:
        raise files.at(path, "no cell is tagged `parameters`", "Tag the cell that sets PROFILE and SEED.")
    try:
        statements = ast.parse(tagged[0]).body
    except SyntaxError as error:
        raise files.at(path, f"the parameters cell is not Python ({error})", "Mend the cell.") from error
    assigned = [(target, one.value) for one in statements if isinstance(one, ast.Assign) for target in one.targets]
    return {target.id: _value(value) for target, value in assigned if isinstance(target, ast.Name)}


def _value(expression: ast.expr) -> Any:
    try:
        return ast.literal_eval(expression)
    except ValueError:
        return None


def title(notebook: dict[str, Any], name: str) -> str:
    """Returns the notebook's first heading of level 1, without Markdown's marks; its name where it has none."""
    return next((found for cell in notebook["cells"] if (found := heading(cell, "#"))), name)


def heading(cell: dict[str, Any], level: str = "#{1,6}") -> str:
    """Returns a Markdown cell's first heading without marks; empty where there is none. `level` is a pattern of #."""
    found = re.search(rf"^{level} +(.+)$", cell["source"], re.MULTILINE) if cell["cell_type"] == "markdown" else None
    return re.sub(r"[*_`]", "", found[1]).strip() if found else ""


def chapters() -> list[Chapter]:
    """Returns the chapters in order: the notebooks named like `01_pretraining.ipynb`."""
    found = sorted(files.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    return [Chapter(path.stem, title({"cells": cells(path)}, path.stem)) for path in found]


def find(name: str, among: list[str]) -> str:
    """Returns the chapter of that name or number, such as `01_pretraining` or `1`, or an error that lists them."""
    for chapter in among:
        if name in (chapter, chapter[:2], chapter[:2].lstrip("0")):
            return chapter
    raise files.WorkbookError(f"chapter {name!r} is unknown here. Known: {', '.join(among) or 'none'}.")


def neighbours(name: str) -> tuple[Chapter | None, Chapter | None]:
    """Returns the chapters before and after the one of that name (`.failed` or not), None where there is none."""
    around: list[Chapter | None] = [None, *chapters(), None]
    three = zip(around, around[1:], around[2:], strict=False)
    own = name.removesuffix(".failed")
    return next(((before, after) for before, this, after in three if this and this.name == own), (None, None))


def incomplete(notebook: NotebookNode) -> str:
    """Says why a notebook does not show a whole run, by the runner or by hand; empty if it does."""
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
