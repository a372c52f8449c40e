"""Does a trained start help? Tasks with few labels: learned from several starts, and by methods that count words.

Live chapter and study run the same grid: arms × numbers of labels × seeds. A seed draws the labelled texts, the texts
for test, and all that is random in training; the smaller label sets are parts of the larger ones. All draws have
equally many texts of each class, so that chance is one over the number of classes.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.corpora import Corpus
from helpers.evaluation import metrics
from helpers.models import mean_states
from helpers.progress import Progress
from helpers.records import Record
from helpers.statistics import Interval, macro_f1_interval, mean_interval, ratio_interval, share_interval
from helpers.training.finetuning import (
    FROZEN,
    FULL,
    SCRATCH,
    Classifier,
    encode_texts,
    finetune_classifier,
    fit_linear,
    predict,
)
from helpers.training.trainer import TrainingLog

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

MAJORITY, WORDS, PAIRS = "majority", "bag of words", "pairs of words"
BASELINES = (MAJORITY, WORDS, PAIRS)
"""The commonest label; TF-IDF of words with logistic regression; the same of words and of pairs of neighbours."""

COMPARED = ((FULL, SCRATCH), (FULL, PAIRS), (FULL, WORDS), (FROZEN, SCRATCH))
"""The arms whose paired differences are recorded."""


class Sample(NamedTuple):
    """Some labelled texts of a task.

    Attributes:
        texts: the texts.
        rows: their token ids.
        classes: of each, the place of its label among the task's.
        groups: of each, what it was sampled with.
    """

    texts: list[str]
    rows: list[list[int]]
    classes: np.ndarray
    groups: list[str]

    def first(self, count: int) -> Sample:
        """Returns the first so many."""
        return Sample(self.texts[:count], self.rows[:count], self.classes[:count], self.groups[:count])


@dataclass(frozen=True)
class Task:
    """Labelled texts, and the model that shall learn from them.

    Attributes:
        name: what it is called.
        corpus: of kind `labels`.
        backbone: the trained model.
        tokenizer: its tokenizer.
    """

    name: str
    corpus: Corpus
    backbone: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast

    @cached_property
    def labels(self) -> list[str]:
        """The classes, in alphabetical order."""
        return sorted(set(self.corpus.splits["train"]["label"][:]))

    def sizes(self, wanted: Sequence[int]) -> list[int]:
        """Returns those of the numbers of labels for which there are texts, each at least one of each class.

        If there are too few texts for any, it is the number of all that there are.
        """
        of_class = Counter(self.corpus.splits["train"]["label"][:])
        most = min(of_class.values()) * len(of_class)
        return sorted({max(size, len(of_class)) for size in wanted if size <= most}) or [most]

    def sample(self, split: str, count: int, seed: int) -> Sample:
        """Draws texts, the classes in turn; a smaller draw is the beginning of a larger one.

        Args:
            split: `train` or `test`.
            count: how many at most; fewer where a class has too few.
            seed: of the draw.
        """
        part, labels = self.corpus.splits[split], self.labels
        order = random.Random(f"{split} {seed}").sample(range(len(part)), len(part))
        named = part["label"][:]  # read at once: row by row, a column of datasets takes a second
        of_class = [[place for place in order if named[place] == label] for label in labels]
        each = min(max(1, count // len(labels)), *map(len, of_class))
        places = [of[turn] for turn in range(each) for of in of_class]
        chosen = part.select(places)
        texts = list(chosen["text"])
        classes = np.array([labels.index(label) for label in chosen["label"]])
        return Sample(texts, encode_texts(self.tokenizer, texts, self.backbone), classes, list(chosen["group"]))


@dataclass(frozen=True)
class Trial:
    """One arm, taught and tested once.

    Attributes:
        arm: one of `finetuning.ARMS` or of `BASELINES`.
        size: labelled texts that it learned from, as asked for.
        seed: behind it.
        predicted: the class that it gives each text of the test, (texts,).
        test: the texts.
        cost: of its training; None for baselines.
        classifier: what was trained; None where it was not kept.
    """

    arm: str
    size: int
    seed: int
    predicted: np.ndarray
    test: Sample
    cost: TrainingLog | None = None
    classifier: Classifier | None = None

    @property
    def right(self) -> np.ndarray:
        """1 for each text of the test whose class is right, else 0, (texts,)."""
        return (self.predicted == self.test.classes).astype(float)


def run_grid(
    task: Task, arms: Sequence[str], sizes: Sequence[int], seeds: Sequence[int], test_size: int
) -> list[Trial]:
    """Teaches and tests each arm with each number of labels and each seed.

    Args:
        task: the task.
        arms: of `finetuning.ARMS` and `BASELINES`.
        sizes: numbers of labels, as `Task.sizes` allows them.
        seeds: the seeds.
        test_size: texts in each test.

    Returns:
        The trials; classifiers are kept of the first seed and the most labels.
    """
    with Progress(task.name, len(seeds) * len(sizes) * len(arms), "trainings") as progress:
        return [
            trial for seed in seeds for trial in _run_seed(task, arms, sorted(sizes), seed, seeds, test_size, progress)
        ]


def _run_seed(
    task: Task,
    arms: Sequence[str],
    sizes: Sequence[int],
    seed: int,
    seeds: Sequence[int],
    test_size: int,
    progress: Progress,
) -> Iterator[Trial]:
    most, test = task.sample("train", sizes[-1], seed), task.sample("test", test_size, seed)
    inner = mean_states(task.backbone, most.rows)[:, -1] if FROZEN in arms else None
    for size in sizes:
        some = most.first(size - size % len(task.labels))  # equally many of each class
        for arm in arms:
            if arm in BASELINES:
                yield Trial(arm, size, seed, _count(arm, some, test.texts), test)
            else:
                known = inner[: len(some.rows)] if inner is not None and arm == FROZEN else None
                learned = finetune_classifier(task.backbone, some.rows, some.classes, task.labels, arm, seed, known)
                kept = learned[0] if seed == seeds[0] and size == sizes[-1] else None
                predicted = predict(learned[0], test.rows).argmax(1)
                yield Trial(arm, size, seed, predicted, test, learned[1], kept)
            progress.advance()


def _count(arm: str, known: Sample, texts: Sequence[str]) -> np.ndarray:
    """Returns the classes that a baseline predicts, (texts,)."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    if arm == MAJORITY:
        return np.full(len(texts), np.bincount(known.classes).argmax())
    most = 2 if arm == PAIRS else 1
    counter = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, most), token_pattern=r"\w+|[^\w\s]")
    return (
        make_pipeline(counter, LogisticRegression(C=10, max_iter=1000)).fit(known.texts, known.classes).predict(texts)
    )


