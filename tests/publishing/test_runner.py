"""A run redoes what changed and nothing else; what failed or was stopped never passes for complete.

Real kernels execute small notebooks, so each test here looks at several things on the way.
"""

import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from helpers import files
from helpers.publishing.run import Run
from helpers.publishing.runner import run_workbook
from helpers.records import load_results

v4 = nbformat.v4

PARAMETERS = 'PROFILE = "smoke"\nSEED = 0\nNAME = ""\nMODEL = ""\nCORPUS = ""\nOVERRIDES = {}'
RECORDING = """from helpers.profiles import load_profile
from helpers.records import Record
record = Record({chapter!r}, load_profile(PROFILE, **OVERRIDES), NAME)
(record.folder / "models").mkdir(exist_ok=True)
(record.folder / "models" / {chapter!r}).write_text("weights")
record.measure("seed", SEED, "")
record.save()"""


@pytest.fixture
def workbook(tmp_path, monkeypatch):
    """Writes a chapter into a workbook of its own; the folder of its runs is `results` beside it."""
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    monkeypatch.setattr(files, "NOTEBOOKS", notebooks)
    monkeypatch.setattr(files, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(files, "REFERENCE", tmp_path / "results" / "reference")
    monkeypatch.setenv("WORKBOOK_RESULTS", str(tmp_path / "results"))  # for the kernels

    def write(name, *sources):
        cells = [v4.new_markdown_cell(f"# {name}"), v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})]
        cells += [v4.new_markdown_cell("## Trying"), *map(v4.new_code_cell, sources)]
        nbformat.write(v4.new_notebook(cells=cells), notebooks / f"{name}.ipynb")
        return notebooks / f"{name}.ipynb"

    return write


def test_only_what_has_changed_is_done_again(workbook, tmp_path, monkeypatch, capsys):
    users_kernel = tmp_path / "data" / "kernels" / "python3" / "kernel.json"  # as another project may have left it
    users_kernel.parent.mkdir(parents=True)
    users_kernel.write_text('{"argv": ["false"], "display_name": "wrong", "language": "python"}')
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("JUPYTER_PREFER_ENV_PATH", raising=False)
    chapter = workbook(
        "01_first",
        f"import sys; print(sys.executable == {sys.executable!r}, SEED, OVERRIDES)",
        RECORDING.format(chapter="01_first"),
    )
    workbook("02_second", RECORDING.format(chapter="02_second"))
    run = Run("smoke", settings={"SEED": 3, "tokens": 40000})

    assert run_workbook(run) == 0
    assert "True 3 {'tokens': 40000}" in (run.folder / "01_first.ipynb").read_text().replace('\\"', '"')
    assert load_results(run.folder)["chapters"]["01_first"]["measurements"]["seed"]["value"] == 3
    made = {path.name for path in run.folder.iterdir()}
    assert {"01_first.ipynb", "01_first.html", "02_second.html", "index.html", "results.json"} <= made
    assert not [name for name in made if "partial" in name or "failed" in name]
    printed = capsys.readouterr().out
    assert "01_first: took" in printed
    assert "expected at least" in printed

    before = modified(run)
    notebook = nbformat.read(chapter, as_version=4)
    notebook.cells[3].outputs = [v4.new_output("stream", text="as saved by JupyterLab")]
    notebook.cells[3].execution_count = 7
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, chapter)
    assert run_workbook(run) == 0
    assert modified(run) == before
    assert capsys.readouterr().out.count("nothing has changed") == 2

    (run.folder / "02_second.html").unlink()
    (run.folder / "models" / "01_first").unlink()
    assert run_workbook(run) == 0
    changed = {name for name, moment in modified(run).items() if moment != before[name]}
    assert {"01_first.ipynb", "02_second.html"} <= changed
    assert "02_second.ipynb" not in changed  # the first chapter found what it had found before
    assert (run.folder / "models" / "01_first").exists()


def modified(run):
    return {path.name: path.stat().st_mtime_ns for path in run.folder.glob("*.*") if path.name != ".doit.json"}


def test_a_failure_stops_the_chain_and_never_passes_for_complete(workbook, capsys):
    workbook("01_first", "1")
    workbook("02_second", RECORDING.format(chapter="02_second"), "print('until here')\nraise KeyError('<b>lost</b>')")
    workbook("03_third", "1")
    run = Run("smoke")
    run.folder.mkdir(parents=True)
    for stale in ("02_second.ipynb", "02_second.html"):
        (run.folder / stale).write_text("of an earlier success")

    assert run_workbook(run) == 1
    said = capsys.readouterr().err
    assert "02_second.ipynb, cell 5 (under 'Trying'): KeyError: '<b>lost</b>'" in said
    assert "02_second.failed.html" in said
    assert "Traceback" not in said.replace("Traceback (most recent call last)", "", 1)  # the cell's, not ours
    assert (run.folder / "01_first.html").exists()
    assert not (run.folder / "02_second.ipynb").exists()
    assert not (run.folder / "02_second.html").exists()
    assert not (run.folder / "03_third.ipynb").exists()
    assert "02_second" not in load_results(run.folder)["chapters"]
    assert 'href="02_second.html"' not in (run.folder / "index.html").read_text()
    page = (run.folder / "02_second.failed.html").read_text()
    assert "until here" in page
    assert "<b>lost</b>" not in page

    workbook("02_second", RECORDING.format(chapter="02_second"))
    assert run_workbook(run, ["2"]) == 0
    assert "nothing has changed" not in capsys.readouterr().out
    assert not list(run.folder.glob("*failed*"))
    assert (run.folder / "02_second.html").exists()


