"""Skills are tried on oracles: always right, always wrong, silent; prompts and verdicts are built as documented."""

import dataclasses
import json
import math
from itertools import chain

import numpy as np
import pytest
import torch

from helpers import models, tokenization
from helpers.evaluation import skills
from helpers.evaluation.skills import (
    SHOTS,
    SPARE,
    TOGETHER,
    Answers,
    bits_per_token,
    chat_answers,
    few_shot_answers,
    fitting,
    measure_accuracy,
    room_for,
)
from helpers.files import WorkbookError
from helpers.profiles import load_profile
from helpers.records import Record
from helpers.training.demonstrations import encode_conversations

PROFILE = load_profile("smoke", hidden_size=32, n_layer=2, n_head=2, context=256, vocab_size=400)


def question(task, asked, answer, group="a", check=""):
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
    return {"messages": messages, "task": task, "group": group, "check": check}


def sums(count, groups=3):
    """Returns questions for an expression, each in one of a few groups."""
    return [
        question("sums", f"{i} and 1?", f"{i} + 1", f"g{i % groups}", json.dumps({"value": i + 1}))
        for i in range(count)
    ]


def facts(count, groups=3, task="facts"):
    return [question(task, f"Who has mill {i}?", f"Miller {i}.", f"g{i % groups}") for i in range(count)]


QUESTIONS = [*facts(9), *sums(6)]


@pytest.fixture(scope="module")
def tokenizer():
    texts = [message["content"] for q in QUESTIONS for message in q["messages"]]
    return tokenization.train_tokenizer([*texts, "Question: Answer: " * 9], PROFILE.vocab_size)


@pytest.fixture(scope="module")
def model(tokenizer):
    return models.causal_model(PROFILE, tokenizer, seed=0).eval()


@pytest.fixture
def record():
    return Record("test", PROFILE)


@pytest.fixture
def prompted(monkeypatch, model, tokenizer):
    """Returns the prompts that a base model is given, in the order of the questions."""

    def prompts(questions, shown, seed=0, learner=model, **options):
        seen = []

        def write(_, __, given, *___, **____):
            seen.extend(given)
            return [str(len(seen) - len(given) + place) for place in range(len(given))]

        monkeypatch.setattr(skills, "sample", write)
        answers = few_shot_answers(learner, tokenizer, questions, shown, seed, **options)
        return [seen[int(place)] for place in answers.texts]

    return prompts


def answered(answer):
    """Returns what an oracle answers."""
    return Answers(QUESTIONS, [answer(q) for q in QUESTIONS])


RIGHT, WRONG, SILENT = skills.demonstrated, lambda _: "Nobody (", lambda _: ""


# The base model


def test_a_base_model_is_shown_examples_of_the_task_and_then_the_question(prompted):
    shown = [*facts(20), *sums(20)]
    texts = {f"Question: {q['messages'][0]['content']}\nAnswer: {skills.demonstrated(q)}" for q in shown}
    asked = [question("facts, other words", "Whose is it?", "Ada's."), question("sums", "7 and 8?", "7 + 8")]
    for prompt, asks, sign in zip(prompted(asked, shown), ("Whose is it?", "7 and 8?"), ("Miller", "+"), strict=True):
        *examples, last, end = [f"Question: {part}".rstrip() for part in prompt.split("Question: ")[1:]] + [""]
        assert (last, end) == (f"Question: {asks}\nAnswer:", "")
        assert len(set(examples)) == SHOTS
        assert set(examples) <= texts
        assert all(sign in example for example in examples)


def test_earlier_turns_are_part_of_a_question(prompted):
    turns = ["Who has the mill?", "Ada.", "And the inn?", "Ben."]
    messages = [{"role": ("user", "assistant")[i % 2], "content": turn} for i, turn in enumerate(turns)]
    asked = {**question("talk", "", ""), "messages": messages}
    assert prompted([asked], []) == ["Question: Who has the mill?\nAnswer: Ada.\nQuestion: And the inn?\nAnswer:"]


def test_a_task_without_examples_is_shown_others(prompted):
    (prompt,) = prompted([question("riddles", "What is it?", "A wheel.")], facts(9))
    assert prompt.count("Miller") == SHOTS


def test_examples_that_do_not_fit_are_left_out_and_the_question_never(prompted, tokenizer):
    asked = [question("facts", "Who has mill 77?", "Miller 77.")]
    length = len(tokenization.encode_documents(tokenizer, prompted(asked, []))[0])
    counts = []
    room = room_for(tokenizer, asked, 512)
    for context in (length + room + 1, length + room + 32, 256):  # "Answer: " is a token longer than "Answer:"
        (prompt,) = prompted(asked, facts(20), learner=reaching(context, tokenizer))
        assert prompt.endswith("Question: Who has mill 77?\nAnswer:")
        assert len(tokenization.encode_documents(tokenizer, [prompt])[0]) <= context - room
        counts.append(prompt.count("Miller"))
    assert counts[0] == 0 < counts[1] < counts[2] == SHOTS


