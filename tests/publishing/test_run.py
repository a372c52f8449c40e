"""A setting is checked before anything runs; a text stays text, a path is found from where the user stands."""

import os

import nbformat
import pytest

from helpers import files
from helpers.cli import main
from helpers.publishing.run import Run
from helpers.publishing.runner import chapter_inputs, settings

v4 = nbformat.v4
PARAMETERS = 'PROFILE = "laptop"\nSEED = 0\nNAME = ""\nMODEL = ""\nCORPUS = ""\nOVERRIDES = {}'


@pytest.fixture(autouse=True)
def workbook(tmp_path, monkeypatch):
    """Two chapters, of which the second takes labels too; the user stands in a folder of its own."""
    for name in ("NOTEBOOKS", "RESULTS", "CACHE"):
        monkeypatch.setattr(files, name, tmp_path / name.lower())
    files.NOTEBOOKS.mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "home")
    for name, more in (("01_first", ""), ("02_second", '\nLABELS = ""\nCOLUMN = "text"\nSHARE = 0.5\nFAST = False')):
        cell = v4.new_code_cell(PARAMETERS + more, metadata={"tags": ["parameters"]})
        nbformat.write(v4.new_notebook(cells=[cell]), files.NOTEBOOKS / f"{name}.ipynb")
    return tmp_path


def parameters(**settings):
    return Run("smoke", settings=settings).parameters(files.NOTEBOOKS / "02_second.ipynb")


WRONG = [
    "SEED=abc SEED=1.5 SEED=1.0 SEED=-1 SEED=None SEED=True SEED=4294967296 SEED= SEED=[1]",
    "SHARE=much SHARE=1e999 FAST=1 FAST=yes CORPUS= COLUMN=",
    "context=1 context=64 context=50000 context=abc pydocs_share=1 pydocs_share=0 pydocs_share=-0.5 pydocs_share=nan",
    "pydocs_share=0.9 vocab_size=10 vocab_size=270 n_layer=0 n_layer=2.0 hidden_size=65 n_head=3 learning_rate=1e999",
    "packages=['no-such-package'] packages=numpy packages=[1] seeds=1 seeds= people=61 people=4 people=200 tokens=1000",
    "batch_tokens=20000 heldout_bytes=10 samples=0 tokens=1e6 hidden_size=16384",
    "PROFILE=smoke NAME=x OVERRIDES={} profile=smoke seed=3 =3 SEED CORPUS=town",
    "CORPUS=/nowhere/x.txt LABELS=x.csv CORPUS=~/x.txt LABELS=folder/ CORPUS=hub:./none CORPUS=hub: MODEL=./none",
    "MODEL=/nowhere CORPUS=~no-such-user/x.txt",
]


@pytest.mark.parametrize("setting", [setting for line in WRONG for setting in line.split()])
def test_a_wrong_setting_is_one_error_before_anything_runs(setting, capsys):
    if setting == "hidden_size=16384":  # with so many layers no machine has the memory
        setting += " --set n_layer=256 --set vocab_size=1000000"
    assert main(["run", "2", "--profile", "smoke", "--set", *setting.split()]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"error: --set {setting.partition('=')[0]}")
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert not files.RESULTS.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--set PROFILE=smoke", "Use --profile"),
        ("--set NAME=x", "Use --name"),
        ("--set OVERRIDES={}", "--set tokens=500000"),
        ("--set SEED=1 --set SEED=2", "SEED was set to 1 before"),
        ("--set LABELS=x.csv", "no chapter that is to run uses it (01_first). Leave it out, or run 02_second."),
        ("--profile huge", "invalid choice: 'huge'"),
    ],
)
def test_an_error_names_the_remedy(arguments, message, capsys):
    assert main(["run", "1", *arguments.split()]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    ["chat x --temperature nan", "pretrain --seed -1", "pretrain --set SEED=1", "demonstrations --people many",
     "speedrun --text x --target-loss 1 --context 0", "nothing", "run --set"],
)  # fmt: skip
def test_options_are_checked_like_settings(command, capsys):
    assert main(command.split()) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_values_take_the_type_of_their_default():
    given = parameters(SEED="3", SHARE="1", FAST="True", tokens="40000", packages="['numpy']")
    assert (given["SEED"], given["SHARE"], given["FAST"]) == (3, 1, True)
    assert given["OVERRIDES"] == {"tokens": 40000, "packages": ["numpy"]}


