"""Does size turn it? The chapter's tasks, learned by a real model, a hundred times as large as the base model.

SmolLM2-135M-Instruct learns in two ways: by a probe on its states, for which none of its weights moves, and by LoRA.
Beside it stands a probe of the same network with random weights: what that finds, pretraining has not brought.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from helpers import models
from helpers.corpora.kinds.draws import LabelTask
from helpers.evaluation.classification import GAP, PAIRS, WORDS, Predicted, measure_methods
from helpers.experiments.study import Findings
from helpers.experiments.transfer.grid import Task, run_grid
from helpers.pretrained import load_backbone
from helpers.records import ACCURACY, Measurement, Record
from helpers.training import finetuning

SOURCE = "smollm2"
PROBE, LORA, RANDOM = "SmolLM2, probe", "SmolLM2, LoRA", "random SmolLM2, probe"
"""The methods, in the column `method`."""

COMPARED = ((PROBE, RANDOM), (PROBE, PAIRS), (LORA, PAIRS))
"""The methods whose paired differences are recorded."""

RIVALS = ((PROBE, PAIRS), (LORA, PAIRS), (PROBE, finetuning.FROZEN), (LORA, finetuning.LORA))
"""What the real model is compared with over seeds: counting words, and the base model that learned in the like way."""


def load_task(task: LabelTask) -> Task:
    """Returns a task for the real model to learn.

    Raises:
        WorkbookError: the model is not there.
    """
    return Task(task.name, task.corpus, *load_backbone(SOURCE))


def learn(task: Task, wanted: Sequence[int], seed: int, test_size: int) -> list[Predicted]:
    """Lets the real model learn a task in every way, and words and their pairs be counted, with each number of labels.

    Labels and tests are those of `run_grid`.
    """
    sizes = task.sizes(wanted)
    trials: list[Predicted] = [
        replace(trial, method=LORA) if trial.method == finetuning.LORA else trial
        for trial in run_grid(task, [WORDS, PAIRS, finetuning.LORA], sizes, [seed], test_size, keep=False)
    ]
    return trials + probes(task, sizes, seed, test_size)


def probes(task: Task, sizes: Sequence[int], seed: int, test_size: int) -> list[Predicted]:
    """Probes the real model, and one with random weights, with each number of labels; otherwise like `learn`."""
    random = replace(task, backbone=models.untrained(task.backbone, seed))
    return [*probe(task, PROBE, sizes, seed, test_size), *probe(random, RANDOM, sizes, seed, test_size)]


def probe(task: Task, method: str, sizes: Sequence[int], seed: int, test_size: int) -> Iterator[Predicted]:
    """Yields what a probe of the task's model predicts, for each number of labels, smallest first.

    It reads the states after two thirds of the blocks. That was best on average in trials on modules of the training
    part, with these numbers of labels, in both tasks. All texts are read once, for all sizes.
    """
    known, test = task.sample("train", max(sizes), seed), task.sample("test", test_size, seed)
    layers = (models.mean_states(task.backbone, task.encode(of)) for of in (known, test))
    seen, new = (states[2 * len(states) // 3] for states in layers)
    for size in sorted(sizes):
        few = size - size % len(task.labels)  # equally many of each class
        weight, bias = finetuning.fit_linear(seen[:few], known.classes[:few])
        yield Predicted(task.name, method, size, seed, test, (new @ weight.T + bias).argmax(1))


def measure_live(
    record: Record, task: LabelTask, wanted: Sequence[int], test_size: int, seed: int
) -> list[Measurement]:
    """Adds to the record, and returns, what both probes get right, and how far the trained one is ahead."""
    real, known = load_task(task), set(record.measurements)
    measure_methods(record, probes(real, real.sizes(wanted), seed, test_size), real.chance, [(PROBE, RANDOM)])
    return [found for name, found in record.measurements.items() if name not in known]


def joined(real: Findings | None, ours: Findings | None) -> Findings | None:
    """Returns the real model's study, and of the base model's what has the same labels and tests, as one.

    None if one is missing, or if they are of different profiles.
    """
    if real is None or ours is None or real.profile != ours.profile:
        return None
    measured = [found for arm in real.arms.values() for found in arm["measurements"].values()]
    names, sizes = ({of["name"] for of in measured}, {of["about"]["labels"] for of in measured})
    seeds, arms = {arm["parameters"]["seed"] for arm in real.arms.values()}, dict(real.arms)
    for name, arm in ours.arms.items():
        if arm["parameters"]["seed"] in seeds:
            found = arm["measurements"].items()
            own = {key: of for key, of in found if key not in names and of["about"]["labels"] in sizes}
            arms[f"{name}, base model"] = arm | {"measurements": own}
    return replace(real, arms=arms)


def leads(both: Findings) -> list[Measurement]:
    """Returns how far the real model is above its `RIVALS` in what `joined` returned, with t intervals over seeds.

    Each measurement is about a task, a number of labels, a method and its rival.
    """
    found = []
    for task, labels in dict.fromkeys((each.about["task"], each.about["labels"]) for each in both.over_seeds()):
        of = {"metric": ACCURACY, "task": task, "labels": labels}
        for method, rival in RIVALS:
            gap = both.gap(
                f"{task}, {labels} labels.{method} - {rival}", of | {"method": method}, of | {"method": rival}
            )
            found.append(replace(gap, about=of | {"metric": GAP, "method": method, "rival": rival}))
    return found
