"""However others write a conversation down, it is the same; what is altered or not used is said, and never lost."""

import json

import pytest
from test_prompts import aside, lines, load_prompts, parquet, said, table

from helpers import files
from helpers.corpora.kinds import layouts, threads
from helpers.files import WorkbookError

COUNT = 12
ASKED, ANSWERED = [f"Where is mill {i}?" for i in range(COUNT)], [f"By river {i}." for i in range(COUNT)]
BOTH = list(zip(ASKED, ANSWERED, strict=True))


def turns(*roles, role="role", content="content", **more):
    """Returns what makes the messages of a conversation, of the roles given."""
    return lambda q, a: [{role: r, content: q if i % 2 == 0 else a, **more} for i, r in enumerate(roles)]


HUMAN_GPT = turns("human", "gpt", role="from", content="value")
USUAL = turns("user", "assistant")

LAYOUTS = {
    "messages": lambda q, a: {"messages": USUAL(q, a)},
    "ShareGPT": lambda q, a: {"conversations": HUMAN_GPT(q, a)},
    "conversations": lambda q, a: {"conversations": USUAL(q, a)},
    "conversation": lambda q, a: {"Conversation": USUAL(q, a)},
    "dialog": lambda q, a: {"dialog": turns("User", "Bot", content="text")(q, a)},
    "chat": lambda q, a: {" chat ": turns(" HUMAN", "AI ", role="Speaker", content="Text")(q, a)},
    "as JSON": lambda q, a: {"messages": json.dumps(USUAL(q, a))},
    "as Python": lambda q, a: {"messages": repr(USUAL(q, a))},
    "prompt as JSON": lambda q, a: {"prompt": json.dumps(USUAL(q, a)[:1]), "completion": repr(USUAL(q, a)[1:])},
    "keys are roles": lambda q, a: {"conversation": [{"human": q, "assistant": a}]},
    "a key a message": lambda q, a: {"messages": [{"user": q}, {"assistant": a}]},
    "pairs of role and text": lambda q, a: {"messages": [["user", q], ["assistant", a]]},
    "parts": lambda q, a: {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": q}]},
            {"role": "assistant", "content": [{"type": "output_text", "text": a}]},
        ]
    },
    "one part": lambda q, a: {"prompt": {"type": "text", "text": q}, "completion": [{"type": "text", "text": a}]},
    "contents": lambda q, a: {
        "contents": [{"role": "user", "parts": [{"text": q}]}, {"role": "model", "parts": [{"text": a}]}]
    },
    "turns": lambda q, a: {"turns": USUAL(q, a)},
    "items": lambda q, a: {"items": HUMAN_GPT(q, a)},
    "answers with authors": lambda q, a: {"question": q, "answers": [{"author": "Ann", "text": a, "score": 2}]},
    "SQuAD, thrice": lambda q, a: {"question": q, "answers": [{"text": a, "answer_start": 0}] * 3},
    "bare": lambda q, a: USUAL(q, a),
    "a message each": lambda q, a: {"prompt": USUAL(q, a)[0], "response": USUAL(q, a)[1]},
    "chatgpt": lambda q, a: {"messages": turns("USER", "ChatGPT")(q, a)},
    "model": lambda q, a: {"messages": turns("user", "model")(q, a)},
    "Alpaca": lambda q, a: {"instruction": q, "input": "", "output": a},
    "Alpaca, without an instruction": lambda q, a: {"instruction": "", "input": q, "output": a},
    "one of a list": lambda q, a: {"instruction": q, "output": [a]},
    "SQuAD": lambda q, a: {"question": q, "answers": {"text": [a], "answer_start": [0]}},
    "capitals": lambda q, a: {"Question": q, " ANSWER ": a},
    **{
        f"{asked}, {answered}": lambda q, a, asked=asked, answered=answered: {asked: q, answered: a}
        for asked, answered in (
            ("prompt", "completion"),
            ("prompt", "response"),
            ("prompt", "answer"),
            ("prompt", "output"),
            ("instruction", "response"),
            ("question", "answer"),
            ("question", "response"),
            ("query", "response"),
            ("query", "answer"),
            ("input", "output"),
            ("inputs", "targets"),
            ("problem", "solution"),
            ("user", "assistant"),
            ("human", "assistant"),
            ("User", "Bot"),
            ("Questions", "Answers"),
            ("input_text", "output_text"),
            ("message", "response"),
        )
    },
    "nested replies": lambda q, a: {
        "prompt": {"text": q, "role": "prompter", "replies": [{"text": a, "role": "assistant", "replies": []}]}
    },
    "a tree alone": lambda q, a: {
        "text": q,
        "role": "prompter",
        "children": [{"text": a, "role": "assistant", "children": []}],
    },
}