def reaching(context, tokenizer):
    """Returns a model that reads so many tokens at once."""
    return models.causal_model(dataclasses.replace(PROFILE, context=context), tokenizer, seed=0).eval()


def test_a_question_that_alone_is_too_long_is_shown_to_the_reader(tokenizer):
    asked = [*facts(1), question("facts", "Who has the mill by the river, the old one?", "Ada.")]
    with pytest.raises(WorkbookError, match=r"too long: more than \d+ tokens\. Shorten it: .*the old one\?"):
        few_shot_answers(reaching(40, tokenizer), tokenizer, asked, facts(9), seed=0)


@pytest.mark.parametrize("shots", [0, 1, 7])
def test_so_many_examples_are_shown_as_are_wanted(prompted, shots):
    (prompt,) = prompted([question("facts", "Whose is it?", "Ada's.")], facts(9), shots=shots)
    assert prompt.count("Miller") == shots
    assert prompt.count("Question: ") == shots + 1
    assert prompt.endswith("Question: Whose is it?\nAnswer:")


def test_many_questions_are_asked_in_chunks_and_each_gets_its_own_answer(monkeypatch, model, tokenizer):
    texts = [f"Who has mill {i}{' or so' * (i % 5)}?" for i in range(2 * TOGETHER + 3)]
    asked = [question("facts", text, "Miller.") for text in texts]
    chunks = []

    def echo(_, __, given, *___, **____):
        chunks.append([len(prompt) for prompt in given])
        return [f" {prompt.rpartition('Question: ')[2].partition('?')[0]}\nQuestion: And?" for prompt in given]

    monkeypatch.setattr(skills, "sample", echo)
    answers = few_shot_answers(model, tokenizer, asked, facts(9), seed=0)
    assert answers.rows == asked
    assert answers.texts == [text.rstrip("?") for text in texts]
    assert list(map(len, chunks)) == [TOGETHER, TOGETHER, 3]
    lengths = list(chain(*chunks))
    assert lengths == sorted(lengths)


def test_nobody_is_shown_the_answer_to_the_question(prompted):
    few = facts(3)
    for prompt, q in zip(prompted(few, [*few, *few]), few, strict=True):
        assert prompt.count(q["messages"][0]["content"]) == 1
        assert skills.demonstrated(q) not in prompt
        assert prompt.count("Miller") == SHOTS


