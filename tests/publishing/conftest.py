"""A small workbook, pages of it, and a browser."""

import shutil
import subprocess

import nbformat
import pytest
from handmade import v4

from helpers import files
from helpers.publishing.exporter import export


@pytest.fixture
def workbook(tmp_path, monkeypatch):
    """A workbook of three chapters, and its notebooks' folder."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name, title in (("01_first", "The first"), ("02_second", "The *second* <chapter>"), ("03_third", "The third")):
        nbformat.write(v4.new_notebook(cells=[v4.new_markdown_cell(f"# {title}")]), folder / f"{name}.ipynb")
    monkeypatch.setattr(files, "NOTEBOOKS", folder)
    return folder


@pytest.fixture
def page(workbook, tmp_path):
    """Exports cells as the second chapter and returns its HTML."""

    def of(*cells, **metadata):
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = v4.new_notebook(cells=list(cells), metadata={"kernelspec": kernel} | metadata)
        path = tmp_path / "run" / "02_second.ipynb"
        path.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, path)
        export(path, path.with_suffix(".html"))
        return path.with_suffix(".html").read_text(encoding="utf-8")

    return of


@pytest.fixture
def chromium(tmp_path):
    """Runs headless Chromium and returns what it prints."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs Chromium on the PATH")
    quiet = "headless no-sandbox disable-gpu disable-background-networking disable-component-update disable-sync"
    flags = [f"--{flag}" for flag in f"{quiet} no-first-run disable-extensions disable-default-apps".split()]

    def run(*arguments):
        command = [program, *flags, f"--user-data-dir={tmp_path / 'browser'}", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout

    return run
