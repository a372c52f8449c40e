"""What is trained on and tested is a fair part of what there is; the base model has forgotten nothing of itself."""

import copy
import dataclasses
from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from datasets import Dataset

from helpers import corpora, models, tokenization
from helpers.evaluation.likelihood import document_bits
from helpers.evaluation.skills import bits_per_token
from helpers.experiments.assistant.setup import (
    INSTRUCTIONS,
    REPLAYED,
    UNNAMED_TASK,
    WATCHED,
    aspects,
    make_setup,
    recipe_for,
    share_of_tasks,
)
from helpers.files import WorkbookError
from helpers.models import weights_fingerprint
from helpers.profiles import load_profile
from helpers.records import Record
from helpers.statistics import ratio_interval
from helpers.training.demonstrations import RECIPE, Recipe, encode_conversations

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
def setup_of(model, tokenizer):
    """Makes a set-up of some questions, of which all are used unless another profile is given."""

    def made(train, test=None, profile=WHOLE, seed=0, base=model):
        demonstrations = corpus(train=train) if test is None else corpus(train=train, test=test)
        return make_setup(profile, base, tokenizer, demonstrations, TEXT, seed)

    return made


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
    chosen = share_of_tasks(rows, share)
    assert Counter(row["task"] for row in chosen) == counts
    assert len({id(row) for row in chosen}) == len(chosen)
    assert all(row in rows for row in chosen)


def test_a_share_is_spread_evenly_over_a_task_wherever_its_rows_stand():
    rows = questions(facts=100, sums=40)
    mixed = [row for pair in zip(rows[:40], rows[100:], strict=True) for row in pair] + rows[40:100]
    for given in (rows, mixed):
        chosen = share_of_tasks(given, 0.25)
        for task, count in (("facts", 100), ("sums", 40)):
            numbers = [int(row["messages"][0]["content"].split()[-1][:-1]) for row in chosen if row["task"] == task]
            assert numbers == list(range(0, count, 4))


def test_all_are_taken_as_they_are_and_none_is_lost_where_there_are_none():
    rows = questions(facts=9, sums=3)
    assert share_of_tasks(rows, 1) == rows
    assert share_of_tasks(rows, 1) is not rows
    assert share_of_tasks([], 0.3) == []


def test_a_share_is_drawn_alike_each_time():
    rows = questions(facts=100, sums=20)
    assert share_of_tasks(rows, 0.2) == share_of_tasks(rows, 0.2)


# The set-up


def test_a_setup_has_the_share_that_the_profile_says_in_both_splits(setup_of):
    setup = setup_of(questions(facts=100), questions(facts=20), dataclasses.replace(WHOLE, tokens=250_000))
    assert (len(setup.train), len(setup.test)) == (25, 5)
    setup = setup_of(questions(facts=100), questions(facts=20))
    assert (len(setup.train), len(setup.test)) == (100, 20)


def test_a_task_without_a_name_gets_one_and_no_row_is_changed(setup_of):
    rows = [*questions(facts=2), question("", "Who?")]
    setup = setup_of(rows, rows)
    for found in (setup.train, setup.test):
        assert [row["task"] for row in found] == ["facts", "facts", UNNAMED_TASK]
        assert [row["messages"] for row in found] == [row["messages"] for row in rows]
    assert rows[-1]["task"] == ""


def test_demonstrations_without_a_test_can_still_be_learned(setup_of):
    setup = setup_of(questions(facts=5))
    assert (len(setup.train), setup.test) == (5, [])
    assert len(setup.encoded(setup.train)) == 5


@pytest.mark.parametrize(("test", "found"), [([], "0 rows"), (questions(facts=5), "5 rows")])
def test_a_test_that_gives_no_interval_is_refused(setup_of, test, found):
    with pytest.raises(WorkbookError, match=rf"have {found} to test on .* needed are 2 groups\. Give more prompts"):
        setup_of(questions(facts=5), test).require_test()
    setup_of(questions(facts=5), [*questions(facts=5), question("facts", "Who?", group="b")]).require_test()