def said_of(pairs, *before):
    return sorted([*before, ["user", asked], ["assistant", answered]] for asked, answered in pairs)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_the_same_conversations(tmp_path, name):
    corpus = load_prompts(tmp_path / "a.jsonl", [LAYOUTS[name](*pair) for pair in BOTH])
    assert said(corpus) == said_of(BOTH)
    assert corpus.report.noted == {}
    assert aside(corpus) == []


@pytest.mark.parametrize("name", ["ShareGPT", "parts", "question, answer", "SQuAD"])
def test_a_parquet_file_gives_them_too(tmp_path, name):
    corpus = load_prompts(tmp_path / "a.parquet", parquet([LAYOUTS[name](*pair) for pair in BOTH]))
    assert said(corpus) == said_of(BOTH)


def test_a_table_of_text_gives_messages_as_json_and_as_python(tmp_path):
    for name in ("as JSON", "as Python"):
        corpus = load_prompts(tmp_path / name / "a.csv", table([LAYOUTS[name](*pair) for pair in BOTH]))
        assert said(corpus) == said_of(BOTH)


@pytest.mark.parametrize("column", ["system", "System Prompt", "system_message", "systemInstruction"])
@pytest.mark.parametrize("layout", ["messages", "ShareGPT", "question, answer"])
def test_a_system_goes_before_any_layout(tmp_path, layout, column):
    rows = [{column: "Be brief."} | LAYOUTS[layout](*pair) for pair in BOTH]
    assert said(load_prompts(tmp_path / "a.jsonl", rows)) == said_of(BOTH, ["system", "Be brief."])


def test_a_developer_is_a_system_and_two_of_them_are_one(tmp_path):
    rows = [{"system": "Be kind.", "messages": [{"role": "developer", "content": "Be brief."}, *USUAL(*pair)]}
            for pair in BOTH]  # fmt: skip
    rows += [{"system": "Be kind.", "messages": [{"role": "system", "content": "Be kind."}, *USUAL("Who?", "I.")]}]
    expected = said_of(BOTH, ["system", "Be kind.\n\nBe brief."]) + said_of([("Who?", "I.")], ["system", "Be kind."])
    assert said(load_prompts(tmp_path / "a.jsonl", rows)) == sorted(expected)


@pytest.mark.parametrize(
    "history", [[["A?", "a"]], [{"role": "user", "content": "A?"}, {"from": "gpt", "value": "a"}], '[["A?", "a"]]']
)
def test_history_goes_before_the_question(tmp_path, history):
    rows = [{"instruction": q, "output": a, "system": "Be brief.", "history": history} for q, a in BOTH]
    rows += [{"instruction": "Who?", "output": "I.", "history": []}]
    before = [["system", "Be brief."], ["user", "A?"], ["assistant", "a"]]
    expected = said_of(BOTH, *before) + said_of([("Who?", "I.")])
    assert said(load_prompts(tmp_path / "a.jsonl", rows)) == sorted(expected)


@pytest.mark.parametrize(
    ("columns", "answered"), [(("instruction", "context"), "response"), (("instruction", "input"), "output"),
                              (("question", "context"), "answer")]
)  # fmt: skip
def test_what_a_layout_has_beside_the_question_follows_it(tmp_path, columns, answered):
    asked, beside = columns
    rows = [{asked: q, beside: "A page of the day book.", answered: a} for q, a in BOTH]
    corpus = load_prompts(tmp_path / "a.jsonl", rows)
    assert said(corpus) == said_of([(f"{q}\n\nA page of the day book.", a) for q, a in BOTH])
    assert corpus.report.noted == {}