def measure_grid(record: Record, task: Task, trials: Sequence[Trial]) -> None:
    """Adds to the record what each arm reached with each number of labels, and paired differences.

    Args:
        record: gets `<task>, <n> labels.<arm>` (accuracy), `<task>, <n> labels, macro-F1.<arm>`, and
            `<task>, <n> labels.<arm> - <arm>` for the pairs of `COMPARED`.
        task: the task.
        trials: of all its seeds.
    """
    found: dict[tuple[str, int], list[Trial]] = {}
    for trial in trials:
        found.setdefault((trial.arm, trial.size), []).append(trial)
    for (arm, size), of in found.items():
        _measure_arm(record, f"{task.name}, {size} labels", arm, of, chance=1 / len(task.labels))
    for (one, other), size in ((pair, size) for pair in COMPARED for size in sorted({trial.size for trial in trials})):
        if (one, size) in found and (other, size) in found:
            pairs = list(zip(found[one, size], found[other, size], strict=True))
            gap = np.concatenate([a.right - b.right for a, b in pairs])
            known = _behind(found[one, size]) | {"null": 0.0}
            known["interval"] = ratio_interval(gap, np.ones(len(gap)), _groups(found[one, size]))
            record.measure(f"{task.name}, {size} labels.{one} - {other}", gap.mean(), "share right", **known)


def _measure_arm(record: Record, name: str, arm: str, trials: Sequence[Trial], chance: float) -> None:
    true = np.concatenate([trial.test.classes for trial in trials])
    predicted = np.concatenate([trial.predicted for trial in trials])
    groups, known = _groups(trials), _behind(trials) | {"null": chance}
    value, interval = metrics.compute("accuracy", predicted, true), share_interval(predicted == true, groups)
    record.measure(f"{name}.{arm}", value, "share right", interval=interval, **known)
    value, interval = metrics.compute("macro_f1", predicted, true), macro_f1_interval(predicted, true, groups)
    record.measure(f"{name}, macro-F1.{arm}", value, "macro-F1", interval=interval, **known)


def _groups(trials: Sequence[Trial]) -> list[str]:
    return [group for trial in trials for group in trial.test.groups]


def _behind(trials: Sequence[Trial]) -> dict[str, Any]:
    return {"n": len(set(_groups(trials))), "seeds": tuple(trial.seed for trial in trials)}


