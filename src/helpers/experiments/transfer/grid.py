"""Does a trained start help? Tasks with few labels: learned from several starts, and by methods that count words.

Live chapter and studies run the same grid: methods × numbers of labels × seeds. A seed draws the labelled texts, the
texts for test, and all that is random in training; the smaller label sets are parts of the larger ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from helpers.corpora.kinds.draws import LabelTask, Sample
from helpers.evaluation.classification import BASELINES, PAIRS, WORDS, Predicted, predict_by_counts
from helpers.models import context_length, mean_states
from helpers.profiles import Profile
from helpers.progress import Progress
from helpers.records import Record
from helpers.training import base, finetuning
from helpers.training.finetuning import FROZEN, FULL, SCRATCH, Classifier
from helpers.training.trainer import TrainingLog

PROBE, PROBE_GAP = "probe accuracy", "probe gap"
"""What a measurement of a probe is about, in the column `metric`."""

COMPARED = ((FULL, SCRATCH), (FULL, PAIRS), (FULL, WORDS), (FROZEN, SCRATCH))
"""The methods whose paired differences are recorded."""

TRAINED, RANDOM = "trained", "random"
"""Whose layers are probed, in the column `start`: the trained model's, and those of one with random weights."""


@dataclass(frozen=True)
class Task(LabelTask):
    """Labelled texts, and the trained model that shall learn from them."""

    backbone: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast

    def encode(self, sample: Sample) -> list[list[int]]:
        """Returns the token ids of each text, cut to what the model can read."""
        return finetuning.encode_texts(self.tokenizer, sample.texts, self.backbone)


@dataclass(frozen=True)
class Trial(Predicted):
    """One method, one of `finetuning.ARMS` or of `BASELINES`, trained on a task once, and tested.

    Baselines have no `cost`, and a `classifier` is there only where it was kept.
    """

    cost: TrainingLog | None = None
    classifier: Classifier | None = None


def run_grid(
    task: Task, methods: Sequence[str], sizes: Sequence[int], seeds: Sequence[int], test_size: int, keep: bool = True
) -> list[Trial]:
    """Trains and tests each method with each number of labels and each seed.

    Methods are of `finetuning.ARMS` and `BASELINES`, sizes are as `Task.sizes` allows them, and a test has `test_size`
    texts. Of the trials returned, those of the first seed and the most labels keep their classifiers if they shall
    `keep` them: each has the weights of a model.
    """
    trials = []
    with Progress(task.name, len(seeds) * len(sizes) * len(methods), "trainings") as progress:
        for seed in seeds:
            for trial in _run_seed(task, methods, sorted(sizes), seed, test_size, keep=keep and seed == seeds[0]):
                trials.append(trial)
                progress.advance()
    return trials


def expected_cost(tasks: Sequence[Task], profile: Profile, test_size: int) -> str:
    """Says what the chapter will cost with a model of the reader's: see `base.expected_cost`.

    Each number of labels is learned from scratch and in full with each seed; both starts read both domains at the end.
    """
    trained, read = 4.0 * profile.tokens / 30, 0.0
    for task in tasks:
        some = task.encode(task.sample("train", 64, 0))
        tokens, sizes = sum(map(len, some)) / len(some), task.sizes(profile.labels)
        fewest = finetuning.FEWEST_STEPS * finetuning.BATCH
        passes = [max(size * finetuning.RECIPES[arm][0], fewest) for size in sizes for arm in (SCRATCH, FULL)]
        trained += tokens * profile.seeds * sum(passes)
        read += tokens * profile.seeds * (sizes[-1] + test_size * 3 * len(sizes)) + 2 * tokens * (sizes[-1] + test_size)
    model = tasks[0].backbone
    return base.expected_cost(model, trained, read, min(profile.context, context_length(model)), copies=12)


def _run_seed(
    task: Task, methods: Sequence[str], sizes: Sequence[int], seed: int, test_size: int, keep: bool
) -> Iterator[Trial]:
    most, test = task.sample("train", sizes[-1], seed), task.sample("test", test_size, seed)
    rows, test_rows = task.encode(most), task.encode(test)
    states = mean_states(task.backbone, rows)[-1] if FROZEN in methods else None
    for size, method in product(sizes, methods):
        few = size - size % len(task.labels)  # equally many of each class
        known, cost, kept = most.first(few), None, None
        if method in BASELINES:
            predicted = predict_by_counts(method, known.texts, known.classes, test.texts)
        else:
            taught = task.backbone, rows[:few], known.classes, task.labels
            inner = states[:few] if states is not None and method == FROZEN else None
            classifier, cost = finetuning.finetune_classifier(*taught, method, seed, inner)
            predicted = finetuning.predict(classifier, test_rows).argmax(1)
            kept = classifier if keep and size == sizes[-1] else None
        yield Trial(task.name, method, size, seed, test, predicted, cost, kept)


def probe_layers(backbone: PreTrainedModel, task: Task, known: Sample, test: Sample) -> np.ndarray:
    """Returns whether a linear probe on the mean states of each layer classifies each text right, (layers + 1, texts).

    (Alain and Bengio 2017.)
    """
    learned, unseen = (mean_states(backbone, task.encode(of)) for of in (known, test))  # by layer: (texts, width)
    right = []
    for seen, new in zip(learned, unseen, strict=True):
        weight, bias = finetuning.fit_linear(seen, known.classes)
        right.append((new @ weight.T + bias).argmax(1) == test.classes)
    return np.array(right, float)


def measure_layers(
    record: Record, task: Task, untrained: PreTrainedModel, size: int, test_size: int, seed: int
) -> None:
    """Adds to the record the accuracy of a probe on each layer of the task's model, and of one with random weights.

    The probe learns from `size` labelled texts. The record gets `probe: <task>, layer <n>.<start>`, and `probe:
    <task>.trained - random`, the paired difference of the two best layers.
    """
    known, test = task.sample("train", size, seed), task.sample("test", test_size, seed)
    best = []
    for start, backbone in ((TRAINED, task.backbone), (RANDOM, untrained)):
        right = probe_layers(backbone, task, known, test)
        for layer, found in enumerate(right):
            about: dict[str, Any] = {"metric": PROBE, "task": task.name, "layer": layer, "start": start}
            name = f"probe: {task.name}, layer {layer}.{start}"
            record.share(name, found, test.groups, seeds=(seed,), null=task.chance, **about)
        best.append(right[right.mean(1).argmax()])
    name = f"probe: {task.name}.{TRAINED} - {RANDOM}"
    record.gap(name, best[0], best[1], test.groups, seeds=(seed,), metric=PROBE_GAP, task=task.name)