def test_questions_that_leave_no_room_are_not_in_the_test(setup_of, tokenizer):
    asked = [question("facts", "Where?"), question("facts", "Where is it?" + " And where?" * 40)]
    setup = setup_of(asked, asked)
    assert setup.test == asked[:1]
    assert setup.train == asked


def test_a_setup_knows_what_was_read_and_what_was_not(setup_of):
    setup = setup_of(questions(facts=5))
    assert setup.texts == TEXTS
    assert {*setup.unread} == {"pydocs", "town"}  # where there is a test split
    for name, held in setup.unread.items():
        known = TEXT.corpora[name].splits["test"]
        assert {*zip(held.texts, held.groups, strict=True)} <= {*zip(known["text"], known["group"], strict=True)}
    wanted = WHOLE.heldout_bytes // 5
    assert wanted <= setup.unread["pydocs"].bytes.sum() < wanted + 50
    assert setup.unread["town"].n_groups == 8  # it has no more
    again, other = setup_of(questions(facts=5)), setup_of(questions(facts=5), seed=1)
    assert again.unread == setup.unread
    assert other.unread["pydocs"].texts != setup.unread["pydocs"].texts


def test_the_context_is_the_models_own_as_far_as_there_is_no_end_of_it(setup_of, tokenizer):
    assert setup_of(questions(facts=5)).context == 64
    long = models.causal_model(dataclasses.replace(PROFILE, context=4096), tokenizer, seed=0)
    assert setup_of(questions(facts=5), base=long).context == 1024


def test_the_base_models_tokenizer_gets_a_template_and_keeps_its_own_state(setup_of, tokenizer):
    setup = setup_of(questions(facts=5))
    assert setup.tokenizer.chat_template
    assert tokenizer.chat_template is None


# Rows


def test_rows_are_the_demonstrations(setup_of):
    setup = setup_of(questions(facts=9), profile=PROFILE)
    assert setup.encoded(setup.train) == encode_conversations(
        setup.tokenizer, [row["messages"] for row in setup.train], setup.context
    )


@pytest.mark.parametrize("epochs", [1, 3])
def test_what_is_replayed_is_text_of_the_base_run_as_much_as_all_epochs_need_and_none_of_it_twice(setup_of, epochs):
    setup = setup_of(questions(facts=9), profile=PROFILE)
    replay = setup.replay(epochs, seed=0)
    assert setup.replay_tokens == round(PROFILE.tokens * REPLAYED)
    wanted = epochs * setup.replay_tokens
    known = tokenization.encode_documents(setup.tokenizer, TEXTS)
    assert wanted <= sum(len(row.input_ids) for row in replay) < wanted + max(map(len, known))
    assert all(row.input_ids in known and row.labels == row.input_ids for row in replay)
    assert len({tuple(row.input_ids) for row in replay}) == len(replay)


