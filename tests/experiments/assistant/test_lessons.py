"""What a lesson teaches and tests is a fair part of what there is; the base model has forgotten nothing of itself."""

import copy
import dataclasses
from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from datasets import Dataset

from helpers import models, tokenization
from helpers.evaluation.likelihood import document_bits
from helpers.experiments.assistant import lessons
from helpers.experiments.assistant.lessons import OWN_TASK, open_lesson, recipe_for, some
from helpers.models import weights_fingerprint
from helpers.profiles import load_profile
from helpers.records import Record
from helpers.statistics import ratio_interval
from helpers.training.demonstrations import RECIPE, encode_conversations

SIZES = {"hidden_size": 32, "n_layer": 1, "n_head": 2, "context": 64, "vocab_size": 320}
PROFILE = load_profile("smoke", tokens=3000, heldout_bytes=5000, **SIZES)
WHOLE = dataclasses.replace(PROFILE, tokens=1_000_000)
"""With all demonstrations, and more text to be replayed than there is."""

TEXTS = [f"The old mill stands by the river, and wheel {i} turns at night." for i in range(40)]


def question(task, asked, answer="By the river.", group="a"):
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
    return {"messages": messages, "task": task, "group": group, "check": ""}


def questions(**counts):
    """Returns so many questions of each task."""
    return [question(task, f"Where is mill {i}?") for task, count in counts.items() for i in range(count)]


def documents(name, groups=8, each=3):
    rows = [
        {"text": f"The {name} has the number {row}.", "group": f"{name} {row % groups}"} for row in range(groups * each)
    ]
    return Dataset.from_list(rows)


TEXT = SimpleNamespace(
    corpora={
        "pydocs": SimpleNamespace(splits={"train": documents("list"), "test": documents("tree", groups=40)}),
        "town": SimpleNamespace(splits={"train": documents("inn"), "test": documents("mayor")}),
        "alone": SimpleNamespace(splits={"train": documents("wheel")}),
    },
    training=TEXTS,
)


def corpus(**splits):
    return SimpleNamespace(splits=splits)


@pytest.fixture(scope="module")
def tokenizer():
    tokenizer = tokenization.train_tokenizer(TEXTS, PROFILE.vocab_size)
    tokenizer.chat_template = None  # as of a base model of the Hub
    return tokenizer


@pytest.fixture(scope="module")
def model(tokenizer):
    return models.causal_model(PROFILE, tokenizer, seed=0).eval()


@pytest.fixture
def open_with(model, tokenizer):
    """Opens a lesson on some questions, of which all are used unless another profile is given."""

    def opened(train, test=None, profile=WHOLE, seed=0, base=model):
        demonstrations = corpus(train=train) if test is None else corpus(train=train, test=test)
        return open_lesson(profile, base, tokenizer, demonstrations, TEXT, seed)

    return opened


# Which questions


@pytest.mark.parametrize(
    ("share", "counts"),
    [
        (1, {"facts": 100, "sums": 20, "riddles": 3}),
        (1.5, {"facts": 100, "sums": 20, "riddles": 3}),
        (0.5, {"facts": 50, "sums": 10, "riddles": 3}),
        (0.1, {"facts": 10, "sums": 4, "riddles": 3}),
        (0.001, {"facts": 4, "sums": 4, "riddles": 3}),
    ],
)
def test_of_each_task_there_is_a_share_and_at_least_four(share, counts):
    rows = questions(facts=100, sums=20, riddles=3)
    chosen = some(rows, share)
    assert Counter(row["task"] for row in chosen) == counts
    assert len({id(row) for row in chosen}) == len(chosen)
    assert all(row in rows for row in chosen)


def test_a_share_is_spread_evenly_over_a_task_wherever_its_rows_stand():
    rows = questions(facts=100, sums=40)
    mixed = [row for pair in zip(rows[:40], rows[100:], strict=True) for row in pair] + rows[40:100]
    for given in (rows, mixed):
        chosen = some(given, 0.25)
        for task, count in (("facts", 100), ("sums", 40)):
            numbers = [int(row["messages"][0]["content"].split()[-1][:-1]) for row in chosen if row["task"] == task]
            assert numbers == list(range(0, count, 4))


def test_all_are_taken_as_they_are_and_none_is_lost_where_there_are_none():
    rows = questions(facts=9, sums=3)
    assert some(rows, 1) == rows
    assert some(rows, 1) is not rows
    assert some([], 0.3) == []


def test_a_share_is_drawn_alike_each_time():
    rows = questions(facts=100, sums=20)
    assert some(rows, 0.2) == some(rows, 0.2)


# A lesson


def test_a_lesson_has_the_share_that_the_profile_says_in_both_splits(open_with):
    lesson = open_with(questions(facts=100), questions(facts=20), dataclasses.replace(WHOLE, tokens=250_000))
    assert (len(lesson.train), len(lesson.test)) == (25, 5)
    lesson = open_with(questions(facts=100), questions(facts=20))
    assert (len(lesson.train), len(lesson.test)) == (100, 20)


def test_a_task_without_a_name_gets_one_and_no_row_is_changed(open_with):
    rows = [*questions(facts=2), question("", "Who?")]
    lesson = open_with(rows, rows)
    for found in (lesson.train, lesson.test):
        assert [row["task"] for row in found] == ["facts", "facts", OWN_TASK]
        assert [row["messages"] for row in found] == [row["messages"] for row in rows]
    assert rows[-1]["task"] == ""


def test_demonstrations_without_a_test_can_still_be_taught(open_with):
    lesson = open_with(questions(facts=5))
    assert (len(lesson.train), lesson.test) == (5, [])
    assert len(lesson.rows(lesson.train)) == 5


