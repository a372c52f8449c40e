"""Who works in JupyterLab: copies of the chapters, what a chapter will cost, and a page whenever one is saved.

`python -m helpers lab` opens copies, in a folder that git ignores, so that answers, settings and outputs change nothing
that is committed. A kernel does not know what its notebook shows, so a page is made from the notebook's file when the
server has saved it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helpers import files
from helpers.profiles import pace
from helpers.progress import aside
from helpers.publishing import chapters, timing
from helpers.publishing.run import Run
from helpers.records import RECORD_MIME, Record, chapters_of

FOLDER = files.ROOT / "lab"
MADE_FROM = "workbook"  # where a copy's metadata keep the fingerprint of the chapter that it was made from
HOOK = "--FileContentsManager.post_save_hook=helpers.lab.after_save"


def open_lab() -> None:
    """Brings the copies up to date and becomes JupyterLab, which shows them."""
    for path in copy_chapters(FOLDER):
        print(f"{path} is yours, and not of today's chapter. Rename it and call this again for a new copy.", flush=True)
    command = [sys.executable, "-m", "jupyterlab", str(FOLDER), HOOK]
    os.execve(sys.executable, command, os.environ | {"JUPYTER_PREFER_ENV_PATH": "1"})


def copy_chapters(folder: Path) -> list[Path]:
    """Copies the chapters into a folder, made if need be; a copy in which a cell was changed stays as it is.

    Returns:
        The copies that stayed though their chapter has changed since.
    """
    behind = []
    for chapter in chapters.chapters():
        source, copy = chapters.source(chapter.name), folder / f"{chapter.name}.ipynb"
        today = _sources(source)
        if copy.exists():
            theirs = _sources(copy)
            made_from = json.loads(copy.read_text(encoding="utf-8"))["metadata"].get(MADE_FROM, {}).get("copy_of")
            if today in (made_from, theirs):
                continue
            if made_from != theirs:
                behind.append(copy)
                continue
        notebook = json.loads(source.read_text(encoding="utf-8"))
        notebook["metadata"][MADE_FROM] = {"copy_of": today}
        files.write_json(copy, notebook)
    return behind


def _sources(notebook: Path) -> str:
    """Returns a fingerprint of a notebook's cells without what running or saving it changes."""
    return files.fingerprint([json.dumps([[c["cell_type"], c["source"]] for c in chapters.cells(notebook)])])


def begin(record: Record, given: Mapping[str, Any]) -> Record:
    """Displays what a chapter will cost here, before anything is spent, and returns its record.

    `given` are the notebook's names: among them the parameters, of which those count that differ from the default.
    """
    settings = dict(given.get("OVERRIDES", {}))  # not the record's sizes, which are fitted to a reader's model
    for key, default in chapters.parameters(chapters.source(record.chapter)).items():
        if key not in ("PROFILE", "NAME", "OVERRIDES") and given.get(key, default) != default:
            settings[key] = given[key]
    run = Run(record.profile.name, record.run, settings)
    expected = timing.expected(record.chapter, run, pace(), timing.reading_seconds(record.chapter, run))
    text = f"At profile `{record.profile.name}` this chapter takes **{expected}** on this machine, as busy as it is now"
    published = chapters_of(files.REFERENCE).get(record.chapter)
    if published and published["profile"] == record.profile.name and not settings:
        text += f", and about {published['cost']['peak_memory_mb'] / 1000:.1f} GB of memory"
    aside(f"**{record.unproven}** {text}." if record.unproven else f"{text}.")
    return record


def after_save(os_path: str, model: Mapping[str, Any], **_: Any) -> None:
    """Makes the page of a notebook that was run to its record, in a process of its own; for the server's saves."""
    if model["type"] == "notebook" and page_of(Path(os_path)):
        subprocess.Popen([sys.executable, "-m", "helpers", "export", os_path])


def export_page(notebook: Path) -> Path:
    """Makes the page of a notebook, which it returns: beside it, or, of a copy run to its record, among its run's."""
    from helpers.publishing import exporter, index  # nbconvert: not in a kernel

    page = page_of(notebook) if notebook.resolve().is_relative_to(FOLDER) else None
    exporter.export(notebook, page or notebook.with_suffix(".html"))
    if page:
        index.write_index(page.parent)
    return page or notebook.with_suffix(".html")


def page_of(notebook: Path) -> Path | None:
    """Returns where the page of a notebook that shows a record belongs: in the folder of its run. Else None."""
    shown = [output.get("data", {}) for cell in chapters.cells(notebook) for output in cell.get("outputs", [])]
    records = [data[RECORD_MIME] for data in shown if "run" in data.get(RECORD_MIME, {})]  # not in old ones
    return files.RESULTS / records[-1]["run"] / f"{records[-1]['chapter']}.html" if records else None