def test_chat_history_of_messages_goes_before_the_message(tmp_path):
    before = [{"role": "USER", "message": "A?"}, {"role": "CHATBOT", "message": "a"}]
    rows = [{"message": q, "response": a, "chat_history": before} for q, a in BOTH]
    assert said(load_prompts(tmp_path / "a.jsonl", rows)) == said_of(BOTH, ["user", "A?"], ["assistant", "a"])


def noted(corpus):
    return {what: (note.rows, note.warns) for what, note in corpus.report.noted.items()}


ALTERED = {
    "numbers": ({"prompt": "2 + 2?", "completion": 4}, ("2 + 2?", "4"), "numbers, true or false taken as text"),
    "true": ({"prompt": "Is 2 > 1?", "completion": True}, ("Is 2 > 1?", "true"), "numbers, true or false taken"),
    "thanks": ({"messages": [*USUAL("A?", "a"), {"role": "user", "content": "Thanks!"}]}, ("A?", "a"), "not answered"),
    "greeting": (
        {"messages": [{"role": "assistant", "content": "Welcome."}, *USUAL("A?", "a")]},
        ("A?", "a"),
        "an assistant began",
    ),
    "alternatives": ({"prompt": "A?", "answer": ["a", "b"]}, ("A?", "a"), "several answers in a list"),
    "context": ({"prompt": "A?", "context": "Long.", "completion": "a"}, ("A?", "a"), "not used: column 'context'"),
    "column": ({"prompt": "A?", "completion": "a", "id": 7}, ("A?", "a"), "not used: column 'id'"),
    "second answer": ({"prompt": "A?", "completion": "a", "answer": "b"}, ("A?", "a"), "not used: column 'answer'"),
    "history": ({"prompt": "A?", "history": "Long.", "completion": "a"}, ("A?", "a"), "not used: column 'history'"),
    "reasoning": (
        {"messages": [*USUAL("A?", "a")[:1], {"role": "assistant", "content": "a", "reasoning_content": "Well."}]},
        ("A?", "a"),
        "not used: column 'reasoning_content' of messages",
    ),
    "no weight": ({"messages": turns("user", "assistant", weight=0)("A?", "a")}, ("A?", "a"), "weight 0 is not heeded"),
    "weight of a row": ({"prompt": "A?", "completion": "a", "weight": 0.0}, ("A?", "a"), "weight 0 is not heeded"),
    "no roles": ({"dialog": ["A?", "a"]}, ("A?", "a"), "messages without roles"),
    "UltraChat": ({"data": ["A?", "a"]}, ("A?", "a"), "messages without roles"),
    "answers with authors": (
        {"question": "A?", "answers": [{"author": "Ann", "text": "a"}, {"author": "Bob", "text": "b"}]},
        ("A?", "a"),
        "several answers in a list",
    ),
    "questions": ({"questions": ["A?", "B?"], "answer": "a"}, ("A?\nB?", "a"), "several texts in a list"),
    "choices": ({"question": "A?", "choices": ["a", "b"], "answer": "a"}, ("A?", "a"), "not used: column 'choices'"),
    "data of another kind": (
        {"prompt": "A?", "completion": "a", "data": ["b"]},
        ("A?", "a"),
        "not used: column 'data'",
    ),
    "bad": ({"prompt": "A?", "completion": "a", "label": False}, ("A?", "a"), "what is said to be bad is learned"),
    "thinking": (
        {"prompt": "A?", "completion": [{"type": "thinking", "thinking": "Well."}, {"type": "text", "text": "a"}]},
        ("A?", "a"),
        "not used: column 'thinking' of messages",
    ),
    "tool": ({"messages": turns("tool", "assistant")("A?", "a")}, ("A?", "a"), "messages of a tool"),
}
WARNED = {"context", "history", "reasoning", "no weight", "weight of a row", "no roles", "tool"}
WARNED |= {"UltraChat", "questions", "choices", "bad", "thinking"}


@pytest.mark.parametrize("name", ALTERED)
def test_what_is_altered_or_not_used_is_counted_and_named(tmp_path, name):
    row, pair, what = ALTERED[name]
    corpus = load_prompts(tmp_path / "a.jsonl", [*(LAYOUTS["messages"](*pair) for pair in BOTH), row])
    assert said(corpus) == sorted([*said_of(BOTH), *said_of([pair])])
    ((found, counted),) = noted(corpus).items()
    assert what in found
    assert counted == (1, name in WARNED)
    assert f"a.jsonl:{COUNT + 1}" in str(corpus.report)
    assert found in str(corpus.report)
    again = load_prompts(tmp_path / "a.jsonl")  # from the cache
    assert again.report == corpus.report


