"""Recognition is tried on oracles: who knows, who likes short answers, who cannot tell, who counts words."""

import numpy as np
import pytest

from helpers import models, tokenization
from helpers.evaluation import recognition
from helpers.evaluation.likelihood import row_bits
from helpers.evaluation.recognition import NOTHING, OPTIONS, AnswerChoice, identifier_words, make_questions
from helpers.evaluation.skills import demonstrated
from helpers.files import WorkbookError
from helpers.profiles import load_profile

MATERIALS = ["wood", "glass", "stone", "iron", "paper", "cloth", "clay", "gold", "wax", "salt", "sand", "rope"]


def said(role, content):
    return {"role": role, "content": content}


def conversation(i, module):
    what = MATERIALS[i % len(MATERIALS)]
    asked = said("user", f"What is it for?\n\ndef read{what.title()}_{i}(of):\n    return of[{i}]")
    answer = said("assistant", f"Return the {what} of number {i}" + ", and no more" * (i % 3) + ".")
    return {"messages": [asked, answer], "group": module, "task": "task", "check": ""}


CONVERSATIONS = [conversation(i, f"m{i // 3}") for i in range(36)]
ANSWER_OF = {row["messages"][0]["content"]: demonstrated(row) for row in CONVERSATIONS}


@pytest.fixture(scope="module")
def questions():
    return make_questions(CONVERSATIONS, 20, seed=0)


@pytest.fixture(scope="module")
def tokenizer():
    return tokenization.train_tokenizer([m["content"] for c in CONVERSATIONS for m in c["messages"]], vocab_size=400)


@pytest.fixture(scope="module")
def model(tokenizer):
    return models.causal_model(load_profile("smoke"), tokenizer, seed=0).eval()


def knowing(prompts, answers):
    pairs = zip(prompts, answers, strict=True)
    return np.array([100.0 - (ANSWER_OF.get(prompt[0]["content"]) == answer) for prompt, answer in pairs])


def lengths(prompts, answers):
    return np.array([float(len(answer)) for answer in answers])


def test_nine_wrong_answers_come_from_other_modules(questions):
    modules = {demonstrated(row): row["group"] for row in CONVERSATIONS}
    assert len(questions) == 20 == len({question.prompt[0]["content"] for question in questions})
    for question in questions:
        right, *wrong = question.options
        assert right == ANSWER_OF[question.prompt[0]["content"]]
        assert len(set(question.options)) == OPTIONS
        assert question.group == modules[right]
        assert question.group not in {modules[option] for option in wrong}
        assert question.kind == "task"


def test_the_same_seed_draws_the_same_and_a_smaller_draw_is_its_beginning(questions):
    assert make_questions(CONVERSATIONS, 7, seed=0) == questions[:7]
    assert make_questions(CONVERSATIONS, 20, seed=1) != questions
    assert len(make_questions(CONVERSATIONS, 1000, seed=0)) == len(CONVERSATIONS)


def test_where_other_modules_do_not_suffice_the_same_one_gives_answers():
    alone = [conversation(i, "m") for i in range(10)]
    (question,) = make_questions(alone, 1, seed=0)
    assert len(set(question.options)) == OPTIONS
    with pytest.raises(WorkbookError, match="there are 9"):
        make_questions(alone[:9], 1, seed=0)
    with pytest.raises(WorkbookError, match="there are 1"):
        make_questions(alone[:1] * 20, 1, seed=0)


def test_the_knowing_the_wrong_and_the_clueless_get_what_they_deserve(questions):
    found = recognition.recognise(questions, knowing)
    assert found.by_gain.tolist() == found.by_likelihood.tolist() == [1] * 20
    found = recognition.recognise(questions, lambda prompts, answers: -knowing(prompts, answers))
    assert found.by_gain.tolist() == found.by_likelihood.tolist() == [0] * 20
    found = recognition.recognise(questions, lambda prompts, answers: np.ones(len(answers)))
    assert found.by_gain.tolist() == found.by_likelihood.tolist() == pytest.approx([1 / OPTIONS] * 20)


def test_two_that_are_equally_good_share_the_credit(questions):
    first = questions[:1]
    tied = set(first[0].options[:2])

    def undecided(prompts, answers):
        return np.array([1.0 - (p != NOTHING and a in tied) for p, a in zip(prompts, answers, strict=True)])

    found = recognition.recognise(first, undecided)
    assert found.by_gain.tolist() == found.by_likelihood.tolist() == [0.5]


def test_a_liking_for_short_answers_is_taken_out(questions):
    found = recognition.recognise(questions, lengths)
    assert found.by_gain.tolist() == pytest.approx([1 / OPTIONS] * 20)
    assert len(set(found.by_likelihood)) > 1  # right where the right one happens to be short
    found = recognition.recognise(
        questions, lambda prompts, answers: lengths(prompts, answers) + knowing(prompts, answers)
    )
    assert found.by_gain.mean() == 1 > found.by_likelihood.mean()


def test_a_models_bits_are_those_of_the_answer_and_its_end_after_the_prompt(model, tokenizer):
    prompt, answer = CONVERSATIONS[4]["messages"][:-1], demonstrated(CONVERSATIONS[4])
    (bits,) = recognition.prompted_bits(model, tokenizer, context=128)([prompt], [answer])
    texts = (f" {prompt[0]['content']}", f" {answer}")  # with the template's blank
    content = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    begin, user, assistant, end = tokenizer.convert_tokens_to_ids(["<|begin|>", "<|user|>", "<|assistant|>", "<|end|>"])
    row = [begin, user, *content[0], assistant, *content[1], end]
    (expected,) = row_bits(model, [row])
    assert bits == pytest.approx(expected[-len(content[1]) - 1 :].sum())
    turns = [*prompt, said("assistant", "Yes."), said("user", "And?")]
    (later,) = recognition.prompted_bits(model, tokenizer, context=128)([turns], [answer])
    assert later == pytest.approx(bits, rel=0.5)  # an untrained model: what it said before is not counted in


def test_of_a_long_conversation_the_last_tokens_are_read(model, tokenizer):
    answer = demonstrated(CONVERSATIONS[4])
    long = [said("user", "of " * 300 + "wood")]
    (bits,) = recognition.prompted_bits(model, tokenizer, context=64)([long], [answer])
    (same,) = recognition.prompted_bits(model, tokenizer, context=64)([[said("user", "of " * 900 + "wood")]], [answer])
    assert bits == pytest.approx(same)
    assert 0 < recognition.prompted_bits(model, tokenizer, context=4)([long], [answer])[0] < bits


def test_an_untrained_model_is_near_chance(model, tokenizer, questions):
    found = recognition.recognise(questions, recognition.prompted_bits(model, tokenizer, context=128))
    assert found.by_gain.shape == found.by_likelihood.shape == (20,)
    assert found.by_gain.mean() < 0.4


def test_words_in_common_are_recognised_and_no_words_are_a_tie(questions):
    known = [conversation(i, "known") for i in range(100)]
    assert recognition.recognise_by_words(questions, known).tolist() == [1] * 20
    nothing = [AnswerChoice(tuple(MATERIALS[:OPTIONS]), "m", "", [said("user", "def f(x): ...")])]
    assert recognition.recognise_by_words(nothing, known).tolist() == pytest.approx([1 / OPTIONS])


def test_identifiers_are_split_into_words():
    words = ["read", "http", "response", "parse", "html", "2", "x", "axis"]
    assert identifier_words("readHTTPResponse _parse_HTML2(xAxis)") == words
