"""Does a trained start help? Tasks with few labels: learned from several starts, and by methods that count words.

Live chapter and studies run the same grid: methods × numbers of labels × seeds. A seed draws the labelled texts, the
texts for test, and all that is random in training; the smaller label sets are parts of the larger ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.corpora.kinds.draws import LabelTask, Sample
from helpers.evaluation import metrics
from helpers.evaluation.word_counts import BASELINES, PAIRS, WORDS, predict_by_counts
from helpers.models import mean_states
from helpers.progress import Progress
from helpers.records import ACCURACY, Record
from helpers.statistics import macro_f1_interval
from helpers.training.finetuning import FROZEN, FULL, SCRATCH, Classifier, Cost, encode, finetune, fit_linear, predict

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

MACRO_F1, GAP, PROBE, PROBE_GAP = "macro-F1", "accuracy gap", "probe accuracy", "probe gap"
"""What a measurement is about, in the column `metric`, where it is no accuracy."""

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
        return encode(self.tokenizer, sample.texts, self.backbone)


@dataclass(frozen=True)
class Trial:
    """One method, trained on a task once, and tested.

    Attributes:
        method: one of `finetuning.ARMS` or of `BASELINES`.
        labels: texts that it learned from, as asked for.
        predicted: the class that it gives each text of the test, (texts,).
        cost: of its training; None for baselines.
        classifier: what was trained; None where it was not kept.
    """

    task: str
    method: str
    labels: int
    seed: int
    test: Sample
    predicted: np.ndarray
    cost: Cost | None = None
    classifier: Classifier | None = None

    @property
    def about(self) -> dict[str, Any]:
        """What it has in common with the same of other seeds: task, labels and method."""
        return {"task": self.task, "labels": self.labels, "method": self.method}

    @property
    def right(self) -> np.ndarray:
        """1 for each text of the test whose class is right, else 0, (texts,)."""
        return (self.predicted == self.test.classes).astype(float)


def run_grid(
    task: Task, methods: Sequence[str], sizes: Sequence[int], seeds: Sequence[int], test_size: int
) -> list[Trial]:
    """Trains and tests each method with each number of labels and each seed.

    Args:
        methods: of `finetuning.ARMS` and `BASELINES`.
        sizes: numbers of labels, as `Task.sizes` allows them.
        test_size: texts in each test.

    Returns:
        The trials; classifiers are kept of the first seed and the most labels.
    """
    trials = []
    with Progress(task.name, len(seeds) * len(sizes) * len(methods), "trainings") as progress:
        for seed in seeds:
            for trial in _run_seed(task, methods, sorted(sizes), seed, test_size, keep=seed == seeds[0]):
                trials.append(trial)
                progress.advance()
    return trials


def _run_seed(
    task: Task, methods: Sequence[str], sizes: Sequence[int], seed: int, test_size: int, keep: bool
) -> Iterator[Trial]:
    most, test = task.sample("train", sizes[-1], seed), task.sample("test", test_size, seed)
    rows, test_rows = task.encode(most), task.encode(test)
    states = mean_states(task.backbone, rows)[:, -1] if FROZEN in methods else None
    for size, method in product(sizes, methods):
        known = most.first(size - size % len(task.labels))  # equally many of each class
        trial = Trial(task.name, method, size, seed, test, test.classes)
        if method in BASELINES:
            yield replace(trial, predicted=predict_by_counts(method, known.texts, known.classes, test.texts))
        else:
            few = len(known.texts)
            inner = states[:few] if states is not None and method == FROZEN else None
            classifier, cost = finetune(task.backbone, rows[:few], known.classes, task.labels, method, seed, inner)
            kept = classifier if keep and size == sizes[-1] else None
            yield replace(trial, predicted=predict(classifier, test_rows).argmax(1), cost=cost, classifier=kept)


def measure_grid(record: Record, task: Task, trials: Sequence[Trial]) -> None:
    """Adds to the record the accuracy and macro-F1 of each method and number of labels, and gaps of `COMPARED`.

    Args:
        record: gets `<task>, <n> labels.<method>`, `<task>, <n> labels, macro-F1.<method>` and
            `<task>, <n> labels.<method> - <rival>`, about all of these.
        trials: of all the task's seeds.
    """
    cells: dict[tuple[str, int], list[Trial]] = {}
    for trial in trials:
        cells.setdefault((trial.method, trial.labels), []).append(trial)
    for of in cells.values():
        _measure_method(record, task, of)
    for (one, rival), size in product(COMPARED, sorted({trial.labels for trial in trials})):
        if (one, size) in cells and (rival, size) in cells:
            (ones, groups, seeds), (others, *_) = _pooled(cells[one, size]), _pooled(cells[rival, size])
            about = {"metric": GAP, "task": task.name, "labels": size, "method": one, "rival": rival}
            record.gap(f"{task.name}, {size} labels.{one} - {rival}", ones, others, groups, seeds=seeds, **about)


def _measure_method(record: Record, task: Task, trials: Sequence[Trial]) -> None:
    right, groups, seeds = _pooled(trials)
    name, method = f"{task.name}, {trials[0].labels} labels", trials[0].method
    known = {"seeds": seeds, "null": task.chance} | trials[0].about
    record.share(f"{name}.{method}", right, groups, metric=ACCURACY, **known)
    predicted = np.concatenate([trial.predicted for trial in trials])
    true = np.concatenate([trial.test.classes for trial in trials])
    known |= {"interval": macro_f1_interval(predicted, true, groups), "n": len(set(groups)), "metric": MACRO_F1}
    record.measure(f"{name}, {MACRO_F1}.{method}", metrics.compute("macro_f1", predicted, true), MACRO_F1, **known)


def _pooled(trials: Sequence[Trial]) -> tuple[np.ndarray, list[str], list[int]]:
    """Returns of all texts of some trials whether they were right, and their groups; and the seeds."""
    groups = [group for trial in trials for group in trial.test.groups]
    return np.concatenate([trial.right for trial in trials]), groups, [trial.seed for trial in trials]


def probe_layers(backbone: PreTrainedModel, task: Task, known: Sample, test: Sample) -> np.ndarray:
    """Returns whether a linear probe on the mean states of each layer classifies each text right, (layers + 1, texts).

    (Alain and Bengio 2017.)
    """
    # (texts, layers + 1, width)
    learned, unseen = (mean_states(backbone, task.encode(sample)) for sample in (known, test))
    right = []
    for layer in range(learned.shape[1]):
        weight, bias = fit_linear(learned[:, layer], known.classes)
        right.append((unseen[:, layer] @ weight.T + bias).argmax(1) == test.classes)
    return np.array(right, float)


def measure_layers(
    record: Record, task: Task, untrained: PreTrainedModel, size: int, test_size: int, seed: int
) -> None:
    """Adds to the record the accuracy of a probe on each layer of the task's model, and of one with random weights.

    Args:
        record: gets `probe: <task>, layer <n>.<start>`, and `probe: <task>.trained - random`, the paired difference of
            the two best layers.
        size: labelled texts that the probe learns from.
    """
    known, test = task.sample("train", size, seed), task.sample("test", test_size, seed)
    best = []
    for start, backbone in ((TRAINED, task.backbone), (RANDOM, untrained)):
        right = probe_layers(backbone, task, known, test)
        for layer, found in enumerate(right):
            about = {"metric": PROBE, "task": task.name, "layer": layer, "start": start}
            name, behind = f"probe: {task.name}, layer {layer}.{start}", {"seeds": (seed,), "null": task.chance}
            record.share(name, found, test.groups, **behind, **about)
        best.append(right[right.mean(1).argmax()])
    name = f"probe: {task.name}.{TRAINED} - {RANDOM}"
    record.gap(name, *best, test.groups, seeds=(seed,), metric=PROBE_GAP, task=task.name)
