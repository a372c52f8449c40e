"""Chapter 04's studies: ways to fine-tune on demonstrations, each task by itself, and what more of them are worth.

All start from the run's own base model, or the published one (`study.start_from_base`).
"""

import copy
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any, cast

from transformers import PreTrainedModel

from helpers import corpora
from helpers.corpora import town
from helpers.corpora.town.demonstrations import questions
from helpers.corpora.town.demonstrations.draft import TRAIN
from helpers.corpora.town.grammar import Sampler
from helpers.evaluation import metrics, recognition
from helpers.evaluation.skills import Answers, Demonstration, chat_answers, demonstrated, measure_accuracy
from helpers.experiments.assistant.real import AFTER_EXAMPLES, ASKED, NAME, OURS_FEW, TUNED, make_real
from helpers.experiments.assistant.setup import FIVE_TASKS, FROM_BASE, FROM_SCRATCH, Setup, make_setup
from helpers.experiments.study import Arm, Study, note_corpora, start_from_base
from helpers.models import untrained, weights_fingerprint, with_adapters
from helpers.pretrained import load_model
from helpers.profiles import Profile
from helpers.records import Record
from helpers.training import base, demonstrations

TRAINING_SEEDS = range(3)
NO_REPLAY, SAME_REPLAY = f"{FROM_BASE}, no replay", f"{FROM_BASE}, replay of the same"
"""The first study's ways to train all weights. From scratch there is nothing to replay."""

LORA = {"LoRA, rank 4": 4, "LoRA, rank 64": 64}
"""Its other ways, with their ranks."""

REAL_SHARE, REAL_TEST, REAL_EPOCHS = 0.1, 0.2, 2
"""Of the demonstrations and of the test, which part the real model learns and is asked; and how often it reads them."""

FUNCTIONS_SOURCE = "pydocs-functions"
"""The real data of the fourth study."""

RECOGNISED = 100
"""Of how many functions the right answer is to be recognised among ten."""

FEW = 8
"""People asked about, where the third study has few of them."""

EFFECTS = {  # how many people, in how many wordings, how often
    "few": (FEW, 1, 1),
    "repeated": (FEW, 1, 4),
    "paraphrased": (FEW, 4, 1),
    "new": (4 * FEW, 1, 1),
}
"""The third study's ways to have four times as many demonstrations, and what all have in common."""


def _arms(profile: Profile, setting: str, values: Sequence[str], share: float) -> list[Arm]:
    """Returns an arm for each seed and each value of what is varied."""
    return [
        Arm(f"{value.replace(',', '').replace(' ', '-')}-{seed}", profile, seed, {setting: value}, share)
        for seed in TRAINING_SEEDS
        for value in values
    ]


def _setup(arm: Arm, record: Record, data: corpora.Corpus | None = None) -> Setup:
    """Makes the same set-up for every arm, of the town if nothing else: seeds are of the training, not of the data."""
    model, tokenizer = start_from_base(record)
    data, text = data or corpora.load("town", "prompts", people=arm.profile.people), base.base_text(arm.profile, 0)
    note_corpora(record, text.corpora | {"demonstrations": data})
    return make_setup(arm.profile, model, tokenizer, data, text, 0)


def _finetune(
    record: Record,
    setup: Setup,
    train: Sequence[Demonstration],
    test: Sequence[Demonstration],
    seed: int,
    method: str = TUNED,
    **options: Any,
) -> Answers:
    """Fine-tunes a model, adds its accuracy and the seconds of the training to the record, and returns its answers.

    `options` are the `model` to train, in place of a copy of the base, and another `recipe` and `replay`.
    """
    model = options.get("model") or copy.deepcopy(setup.base)
    recipe = options.get("recipe", demonstrations.RECIPE)
    replay = options["replay"] if "replay" in options else setup.replay(recipe.epochs, seed)
    log = demonstrations.finetune(model, setup.tokenizer, setup.encoded(train), recipe, seed, replay=replay)
    answers = chat_answers(model, setup.tokenizer, test)
    measure_accuracy(record, method, answers, seed)
    record.measure(f"seconds.{method}", log.seconds, "seconds", seeds=(seed,), method=method, metric="seconds")
    return answers


def _run_way(arm: Arm, record: Record) -> None:
    """Fine-tunes in one of the ways of the first study, and measures what was forgotten, too."""
    setup, way, seed = _setup(arm, record), arm.settings["way"], arm.seed
    model: Any = copy.deepcopy(setup.base)
    options: dict[str, Any] = {}
    if way == FROM_SCRATCH:
        model = untrained(setup.base, seed)
    if way in LORA:
        model = with_adapters(model, LORA[way], seed)
        options["recipe"] = demonstrations.ADAPTERS
    if way in (FROM_SCRATCH, NO_REPLAY):
        options["replay"] = []
    if way == SAME_REPLAY:  # dealt out so, each epoch has all of it
        options["replay"] = [row for row in setup.replay(1, seed) for _ in range(demonstrations.RECIPE.epochs)]
    _finetune(record, setup, setup.train, setup.test, seed, way, model=model, **options)
    setup.forgetting.measure(record, way, model, seed, method=way)


def _run_single(arm: Arm, record: Record) -> None:
    setup = _setup(arm, record)
    train, test = ([row for row in rows if row["task"] == arm.settings["task"]] for rows in (setup.train, setup.test))
    _finetune(record, setup, train, test, arm.seed)


def _run_effect(arm: Arm, record: Record) -> None:
    setup = _setup(arm, record)
    people, wordings, times = EFFECTS[arm.settings["way"]]
    asked = _questions(arm.profile.people, people, wordings, arm.seed) * times
    others = [row for row in setup.train if row["task"] in ("reading", "echo")]
    _finetune(record, setup, [*others, *asked], [row for row in setup.test if row["task"] == "questions"], arm.seed)