def test_columns_that_hold_nothing_are_not_named(tmp_path):
    rows = [{"prompt": q, "completion": a, "id": None, "context": " ", "tools": []} for q, a in BOTH]
    assert noted(load_prompts(tmp_path / "a.jsonl", rows)) == {}


UNFIT = {
    "comparisons": ({"prompt": "A?", "chosen": "a", "rejected": "b"}, "unknown format", "rename chosen to completion"),
    "one text": ({"text": "### Human: A?### Assistant: a"}, "unknown format", "Divide it into prompt and completion"),
    "a message": ({"id": 1, "role": "user", "content": "A?"}, "unknown format", "Write those of a conversation"),
    "export": ({"title": "A", "mapping": {"1": {}}}, "unknown format", "a list messages of objects"),
    "image": (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}, {"role": "assistant",
                                                                                           "content": "a"}]},
        "not text", "leave the row out",
    ),
    "tool call": (
        {"messages": [{"role": "user", "content": "A?"}, {"role": "assistant", "content": None, "tool_calls": [1]}]},
        "tool call", "Write the call into the content",
    ),
    "tool call, without content": (
        {"messages": [{"role": "user", "content": "A?"}, {"role": "assistant", "tool_calls": [1]}]},
        "tool call", "Write the call into the content",
    ),
    "MT-Bench": ({"turns": ["A?", "B?"]}, "no messages", "Write each with its answer"),
    "role": ({"messages": turns("user", "narrator")("A?", "a")}, "unknown role", "Rename it"),
    "twice": ({"prompt": "A?", "Prompt": "B?", "completion": "a"}, "two columns of one name", "Rename one of them"),
    "no list": ({"chat": "USER: A? ASSISTANT: a"}, "broken JSON", "Mend the row"),
    "code": ({"messages": "[__import__('os')]"}, "broken JSON", "Mend the row"),
    "nobody answers": ({"messages": turns("user")("A?", "")}, "wrong order of roles", "user and assistant in turn"),
    "nobody asks": ({"messages": turns("assistant")("a", "")}, "wrong order of roles", "user and assistant in turn"),
    "invisible": ({"prompt": "A?", "completion": "\u200b\u2060\ufeff \u3164"}, "empty answer", "Mend the row"),
    "deep": ({"prompt": "A?", "completion": json.loads("[" * 900 + "]" * 900)}, None, None),
}  # fmt: skip


@pytest.mark.parametrize("name", UNFIT)
def test_what_is_no_conversation_is_set_aside_with_a_remedy(tmp_path, name):
    row, kind, remedy = UNFIT[name]
    corpus = load_prompts(tmp_path / "a.jsonl", [*(LAYOUTS["messages"](*pair) for pair in BOTH), row])
    (found,) = aside(corpus)
    assert found["row"] == row
    assert kind in (None, found["kind"])
    assert (remedy or "") in found["remedy"]


def test_columns_that_are_unknown_are_told_with_all_that_are_known(tmp_path):
    with pytest.raises(
        WorkbookError,
        match=r"columns found: ask, tell\. Accepted are a list of messages in messages, "
        r"conversations, .* or what is asked in prompt, .* answer in completion",
    ):
        load_prompts(tmp_path / "a.jsonl", lines([{"ask": q, "tell": a} for q, a in BOTH]))


def test_the_readme_names_all_columns_and_roles():
    readme = (files.ROOT / "data" / "custom" / "README.md").read_text("utf-8")
    columns = {
        *layouts.MESSAGES,
        *layouts.PERHAPS,
        *layouts.ASKED,
        *layouts.ANSWERED,
        *layouts.SYSTEM,
        *layouts.HISTORIES,
        *threads.REPLIES,
    }
    assert [column for column in columns if f"`{column}`" not in readme] == []
    roles = readme.partition("| role | other names |")[2].partition("\n\n")[0]
    names = {*layouts.ROLE_NAMES, *layouts.TOOL_NAMES}
    assert names <= set(roles.replace("`", " ").replace(",", " ").replace(";", " ").split())
