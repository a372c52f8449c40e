"""Which run is published? A finished run as `results/reference`: pages, figures, record and models, in a few MB.

Its README shows verdicts and figures where HTML does not show, on a code host. It and the figures are made from
`results.json` and the executed notebooks; nothing in it is typed.
"""

import base64
import re
import shutil
from pathlib import Path
from typing import Any

from helpers import files, records
from helpers.cards import render
from helpers.publishing import chapters, timing
from helpers.publishing.chapters import TEXTS
from helpers.publishing.exporter import TEMPLATE

MODELS = ("base", "assistant")  # the models from which later chapters start; only the first has to be there
BENCHMARKS = ("bench.json", "gpu.json")  # what benchmarks measured: on this machine, and on a card
MOST_MODEL_BYTES = 4_000_000


def publish(run: Path, reference: Path) -> None:
    """Makes the published run from a finished run, whole or not at all.

    Studies that were published before and are not in this run are kept.

    Raises:
        WorkbookError: a chapter or the base model is missing or not whole, or a model is larger than 4 MB.
    """
    results = records.load_results(run)["chapters"]
    notebooks = {chapter: _whole(chapter, run, results) for chapter in chapters.chapters()}
    with files.replacing(reference) as partial:
        partial.mkdir()
        for name in ("results.json", "index.html", *TEXTS, *(f"{chapter.name}.html" for chapter in notebooks)):
            shutil.copyfile(run / name, partial / name)
        for model in MODELS:
            if model == "base" or (run / "models" / model).exists():
                _copy_model(run / "models" / model, partial / "models" / model)
        files.write_text(partial / "models" / "base" / "README.md", _rendered("model_card", results))
        for bench in (folder / name for name in BENCHMARKS for folder in (reference, files.RESULTS)):  # the newer last
            if bench.exists():
                shutil.copyfile(bench, partial / bench.name)
        timing.publish(run, reference, partial)
        (partial / "studies").mkdir()
        for study in [*reference.glob("studies/*.json"), *run.glob("studies/*.json")]:  # the run's own come last
            shutil.copyfile(study, partial / "studies" / study.name)
        (partial / "figures").mkdir()
        figures = {chapter: _write_figures(of, chapter, partial / "figures") for chapter, of in notebooks.items()}
        files.write_text(partial / "README.md", _rendered("reference", results, figures=figures))


def state_costs(readme: Path, reference: Path) -> None:
    """Writes what the published run cost into the workbook's README, between `<!-- costs -->` and `<!-- /costs -->`."""
    bench = reference / "bench.json"
    known = files.read_json(bench, "Run `make bench` again.") if bench.exists() else None
    block = _rendered("costs", records.load_results(reference)["chapters"], bench=known)
    text = readme.read_text(encoding="utf-8")
    marked = re.compile(r"(<!-- costs -->\n).*?(<!-- /costs -->)", re.DOTALL)
    files.write_text(readme, marked.sub(lambda found: f"{found[1]}{block}{found[2]}", text))


def _whole(chapter: chapters.Chapter, run: Path, results: dict[str, Any]) -> Any:
    """Returns a chapter's executed notebook, or refuses a run that lacks it or a part of it."""
    remedy = f"Finish the run first: `make run NAME={run.name}`."
    path = run / f"{chapter.name}.ipynb"
    notebook = chapters.read(path)
    if reason := chapters.incomplete(notebook):
        raise files.at(path, f"not a whole run: {reason}", remedy)
    if chapter.name not in results:
        raise files.at(run / "results.json", f"nothing is recorded of {chapter.name}", remedy)
    for page in (run / name for name in (f"{chapter.name}.html", "index.html", *TEXTS)):
        if not page.exists():
            raise files.at(page, "there is no such page", remedy)
    return notebook


def _copy_model(source: Path, goal: Path) -> None:
    """Copies configuration and tokenizer, and the weights in bfloat16: half the bytes, and enough for every chapter."""
    import torch
    from safetensors.torch import load_file, save_file

    if not (source / "model.safetensors").exists():
        raise files.at(source, "there is no model", "Run the chapter that makes it first.")
    shutil.copytree(source, goal, ignore=shutil.ignore_patterns("*.safetensors"))
    weights = {name: tensor.to(torch.bfloat16) for name, tensor in load_file(source / "model.safetensors").items()}
    save_file(weights, goal / "model.safetensors", metadata={"format": "pt"})
    config = files.read_json(goal / "config.json", "Run the chapter that makes the model again.")
    files.write_json(goal / "config.json", config | {"dtype": "bfloat16"})
    size = sum(path.stat().st_size for path in goal.rglob("*") if path.is_file())
    if size > MOST_MODEL_BYTES:
        raise files.at(source, f"the model would have {size / 1e6:.1f} MB, more than 4 MB", "Publish `laptop`.")


def _write_figures(notebook: Any, chapter: chapters.Chapter, folder: Path) -> list[dict[str, Any]]:
    """Writes the notebook's figures, in their light colours; returns what is said of each, and its file."""
    figures = []
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        described = output.get("metadata", {}).get("image/png", {})
        if re.fullmatch(r"[a-z0-9_-]+", described.get("name", "")):  # else it was not shown by plotting.show
            file = f"{chapter.name}_{described['name']}.png"
            (folder / file).write_bytes(base64.b64decode(output.data["image/png"]))
            figures.append(described | {"file": file})
    return figures


def _rendered(template: str, results: dict[str, Any], **values: Any) -> str:
    """Fills a template of Markdown from a run's records by chapter, of which the base model's chapter is the first."""
    return render(TEMPLATE / f"{template}.md.j2", results=results, first=next(iter(results.values())), **values)