@pytest.mark.parametrize("name", ["2024", "1e5", "None", "True", "[x]", "'x'", "my text.txt", "hub"])
def test_a_text_stays_text(workbook, name):
    (workbook / "home" / name).mkdir()
    given = parameters(CORPUS=name, COLUMN=name, MODEL=name)
    assert given["CORPUS"] == given["MODEL"] == str(workbook / "home" / name)
    assert given["COLUMN"] == name


@pytest.mark.parametrize("written", ["~/x", "./x", "x/", "x", "../home/x", "{home}/x"])
def test_a_path_is_found_from_where_the_user_stands(workbook, written):
    (workbook / "home" / "x").mkdir()
    written = written.format(home=workbook / "home")
    assert parameters(CORPUS=written)["CORPUS"] == str(workbook / "home" / "x")
    if written.startswith((".", "/", "~")):
        assert parameters(LABELS=f"hub:{written}:en")["LABELS"] == f"hub:{workbook / 'home' / 'x'}:en"


@pytest.mark.parametrize(("key", "name"), [("CORPUS", "pydocs:python"), ("LABELS", "hub:a/b:en"), ("MODEL", "a/b")])
def test_a_name_stays_a_name(key, name):
    assert parameters(**{key: name})[key] == name


def test_an_edited_file_counts_however_its_path_is_written(workbook):
    file = workbook / "home" / "x.txt"
    for path in ("~/x.txt", "x.txt", str(file)):
        file.write_text("one")
        before = chapter_inputs(Run("smoke", settings={"CORPUS": path}), "02_second")
        file.write_text("two and more")
        assert chapter_inputs(Run("smoke", settings={"CORPUS": path}), "02_second") != before


def test_a_file_behind_a_link_counts_and_a_link_that_leads_nowhere_is_named(workbook):
    folder, elsewhere = workbook / "home" / "x", workbook / "elsewhere"
    folder.mkdir()
    files.write_text(elsewhere / "a.txt", "one")
    (folder / "linked").symlink_to(elsewhere)
    run = Run("smoke", settings={"CORPUS": "x"})
    before = chapter_inputs(run, "02_second")
    files.write_text(elsewhere / "a.txt", "two and more")
    assert chapter_inputs(run, "02_second") != before
    for name, target in (("gone.txt", "nowhere"), ("round", str(folder))):
        (folder / name).symlink_to(target)
        with pytest.raises(files.WorkbookError, match=name):
            chapter_inputs(run, "02_second")
        (folder / name).unlink()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(workbook):
    files.write_text(workbook / "home" / "x.txt", "one")
    (workbook / "home" / "x.txt").chmod(0)
    with pytest.raises(files.WorkbookError, match=r"x.txt: it may not be read. Allow it: chmod"):
        chapter_inputs(Run("smoke", settings={"CORPUS": "x.txt"}), "02_second")


@pytest.mark.parametrize("content", [b"", b'{"01_first": {"a"', b"\xff\x00", b"[]", b'{"a": 1}'])
def test_a_damaged_state_file_begins_anew(content, capsys):
    run = Run("smoke")
    run.folder.mkdir(parents=True)
    (run.folder / ".doit.json").write_bytes(content)
    settings(run)
    assert not (run.folder / ".doit.json").exists()
    assert capsys.readouterr().out.count("\n") == 1
    (run.folder / ".doit.json").write_text('{"a": {}}')
    settings(run)
    assert (run.folder / ".doit.json").exists()
    assert capsys.readouterr().out == ""
