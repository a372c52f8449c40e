"""What decides a chapter's results is seen; what does not, is not. No kernel is needed."""

import os
import subprocess
import sys

import nbformat
import pytest

from helpers import files
from helpers.publishing import chapters
from helpers.publishing.run import Run
from helpers.publishing.runner import chapter_inputs

v4 = nbformat.v4


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """The second of two chapters, as a node; `written` puts it where the workbook finds it."""
    monkeypatch.setattr(files, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(files, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(files, "REFERENCE", tmp_path / "results" / "reference")
    nbformat.write(v4.new_notebook(), tmp_path / "01_first.ipynb")
    parameters = v4.new_code_cell('SEED = 0\nCORPUS = ""', metadata={"tags": ["parameters"]})
    return v4.new_notebook(cells=[v4.new_markdown_cell("# *Second* `chapter`"), parameters, v4.new_code_cell("1")])


def inputs(notebook, **settings):
    nbformat.write(notebook, files.NOTEBOOKS / "02_second.ipynb")
    return chapter_inputs(Run("smoke", settings=settings), "02_second")


def test_sources_tags_and_parameters_count(notebook):
    seen = [inputs(notebook), inputs(notebook, SEED=1), inputs(notebook, tokens=5000)]
    notebook.cells[2].source = "2"
    seen.append(inputs(notebook))
    notebook.cells[0].source += "\n\nSaid otherwise."
    seen.append(inputs(notebook))
    notebook.cells[2].metadata["tags"] = ["raises-exception"]
    seen.append(inputs(notebook))
    assert len(set(seen)) == len(seen)


def test_what_saving_changes_does_not_count(notebook):
    before = inputs(notebook)
    notebook.cells[2].outputs = [v4.new_output("stream", text="1")]
    notebook.cells[2].execution_count = 1
    notebook.cells[2].id = "another"
    notebook.cells[2].metadata["collapsed"] = True
    notebook.metadata["language_info"] = {"name": "python"}
    assert inputs(notebook) == before


def test_the_readers_own_files_count(notebook, tmp_path):
    text = tmp_path / "texts" / "my.txt"
    files.write_text(text, "one")
    before = inputs(notebook, CORPUS=str(text.parent))
    files.write_text(text, "two and more")
    assert inputs(notebook, CORPUS=str(text.parent)) != before


def test_what_an_earlier_chapter_found_counts_and_what_it_took_does_not(notebook):
    def after(chapter, **record):
        path = Run("smoke").folder / "results.json"
        files.write_json(path, {"format": 1, "chapters": {chapter: record}})
        return inputs(notebook)

    before = after("01_first", fingerprints={"model": "a"}, cost={"seconds": 1}, environment={"commit": "x"})
    assert after("01_first", fingerprints={"model": "a"}, cost={"seconds": 2}, environment={"commit": "y"}) == before
    assert after("01_first", fingerprints={"model": "b"}, cost={"seconds": 1}) != before


def test_each_study_that_the_chapter_shows_counts_and_no_other(notebook):
    before = inputs(notebook)
    files.write_json(files.REFERENCE / "studies" / "01_first.json", {"arms": {}})
    assert inputs(notebook) == before
    for name in ("02_second", "02_grid"):
        files.write_json(files.REFERENCE / "studies" / f"{name}.json", {"arms": {}})
        assert inputs(notebook) != before
        before = inputs(notebook)


def test_titles_and_parameters_are_read_without_nbformat(notebook):
    inputs(notebook)
    assert chapters.chapters()[1] == ("02_second", "Second chapter")
    assert chapters.parameters(files.NOTEBOOKS / "02_second.ipynb") == {"SEED": 0, "CORPUS": ""}


@pytest.mark.parametrize(
    ("source", "message"),
    [(None, "no cell is tagged `parameters`"), ("SEED = = 1", "the parameters cell is not Python")],
)
def test_a_notebook_without_parameters_is_told(notebook, source, message):
    notebook.cells[1].metadata["tags"] = [] if source is None else ["parameters"]
    notebook.cells[1].source = source or "1"
    with pytest.raises(files.WorkbookError, match=message):
        inputs(notebook)


def test_doit_finds_the_same_tasks_at_the_top_folder():
    command = [sys.executable, "-m", "doit", "list", "--all", "profile=smoke"]
    listed = subprocess.run(command, cwd=files.ROOT, capture_output=True, text=True, check=True, env=os.environ).stdout
    for chapter in (path.stem for path in (files.ROOT / "notebooks").glob("*.ipynb")):
        assert f"{chapter}:execute" in listed
        assert f"{chapter}:export" in listed
    assert "index" in listed
