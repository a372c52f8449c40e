"""Every chapter at smoke, run as `make run` runs it, leaves a record and a page that can be shared.

The run goes into a temporary folder; corpora come from the workbook's cache, which the first run fills.
"""

import nbformat
import pytest

from helpers import files
from helpers.publishing import chapters
from helpers.publishing.exporter import MOST_BYTES
from helpers.publishing.run import Run
from helpers.publishing.runner import run_workbook
from helpers.records import load_results

NAMES = [chapter.name for chapter in chapters.chapters()]
pytestmark = pytest.mark.chapter


@pytest.fixture(scope="module")
def run():
    """A run that the chapters share, as they do in use."""
    return Run("smoke", "every-chapter")


@pytest.fixture(scope="module", params=NAMES)
def chapter(request, run):
    """The name of a chapter that was executed, after those before it."""
    assert run_workbook(run, [request.param]) == 0, "see the message above"
    return request.param


def test_its_notebook_ran_from_top_to_bottom_without_a_word_on_stderr(chapter, run):
    notebook = nbformat.read(run.folder / f"{chapter}.ipynb", as_version=4)
    assert chapters.incomplete(notebook) == ""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", output.text


def test_its_record_says_how_sure_it_is(chapter, run):
    record = load_results(run.folder)["chapters"][chapter]
    assert record["verdicts"]
    assert record["fingerprints"]
    assert record["cost"]["seconds"] > 0
    measurements = record["measurements"]
    assert [m for m in measurements.values() if m["interval"]]
    for name, measurement in measurements.items():
        interval = measurement["interval"]
        if interval:
            assert interval["low"] <= measurement["value"] <= interval["high"], name
            assert interval["method"], name
            assert measurement["n"], name


def test_its_page_can_be_shared(chapter, run):
    page = run.folder / f"{chapter}.html"
    assert page.stat().st_size <= MOST_BYTES
    assert f'href="{chapter}.html"' in (run.folder / "index.html").read_text(encoding="utf-8")


def test_run_again_it_is_not_executed_again(chapter, run):
    executed = run.folder / f"{chapter}.ipynb"
    before = executed.stat().st_mtime_ns
    assert run_workbook(run, [chapter]) == 0
    assert executed.stat().st_mtime_ns == before


def test_there_are_chapters():
    assert NAMES
    assert len(NAMES) == len(list(files.NOTEBOOKS.glob("*.ipynb"))), "a notebook is not named like 01_name.ipynb"
