"""What has to be done again? The chapters in order, up to the first that fails, each executed and exported by doit.

doit remembers in the run's folder what each task was made from, and skips what has not changed. No task waits for
another chapter's, so that one can be run alone: what earlier chapters found is an input like any other.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from platform import python_version
from typing import Any

from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain
from doit.exceptions import BaseFail, TaskError, TaskFailed
from doit.reporter import ZeroReporter

from helpers import files, machine, records
from helpers.experiments.study import find_studies
from helpers.imports import PACKAGE, code_version
from helpers.profiles import pace
from helpers.progress import clock
from helpers.publishing import chapters, timing
from helpers.publishing.run import KINDS, Run, own_paths

ENCODERS_TOO = ("03_transfer_learning",)  # chapters that a model which does not generate text may start
ASKING = ("04_finetuning_on_custom_data",)  # chapters that need a chat template which works

Task = dict[str, Any]
Took = list[tuple[str, str, str]]  # for each chapter that was executed: its name, the time it took, the time expected


def run_workbook(run: Run, names: Sequence[str] = ()) -> int:
    """Brings chapters up to date, in order, and says what it did; without names, all.

    Of other chapters, what they found before is taken as it is. A chapter that fails stops those after it.

    Returns:
        The exit status: 0, 1 if a chapter failed, 2 if it did for a mistake of the user's.

    Raises:
        WorkbookError: a chapter or a setting is unknown, or a file of the reader's cannot be used; nothing is executed
            then.
    """
    known = [chapter.name for chapter in chapters.chapters()]
    chosen = sorted({chapters.find(name, known) for name in names}) or known
    run.check_used(chosen)
    for chapter in chosen:
        chapter_inputs(run, chapter)  # raises now what would otherwise come half-way
        _read_own(run.parameters(chapters.source(chapter)))
    _check_model(run, chosen)
    took: Took = []
    print(f"Profile {run.profile_name}, chapters {', '.join(chosen)}, into {run.folder}", flush=True)
    dodo = {"DOIT_CONFIG": settings(run), "task_chapters": lambda: tasks(run, took)}
    status = DoitMain(ModuleTaskLoader(dodo), config_filenames=()).run(["run", *chosen, "index"])
    if took:
        print("\n".join(f"{chapter:<32} took {taken:>7}, expected {expected}" for chapter, taken, expected in took))
    if status:
        _index(run)
    print(f"See {run.folder / 'index.html'}")
    return int(status)


def _read_own(parameters: dict[str, Any]) -> None:
    """Reads the reader's own texts, which are kept in the cache: a faulty file is told in seconds, not in a chapter."""
    from helpers.corpora import load

    columns = {"column": "COLUMN", "label": "LABEL"}
    named = {name: parameters[key] for name, key in columns.items() if key in parameters}
    for key, kind in KINDS.items():
        if source := parameters.get(key):
            load(source, kind, **named)


def _check_model(run: Run, chosen: Sequence[str]) -> None:
    """Raises now, in seconds, what would otherwise come when a chapter opens the reader's model."""
    if model := run.settings.get("MODEL"):
        from helpers import pretrained, tokenization

        causal = any(chapter not in ENCODERS_TOO for chapter in chosen)
        _, tokenizer = (pretrained.load_model if causal else pretrained.load_any)(model)
        if any(chapter in ASKING for chapter in chosen):
            tokenization.with_chat_template(tokenizer)


def settings(run: Run) -> dict[str, Any]:
    """Returns doit's settings for a run: its database lies in the run's folder, which is made."""
    run.folder.mkdir(parents=True, exist_ok=True)
    database = run.folder / ".doit.json"
    if database.exists() and not _whole(database):
        print(f"{database} was damaged: what is up to date is not known, and is made anew.", flush=True)
        database.unlink()
    return {"dep_file": str(database), "backend": "json", "reporter": Reporter}


def _whole(database: Path) -> bool:
    """Returns whether doit can read what it remembered."""
    try:
        tasks = json.loads(database.read_text(encoding="utf-8"))
    except ValueError:  # also of UTF-8
        return False
    return isinstance(tasks, dict) and all(isinstance(of, dict) for of in tasks.values())


class Reporter(ZeroReporter):
    """Says what doit found up to date and what failed; the chapters' own lines say the rest."""

    def skip_uptodate(self, task: Any) -> None:
        """Names a chapter that need not be executed."""
        if task.name.endswith(":execute"):
            print(f"{task.name.removesuffix(':execute')}: nothing has changed", flush=True)

    def add_failure(self, task: Any, fail: BaseFail) -> None:
        """Shows what went wrong: the message of a user's mistake or a failed chapter, otherwise the traceback."""
        print(f"\n{fail.get_msg().rstrip()}", file=sys.stderr)


def tasks(run: Run, took: Took) -> Iterator[Task]:
    """Yields for doit each chapter's tasks `execute` and `export`, then the index; `took` grows with each execution."""
    for chapter in (chapter.name for chapter in chapters.chapters()):
        executed, page = run.folder / f"{chapter}.ipynb", run.folder / f"{chapter}.html"
        same = [(_unchanged, [chapter_inputs, run, chapter]), (_as_left, [run, chapter])]
        yield {"name": "execute", "basename": chapter} | _task(executed, same, _execute, run, chapter, took)
        same = [(_unchanged, [page_inputs, run])]
        yield {"name": "export", "basename": chapter, "file_dep": [executed]} | _task(page, same, _export, executed)
    same = [(_unchanged, [index_inputs, run])]
    yield {"basename": "index"} | _task(run.folder / "index.html", same, _index, run)


