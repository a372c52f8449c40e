"""Chapter 04's studies: how to tune on demonstrations, each task by itself, and what more demonstrations are worth.

All start from the run's own base model, or the published one (`training.base.load_base`).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from helpers.experiments.study import Arm, Study
from helpers.profiles import Profile
from helpers.records import Record

if TYPE_CHECKING:
    import numpy as np

    from helpers.corpora import Corpus
    from helpers.corpora.rows import Conversation
    from helpers.evaluation.skills import Question
    from helpers.experiments.assistant.lessons import Lesson

SEEDS = 3
SCRATCH, PLAIN, REPLAY, REPEATED = (
    "from scratch",
    "from the base, no replay",
    "from the base",
    "from the base, replay of the same",
)
"""The ways to train all weights that the first study compares; from scratch there is nothing to replay."""

RANKS = (4, 64)
"""LoRA's, in the first study."""

FUNCTIONS = "pydocs-functions"
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


def _lesson(profile: Profile, record: Record, demonstrations: Corpus | None = None) -> Lesson:
    """Opens the same lesson for every arm, on the town if nothing else: seeds are of the training, not of the data."""
    from helpers.corpora import load
    from helpers.experiments.assistant.lessons import open_lesson
    from helpers.training.base import base_text, load_base

    model, tokenizer, _ = load_base(record.folder)
    demonstrations = demonstrations or load("town", "prompts", people=profile.people)
    return open_lesson(profile, model, tokenizer, demonstrations, base_text(profile, 0), 0)


def _tuning_arms(profile: Profile) -> list[Arm]:
    ways = [REPLAY, SCRATCH, PLAIN, REPEATED, *(f"LoRA, rank {rank}" for rank in RANKS)]
    return [
        Arm(f"{way.replace(',', '').replace(' ', '-')}-{seed}", profile, seed, {"way": way}, 0.65)
        for seed in range(SEEDS)
        for way in ways
    ]


def _run_tuning(arm: Arm, record: Record) -> None:
    from helpers.evaluation import skills
    from helpers.models import untrained
    from helpers.training import demonstrations
    from helpers.training.adapters import with_adapters

    lesson = _lesson(arm.profile, record)
    way = arm.settings["way"]
    recipe = demonstrations.RECIPE
    model: Any = copy.deepcopy(lesson.base)
    if way == SCRATCH:
        model = untrained(lesson.base, arm.seed)
    elif way.startswith("LoRA"):
        model, recipe = with_adapters(model, int(way.split()[-1]), arm.seed), demonstrations.ADAPTERS
    replay = [] if way in (PLAIN, SCRATCH) else lesson.replay(recipe.epochs, arm.seed)
    if way == REPEATED:  # dealt out so, each epoch has all of it
        replay = [row for row in lesson.replay(1, arm.seed) for _ in range(recipe.epochs)]
    course = demonstrations.finetune(
        model, lesson.tokenizer, lesson.rows(lesson.train), recipe, arm.seed, replay=replay
    )
    skills.measure(record, way, skills.sit(model, lesson.tokenizer, lesson.test), arm.seed)
    lesson.measure_forgetting(record, way, model, arm.seed)
    record.measure(f"seconds.{way}", course.seconds, "seconds", seeds=(arm.seed,))


def _single_arms(profile: Profile) -> list[Arm]:
    from helpers.experiments.assistant import lessons

    return [
        Arm(f"{task}-{seed}", profile, seed, {"task": task}, 0.3) for seed in range(SEEDS) for task in lessons.KINDS
    ]


def _run_single(arm: Arm, record: Record) -> None:
    lesson = _lesson(arm.profile, record)
    task = arm.settings["task"]
    of_task = [question for question in lesson.train if question["task"] == task]
    _teach(record, lesson, of_task, [question for question in lesson.test if question["task"] == task], arm.seed)


def _effect_arms(profile: Profile) -> list[Arm]:
    return [Arm(f"{way}-{seed}", profile, seed, {"way": way}, 0.35) for seed in range(SEEDS) for way in EFFECTS]


def _run_effect(arm: Arm, record: Record) -> None:
    lesson = _lesson(arm.profile, record)
    people, wordings, times = EFFECTS[arm.settings["way"]]
    asked = _questions(arm.profile.people, people, wordings, arm.seed) * times
    others = [question for question in lesson.train if question["task"] in ("reading", "echo")]
    test = [question for question in lesson.test if question["task"] == "questions"]
    _teach(record, lesson, [*others, *asked], test, arm.seed)


