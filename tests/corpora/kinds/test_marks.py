"""Markup that was pasted and messages that say nothing are found; ordinary texts are left in peace."""

import pytest

from helpers.corpora.kinds.marks import marks


def found(*contents, special=()):
    return [(mark.what.partition(" ")[0], mark.shown) for mark in marks(list(contents), special)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<|im_start|>user\nWho?<|im_end|>", "<|im_start|>"),
        ("By the river.<|endoftext|>", "<|endoftext|>"),
        ("<s>[INST] Who?", "<s>"),
        ("Who? [/INST]", "[/INST]"),
        ("By the river.</s>", "</s>"),
        ("<<SYS>> Be brief. <</SYS>>", "<<SYS>>"),
        ("<start_of_turn>user", "<start_of_turn>"),
        ("<｜Assistant｜>", "<｜Assistant｜>"),
        ("<|eot_id|>", "<|eot_id|>"),
        ("Below is an instruction.\n\n### Response:", "### Response"),
        ("### Human: Who?### Assistant: I.", "### Human"),
        ("Who?\n\nAssistant: I.", "Assistant:"),
        ("USER: Who? ASSISTANT: I.", "USER:"),
    ],
)
def test_markup_of_a_chat_is_found(text, shown):
    assert found("Where?", text) == [("markup", shown)]


@pytest.mark.parametrize(
    "text",
    [
        "a < b | c > d, 3 <| 4, [INST1], <b>bold</b>, <span>, List<String>, a[i]",
        "The user: a portrait. See the Assistant section.",
        "# Title\n## Answers\n### Results\n#### Responsebility",
        "None of them. Nan's house. Not null.",
        "[]",
        "Empty.",
        "x |> f(y) <- z",
    ],
)
def test_ordinary_texts_are_left_in_peace(text):
    assert found("Where?", text) == []


@pytest.mark.parametrize("text", ["nan", "None", " NULL\n", "N/A", "#N/A", "<NA>", "<empty>", "-", "—", "."])
def test_a_message_that_says_only_that_something_is_missing_is_found(text):
    assert found("Where?", text) == [("a", text.strip())]


def test_special_tokens_are_those_of_the_model():
    special = {"<|end|>", "[SEP]"}
    assert found("Where?", "Here.[SEP] [CLS]", special=special) == [("special", "[SEP]")]
    assert found("Where?", "Here.<|end|>", special=special) == [("special", "<|end|>"), ("markup", "<|end|>")]
