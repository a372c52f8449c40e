"""Chapter 03's studies: all ways to learn a task from few and from many labels, size, new domains, shuffled text.

All start from the run's own base model, or the published one (`study.start_from_base`); but one, from a real model.
"""

import random
from collections.abc import Callable
from dataclasses import replace

from helpers.corpora import load
from helpers.corpora.kinds.draws import LabelTask
from helpers.evaluation.classification import BASELINES, measure_methods
from helpers.experiments.study import Arm, Study, note_corpora, start_from_base
from helpers.experiments.transfer import domains, grid, size
from helpers.models import backbone_of, causal_model, weights_fingerprint
from helpers.profiles import Profile
from helpers.records import Record
from helpers.tokenization import encode_documents, pack
from helpers.training import base
from helpers.training.finetuning import ARMS, FULL, SCRATCH
from helpers.training.pretraining import pretrain

SEEDS, SHUFFLED_SEEDS, REAL_SEEDS = 8, 5, 3
TASKS = ("pydocs-packages", "pydocs-order")
ORDERED, SHUFFLED = "in order", "shuffled"
"""What a model was pretrained on, as the third study compares it; its methods beside training from scratch."""


def label_counts(profile: Profile) -> list[int]:
    """Returns the numbers of labels of the first study: the live ones, and four and sixteen times their most."""
    most = 16 * profile.labels[-1]
    return [most // 4**i for i in reversed(range(5))]


def _task(name: str, record: Record) -> grid.Task:
    model, tokenizer = start_from_base(record)
    corpus = load(name, "labels", packages=record.profile.packages)
    note_corpora(record, {name: corpus})
    return grid.Task(name, corpus, backbone_of(model), tokenizer)


def _label_arms(profile: Profile) -> list[Arm]:
    return [Arm(f"{task}-{seed}", profile, seed, {"task": task}, 2.0) for seed in range(SEEDS) for task in TASKS]


def _seeds(count: int, share: float) -> Callable[[Profile], list[Arm]]:
    return lambda profile: [Arm(f"seed-{seed}", profile, seed, {}, share) for seed in range(count)]


def _run_labels(arm: Arm, record: Record) -> None:
    task = _task(arm.settings["task"], record)
    sizes = task.sizes(label_counts(arm.profile))
    trials = grid.run_grid(task, [*BASELINES, *ARMS], sizes, [arm.seed], arm.profile.heldout_bytes // 150)
    measure_methods(record, trials, task.chance, grid.COMPARED)


def _real_arms(profile: Profile) -> list[Arm]:
    """Plans the first seeds of the first study again; the share is that of the work, not of the tokens."""
    return [Arm(f"{task}-{seed}", profile, seed, {"task": task}, 3.5) for seed in range(REAL_SEEDS) for task in TASKS]


def _run_real(arm: Arm, record: Record) -> None:
    profile, name = arm.profile, arm.settings["task"]
    task = size.load_task(LabelTask(name, load(name, "labels", packages=profile.packages)))
    record.fingerprints |= {task.name: task.corpus.fingerprint, size.SOURCE: weights_fingerprint(task.backbone)}
    trials = size.learn(task, label_counts(profile)[:-1], arm.seed, profile.heldout_bytes // 150)
    measure_methods(record, trials, task.chance, size.COMPARED)


def _run_domains(arm: Arm, record: Record) -> None:
    model, tokenizer = start_from_base(record)
    fresh = causal_model(arm.profile, tokenizer, arm.seed)
    domains.compare_starts(record, (fresh, model), tokenizer, arm.profile, arm.seed, arm.profile.tokens // 15)


def _run_shuffled(arm: Arm, record: Record) -> None:
    """Pretrains on a quarter of the tokens, in order and with the words of each document shuffled; then both tasks."""
    profile = arm.profile
    tasks = [_task(name, record) for name in TASKS]
    tokenizer = tasks[0].tokenizer
    text = base.base_text(profile, arm.seed)
    note_corpora(record, text.corpora)
    texts = text.training[: len(text.training) // 4]  # in random order: the first quarter is like the rest
    trials: dict[str, list[grid.Trial]] = {task.name: [] for task in tasks}
    for order in (ORDERED, SHUFFLED):
        read = texts if order == ORDERED else [_mixed(document) for document in texts]
        model = causal_model(profile, tokenizer, arm.seed)
        pretrain(model, pack(encode_documents(tokenizer, read), profile.context), profile, arm.seed)
        methods = (FULL, SCRATCH) if order == ORDERED else (FULL,)  # from scratch, nothing of the text is left
        for task in tasks:
            start = replace(task, backbone=backbone_of(model))
            ran = grid.run_grid(start, methods, [4 * profile.labels[-1]], [arm.seed], profile.heldout_bytes // 150)
            trials[task.name] += [replace(trial, method=order if trial.method == FULL else SCRATCH) for trial in ran]
    for task in tasks:
        measure_methods(record, trials[task.name], task.chance, grid.COMPARED)


def _mixed(document: str) -> str:
    words = document.split()
    random.Random(document).shuffle(words)
    return " ".join(words)


SIZE = Study("Does a real model, a hundred times as large, learn from as few labels?", _real_arms, _run_real)
LABELS = Study("How many labels does pretraining save, and does it beat counting words?", _label_arms, _run_labels)
DOMAINS = Study("How much sooner is new text learned from a trained start?", _seeds(SEEDS, 4 / 15), _run_domains)
SHUFFLE = Study("What does a start help that has read the words in no order?", _seeds(SHUFFLED_SEEDS, 1), _run_shuffled)