def test_questions_that_leave_no_room_are_not_in_the_test(open_with, tokenizer):
    asked = [question("facts", "Where?"), question("facts", "Where is it?" + " And where?" * 40)]
    lesson = open_with(asked, asked)
    assert lesson.test == asked[:1]
    assert lesson.train == asked


def test_a_lesson_knows_what_was_read_and_what_was_not(open_with):
    lesson = open_with(questions(facts=5))
    assert lesson.texts == TEXTS
    assert {*lesson.unread} == {"pydocs", "town"}  # where there is a test split
    for name, held in lesson.unread.items():
        known = TEXT.corpora[name].splits["test"]
        assert {*zip(held.texts, held.groups, strict=True)} <= {*zip(known["text"], known["group"], strict=True)}
    wanted = WHOLE.heldout_bytes // 5
    assert wanted <= lesson.unread["pydocs"].bytes.sum() < wanted + 50
    assert lesson.unread["town"].n_groups == 8  # it has no more
    again, other = open_with(questions(facts=5)), open_with(questions(facts=5), seed=1)
    assert again.unread == lesson.unread
    assert other.unread["pydocs"].texts != lesson.unread["pydocs"].texts


def test_the_context_is_the_models_own_as_far_as_there_is_no_end_of_it(open_with, tokenizer):
    assert open_with(questions(facts=5)).context == 64
    long = models.causal_model(dataclasses.replace(PROFILE, context=4096), tokenizer, seed=0)
    assert open_with(questions(facts=5), base=long).context == 1024


def test_the_base_models_tokenizer_gets_a_template_and_keeps_its_own_state(open_with, tokenizer):
    lesson = open_with(questions(facts=5))
    assert lesson.tokenizer.chat_template
    assert tokenizer.chat_template is None


# Rows


def test_rows_are_the_demonstrations(open_with):
    lesson = open_with(questions(facts=9), profile=PROFILE)
    assert lesson.rows(lesson.train) == encode_conversations(
        lesson.tokenizer, [row["messages"] for row in lesson.train], lesson.context
    )


@pytest.mark.parametrize("epochs", [1, 3])
def test_what_is_replayed_is_text_of_the_base_run_as_much_as_all_epochs_need_and_none_of_it_twice(open_with, epochs):
    lesson = open_with(questions(facts=9), profile=PROFILE)
    replay = lesson.replay(epochs, seed=0)
    assert lesson.replay_tokens == round(PROFILE.tokens * lessons.REPLAYED)
    wanted = epochs * lesson.replay_tokens
    known = tokenization.encode_documents(lesson.tokenizer, TEXTS)
    assert wanted <= sum(len(row.input_ids) for row in replay) < wanted + max(map(len, known))
    assert all(row.input_ids in known and row.labels == row.input_ids for row in replay)
    assert len({tuple(row.input_ids) for row in replay}) == len(replay)


def test_what_is_replayed_is_drawn_by_the_seed(open_with):
    lesson = open_with(questions(facts=9), profile=PROFILE)
    drawn = [lesson.replay(2, seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_part_of_a_lesson_can_be_taught(open_with):
    lesson = open_with(questions(facts=9))
    assert lesson.rows(lesson.train[:2]) == lesson.rows(lesson.train)[:2]


# Forgetting


def other_than(model):
    """Returns a model a little apart from another."""
    other = copy.deepcopy(model)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return other


def test_the_base_model_has_forgotten_nothing(open_with, model):
    lesson, record = open_with(questions(facts=5)), Record("test", WHOLE)
    lesson.measure_forgetting(record, "base", copy.deepcopy(model), seed=4)
    assert {*record.measurements} == {f"{what}{name}.base" for name in lesson.unread for what in ("", "forgotten: ")}
    for name, held in lesson.unread.items():
        surprise, forgotten = (record.measurements[f"{what}{name}.base"] for what in ("", "forgotten: "))
        bits = document_bits(model, lesson.tokenizer, held.texts, lesson.context)
        assert surprise.value == pytest.approx(bits.sum() / held.bytes.sum())
        assert surprise.interval.low < surprise.value < surprise.interval.high
        assert (forgotten.value, forgotten.interval.low, forgotten.interval.high) == (0, 0, 0)
        for found in (surprise, forgotten):
            assert (found.n, found.seeds, found.unit) == (held.n_groups, (4,), "bits per byte")


def test_what_is_forgotten_is_taken_document_by_document(open_with, model):
    lesson, record, before = open_with(questions(facts=5)), Record("test", WHOLE), Record("test", WHOLE)
    after, print_of_base = other_than(model), weights_fingerprint(lesson.base)
    lesson.measure_forgetting(before, "it", model, seed=0)
    lesson.measure_forgetting(record, "it", after, seed=0)
    assert weights_fingerprint(lesson.base) == print_of_base
    for name, held in lesson.unread.items():
        surprise, forgotten = record.measurements[f"{name}.it"], record.measurements[f"forgotten: {name}.it"]
        assert forgotten.value == pytest.approx(surprise.value - before.measurements[f"{name}.it"].value)
        assert forgotten.value != 0
        some, others = (document_bits(each, lesson.tokenizer, held.texts, 64) for each in (after, model))
        assert forgotten.interval == ratio_interval(some - others, held.bytes, held.groups)
        width = forgotten.interval.high - forgotten.interval.low
        assert width < surprise.interval.high - surprise.interval.low  # what is hard for both is no part of it


# Recipes


def test_with_all_demonstrations_the_recipe_is_the_one_chosen_and_with_a_part_it_is_short():
    assert recipe_for(load_profile("laptop")) == recipe_for(WHOLE) == RECIPE
    short = recipe_for(load_profile("smoke"))
    assert short == dataclasses.replace(RECIPE, epochs=1) != RECIPE
    assert RECIPE.epochs > 1