def _questions(people: int, asked: int, wordings: int, seed: int) -> list[Question]:
    """Returns questions about some of the people whom training asks about, each fact in so many wordings."""
    from helpers.corpora.town import Grammar, make_contract, make_world
    from helpers.corpora.town.demonstrations import questions
    from helpers.corpora.town.demonstrations.draft import TRAIN
    from helpers.corpora.town.sampling import Sampler

    world = make_world(people, 0)
    grammar = Grammar(world, contract=make_contract(world))
    drafts = questions.from_memory(grammar, Sampler(f"effects {seed}"), TRAIN, wordings)
    chosen = grammar.asked[seed * FEW : seed * FEW + asked] if asked == FEW else grammar.asked[:asked]
    found = (draft.conversation(TRAIN, "") for draft in drafts if draft.group in chosen)
    return [{"messages": [message._asdict() for message in each.messages], "task": each.task} for each in found]


def _teach(record: Record, lesson: Lesson, train: Sequence[Question], test: Sequence[Question], seed: int) -> None:
    from helpers.evaluation import skills
    from helpers.training import demonstrations

    model, recipe = copy.deepcopy(lesson.base), demonstrations.RECIPE
    replay = lesson.replay(recipe.epochs, seed)
    course = demonstrations.finetune(model, lesson.tokenizer, lesson.rows(train), recipe, seed, replay=replay)
    skills.measure(record, "tuned", skills.sit(model, lesson.tokenizer, test), seed)
    record.measure("seconds.tuned", course.seconds, "seconds", seeds=(seed,))


def _function_arms(profile: Profile) -> list[Arm]:
    return [Arm(f"seed-{seed}", profile, seed, {}, 0.4) for seed in range(SEEDS)]


def _run_functions(arm: Arm, record: Record) -> None:
    """Teaches what functions do, once through a part of the data; judged in modules that were never read."""
    import random

    from helpers.corpora import load
    from helpers.evaluation import metrics, recognition, skills
    from helpers.training import demonstrations

    lesson = _lesson(arm.profile, record, load(FUNCTIONS, "prompts"))
    draw = random.Random(arm.seed)
    train = draw.sample(list(lesson.train), min(len(lesson.train), arm.profile.tokens // 600))
    test = draw.sample(list(lesson.test), min(len(lesson.test), 150))
    model: Any = copy.deepcopy(lesson.base)
    recipe = replace(demonstrations.RECIPE, epochs=1)
    demonstrations.finetune(model, lesson.tokenizer, lesson.rows(train), recipe, arm.seed)
    written = {
        "tuned": skills.sit(model, lesson.tokenizer, test).answers,
        "another's": [skills.demonstrated(draw.choice(train)) for _ in test],
    }
    right = [skills.demonstrated(question) for question in test]
    for who, answers in written.items():
        _measure(record, f"chrF.{who}", metrics.chrf_of_each(answers, right), test, arm.seed)
    conversations = [_conversation(question) for question in test]
    questions = recognition.make_questions(conversations, RECOGNISED, arm.seed)
    for who, each in (("base", lesson.base), ("tuned", model)):
        price = recognition.model_pricer(each, lesson.tokenizer, lesson.context)
        _measure(record, f"recognised.{who}", recognition.recognise(questions, price).by_gain, questions, arm.seed)
    words = recognition.recognise_by_words(questions, [_conversation(question) for question in train])
    _measure(record, "recognised.words", words, questions, arm.seed)


def _conversation(question: Question) -> Conversation:
    from helpers.corpora.rows import Conversation, Message

    messages = tuple(Message(**message) for message in question["messages"])
    return Conversation(messages, question["group"], None, "", question["task"])


def _measure(record: Record, name: str, values: np.ndarray, sampled: Sequence[Any], seed: int) -> None:
    from helpers.statistics import ratio_interval

    groups = [each["group"] if isinstance(each, dict) else each.group for each in sampled]
    interval = ratio_interval(values, [1.0] * len(values), groups)
    unit = "chrF, 0 to 100" if name.startswith("chrF") else "share right"
    known = {"interval": interval, "n": len(set(groups)), "seeds": (seed,)}
    record.measure(name, float(values.mean()), unit, **known)


TUNING = Study("What does the start, replay, or LoRA make of the same demonstrations?", _tuning_arms, _run_tuning)
ALONE = Study("Is a task learned better by itself?", _single_arms, _run_single)
MORE = Study("What are more demonstrations worth: repeated, paraphrased, or new?", _effect_arms, _run_effect)
FUNCTION = Study("Does it learn what real functions do?", _function_arms, _run_functions)
