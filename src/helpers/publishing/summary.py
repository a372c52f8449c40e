"""What of a notebook is shown, and what stands at its head? Code gathered, logs left out, findings in a box.

In a notebook a cell is plumbing, words or a figure; on its page the plumbing of a figure is one folded block. All is
made from the notebook alone, so that JupyterLab's export menu gives the same page.
"""

import ast
import re
from collections import Counter
from typing import Any

from nbformat import NotebookNode

from helpers.plotting import NARROW_DARK_PNG
from helpers.progress import PROGRESS_MIME
from helpers.publishing import chapters
from helpers.records import NOT_JUDGED, NOTHING_PROVEN, OUTCOMES, RECORD_MIME, UNPROVEN, Verdict

HIDDEN = "hide-input"  # the tag of a cell whose code the page leaves out. The notebook has it
OPEN = ("plain-sight", "injected-parameters")  # the tags of a cell whose code stands open on the page
TRY_IT = "try-it"  # the tag of a cell that readers change: folded on the page, open in the notebook
# What a record is asked for where nothing but words come out: such calls are not shown as code either.
WORDS = {"say", "judge", "conclude", "predict", "predicted", "save"}
# The parameters that name a reader's own file, the most telling first, each with an example.
OWN_FILES = {"LABELS": "my.csv", "PROMPTS": "my.jsonl", "CORPUS": "my-texts/"}


_PATH = re.compile(r"""(?<=["'])((?:hub:)?)/(?:[^"'\n]*/)?(?=[^/"'\n]+["'])""")
"""All but the last name of an absolute path: a page that is shared names a file, not whose home it lies in."""


def prepare(notebook: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
    """Leaves out progress lines and gathers code; a step of nbconvert's, which gives it a copy of the notebook.

    A code cell's metadata get `code`, what is shown above its output: its own, that of cells before it in the same
    section that show nothing, or none. Resources get `found`, the box at the head, and `command`, both or None.
    """
    waiting: list[NotebookNode] = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            if chapters.heading(cell):
                _gather(waiting)
            continue
        cell.outputs = [output for output in cell.outputs if PROGRESS_MIME not in output.get("data", {})]
        tags = chapters.tags(cell)
        if {"parameters", "injected-parameters"} & set(tags):
            cell.source = _PATH.sub(r"\1", cell.source)
        apart = "parameters" in tags or bool(set(OPEN) & set(tags))
        if apart:
            _gather(waiting)
        if HIDDEN not in tags and (apart or not _only_words(cell.source)):
            waiting.append(cell)
            if apart or cell.outputs:
                _gather(waiting)
    _gather(waiting)
    return notebook, resources | {"found": _found(notebook), "command": _command(notebook, resources)}


def _gather(waiting: list[NotebookNode]) -> None:
    """Shows the code of the cells that wait as one block, at the last of them."""
    if waiting:
        waiting[-1].metadata["code"] = "\n\n\n".join(cell.source for cell in waiting)
        waiting.clear()


def _only_words(source: str) -> bool:
    """Returns whether a cell does nothing but have words displayed: those of its record, or Markdown."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return False
    return bool(body) and all(map(_speaks, body))


def _speaks(node: ast.AST | None) -> bool:
    match node:
        case ast.If(body=body, orelse=orelse) | ast.For(body=body, orelse=orelse):
            return all(map(_speaks, [*body, *orelse]))
        case ast.IfExp(body=one, orelse=other):
            return _speaks(one) and _speaks(other)
        case ast.Constant(value=str() | None):
            return True
        case ast.Call(func=ast.Name(id="display"), args=args):
            return all(map(_speaks, args))
        case ast.Call(func=ast.Attribute(value=ast.Name(id="record"), attr=asked)):
            return asked in WORDS
        case ast.Call(func=ast.Name(id=name)) | ast.Name(id=name):
            return name in ("Markdown", "record")
        case ast.Expr(value=value) | ast.Attribute(value=value) | ast.Call(func=ast.Attribute(value=value)):
            return _speaks(value)
    return False


def _found(notebook: NotebookNode) -> dict[str, Any] | None:
    """Returns what the box at the head shows: the last record, and the first figure marked as the headline."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [output.data[RECORD_MIME] for output in outputs if RECORD_MIME in output.get("data", {})]
    figures = [output for output in outputs if output.get("metadata", {}).get("image/png", {}).get("headline")]
    headline = next((figure for figure in figures if shown and NARROW_DARK_PNG in figure.data), None)
    for figure in figures:
        figure.metadata["image/png"]["headline"] = figure is headline
    if not shown:
        return None
    record = shown[-1]
    counts = Counter(prediction["outcome"] or "undecided" for prediction in record["predictions"].values())
    outcomes = {outcome: counts[outcome] for outcome in (*OUTCOMES, NOT_JUDGED) if counts[outcome]}
    verdicts = [Verdict(**verdict) for verdict in record["verdicts"].values()]
    found = {"record": record, "outcomes": outcomes, "headline": headline, "verdicts": verdicts}
    return found | {"unproven": NOTHING_PROVEN if record["profile"] == UNPROVEN else ""}


def _command(notebook: NotebookNode, resources: dict[str, Any]) -> str | None:
    """Returns the command that runs a chapter on a reader's own file; None where no parameter names one."""
    sources = "\n".join(cell.source for cell in notebook.cells if "parameters" in chapters.tags(cell))
    for name, example in OWN_FILES.items():
        if re.search(rf"^{name} *=", sources, re.MULTILINE):
            return f"python -m helpers run {resources['metadata']['name'][:2]} --name mine --set {name}={example}"
    return None
