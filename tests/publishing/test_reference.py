"""The published run is whole, small, readable on a code host, and never half replaced."""

import base64
import json
import shutil

import nbformat
import pytest
import torch
from handmade import cell, figure_output, measurement, results, v4, write_run
from safetensors.torch import load_file, save_file

from helpers.files import WorkbookError
from helpers.publishing.chapters import TEXTS
from helpers.publishing.reference import publish, state_costs


@pytest.fixture
def run(tmp_path, workbook):
    for path in sorted(workbook.glob("0[23]_*")):
        path.unlink()
    folder = write_run(tmp_path / "laptop", results({"loss": measurement(1.83, (1.8, 1.86))}))
    nbformat.write(v4.new_notebook(cells=[cell("1", figure_output())]), folder / "01_first.ipynb")
    for page in ("01_first.html", "index.html", *TEXTS):
        (folder / page).write_text(f"<p>{page}</p>", encoding="utf-8")
    (folder / "models" / "base").mkdir(parents=True)
    save_file({"weight": torch.ones(4, 4)}, folder / "models" / "base" / "model.safetensors")
    for name, value in (("config.json", {"dtype": "float32", "x": 1}), ("tokenizer.json", {})):
        (folder / "models" / "base" / name).write_text(json.dumps(value), encoding="utf-8")
    return folder


def contents(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_everything_that_is_published_is_there(run, tmp_path):
    reference = tmp_path / "reference"
    publish(run, reference)
    pages = {"01_first.html", "index.html", *TEXTS, "results.json", "costs.json", "README.md"}
    pages.add("figures/01_first_loss.png")
    model = {f"models/base/{name}" for name in ("README.md", "model.safetensors", "config.json", "tokenizer.json")}
    assert contents(reference) == pages | model
    light = base64.b64decode(figure_output().data["image/png"])
    assert (reference / "figures" / "01_first_loss.png").read_bytes() == light


def test_weights_are_halved_and_say_so(run, tmp_path):
    publish(run, tmp_path / "reference")
    base = tmp_path / "reference" / "models" / "base"
    assert load_file(base / "model.safetensors")["weight"].dtype == torch.bfloat16
    assert json.loads((base / "config.json").read_text()) == {"dtype": "bfloat16", "x": 1}


def test_an_assistant_is_published_with_its_card_where_there_is_one(run, tmp_path):
    shutil.copytree(run / "models" / "base", run / "models" / "assistant")
    (run / "models" / "assistant" / "README.md").write_text("its card")
    publish(run, tmp_path / "reference")
    assistant = tmp_path / "reference" / "models" / "assistant"
    assert load_file(assistant / "model.safetensors")["weight"].dtype == torch.bfloat16
    assert (assistant / "README.md").read_text() == "its card"


def test_the_model_card_says_what_was_read_what_it_cost_and_what_it_can_do(run, tmp_path):
    path = run / "results.json"
    path.write_text(json.dumps(results({"town": measurement(0.2, (0.1, 0.3))})))
    publish(run, tmp_path / "reference")
    card = (tmp_path / "reference" / "models" / "base" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlanguage: en\n")
    assert "1,500,000 tokens" in card
    assert "- pydocs: `0123456789abcdef`" in card
    assert "4:01 minutes and 1,234 MB" in card
    assert "| town | 0.2 [0.1, 0.3] | bits per byte | 8 |" in card


def test_readme_shows_verdicts_figures_and_numbers_as_text(run, tmp_path):
    publish(run, tmp_path / "reference")
    readme = (tmp_path / "reference" / "README.md").read_text(encoding="utf-8")
    assert r"| C1 | A claim \| that is &lt;i&gt;made&lt;/i&gt;. | **supported** | Loss fell to 1.83. |" in readme
    assert '![Loss falls from "2" to 1.](figures/01_first_loss.png)' in readme
    assert "| loss | 1.83 [1.8, 1.86] | bits per byte | 40 | 8 |" in readme
    assert "4:01 minutes, 1,234 MB" in readme


def test_studies_stay_and_the_rest_is_replaced(run, tmp_path):
    reference = tmp_path / "reference"
    (reference / "studies").mkdir(parents=True)
    (reference / "studies" / "seeds.json").write_text("{}")
    (reference / "old.html").write_text("old")
    publish(run, reference)
    assert "studies/seeds.json" in contents(reference)
    assert "old.html" not in contents(reference)


@pytest.mark.parametrize("lack", ["error", "page", "record", "notebook", "model", "too large"])
def test_a_run_that_is_not_whole_is_refused_and_nothing_changes(run, tmp_path, lack):
    reference = tmp_path / "reference"
    reference.mkdir()
    (reference / "README.md").write_text("as before")
    failed = cell("1", v4.new_output("error", ename="E", evalue="", traceback=[]))
    weights = run / "models" / "base" / "model.safetensors"
    {
        "error": lambda: nbformat.write(v4.new_notebook(cells=[failed]), run / "01_first.ipynb"),
        "page": (run / "01_first.html").unlink,
        "record": lambda: write_run(run, {"format": 1, "chapters": {}}),
        "notebook": (run / "01_first.ipynb").unlink,
        "model": weights.unlink,
        "too large": lambda: save_file({"weight": torch.zeros(1500, 1500)}, weights),
    }[lack]()
    with pytest.raises(WorkbookError):
        publish(run, reference)
    assert contents(tmp_path / "reference") == {"README.md"}
    assert (reference / "README.md").read_text() == "as before"


def test_the_runs_study_replaces_the_published_one_of_its_chapter_alone(run, tmp_path):
    reference = tmp_path / "reference"
    for folder, name, text in ((reference, "01", "old"), (reference, "03", "kept"), (run, "01", "new")):
        (folder / "studies").mkdir(parents=True, exist_ok=True)
        (folder / "studies" / f"{name}.json").write_text(text, encoding="utf-8")
    publish(run, reference)
    assert {path.name: path.read_text() for path in (reference / "studies").iterdir()} == {
        "01.json": "new",
        "03.json": "kept",
    }


def test_the_workbooks_readme_gets_the_measured_costs_and_is_else_as_it_was(run, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- costs -->\nold\n<!-- /costs -->\nafter\n", encoding="utf-8")
    state_costs(readme, run)
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- costs -->\n")
    assert text.endswith("<!-- /costs -->\nafter\n")
    assert "old" not in text
    assert "| 4:01 | 1.2 GB |" in text
