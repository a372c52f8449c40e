"""Who works in JupyterLab changes nothing that is committed, is told what it costs, and gets a page by saving."""

import asyncio
import dataclasses
import json
import shutil
import subprocess
from types import SimpleNamespace

import nbformat
import pytest
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from nbformat import v4

from helpers import cli, files, lab
from helpers.profiles import load_profile
from helpers.publishing import chapters
from helpers.records import RECORD_MIME, Record, chapters_of


@pytest.fixture
def workbook(tmp_path, monkeypatch):
    """A repository with two chapters, all committed."""
    for name in ("01_first", "02_second"):
        write(tmp_path / "notebooks" / f"{name}.ipynb", "PROFILE = 'laptop'")
    shutil.copy(files.ROOT / ".gitignore", tmp_path)
    monkeypatch.setattr(files, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(files, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(lab, "FOLDER", tmp_path / "lab")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", "All")
    return tmp_path


def git(folder, *arguments):
    return subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True, text=True).stdout


def write(path, source, *outputs):
    cell = v4.new_code_cell(source, id="parameters", metadata={"tags": ["parameters"]}, outputs=list(outputs))
    path.parent.mkdir(exist_ok=True)
    nbformat.write(v4.new_notebook(cells=[v4.new_markdown_cell("# Title", id="title"), cell]), path)


def change(path, source=None, *outputs):
    """Does to a copy what a reader does: runs it, or changes a cell, and saves."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].source = source or notebook.cells[1].source
    notebook.cells[1].outputs, notebook.cells[1].execution_count = list(outputs), 1
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, path)


def source_of(path):
    return chapters.cells(path)[1]["source"]


def test_working_in_copies_leaves_git_clean(workbook):
    assert lab.copy_chapters(lab.FOLDER) == []
    change(lab.FOLDER / "01_first.ipynb", "PROFILE = 'smoke'", v4.new_output("stream", text="mine"))
    (lab.FOLDER / ".ipynb_checkpoints").mkdir()
    assert git(workbook, "status", "--porcelain") == ""


def test_a_copy_follows_its_chapter_until_the_reader_changes_a_cell(workbook):
    lab.copy_chapters(lab.FOLDER)
    mine, run = (lab.FOLDER / f"{name}.ipynb" for name in ("01_first", "02_second"))
    change(mine, "PROFILE = 'smoke'")
    change(run, None, v4.new_output("stream", text="mine"))
    assert lab.copy_chapters(lab.FOLDER) == []
    assert chapters.cells(run)[1]["outputs"]  # nothing has changed: what was run is still there
    for name in ("01_first", "02_second"):
        write(files.NOTEBOOKS / f"{name}.ipynb", "PROFILE = 'gpu'")
    assert lab.copy_chapters(lab.FOLDER) == [mine]
    assert (source_of(mine), source_of(run)) == ("PROFILE = 'smoke'", "PROFILE = 'gpu'")
    change(mine, "PROFILE = 'gpu'")
    assert lab.copy_chapters(lab.FOLDER) == []


def test_the_command_opens_the_copies_in_a_jupyterlab_that_makes_pages(workbook, monkeypatch, capsys):
    became = []
    monkeypatch.setattr(lab.os, "execve", lambda program, command, environment: became.append((command, environment)))
    assert cli.main(["lab"]) == 0
    change(lab.FOLDER / "01_first.ipynb", "PROFILE = 'smoke'")
    write(files.NOTEBOOKS / "01_first.ipynb", "PROFILE = 'gpu'")
    assert capsys.readouterr().out == ""
    assert cli.main(["lab"]) == 0
    assert "01_first.ipynb is yours" in capsys.readouterr().out
    ((command, environment), _) = became
    assert command[1:] == ["-m", "jupyterlab", str(lab.FOLDER), lab.HOOK]
    assert environment["JUPYTER_PREFER_ENV_PATH"] == "1"  # the kernel is this Python's


def test_a_file_in_place_of_a_copy_that_is_no_notebook_is_told(workbook):
    files.write_text(lab.FOLDER / "01_first.ipynb", "{")
    with pytest.raises(files.WorkbookError, match="not a notebook"):
        lab.copy_chapters(lab.FOLDER)


def record_output(run="mine"):
    record = Record("01_first", load_profile("smoke"), run, {"seed": 0})
    record.save()
    data = json.loads(json.dumps(record._repr_mimebundle_()))
    return v4.new_output("execute_result", data, execution_count=1)


def test_a_saved_copy_that_was_run_to_its_record_becomes_a_page_of_its_run(workbook, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(lab, "subprocess", SimpleNamespace(Popen=asked.append))
    copy = lab.FOLDER / "01_first.ipynb"
    lab.copy_chapters(lab.FOLDER)
    hook = lab.HOOK.partition("=")[2]

    def save():
        manager = AsyncLargeFileManager(root_dir=str(lab.FOLDER), post_save_hook=hook)
        model = {"type": "notebook", "format": "json", "content": nbformat.read(copy, as_version=4)}
        asyncio.run(manager.save(model, copy.name))

    save()
    old = record_output()
    del old.data[RECORD_MIME]["run"]  # as records were shown before copies were made
    change(copy, None, old)
    save()
    assert not asked  # before its record
    change(copy, None, record_output())
    save()
    assert asked[-1][-2:] == ["export", str(copy)]
    assert cli.main(asked[-1][3:]) == 0
    page = files.RESULTS / "mine" / "01_first.html"
    assert str(page) in capsys.readouterr().out
    assert "proves nothing" in page.read_text(encoding="utf-8")
    assert 'href="01_first.html"' in (page.parent / "index.html").read_text(encoding="utf-8")


def test_the_page_of_any_other_notebook_stands_beside_it(workbook, tmp_path):
    write(tmp_path / "01_first.ipynb", "1", record_output())
    assert lab.export_page(tmp_path / "01_first.ipynb") == tmp_path / "01_first.html"


def test_a_chapter_begins_by_saying_what_it_costs_and_what_it_proves(workbook, monkeypatch):
    said, asked = [], []
    monkeypatch.setattr(lab, "aside", said.append)

    def expected(chapter, run, *_):
        asked.append((chapter, run.profile_name, run.folder.name, run.settings))
        return "about 1:00"

    monkeypatch.setattr(lab.timing, "expected", expected)
    defaults = "PROFILE = 'laptop'\nSEED = 0\nMODEL = ''\nCOLUMN = 'text'\nOVERRIDES = {}"
    write(files.NOTEBOOKS / "01_first.ipynb", defaults)
    given = {"PROFILE": "laptop", "SEED": 0, "MODEL": "owner/name", "COLUMN": "text", "another": 1}
    given |= {"OVERRIDES": {"tokens": 500_000}}
    fitted = dataclasses.replace(load_profile("laptop", tokens=500_000), matrix_learning_rate=0.0)  # to the model
    record = Record("01_first", fitted, "mine")
    assert lab.begin(record, given) is record
    assert asked == [("01_first", "laptop", "mine", {"tokens": 500_000, "MODEL": "owner/name"})]
    assert "**about 1:00**" in said[-1]
    assert "proves nothing" not in said[-1]
    lab.begin(Record("01_first", load_profile("smoke")), given | {"MODEL": "", "OVERRIDES": {}})
    assert asked[-1][1:] == ("smoke", "smoke", {})
    assert "proves nothing" in said[-1]
    assert chapters_of(files.RESULTS / "mine") == {}  # nothing is written
    assert RECORD_MIME not in said[-1]