def labels_needed(scores: Mapping[int, float], target: float) -> float | None:
    """Returns how many labels a method needs to reach a score, read off its learning curve.

    Between two numbers of labels the curve is drawn straight over their logarithm; more labels are taken to do no harm.

    Args:
        scores: of each number of labels, the score reached.
        target: the score.

    Returns:
        The number; the smallest one tried if that is enough; None if the largest is not.
    """
    sizes = sorted(scores)
    best = np.maximum.accumulate([scores[size] for size in sizes])
    if best[0] >= target:
        return float(sizes[0])
    for i in range(1, len(sizes)):
        if best[i] >= target:
            part = (target - best[i - 1]) / (best[i] - best[i - 1])
            return float(sizes[i - 1] * (sizes[i] / sizes[i - 1]) ** part)
    return None


class Saved(NamedTuple):
    """How many labels one method saves another.

    Attributes:
        ratio: labels that the other needs, over those that the one was given.
        at_least: whether the other never got there: then the ratio is what it had, and too small.
    """

    ratio: float
    at_least: bool


def labels_saved(one: Mapping[int, float], other: Mapping[int, float], size: int) -> Saved:
    """Returns how many times as many labels the other method needs to reach what the one reaches with `size` labels.

    Args:
        one: scores by number of labels, `size` among them.
        other: scores by number of labels.
        size: labels given to the one.
    """
    needed = labels_needed(other, one[size])
    return Saved((max(other) if needed is None else needed) / size, needed is None)


def labels_saved_over(
    ones: Sequence[Mapping[int, float]], others: Sequence[Mapping[int, float]], size: int
) -> tuple[float, Interval, int]:
    """Returns `labels_saved` over seeds: the geometric mean of the ratios, its t interval, and where it is too small.

    Args:
        ones: of each seed, the one method's scores by number of labels.
        others: the same of the other method, for the same seeds; at least two.
        size: labels given to the one.

    Returns:
        The ratio and its interval; and for how many seeds the other method never got there.
    """
    saved = [labels_saved(one, other, size) for one, other in zip(ones, others, strict=True)]
    mean, interval = mean_interval([math.log2(ratio) for ratio, _ in saved])
    around = Interval(2**interval.low, 2**interval.high, f"{interval.method}, of logarithms")
    return 2**mean, around, sum(at_least for _, at_least in saved)


def scores(trials: Sequence[Trial], arm: str) -> list[dict[int, float]]:
    """Returns of each seed the shares right that an arm reached, by number of labels."""
    of_seed: dict[int, dict[int, float]] = {}
    for trial in trials:
        if trial.arm == arm:
            of_seed.setdefault(trial.seed, {})[trial.size] = float(trial.right.mean())
    return list(of_seed.values())


def probe_layers(
    task: Task, backbone: PreTrainedModel, size: int, test_size: int, seed: int
) -> tuple[np.ndarray, Sample]:
    """Returns what a linear probe on each layer's mean states tells right: (layers + 1, texts), and the texts.

    Args:
        task: the task.
        backbone: whose states are read.
        size: labelled texts that the probe learns from.
        test_size: texts that it is asked about.
        seed: of both draws.
    """
    known, test = task.sample("train", size, seed), task.sample("test", test_size, seed)
    learned, asked = mean_states(backbone, known.rows), mean_states(backbone, test.rows)  # (texts, layers + 1, width)
    right = []
    for layer in range(learned.shape[1]):
        weight, bias = fit_linear(learned[:, layer], known.classes)
        right.append((asked[:, layer] @ weight.T + bias).argmax(1) == test.classes)
    return np.array(right, float), test


def decide(labels: Sequence[Interval], steps: Sequence[Interval]) -> str:
    """Returns the verdict on the claim that a trained start makes a new task quick and cheap to learn.

    Args:
        labels: of each task, the interval of the number of labels that a start from scratch needs, over those that the
            trained start was given.
        steps: of each new domain, the interval of the share of the steps from scratch that the trained start needs.

    Returns:
        `supported` if labels and steps are saved in all of them, `refuted` if in none a fifth can be saved, else
        `not distinguishable`; also where there is nothing to go by.
    """
    saved = [of.low > 1 for of in labels] + [of.high < 1 for of in steps]
    nothing = [of.high < 1.25 for of in labels] + [of.low > 0.8 for of in steps]
    if not labels or not steps:
        return "not distinguishable"
    return "supported" if all(saved) else "refuted" if all(nothing) else "not distinguishable"
