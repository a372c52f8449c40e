"""Every chapter as it is committed: without outputs, with its parameters, in short cells, in the order of a chapter."""

import ast
import re

import nbformat
import pytest

from helpers import files
from helpers.claims import CLAIMS
from helpers.publishing import chapters
from helpers.publishing.summary import OPEN, TRY_IT

PARAMETERS = ["PROFILE", "SEED", "NAME", "MODEL", "CORPUS", "OVERRIDES"]
PATHS = sorted(files.NOTEBOOKS.glob("*.ipynb"))
MOST_LINES_OF_A_CELL, MOST_LINES = 15, 350
TAKES_APART = {"partition", "rpartition", "removeprefix", "removesuffix"}


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


@pytest.fixture
def code(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def headings(notebook):
    return [chapters.heading(cell) for cell in notebook.cells if chapters.heading(cell)]


def test_it_is_a_valid_notebook_with_identifiers(notebook):
    assert (notebook.nbformat, notebook.nbformat_minor) >= (4, 5)
    nbformat.validate(notebook)
    identifiers = [cell.id for cell in notebook.cells]
    assert len(set(identifiers)) == len(identifiers)


def test_it_is_committed_without_outputs(notebook):
    assert "language_info" not in notebook.metadata
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_it_begins_with_its_title_and_its_claims(path, notebook):
    assert re.fullmatch(r"\d\d_[a-z_]+", path.stem)
    first = notebook.cells[0]
    assert chapters.heading(first, "#")
    tested = {label for label, claim in CLAIMS.items() if claim.chapter == path.stem[:2]}
    assert tested & set(re.findall(r"C\d+", first.source))


def test_its_second_cell_has_the_parameters_at_their_defaults(notebook):
    parameters = notebook.cells[1]
    assert chapters.tags(parameters) == ["parameters"]
    values = {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(parameters.source).body}
    assert list(values)[: len(PARAMETERS)] == PARAMETERS
    defaults = {"PROFILE": "laptop", "SEED": 0, "NAME": "", "MODEL": "", "CORPUS": "", "OVERRIDES": {}}
    assert values.items() >= defaults.items()


def test_plumbing_is_folded_in_jupyterlab_as_it_is_on_the_page(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            shown = {"parameters", *OPEN, TRY_IT} & set(chapters.tags(cell))
            assert cell.metadata.get("jupyter", {}).get("source_hidden", False) == (not shown), cell.id


def test_the_call_that_checks_an_answer_does_not_tell_it(path, notebook):
    asked = [cell for cell in notebook.cells if cell.cell_type == "code" and "exercises.check" in cell.source]
    assert asked
    for cell in asked:
        assert chapters.tags(cell) == [TRY_IT]
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Constant) and node.value is not None:
                assert re.fullmatch(rf"{path.stem[:2]}\.\d", node.value), node.value
    (text,) = (cell.source for cell in notebook.cells if chapters.heading(cell) == "Exercises")
    _, folded = text.split("<details><summary>Solutions</summary>")
    assert folded.rstrip().endswith("</details>")


def test_it_ends_with_verdict_exercises_and_what_is_saved(notebook):
    found = [heading for heading in headings(notebook) if heading in ("Verdict", "Exercises", "What is saved")]
    assert found == ["Verdict", "Exercises", "What is saved"]


def test_it_and_its_cells_are_short_plain_python(code):
    for source in code:
        ast.parse(source)  # no %magic, no !shell
        assert lines_of(source) <= MOST_LINES_OF_A_CELL, source
    assert sum(map(lines_of, code)) <= MOST_LINES


def lines_of(source):
    return sum(bool(line.strip()) for line in source.splitlines())


def test_no_name_is_taken_apart(code):
    """What a measurement is about stands in columns; a name is split at no sign. Running text may be, at blanks."""
    for source in code:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr not in TAKES_APART, source
                assert node.func.attr not in ("split", "rsplit") or not node.args, source


def test_it_runs_on_any_machine(code):
    for source in code:
        assert "pip install" not in source
        assert not re.search(r"""["'](/|~|[A-Z]:\\)""", source), f"an absolute path in:\n{source}"


def test_its_figures_have_alt_text(code):
    """`plotting.show` demands it; pyplot's own ways of showing a figure would leave it out."""
    assert not any(re.search(r"\bplt\.|pyplot|savefig", source) for source in code)