def test_what_is_replayed_is_drawn_by_the_seed(setup_of):
    setup = setup_of(questions(facts=9), profile=PROFILE)
    drawn = [setup.replay(2, seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_part_of_the_demonstrations_can_be_encoded(setup_of):
    setup = setup_of(questions(facts=9))
    assert setup.encoded(setup.train[:2]) == setup.encoded(setup.train)[:2]


# Forgetting


def other_than(model):
    """Returns a model a little apart from another."""
    other = copy.deepcopy(model)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return other


def test_the_base_model_has_forgotten_nothing(setup_of, model):
    setup, record = setup_of(questions(facts=5)), Record("test", WHOLE)
    setup.forgetting.measure(record, "base", copy.deepcopy(model), seed=4, method="base")
    assert {*record.measurements} == {f"{what}{name}.base" for name in setup.unread for what in ("", "forgotten: ")}
    for name, held in setup.unread.items():
        surprise, forgotten = (record.measurements[f"{what}{name}.base"] for what in ("", "forgotten: "))
        bits = document_bits(model, setup.tokenizer, held.texts, setup.context)
        assert surprise.value == pytest.approx(bits.sum() / held.bytes.sum())
        assert surprise.interval.low < surprise.value < surprise.interval.high
        assert (forgotten.value, forgotten.interval.low, forgotten.interval.high) == (0, 0, 0)
        for found in (surprise, forgotten):
            assert (found.n, found.seeds, found.unit) == (held.n_groups, (4,), "bits per byte")
        assert record.find(corpus=name, method="base", metric="bits per byte") == surprise
        assert record.find(corpus=name, method="base", metric="forgotten") == forgotten


def test_what_is_forgotten_is_taken_document_by_document(setup_of, model):
    setup, record, before = setup_of(questions(facts=5)), Record("test", WHOLE), Record("test", WHOLE)
    after, print_of_base = other_than(model), weights_fingerprint(setup.base)
    setup.forgetting.measure(before, "it", model, seed=0)
    setup.forgetting.measure(record, "it", after, seed=0)
    assert weights_fingerprint(setup.base) == print_of_base
    for name, held in setup.unread.items():
        surprise, forgotten = record.measurements[f"{name}.it"], record.measurements[f"forgotten: {name}.it"]
        assert forgotten.value == pytest.approx(surprise.value - before.measurements[f"{name}.it"].value)
        assert forgotten.value != 0
        some, others = (document_bits(each, setup.tokenizer, held.texts, 64) for each in (after, model))
        assert forgotten.interval == ratio_interval(some - others, held.bytes, held.groups)
        width = forgotten.interval.high - forgotten.interval.low
        assert width < surprise.interval.high - surprise.interval.low  # what is hard for both is no part of it


# Learning curves


def test_a_learning_curve_has_train_and_held_out_bits_by_step_and_ends_with_those_of_the_tuned_model(setup_of):
    steered = [question(INSTRUCTIONS["seen"], f"Where is mill {i}? Be brief.") for i in range(60)]
    setup = setup_of(questions(facts=20), [*questions(facts=12), *steered])
    learner, rows = copy.deepcopy(setup.base), setup.encoded(setup.train)
    before = setup.answer_bits(setup.base, rows)
    curve = setup.learning_curve(learner, rows, Recipe(10), seed=0)
    assert 2 < len(curve) <= len(WATCHED)
    assert list(curve.columns) == ["train", "held-out"]
    assert curve.index[0] == 0
    assert curve.index.is_monotonic_increasing
    assert curve.iloc[0].to_dict() == pytest.approx(before)
    assert curve.iloc[-1].to_dict() == pytest.approx(setup.answer_bits(learner, rows))
    assert curve["train"].iloc[-1] < before["train"]
    judged = setup.encoded([setup.test[0], setup.test[6]])  # instructions are not among them
    assert before["held-out"] == bits_per_token(setup.base, judged)


# Instructions


def test_what_instructions_ask_is_told_by_the_group_as_the_town_names_it():
    rows = corpora.load("town", "prompts", people=60).splits["test"]
    asked = {task: {aspects(row) for row in rows if row["task"] == task} for task in INSTRUCTIONS.values()}
    single = {"language", "length", "tone", "role"}
    assert asked[INSTRUCTIONS["unseen pair"]] == {"language and tone", "length and role", "tone and role"}
    assert all(asked[INSTRUCTIONS[test]] == single for test in ("seen", "unseen wording", "contradicted"))


# Recipes


def test_with_all_demonstrations_the_recipe_is_the_one_chosen_and_with_a_part_it_is_short():
    assert recipe_for(load_profile("laptop")) == recipe_for(WHOLE) == RECIPE
    short = recipe_for(load_profile("smoke"))
    assert short == dataclasses.replace(RECIPE, epochs=1) != RECIPE
    assert RECIPE.epochs > 1