def test_the_seed_draws_the_examples(prompted):
    drawn = [prompted(facts(3), facts(50)[3:], seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len({prompt.rpartition("Question")[0] for prompt in drawn[0]}) == 3  # each question's are drawn anew


def test_the_next_line_is_the_answer(monkeypatch, model, tokenizer):
    written = {"0": " Miller 0.\nQuestion: And more?", "1": "\nMiller 1.", "2": ""}
    monkeypatch.setattr(
        skills, "sample", lambda _, __, given, *___, **____: [written[p.partition("?")[0][-1]] for p in given]
    )
    answers = few_shot_answers(model, tokenizer, facts(3), [], seed=0)
    assert answers.texts == ["Miller 0.", "Miller 1.", ""]
    assert answers.credits.tolist() == [1, 1, 0]


def test_any_causal_model_can_answer_and_the_same_seed_gives_the_same_answers(model, tokenizer):
    tuned = chat_answers(model, tokenizer, QUESTIONS[:5])
    assert len(tuned.texts) == len(tuned.credits) == 5
    base = [few_shot_answers(model, tokenizer, QUESTIONS[:5], facts(9), 0) for _ in range(2)]
    assert base[0].texts == base[1].texts
    assert all("\n" not in answer for answer in base[0].texts)


def test_an_assistant_sees_the_question_without_its_answer(monkeypatch, model, tokenizer):
    def echo(_, __, conversations, max_new_tokens):
        assert all([message["role"] for message in messages] == ["user"] for messages in conversations)
        return [messages[-1]["content"] for messages in conversations]

    monkeypatch.setattr(skills, "reply", echo)
    assert chat_answers(model, tokenizer, facts(2)).texts == ["Who has mill 0?", "Who has mill 1?"]


# Room


def test_both_have_room_for_the_longest_answer_and_a_little_more(monkeypatch, model, tokenizer):
    answers = ["Ada.", "Miller 7, who has the mill.", "Nobody."]
    asked = [question("facts", "Who?", answer) for answer in answers]
    longest = max(len(ids) for ids in tokenizer(answers, add_special_tokens=False)["input_ids"])
    assert room_for(tokenizer, asked, 512) == longest + SPARE
    assert room_for(tokenizer, asked, 20) == 10  # the question needs some, too
    rooms = []

    def write(_, __, given, max_new_tokens, *___, **____):
        rooms.append(max_new_tokens)
        return [""] * len(given)

    monkeypatch.setattr(skills, "reply", write)
    monkeypatch.setattr(skills, "sample", write)
    chat_answers(model, tokenizer, asked)
    few_shot_answers(model, tokenizer, asked, facts(9), seed=0)
    assert rooms == [longest + SPARE] * 2


def test_questions_that_leave_no_room_for_an_answer_are_left_out(tokenizer):
    asked = [question("facts", "Who has mill 1?" + " And who has it?" * i, "Miller 1.") for i in (30, 0, 20, 10)]
    room = room_for(tokenizer, asked, 512)
    chats = [tokenization.encode_conversation(tokenizer, q["messages"][:-1], answer=True)[0] for q in asked]
    texts = tokenization.encode_documents(
        tokenizer, [f"Question: {q['messages'][0]['content']}\nAnswer: " for q in asked]
    )
    least, middle = (max(len(chats[place]), len(texts[place])) + room for place in (3, 2))
    kept = [fitting(tokenizer, asked, context) for context in (least - 1, middle - 1, middle, 2048)]
    assert kept == [[asked[1]], [asked[1], asked[3]], asked[1:], asked]
    short = reaching(middle, tokenizer)  # and those kept can be answered
    assert len(chat_answers(short, tokenizer, kept[2]).texts) == 3
    assert len(few_shot_answers(short, tokenizer, kept[2], facts(9), seed=0).texts) == 3


def test_a_question_that_fits_as_a_chat_but_not_as_a_base_model_is_asked_is_left_out(tokenizer):
    longer = question("facts", "Who has mill 1?" + " And who has it?" * 9, "Miller 1.")
    longer["messages"] = [{"role": "system", "content": "Be a miller."}, *longer["messages"]]
    chat = tokenization.encode_conversation(tokenizer, longer["messages"][:-1], answer=True)[0]
    context = len(chat) + room_for(tokenizer, [longer], 512)
    assert fitting(tokenizer, [longer], context) == []
    with pytest.raises(WorkbookError, match="too long"):
        few_shot_answers(reaching(context, tokenizer), tokenizer, [longer], [], seed=0)
    assert fitting(tokenizer, [], 512) == []


# Credits and measurements


def test_credits_are_given_by_the_demonstrated_answer_or_by_the_check():
    assert answered(RIGHT).credits.tolist() == [1] * len(QUESTIONS)
    assert answered(WRONG).credits.tolist() == answered(SILENT).credits.tolist() == [0] * len(QUESTIONS)
    assert Answers(sums(2), ["1", " 1 + 1 "]).credits.tolist() == [1, 1]  # another expression of the same value
    assert Answers(facts(2), [" Miller 0.\n", "miller 1."]).credits.tolist() == [1, 0]


def test_answers_are_divided_by_task():
    answers = answered(RIGHT)
    assert answers.tasks == ["facts", "sums"]
    parts = [answers.of(task) for task in answers.tasks]
    assert [len(part.texts) for part in parts] == [9, 6]
    assert [*parts[0].texts, *parts[1].texts] == answers.texts
    assert [*parts[0].groups, *parts[1].groups] == answers.groups == [q["group"] for q in QUESTIONS]
    assert answers.of("riddles").texts == []


@pytest.mark.parametrize(
    ("answer", "share", "formed"), [(RIGHT, 1, 1), (WRONG, 0, 0), (SILENT, 0, 0), (lambda _: "0 * 3", 0, 1)]
)
def test_accuracy_is_measured_by_task_with_intervals_over_groups(record, answer, share, formed):
    measure_accuracy(record, "tuned", answered(answer), seed=3)
    expected = {"facts.tuned": share, "sums.tuned": share, "sums, well-formed.tuned": formed}
    assert {name: found.value for name, found in record.measurements.items()} == expected
    for found in record.measurements.values():
        assert (found.n, found.seeds, found.about["method"]) == (3, (3,), "tuned")
        assert found.interval.low <= found.value <= found.interval.high
        assert found.interval.high - found.interval.low > 0.3  # three groups know little, however many questions
    assert record.find(task="facts", method="tuned", metric="accuracy").unit == "accuracy"
    assert record.find(task="sums", method="tuned", metric="well-formed").value == formed


def test_one_group_has_no_interval(record):
    measure_accuracy(record, "tuned", Answers(facts(4, groups=1), ["Miller 0.", "", "", ""]), seed=0)
    assert [(m.value, m.interval, m.n) for m in record.measurements.values()] == [(0.25, None, 1)]


# Bits per token


def test_the_mean_is_of_the_bits_of_the_answers_tokens(model, tokenizer):
    rows = encode_conversations(tokenizer, [q["messages"] for q in QUESTIONS], PROFILE.context)
    bits = []
    with torch.inference_mode():
        for row in rows:
            chances = model(input_ids=torch.tensor([row.input_ids])).logits[0].log_softmax(-1)
            for place, label in enumerate(row.labels):
                if label != tokenization.IGNORED:
                    bits.append(-chances[place - 1, label].item() / math.log(2))
    assert len({len(row.input_ids) for row in rows}) > 1
    assert bits_per_token(model, rows) == pytest.approx(np.mean(bits), rel=1e-5)


def test_the_first_token_of_a_text_costs_nothing(model):
    ids = [0, 20, 21, 22]
    assert bits_per_token(model, [(ids, ids)]) == bits_per_token(model, [(ids, [tokenization.IGNORED, *ids[1:]])])