def _task(target: Path, uptodate: list[Any], work: Callable[..., Any], *arguments: Any) -> Task:
    """Returns a task for doit whose work may raise a WorkbookError, and may print."""

    def reported() -> Any:
        try:
            return work(*arguments)
        except files.WorkbookError as error:
            from helpers.publishing import execution

            if isinstance(error, execution.ChapterFailed):
                return (TaskError if error.mistake else TaskFailed)(str(error))
            return TaskError(f"error: {error}")

    return {"actions": [reported], "targets": [target], "uptodate": uptodate, "io": {"capture": False}}


def _unchanged(task: Any, values: dict[str, Any], inputs: Callable[..., str], *of: Any) -> bool:
    """Tells doit whether a task's inputs are those of its last success, and has it remember today's."""
    today = inputs(*of)
    task.value_savers.append(lambda: {"inputs": today})
    return bool(values.get("inputs") == today)


def _as_left(task: Any, values: dict[str, Any], run: Run, chapter: str) -> bool:
    """Tells doit whether what a chapter left behind is still as it was."""
    left = values.get("left")
    return left is not None and left == left_behind(run, chapter, left["models"])


def _execute(run: Run, chapter: str, took: Took) -> dict[str, Any]:
    """Executes a chapter; returns what doit shall remember."""
    from helpers.publishing import execution

    notebook, executed, moment = chapters.source(chapter), run.folder / f"{chapter}.ipynb", time.time()
    kept = execution.failed(executed)
    reading, before = timing.reading_seconds(chapter, run), pace()
    expected = timing.expected(chapter, run, before, reading)
    try:
        with timing.ChapterLine(chapter, len(chapters.cells(notebook)), expected) as line:
            execution.execute(notebook, executed, run.parameters(notebook), line.at_cell)
    except execution.ChapterFailed as failure:
        for stale in (executed, executed.with_suffix(".html")):  # of an earlier success; it could pass for this run's
            stale.unlink(missing_ok=True)
        records.withdraw(run.folder, chapter)
        if not kept.exists():
            raise execution.ChapterFailed(f"{failure}\nNo cell was executed.", failure.mistake) from None
        with contextlib.suppress(files.WorkbookError):
            _export(kept)
            kept = kept.with_suffix(".html")
        raise execution.ChapterFailed(f"{failure}\nWhat ran is kept in {kept}", failure.mistake) from None
    seconds = line.seconds
    kept.with_suffix(".html").unlink(missing_ok=True)
    timing.note(chapter, run, max(0.0, seconds - reading), (before + pace()) / 2)
    took.append((chapter, clock(seconds), expected))
    return {"left": left_behind(run, chapter, models_since(run, moment))}


def _export(executed: Path) -> None:
    from helpers.publishing.exporter import export

    export(executed, executed.with_suffix(".html"))


def _index(run: Run) -> None:
    from helpers.publishing.index import write_index

    write_index(run.folder)


def chapter_inputs(run: Run, chapter: str) -> str:
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


def page_inputs(run: Run) -> str:
    """Returns a fingerprint of what decides the look of pages: `publishing`, and what they link to."""
    sources = [*sorted((PACKAGE / "publishing").rglob("*.*")), PACKAGE / "plotting.py", PACKAGE / "claims.py"]
    sources += [files.ROOT / name for name in ("CITATION.cff", *chapters.TEXTS.values())]
    titles = [f"{chapter.name} {chapter.title}" for chapter in chapters.chapters()]
    return files.fingerprint([*titles, *(_file(path) for path in sources if path.suffix != ".pyc")])


def index_inputs(run: Run) -> str:
    """Returns a fingerprint of what the index shows: the record, and which pages there are."""
    there = sorted(path.name for path in run.folder.glob("[0-9][0-9]_*"))
    return files.fingerprint([page_inputs(run), _file(run.folder / "results.json"), *there])


def _found(folder: Path, chapter: str) -> str:
    """Returns a fingerprint of a chapter's record without what differs from one execution to the next."""
    record = records.chapters_of(folder).get(chapter, {})
    lasting = {key: value for key, value in record.items() if key not in ("environment", "cost")}
    return files.fingerprint([json.dumps(lasting, sort_keys=True)])


def _own_files(parameters: dict[str, Any]) -> Iterator[tuple[str, int, int]]:
    """Yields path, size and time of change of the reader's files that parameters name, also behind links.

    Raises:
        WorkbookError: a file or folder may not be read, or is a link that leads nowhere or back.
    """
    for path in own_paths(parameters).values():
        yield from _stamps(path, ())


def _stamps(path: Path, above: tuple[Path, ...]) -> Iterator[tuple[str, int, int]]:
    """Yields path, size and time of change of a file, or of all that lie in a folder below folders."""
    if not path.exists():
        raise files.at(path, "a link that leads nowhere", "Mend it, or remove it.")
    if not os.access(path, os.R_OK):
        raise files.at(path, "it may not be read", f"Allow it: chmod -R u+rX '{path}'.")
    if path.is_dir():
        if path.resolve() in above:
            raise files.at(path, "a link to a folder that it lies in", "Remove it.")
        for inner in sorted(path.iterdir()):
            yield from _stamps(inner, (*above, path.resolve()))
    else:
        yield str(path), path.stat().st_size, path.stat().st_mtime_ns


def _file(path: Path) -> str:
    """Returns a fingerprint of a file; empty if there is none."""
    return files.fingerprint([path.read_bytes()]) if path.is_file() else ""