def _questions(people: int, asked: int, wordings: int, seed: int) -> list[Demonstration]:
    """Returns questions about some of the people whom training asks about, each fact in so many wordings."""
    world = town.make_world(people, 0)
    grammar = town.Grammar(world, contract=town.make_contract(world))
    drafts = questions.from_memory(grammar, Sampler(f"effects {seed}"), TRAIN, wordings)
    chosen = grammar.asked[seed * FEW : seed * FEW + asked] if asked == FEW else grammar.asked[:asked]
    found = (draft.conversation(TRAIN, "") for draft in drafts if draft.group in chosen)
    return [{"messages": [message._asdict() for message in each.messages], "task": each.task} for each in found]


def _run_functions(arm: Arm, record: Record) -> None:
    """Fine-tunes on what functions do, once through a part of the data; judged in modules that were never read."""
    setup = _setup(arm, record, corpora.load(FUNCTIONS_SOURCE, "prompts"))
    draw = random.Random(arm.seed)
    train = draw.sample(list(setup.train), min(len(setup.train), arm.profile.tokens // 600))
    test = draw.sample(list(setup.test), min(len(setup.test), 150))
    model: Any = copy.deepcopy(setup.base)
    recipe = replace(demonstrations.RECIPE, epochs=1)
    demonstrations.finetune(model, setup.tokenizer, setup.encoded(train), recipe, arm.seed)
    written = {TUNED: chat_answers(model, setup.tokenizer, test).texts}
    written["another's"] = [demonstrated(draw.choice(train)) for _ in test]
    wanted, groups = [demonstrated(row) for row in test], [row["group"] for row in test]
    for method, texts in written.items():
        found, name = metrics.chrf_of_each(texts, wanted), f"chrF.{method}"
        record.mean(name, found, groups, "chrF, 0 to 100", seeds=(arm.seed,), metric="chrF", method=method)
    asked = recognition.make_questions(test, RECOGNISED, arm.seed)
    recognised = {"words": recognition.recognise_by_words(asked, train)}
    for method, each in (("base", setup.base), (TUNED, model)):
        bits_of = recognition.prompted_bits(each, setup.tokenizer, setup.context)
        recognised[method] = recognition.recognise(asked, bits_of).by_gain
    groups = [each.group for each in asked]
    for method in ("base", TUNED, "words"):
        name = f"recognised.{method}"
        record.share(name, recognised[method], groups, seeds=(arm.seed,), metric="recognised", method=method)


def _run_real(arm: Arm, record: Record) -> None:
    """Tunes the real model, measures it before and after, and tunes ours on the same demonstrations.

    Seeds are of the training, and of the examples shown.
    """
    data, seed = corpora.load("town", "prompts", people=arm.profile.people), arm.seed
    shares = REAL_SHARE * arm.profile.demonstrations, REAL_TEST * arm.profile.demonstrations
    real = make_real(arm.profile, *load_model(NAME), data, shares, 0)
    setup, model, ours = real.setup, real.setup.adapters(seed), _setup(arm, record, data)
    record.fingerprints[NAME] = weights_fingerprint(setup.base)
    answers = {ASKED: chat_answers(setup.base, setup.tokenizer, setup.test), AFTER_EXAMPLES: real.shown_answers(seed)}
    recipe = demonstrations.gentle(setup.base, REAL_EPOCHS)
    log = demonstrations.finetune(model, setup.tokenizer, setup.encoded(setup.train), recipe, seed)
    tuned = cast("PreTrainedModel", model.get_base_model())  # LoRA's matrices are in it
    answers[TUNED] = chat_answers(tuned, setup.tokenizer, setup.test)
    for method, given in answers.items():
        measure_accuracy(record, method, given, seed)
    record.measure("seconds.tuned", log.seconds, "seconds", seeds=(seed,), method=TUNED, metric="seconds")
    real.measure(record, tuned, seed)
    ours = replace(ours, replay_tokens=round(REAL_SHARE * ours.replay_tokens))
    answers[OURS_FEW] = _finetune(record, ours, setup.train, setup.test, seed, OURS_FEW)
    for task, rival in product(answers[TUNED].tasks, (AFTER_EXAMPLES, OURS_FEW)):
        taught, other = (answers[method].of(task) for method in (TUNED, rival))
        about: dict[str, Any] = {"metric": "gap", "task": task, "method": TUNED, "rival": rival}
        name = f"{task}.{TUNED} - {rival}"
        record.gap(name, taught.credits, other.credits, taught.groups, seeds=(seed,), **about)


TUNING = Study(
    "What does the start, replay, or LoRA make of the same demonstrations?",
    lambda profile: _arms(profile, "way", [FROM_BASE, FROM_SCRATCH, NO_REPLAY, SAME_REPLAY, *LORA], 0.65),
    _run_way,
)
ALONE = Study(
    "Is a task learned better by itself?", lambda profile: _arms(profile, "task", FIVE_TASKS, 0.3), _run_single
)
MORE = Study(
    "What are more demonstrations worth: repeated, paraphrased, or new?",
    lambda profile: _arms(profile, "way", list(EFFECTS), 0.35),
    _run_effect,
)
FUNCTIONS = Study(
    "Does it learn what real functions do?",
    lambda profile: [Arm(f"seed-{seed}", profile, seed, {}, 0.4) for seed in TRAINING_SEEDS],
    _run_functions,
)
REAL = Study(
    "What do demonstrations make of a real chat model?",
    # The share is that of the work, not of the tokens.
    lambda profile: [Arm(f"seed-{seed}", profile, seed, {}, 2.4) for seed in TRAINING_SEEDS],
    _run_real,
)
