"""Does a larger model change the result? The chapter's tasks, learned by a real one, over a hundred times as large.

SmolLM2-135M-Instruct learns in two ways: by a probe on its states, for which none of its weights moves, and by LoRA in
the upper half of its blocks. Beside it stand probes of the same network with random weights: what they find,
pretraining has not brought.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from helpers import models, smollm2
from helpers.corpora.kinds.draws import LabelTask, Sample
from helpers.corpora.pydocs.tasks import SHUFFLED
from helpers.evaluation.classification import GAP, PAIRS, WORDS, Predicted, measure_methods
from helpers.evaluation.learning_curves import labels_saved
from helpers.evaluation.likelihood import row_bits
from helpers.experiments.study import Findings
from helpers.experiments.transfer.grid import Task, run_grid
from helpers.pretrained import load_backbone, load_model
from helpers.records import ACCURACY, Measurement, Record, pick
from helpers.training import finetuning
from helpers.training.frozen import upper_part

SOURCE = smollm2.NAME
PROBE, LORA, SURPRISE = "SmolLM2 by probe", "SmolLM2 by LoRA", "SmolLM2's surprise, no labels"
RANDOM, EMBEDDINGS = "random SmolLM2 by probe", "random SmolLM2's embeddings"
"""The methods, in the column `method`; the last two are the probe's controls."""

DEPTH = 2 / 3
"""Share of the blocks after which a probe reads the states. That was best on average in trials on modules of the
training part, with these numbers of labels, in both tasks; of the trained network, so a random one is read before its
first block, too."""

COMPARED = ((PROBE, RANDOM), (PROBE, EMBEDDINGS), (PROBE, WORDS), (PROBE, PAIRS), (LORA, WORDS), (LORA, PAIRS))
"""The methods whose paired differences are recorded."""

FROZEN_BASE, LORA_BASE, FULL_BASE = (
    f"base model, {way}" for way in (finetuning.FROZEN, finetuning.LORA, finetuning.FULL)
)
"""What `joined` calls methods of the base model's study, as it does all of them."""

DRAWN = (PAIRS, FULL_BASE, RANDOM, PROBE, LORA, SURPRISE)
"""What the figure shows."""

BAGS = (WORDS, PAIRS)
"""The two ways to count words."""

RIVALS = (*product((PROBE, LORA), BAGS), (PROBE, FROZEN_BASE), (LORA, LORA_BASE))
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
    of = task.sample("train", sizes[-1], seed), task.sample("test", test_size, seed), sizes, seed
    random = replace(task, backbone=models.untrained(task.backbone, seed))
    counted = run_grid(task, [WORDS, PAIRS], sizes, [seed], test_size, keep=False)
    probed = [*probe(task, {PROBE: DEPTH}, *of), *probe(random, {RANDOM: DEPTH, EMBEDDINGS: 0.0}, *of)]
    return [*counted, *probed, *surprise(task, *of[1:]), *adapt(task, *of)]


def probe(
    task: Task, depths: Mapping[str, float], known: Sample, test: Sample, sizes: Sequence[int], seed: int
) -> Iterator[Predicted]:
    """Yields what probes of the task's model predict, for each number of labels; all texts are read once.

    `depths` are methods, each with the share of the blocks after which it reads the states.
    """
    seen, new = (models.mean_states(task.backbone, task.encode(of)) for of in (known, test))
    for (method, depth), size in product(depths.items(), sizes):
        layer, few = round(depth * (len(seen) - 1)), size - size % len(task.labels)  # equally many of each class
        weight, bias = finetuning.fit_linear(seen[layer][:few], known.classes[:few])
        yield Predicted(task.name, method, size, seed, test, (new[layer] @ weight.T + bias).argmax(1))


def surprise(task: Task, test: Sample, sizes: Sequence[int], seed: int) -> Iterator[Predicted]:
    """Yields, where a task asks for it, that those half of the texts are shuffled that cost most bits a token.

    No label is needed for that: all numbers of labels have the same.
    """
    if SHUFFLED in task.labels:
        bits = np.array([each.mean() for each in row_bits(load_model(SOURCE)[0], task.encode(test))])
        shuffled = task.labels.index(SHUFFLED)
        predicted = np.where(bits > np.median(bits), shuffled, 1 - shuffled)
        yield from (Predicted(task.name, SURPRISE, size, seed, test, predicted) for size in sizes)


def adapt(task: Task, known: Sample, test: Sample, sizes: Sequence[int], seed: int) -> Iterator[Predicted]:
    """Yields what the task's model predicts after LoRA in the upper half of its blocks, for each number of labels.

    The lower half reads each text once, however often the upper one does: training costs less than half.
    """
    rows, first = task.encode(known) + task.encode(test), len(models.blocks(task.backbone)) // 2
    part = upper_part(task.backbone, rows, first)
    upper, rows, first = (*part, 0) if part else (task.backbone, rows, first)
    for size in sizes:
        few = size - size % len(task.labels)
        taught = rows[:few], known.classes[:few], task.labels
        classifier, _ = finetuning.finetune_classifier(upper, *taught, finetuning.LORA, seed, first=first)
        predicted = finetuning.predict(classifier, rows[len(known.texts) :]).argmax(1)
        yield Predicted(task.name, LORA, size, seed, test, predicted)