def test_a_kernel_that_dies_is_a_failure(workbook, capsys):
    workbook("01_first", "print('alive')", "import os; os._exit(1)", "1")
    assert run_workbook(Run("smoke")) == 1
    assert "01_first.ipynb, cell 5 (under 'Trying'): the kernel died" in capsys.readouterr().err
    assert not (Run("smoke").folder / "01_first.ipynb").exists()
    assert "alive" in (Run("smoke").folder / "01_first.failed.html").read_text()


def test_ctrl_c_ends_the_kernel_and_leaves_nothing_half_written(workbook, tmp_path):
    marker = tmp_path / "kernel"
    workbook("01_first", f"import os, time\nopen({str(marker)!r}, 'w').write(str(os.getpid()))\ntime.sleep(300)")
    script = (
        "import signal, sys; from pathlib import Path; from helpers import cli, files; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); "  # what a shell starts with & ignores Ctrl-C
        f"files.NOTEBOOKS = Path({str(files.NOTEBOOKS)!r}); sys.exit(cli.main(['run', '--profile', 'smoke']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: marker.exists() and marker.read_text())
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    wait_for(lambda: not is_running(int(marker.read_text())))
    assert {path.name for path in Run("smoke").folder.iterdir()} <= {".doit.json"}


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_unknown_parameter_is_an_error_before_anything_runs(workbook):
    workbook("01_first", "1")
    with pytest.raises(files.WorkbookError, match=r"'SEDE' of .* is unknown. Known: SEED, MODEL, CORPUS, .*tokens"):
        run_workbook(Run("smoke", settings={"SEDE": 3}))
    with pytest.raises(files.WorkbookError, match=r"chapter '07' is unknown here. Known: 01_first"):
        run_workbook(Run("smoke"), ["07"])
    assert not (Run("smoke").folder).exists()
    files.write_text(Run("smoke").folder / "results.json", "{")
    with pytest.raises(files.WorkbookError, match="not valid JSON"):
        run_workbook(Run("smoke"))


def test_a_parameter_of_another_chapter_is_accepted_and_not_passed_on(workbook):
    first, second = workbook("01_first", "1"), workbook("02_second", "1")
    notebook = nbformat.read(second, as_version=4)
    notebook.cells[1].source += '\nTASK = ""'
    nbformat.write(notebook, second)
    run = Run("smoke", settings={"TASK": "hub:owner/name", "SEED": 3, "tokens": 40000})
    basics = {"PROFILE": "smoke", "NAME": "", "OVERRIDES": {"tokens": 40000}, "SEED": 3}
    assert run.parameters(first) == basics
    assert run.parameters(second) == basics | {"TASK": "hub:owner/name"}
    for notebook in (first, second):
        with pytest.raises(files.WorkbookError, match=rf"'TASKS' of {notebook.name} is unknown\. Known: SEED"):
            Run("smoke", settings={"TASK": "", "TASKS": ""}).parameters(notebook)


@pytest.mark.parametrize("name", ["reference", "../elsewhere", "a/b", ".hidden"])
def test_a_run_cannot_be_written_over_the_published_one_or_outside_results(name):
    with pytest.raises(files.WorkbookError):
        Run("smoke", name)


def test_a_path_given_as_parameter_is_found_from_the_notebooks_folder(workbook, tmp_path, monkeypatch):
    notebook = workbook("01_first", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.txt").write_text("text")
    parameters = Run("smoke", settings={"CORPUS": "my.txt", "MODEL": "owner/name"}).parameters(notebook)
    assert parameters["CORPUS"] == str(tmp_path.resolve() / "my.txt")
    assert parameters["MODEL"] == "owner/name"


def test_what_is_shared_names_a_file_and_not_where_it_lies(workbook, tmp_path, capsys):
    recording = RECORDING.replace("NAME)", "NAME, {{'corpus': CORPUS}})")
    seen = "from pathlib import Path\nprint(CORPUS, [CORPUS], Path.home(), Path.cwd())\n{'at': CORPUS}"
    workbook("01_first", seen, recording.format(chapter="01_first"))
    workbook("02_second", "import helpers.files\nhelpers.files.read_json(Path(CORPUS), '')", "1")
    workbook("03_third", "open(CORPUS + 'x')")
    own = tmp_path / "of Zoë's" / "my texts.txt"
    own.parent.mkdir()
    own.write_text("Some words.\n\n" * 20)
    run = Run("smoke", settings={"CORPUS": str(own)})
    assert run_workbook(run) == 1
    assert run_workbook(run, ["3"]) == 1
    capsys.readouterr()
    made = [path for path in run.folder.rglob("*") if path.is_file() and path.name != ".doit.json"]
    assert {"01_first.ipynb", "01_first.html", "02_second.failed.html", "03_third.failed.ipynb", "results.json"} <= {
        path.name for path in made
    }
    for path in made:
        text = path.read_text(encoding="utf-8")
        assert not [hint for hint in ("of Zo", str(tmp_path), str(files.ROOT)) if hint in text], path.name
    assert "my texts.txt" in (run.folder / "01_first.html").read_text()


def test_a_users_mistake_in_a_chapter_is_one_error_with_a_status_of_its_own(workbook, capsys):
    mistake = "from helpers import files\nraise files.at('my.csv', 'it is empty', 'Write something.', 3)"
    workbook("01_first", mistake)
    assert run_workbook(Run("smoke")) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[0] == "error: 01_first.ipynb, cell 4 (under 'Trying'): my.csv, line 3: it is empty. Write something."
    assert len(said) == 2  # and where it is kept
