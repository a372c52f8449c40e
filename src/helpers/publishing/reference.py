"""Which run is published? A finished run as `results/reference`: pages, figures, record and models, in a few MB.

Its README shows verdicts and figures where HTML does not show, on a code host. It and the figures are made from
`results.json` and the executed notebooks; nothing in it is typed.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from helpers import files, records
from helpers.cards import escaped
from helpers.progress import clock
from helpers.publishing import chapters, timing
from helpers.publishing.chapters import TEXTS
from helpers.publishing.exporter import TEMPLATE

MODELS = ("base", "assistant")
"""The models from which later chapters start; only the first has to be there."""

MOST_MODEL_BYTES = 4_000_000


class Figure(NamedTuple):
    """A figure of a published chapter; its file is in `figures/`."""

    file: str
    alt: str
    caption: str


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
        files.write_text(partial / "models" / "base" / "README.md", model_card(next(iter(results.values()))))
        for bench in (reference / "bench.json", files.RESULTS / "bench.json"):  # the newer comes last
            if bench.exists():
                shutil.copyfile(bench, partial / "bench.json")
        timing.write_costs(partial, timing.published_costs(run, reference))
        (partial / "studies").mkdir()
        for study in [*reference.glob("studies/*.json"), *run.glob("studies/*.json")]:  # the run's own come last
            shutil.copyfile(study, partial / "studies" / study.name)
        figures = {
            chapter: _write_figures(notebook, chapter, partial / "figures") for chapter, notebook in notebooks.items()
        }
        files.write_text(partial / "README.md", _readme(results, figures))


def state_costs(readme: Path, reference: Path) -> None:
    """Writes what the published run cost into the workbook's README, between `<!-- costs -->` and `<!-- /costs -->`."""
    results = records.load_results(reference)["chapters"]
    environment = next(iter(results.values()))["environment"]
    rows = [
        f"| {chapter} | {record['profile']} | {clock(record['cost']['seconds'])} | "
        f"{record['cost']['peak_memory_mb'] / 1000:.1f} GB |"
        for chapter, record in results.items()
    ]
    machine = f"{environment['threads']} threads of {escaped(environment['processor'])}"
    head = ["| chapter | profile | minutes | memory |", "|---|---|--:|--:|"]
    block = "\n".join([f"Measured in the published run, on {machine}:", "", *head, *rows, *_minutes(reference)])
    text = readme.read_text(encoding="utf-8")
    marked = re.compile(r"(<!-- costs -->\n).*?(<!-- /costs -->)", re.DOTALL)
    files.write_text(readme, marked.sub(lambda found: f"{found[1]}{block}\n{found[2]}", text))


def _minutes(reference: Path) -> list[str]:
    """Says what a minute buys, from the record of `make bench`, if it was published."""
    if not (reference / "bench.json").exists():
        return []
    bench = json.loads((reference / "bench.json").read_text(encoding="utf-8"))
    known = bench["summary"]
    rows = [f"| {length} | {of['ours']:.2f} | {of['stock']:.2f} |" for length, of in known["minutes"].items()]
    rate, memory = known["tokens_per_second"]["ours"], known["peak_memory_mb"] / 1000
    return [
        "",
        "What a minute of training buys (`make bench`): bits per byte of unseen docstrings, by our recipe and by "
        "`GPT2LMHeadModel` of the same size with the Trainer's defaults.",
        "",
        "| minutes | ours | stock |",
        "|--:|--:|--:|",
        *rows,
        "",
        f"{rate:,.0f} tokens a second on {bench['machine']['threads']} threads, "
        f"{known['share_of_matmul_peak']:.0%} of the peak of float32 matrix products, {memory:.1f} GB.",
    ]


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
    config = json.loads((goal / "config.json").read_text(encoding="utf-8"))
    files.write_json(goal / "config.json", config | {"dtype": "bfloat16"})
    size = sum(path.stat().st_size for path in goal.rglob("*") if path.is_file())
    if size > MOST_MODEL_BYTES:
        raise files.at(source, f"the model would have {size / 1e6:.1f} MB, more than 4 MB", "Publish `laptop`.")


def _write_figures(notebook: Any, chapter: chapters.Chapter, folder: Path) -> list[Figure]:
    """Writes the notebook's figures as `figures/<chapter>_<name>.png`, in their light colours."""
    folder.mkdir(exist_ok=True)
    figures = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            described = output.get("metadata", {}).get("image/png", {})
            if not re.fullmatch(r"[a-z0-9_-]+", described.get("name", "")):
                continue  # not shown by plotting.show, so it has no name to be published under
            figure = Figure(f"{chapter.name}_{described['name']}.png", described["alt"], described.get("caption", ""))
            (folder / figure.file).write_bytes(base64.b64decode(output.data["image/png"]))
            figures.append(figure)
    return figures


def model_card(record: dict[str, Any]) -> str:
    """Returns the base model's card, from the record of the chapter that made it."""
    return _templates().get_template("model_card.md.j2").render(record=record, sizes=record["sizes"])


def _readme(results: dict[str, Any], figures: dict[chapters.Chapter, list[Figure]]) -> str:
    return (
        _templates()
        .get_template("reference.md.j2")
        .render(results=results, figures=figures, first=next(iter(results.values())))
    )


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATE), trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"clock": clock, "md": escaped, "value": _value, "about": _about}
    return environment


def _about(measurement: dict[str, Any]) -> str:
    """Returns what a measurement of one method is about but for the method: its corpus, its test."""
    return ", ".join(str(value) for column, value in measurement["about"].items() if column != "method")


def _value(measurement: dict[str, Any]) -> str:
    """Returns a measurement's value and interval to four digits."""
    interval = measurement["interval"]
    around = f" [{interval['low']:.4g}, {interval['high']:.4g}]" if interval else ""
    return f"{measurement['value']:.4g}{around}"