def measure_live(
    record: Record, task: LabelTask, wanted: Sequence[int], test_size: int, seed: int
) -> list[Measurement]:
    """Adds to the record, and returns, what both probes get right, and how far the trained one is ahead."""
    real, sizes, known = load_task(task), task.sizes(wanted), set(record.measurements)
    of = task.sample("train", sizes[-1], seed), task.sample("test", test_size, seed), sizes, seed
    found = list(probe(real, {PROBE: DEPTH}, *of))
    backbone: Any = real.backbone
    random = replace(real, backbone=models.untrained(backbone.to("meta"), seed))  # the real one's memory is then free
    found += probe(random, {RANDOM: DEPTH}, *of)
    measure_methods(record, found, task.chance, [(PROBE, RANDOM)])
    return [made for name, made in record.measurements.items() if name not in known]


def joined(real: Findings | None, ours: Findings | None) -> Findings | None:
    """Returns the real model's study, and of the base model's what has the same labels and tests, as one.

    None if one is missing, if they are of different profiles, or, as a sentence then says, if their labels or tests
    differ: counting words, which both do, is not right equally often.
    """
    if real is None or ours is None or real.profile != ours.profile:
        return None
    here, there = ({(seed, of.name): of.value for seed, of in study.of_each()} for study in (real, ours))
    if any(abs(here[name] - there[name]) > 1e-9 for name in here.keys() & there.keys()):
        print("Studies 03_size and 03_labels have other labels or tests, so they are not compared. Run both again.")
        return None
    measured = [found for arm in real.arms.values() for found in arm["measurements"].values()]
    names, sizes = ({of["name"] for of in measured}, {of["about"]["labels"] for of in measured})
    seeds, arms = {arm["parameters"]["seed"] for arm in real.arms.values()}, dict(real.arms)
    for name, arm in ours.arms.items():
        if arm["parameters"]["seed"] in seeds:
            own = {key: _of_base(of) for key, of in arm["measurements"].items() if key not in names}
            own = {key: of for key, of in own.items() if of["about"]["labels"] in sizes}
            arms[f"{name}, base model"] = arm | {"measurements": own}
    return replace(real, arms=arms)


def _of_base(found: dict[str, Any]) -> dict[str, Any]:
    return found | {"about": found["about"] | {"method": f"base model, {found['about']['method']}"}}


def leads(both: Findings) -> list[Measurement]:
    """Returns how far the real model is above its `RIVALS` in what `joined` returned, on average over seeds.

    Each measurement is about a task, a number of labels, a method and its rival. Of the word counters, which were asked
    in the same arm, the gaps are paired by text; of the base model, by seed.
    """
    found = []
    for task, labels in dict.fromkeys((each.about["task"], each.about["labels"]) for each in both.over_seeds()):
        of = {"metric": ACCURACY, "task": task, "labels": labels}
        for method, rival in RIVALS:
            about = of | {"metric": GAP, "method": method, "rival": rival}
            if rival in BAGS:
                found.append(both.mean(**about))
            else:
                name = f"{task}, {labels} labels.{method} - {rival}"
                gap = both.gap(name, of | {"method": method}, of | {"method": rival})
                found.append(replace(gap, about=about))
    return found


def reading(both: Findings) -> str:
    """Returns what each method of the figure gets right with the most labels, and the better word counter, by task."""
    found = pick(both.over_seeds(), metric=ACCURACY)
    most = max(each.about["labels"] for each in found)
    lines = [f"**Reading.** With {most:,} labels, on average over {found[0].n} seeds:", ""]
    for task in dict.fromkeys(each.about["task"] for each in found):
        of = {each.about["method"]: each for each in pick(found, task=task, labels=most)}
        counter = max(BAGS, key=lambda name: of[name].value)
        right = [f"{name} {of[name]:.0%}" for name in (LORA, PROBE, SURPRISE, FULL_BASE, counter, RANDOM) if name in of]
        lines.append(f"- `{task}`: {', '.join(right)}.")
    return "\n".join(lines)


def rung(both: Findings) -> str:
    """Returns what the real model says of the chapter's claim, in sentences, one a line.

    Labels are counted at a quarter of the most, against the control that needs fewer.
    """
    each, ahead = both.frame().query("metric == @ACCURACY"), leads(both)
    *_, few, most = sorted(each["labels"].unique())
    saved = {}
    for task in map(str, each["task"].unique()):
        rows = each[each["task"] == task]
        controls = (labels_saved(rows, PROBE, control, few) for control in (RANDOM, EMBEDDINGS))
        saved[task] = min(controls, key=lambda found: found.ratio)
    sure = sum(of.interval.low > 1 for of in saved.values())
    lines = [
        f"SmolLM2, 134.5 million numbers, {both.over_seeds()[0].n} seeds: a probe of it needs fewer labels than one of "
        f"the same network with random numbers, which is not trained either, in {sure} of {len(saved)} tasks (at most "
        f"{most // few} times fewer can be seen). No start from scratch was trained, and no steps were measured."
    ]
    lines += [f"Labels, {task}: the random network needs {of} as many." for task, of in saved.items()]
    for task, method in product(saved, (PROBE, LORA)):
        of_task = pick(ahead, task=task, method=method, labels=most)
        lead = min((lead for lead in of_task if lead.about["rival"] in BAGS), key=lambda found: found.value)
        lines.append(f"Against the better way to count words, {task}, {most} labels: {method} {lead:+.1%}.")
    return "\n".join(lines)
