"""What has changed since? All that decides a chapter's results, and what it left behind, as fingerprints."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from platform import python_version
from typing import Any

from helpers import files, machine, records
from helpers.experiments.study import find_studies
from helpers.imports import PACKAGE, code_version
from helpers.publishing import chapters
from helpers.publishing.run import Run


def inputs(run: Run, chapter: str) -> str:
    """Returns a fingerprint of what decides a chapter's results."""
    notebook = chapters.source(chapter)
    parameters = run.parameters(notebook)
    earlier = [other.name for other in chapters.chapters() if other.name < chapter]
    decisive = {
        # Outputs, execution counts, identifiers and the like change whenever a notebook is saved, and do not count.
        "notebook": [[c["cell_type"], c["source"], sorted(chapters.tags(c))] for c in chapters.cells(notebook)],
        "helpers": code_version(*chapters.imports(notebook)),
        "versions": [python_version(), *map(metadata.version, machine.LIBRARIES)],
        "parameters": parameters,
        "own files": list(_own_files(parameters)),
        "earlier": [_found(run.folder, other) for other in earlier],
        "studies": [_file(study) for study in find_studies(chapter[:2], run.folder)],
    }
    return files.fingerprint([json.dumps(decisive, sort_keys=True)])


def left_behind(run: Run, chapter: str, models: Iterable[str]) -> dict[str, Any]:
    """Returns fingerprints of what a chapter left: its record, and files relative to the run's folder."""
    return {"found": _found(run.folder, chapter), "models": {name: _file(run.folder / name) for name in models}}


def models_since(run: Run, moment: float) -> list[str]:
    """Returns the files under the run's `models/` that were written since a moment, relative to the run's folder."""
    written = (path for path in (run.folder / "models").rglob("*") if path.is_file())
    return sorted(str(path.relative_to(run.folder)) for path in written if path.stat().st_mtime >= moment)


def pages(run: Run) -> str:
    """Returns a fingerprint of what decides the look of pages: `publishing`, and what they link to."""
    sources = [*sorted((PACKAGE / "publishing").rglob("*.*")), PACKAGE / "plotting.py", PACKAGE / "claims.py"]
    sources += [files.ROOT / name for name in ("CITATION.cff", *chapters.TEXTS.values())]
    titles = [f"{chapter.name} {chapter.title}" for chapter in chapters.chapters()]
    return files.fingerprint([*titles, *(_file(path) for path in sources if path.suffix != ".pyc")])


def index(run: Run) -> str:
    """Returns a fingerprint of what the index shows: the record, and which pages there are."""
    there = sorted(path.name for path in run.folder.glob("[0-9][0-9]_*"))
    return files.fingerprint([pages(run), _file(run.folder / "results.json"), *there])


def _found(folder: Path, chapter: str) -> str:
    """Returns a fingerprint of a chapter's record without what differs from one execution to the next."""
    record = records.chapters_of(folder).get(chapter, {})
    lasting = {key: value for key, value in record.items() if key not in ("environment", "cost")}
    return files.fingerprint([json.dumps(lasting, sort_keys=True)])


def _own_files(parameters: dict[str, Any]) -> Iterator[tuple[str, int, int]]:
    """Yields path, size and time of change of the reader's files that parameters name."""
    for value in parameters.values():
        path = Path(value) if isinstance(value, str) else Path()
        if path.is_absolute():
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                yield str(file), file.stat().st_size, file.stat().st_mtime_ns


def _file(path: Path) -> str:
    """Returns a fingerprint of a file; empty if there is none."""
    return files.fingerprint([path.read_bytes()]) if path.is_file() else ""
