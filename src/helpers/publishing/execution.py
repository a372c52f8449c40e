"""Is it whole, or did it fail, and where? One notebook executed in a kernel of this environment, with papermill.

papermill calls a notebook complete even if its kernel died half-way, so it writes to a partial file, which becomes the
executed notebook only on success. What ran of a failed notebook is kept beside it as `NN_name.failed.ipynb`.
"""

import logging
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert.filters import strip_ansi
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from helpers import files
from helpers.publishing import chapters
from helpers.publishing.run import own_paths

START_SECONDS = 120  # a laptop that does other things needs more than papermill's minute
LAST_LINES = 6  # of a traceback; the kept notebook has all of it


class ChapterFailed(files.WorkbookError):
    """A notebook did not run to its end: the message names it, the cell and the error; it may be a user's mistake."""

    def __init__(self, message: str, mistake: bool = False) -> None:
        super().__init__(message)
        self.mistake = mistake


def _kernel(environment: dict[str, str]) -> type[AsyncKernelManager]:
    """Returns a kernel of this Python, whatever kernels the user has installed, with these environment variables.

    Its own log, a traceback whenever it is stopped, is dropped. What cells write to stderr is in the notebook.
    """

    class Kernel(AsyncKernelManager):
        def _kernel_spec_manager_default(self) -> KernelSpecManager:
            return KernelSpecManager(kernel_dirs=[])

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]  # the parent's is untyped
            await super().start_kernel(stderr=subprocess.DEVNULL, env=os.environ | environment, **options)

    return Kernel


def execute(source: Path, goal: Path, parameters: dict[str, Any], at_cell: Callable[[int, str], None]) -> None:
    """Executes a notebook from top to bottom in a new kernel, with parameters in place of its own.

    The goal is written whole or not at all; its folder is made. Before each code cell `at_cell` is called with its
    number in the source, from 1, and the heading it stands under.

    Raises:
        ChapterFailed: a cell stopped with an error, or the kernel died or did not start. What ran is kept.
    """
    goal.parent.mkdir(parents=True, exist_ok=True)
    partial, kept = goal.with_name(f".{goal.stem}.partial.ipynb"), failed(goal)
    where = _places(source)
    last: list[tuple[int, str]] = []

    def started(cell: NotebookNode, cell_index: int) -> None:
        if place := where.get(cell.get("id")):  # the cell that papermill injects stands nowhere
            last[:] = [place]
            at_cell(*place)

    try:
        papermill.execute_notebook(
            source,
            partial,
            parameters,
            kernel_name="python3",
            language="python",
            cwd=source.parent,
            progress_bar=False,
            start_timeout=START_SECONDS,
            on_cell_start=started,
            coalesce_streams=True,
            kernel_manager_class=_kernel(_environment(parameters)),
        )
        _write(nbformat.read(partial, as_version=4), goal, parameters)
        kept.unlink(missing_ok=True)
    except (PapermillExecutionError, CellTimeoutError, RuntimeError) as error:  # RuntimeError: the kernel died
        message = _message(source, last, error)
        _keep(partial, kept, message, parameters)
        raise ChapterFailed(message, message.startswith("error: ")) from None
    except KeyboardInterrupt:
        logging.disable()  # else what nbclient left waiting says, in a traceback, that the kernel died
        raise
    finally:
        partial.unlink(missing_ok=True)


def _keep(partial: Path, kept: Path, message: str, parameters: dict[str, Any]) -> None:
    """Keeps what ran of a failed notebook, which says so; there is nothing if not even the first cell was begun."""
    if partial.exists():
        notebook = nbformat.read(partial, as_version=4)
        notebook.metadata["workbook"] = {"incomplete": message.splitlines()[0].removeprefix("error: ")}
        _write(notebook, kept, parameters)


def _write(notebook: NotebookNode, goal: Path, parameters: dict[str, Any]) -> None:
    """Writes an executed notebook, which is shared: it names files and folders of the reader's, not where they lie."""
    del notebook.metadata["papermill"]  # what it read and wrote, and the parameters once more
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
    files.write_text(goal, nbformat.writes(_without_paths(notebook, _shortened(parameters))) + "\n")


def _shortened(parameters: dict[str, Any]) -> dict[str, str]:
    """Returns what stands for the paths of this machine, longest paths first."""
    own = {str(path): path.name for path in own_paths(parameters).values()}
    own |= {str(path.resolve()): path.name for path in own_paths(parameters).values()}
    folders = {f"{files.RESULTS.parent}/": "", f"{files.ROOT}/": ""}
    if (home := str(Path.home())) != "/":
        folders[f"{home}/"] = "~/"
    # papermill writes what is not ASCII escaped.
    escaped = {path.encode("unicode_escape").decode("ascii"): name for path, name in own.items()}
    return dict(sorted((escaped | folders | own).items(), key=lambda pair: -len(pair[0])))


def _without_paths(value: Any, shortened: dict[str, str], key: str = "") -> Any:
    """Returns notebook JSON in whose texts paths are shortened; not in images, whose base64 may hold anything."""
    if isinstance(value, dict):
        return type(value)({k: _without_paths(of, shortened, k) for k, of in value.items()})
    if isinstance(value, list):
        return [_without_paths(of, shortened, key) for of in value]
    if isinstance(value, str) and not key.startswith("image/"):
        for path, name in shortened.items():
            value = value.replace(path, name)
    return value


def failed(executed: Path) -> Path:
    """Returns where what ran of a failed notebook is kept."""
    return executed.with_name(f"{executed.stem}.failed.ipynb")


def _places(source: Path) -> dict[str | None, tuple[int, str]]:
    """Returns, by a cell's identifier, its number, from 1, and the last heading up to it."""
    places, heading = {}, ""
    for number, cell in enumerate(chapters.cells(source), 1):
        heading = chapters.heading(cell) or heading
        places[cell.get("id")] = number, heading
    return places


def _environment(parameters: dict[str, Any]) -> dict[str, str]:
    """Returns what a kernel gets of environment variables: no bars of libraries, and no network.

    The Hub is asked only where a parameter names something there.
    """
    model, *texts = (str(parameters.get(name, "")) for name in ("MODEL", "CORPUS", "LABELS", "PROMPTS"))
    hub = model or any(text.startswith("hub:") for text in texts)  # an adapter's base model may be there
    return {
        "TQDM_DISABLE": "1",
        "HF_HUB_OFFLINE": "0" if hub else "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # a kernel's warning about the debugger, which is not used
    }


def _message(source: Path, last: list[tuple[int, str]], error: Exception) -> str:
    """Says where a notebook failed and with what, then the last lines of the traceback.

    A user's mistake begins with `error:`, and tells all by itself.
    """
    place = source.name
    for number, heading in last:
        place += f", cell {number}" + (f" (under '{heading}')" if heading else "")
    if isinstance(error, DeadKernelError):
        return f"{place}: the kernel died. Most often the machine ran out of memory: use a smaller profile."
    if not isinstance(error, PapermillExecutionError):
        return f"{place}: {type(error).__name__}: {error}"
    if error.ename == files.WorkbookError.__name__:
        return f"error: {place}: {error.evalue}"
    lines = strip_ansi("\n".join(error.traceback)).splitlines()[-LAST_LINES:]
    return "\n".join([f"{place}: {error.ename}: {error.evalue}", *(f"    {line}" for line in lines)])
