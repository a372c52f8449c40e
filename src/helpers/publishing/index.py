"""What did the run find, and what did it cost? `index.html`: chapters, claims, verdicts and costs, with links."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

from helpers import files, records
from helpers.claims import CLAIMS
from helpers.progress import clock
from helpers.publishing import chapters
from helpers.publishing.exporter import TEMPLATE


def write_index(run: Path) -> Path:
    """Writes a run's `index.html`, in the chapters' look.

    Listed are the workbook's chapters, run or not, and all claims, judged or not.

    Args:
        run: the run's folder, with its pages, executed notebooks and `results.json` so far.

    Returns:
        The file.

    Raises:
        WorkbookError: the run's `results.json` is no record of this workbook.
    """
    has_results = (run / "results.json").exists()
    found = records.load_results(run)["chapters"] if has_results else {}
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATE), autoescape=True)
    environment.filters["clock"] = clock
    page = environment.get_template("index.html.j2").render(
        title="Raising a Language Model",
        run=run.name,
        chapters=[_chapter(chapter, run, found) for chapter in chapters.chapters()],
        claims=[(label, claim, _verdict(label, found)) for label, claim in CLAIMS.items()],
        machine=_machine(found),
    )
    files.write_text(run / "index.html", page)
    return run / "index.html"


def _chapter(chapter: chapters.Chapter, run: Path, found: dict[str, Any]) -> dict[str, Any]:
    """Returns a chapter's row; where its last execution failed, of what ran of it."""
    failed = run / f"{chapter.name}.failed.ipynb"
    executed = failed if failed.exists() else run / f"{chapter.name}.ipynb"
    page = executed.with_suffix(".html")
    return {
        "chapter": chapter,
        "page": page.name if page.exists() else "",
        "incomplete": chapters.incomplete(chapters.read(executed)) if executed.exists() else "",
        "record": found.get(chapter.name),
    }


def _verdict(label: str, found: dict[str, Any]) -> dict[str, Any] | None:
    """Returns what the chapter that tests a claim concluded of it."""
    return next((record["verdicts"][label] for record in found.values() if label in record["verdicts"]), None)


def _machine(found: dict[str, Any]) -> str:
    """Describes the machine and the versions of the run's last chapter."""
    if not found:
        return ""
    environment = list(found.values())[-1]["environment"]
    libraries = ", ".join(f"{name} {version}" for name, version in environment["libraries"].items())
    commit = f", commit {environment['commit']}" if environment["commit"] else ""
    return (
        f"{environment['processor']}, {environment['threads']} threads, {environment['platform']}, {libraries}{commit}."
    )
