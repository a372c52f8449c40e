"""Every format gives the same conversations; and no faulty row stops the reading, or vanishes."""

import gzip
import json
import re
import subprocess
import sys

import pytest
from datasets import Dataset
from written import parquet, write

from helpers import files
from helpers.corpora import load
from helpers.corpora.corpus import SET_ASIDE
from helpers.corpora.kinds.loading import FIRST
from helpers.corpora.rows import Conversation, Message
from helpers.corpora.town import demonstrations
from helpers.files import WorkbookError

LARGE = 40_000_000
"""Bytes of a file that is read to see that memory stays bounded."""


def some(count, what="Question"):
    return [{"prompt": f"{what} {i}?", "completion": f"Answer {i}."} for i in range(count)]


ROWS = some(40)


def load_prompts(path, data=None, **options):
    return load(str(path) if data is None else write(path, data), kind="prompts", **options)


def said(corpus, *splits):
    """Returns the rows, each as a list of role and content, in alphabetical order."""
    parts = [corpus.splits[split] for split in splits or corpus.splits]
    return sorted([[m["role"], m["content"]] for m in messages] for part in parts for messages in part["messages"])


def said_of(rows):
    return sorted([["user", row["prompt"]], ["assistant", row["completion"]]] for row in rows)


def aside(corpus):
    """Returns the rows in the file of those set aside."""
    path = corpus.folder / SET_ASIDE
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def as_messages(row):
    return [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["completion"]}]


def table(rows, separator=","):
    lines = [rows[0].keys(), *(row.values() for row in rows)]
    return "".join(separator.join('"' + v.replace('"', '""') + '"' for v in line) + "\r\n" for line in lines)


def lines(rows):
    return "\n".join(map(json.dumps, rows))


FORMATS = {
    "prompt.jsonl": lines(ROWS),
    "prompt.json": json.dumps(ROWS, indent=1),
    "prompt.csv": table(ROWS),
    "prompt.tsv": table(ROWS, "\t"),
    "prompt.parquet": parquet(ROWS),
    "response.jsonl": lines([{"prompt": row["prompt"], "response": row["completion"], "id": 7} for row in ROWS]),
    "instruction.jsonl": lines([{"instruction": r["prompt"], "input": "", "output": r["completion"]} for r in ROWS]),
    "instruction.csv": table([{"instruction": r["prompt"], "output": r["completion"]} for r in ROWS]),
    "messages.jsonl": lines([{"messages": as_messages(row)} for row in ROWS]),
    "messages.parquet": parquet([{"messages": as_messages(row)} for row in ROWS]),
    "messages.csv": table([{"messages": json.dumps(as_messages(row))} for row in ROWS]),
    "text.jsonl": lines([{"messages": json.dumps(as_messages(row))} for row in ROWS]),
    "turns.jsonl": lines([{"prompt": as_messages(r)[:1], "completion": as_messages(r)[1:]} for r in ROWS]),
    "bom.jsonl": b"\xef\xbb\xbf" + lines(ROWS).replace("\n", "\r\n").encode(),
    "bom.csv": b"\xef\xbb\xbf" + table(ROWS).encode(),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_every_format_gives_the_same_conversations(tmp_path, name, ending):
    corpus = load_prompts(tmp_path / (name + ending), FORMATS[name])
    assert corpus.kind == "prompts"
    assert said(corpus) == said_of(ROWS)
    assert set(corpus.splits) == {"train", "test"}
    assert corpus.splits["train"].column_names == ["text", "group", "messages", "task", "check", "place"]
    assert aside(corpus) == []
    assert corpus.report.removed == {}
    assert [(source.name, source.documents) for source in corpus.report.sources] == [(name + ending, len(ROWS))]


def test_each_row_has_its_own_format_and_only_filled_columns_count(tmp_path):
    rows = [
        {"messages": None, "prompt": "A?", "completion": "a"},
        {"messages": as_messages({"prompt": "B?", "completion": "b"}), "prompt": None, "completion": None},
        {"messages": "", "instruction": "Sum up.", "input": "A long\r\ntext.", "output": "c"},
    ]
    expected = [("A?", "a"), ("B?", "b"), ("Sum up.\n\nA long\ntext.", "c")]
    assert said(load_prompts(tmp_path / "a.jsonl", rows)) == said_of(
        [{"prompt": prompt, "completion": answer} for prompt, answer in expected]
    )


def test_a_system_and_several_turns_are_kept_in_order(tmp_path):
    turns = [Message("system", "Be brief."), Message("user", "A?"), Message("assistant", "a"), Message("user", "B?")]
    turns.append(Message("assistant", "b"))
    rows = [
        {"messages": [turn._asdict() for turn in turns]},
        {"system": "Be kind.", "prompt": "C?", "completion": "c"},
        {"system": " ", "instruction": "D?", "output": "d"},
        {"messages": [{"role": "system", "content": ""}, *as_messages({"prompt": "E?", "completion": "e"})]},
    ]
    corpus = load_prompts(tmp_path / "a.jsonl", rows)
    assert said(corpus) == sorted(
        [
            [list(turn) for turn in turns],
            [["system", "Be kind."], ["user", "C?"], ["assistant", "c"]],
            *said_of([{"prompt": "D?", "completion": "d"}, {"prompt": "E?", "completion": "e"}]),
        ]
    )
    texts = [text for part in corpus.splits.values() for text in part["text"]]
    assert "Be brief.\n\nA?\n\na\n\nB?\n\nb" in texts


def test_task_group_and_check_are_taken_over(tmp_path):
    check = {"begins": "4", "value": 4}
    rows = [
        {"prompt": "2 + 2?", "completion": "4", "task": "sums", "group": 12, "check": check},
        {"prompt": "1 + 3?", "completion": "4", "task": None, "group": " ", "check": json.dumps(check)},
        {"prompt": "Who?", "completion": "I.", "task": "names", "check": ""},
    ]
    corpus = load_prompts(tmp_path / "a.jsonl", rows)
    found = sorted(
        (row["place"], row["task"], row["group"], row["check"]) for part in corpus.splits.values() for row in part
    )
    assert [(place, task, group) for place, task, group, _ in found] == [
        ("a.jsonl:1", "sums", "12"),
        ("a.jsonl:2", "", "a.jsonl:2"),
        ("a.jsonl:3", "names", "a.jsonl:3"),
    ]
    assert [json.loads(check or "null") for *_, check in found] == [check, check, None]


@pytest.mark.parametrize("change", [{"task": "sums"}, {"check": {"begins": "Answer"}}, {"system": "Be brief."}])
def test_the_fingerprint_tells_tasks_checks_and_roles_apart(tmp_path, change):
    first = load_prompts(tmp_path / "a.jsonl", ROWS).fingerprint
    assert load_prompts(tmp_path / "again" / "a.jsonl", ROWS).fingerprint == first
    assert load_prompts(tmp_path / "other" / "a.jsonl", [ROWS[0] | change, *ROWS[1:]]).fingerprint != first


def test_the_fingerprint_tells_where_a_message_ends(tmp_path):
    one, two = ({"prompt": "A?", "completion": "b\n\nc"}, {"prompt": "A?\n\nb", "completion": "c"})
    corpora = [load_prompts(tmp_path / name / "a.jsonl", [row]) for name, row in {"one": one, "two": two}.items()]
    assert corpora[0].splits["train"]["text"][0] == corpora[1].splits["train"]["text"][0]
    assert corpora[0].fingerprint != corpora[1].fingerprint


def test_a_tenth_is_for_test_and_a_row_more_moves_no_other(tmp_path):
    corpus = load_prompts(tmp_path / "a.jsonl", some(2000))
    assert corpus.splits["test"].num_rows == pytest.approx(200, abs=40)
    longer = load_prompts(tmp_path / "longer" / "a.jsonl", some(3, "New") + some(2000))
    assert {str(row) for row in said(corpus, "test")} <= {str(row) for row in said(longer, "test")}


@pytest.mark.parametrize("count", [2, 3, 5])
def test_neither_split_is_empty_if_there_are_two_rows(tmp_path, count):
    for what in map(str, range(10)):
        corpus = load_prompts(tmp_path / what / "a.jsonl", some(count, what))
        assert set(corpus.splits) == {"train", "test"}


@pytest.mark.parametrize("count", [4, 6, 12])
def test_two_groups_are_for_test_if_there_are_four(tmp_path, count):
    for what in map(str, range(10)):
        rows = [row | {"group": f"{what} {i % count}"} for i, row in enumerate(some(40, what))]
        corpus = load_prompts(tmp_path / what / "a.jsonl", rows)
        assert len(set(corpus.splits["test"]["group"])) >= 2


def test_a_single_row_is_for_training(tmp_path):
    corpus = load_prompts(tmp_path / "a.jsonl", ROWS[:1])
    assert said(corpus, "train") == said_of(ROWS[:1])
    assert set(corpus.splits) == {"train"}


def test_a_group_stays_together(tmp_path):
    rows = [row | {"group": f"person {i % 9}"} for i, row in enumerate(some(200))]
    corpus = load_prompts(tmp_path / "a.jsonl", rows)
    assert not set(corpus.splits["train"]["group"]) & set(corpus.splits["test"]["group"])


def test_several_answers_to_one_prompt_are_kept_on_one_side(tmp_path):
    rows = [{"prompt": f"Question {i % 50}?", "completion": f"Answer {i}."} for i in range(150)]
    corpus = load_prompts(tmp_path / "a.jsonl", rows)
    assert said(corpus) == said_of(rows)
    asked = [{messages[0]["content"] for messages in part["messages"]} for part in corpus.splits.values()]
    assert not asked[0] & asked[1]


def test_splits_that_files_are_named_for_are_kept(tmp_path):
    for name, count in {"train": 20, "dev": 5, "test-0": 3}.items():
        write(tmp_path / f"{name}.jsonl", some(count, name))
    corpus = load_prompts(tmp_path)
    assert {split: part.num_rows for split, part in corpus.splits.items()} == {"train": 20, "validation": 5, "test": 3}
    (tmp_path / "test-0.jsonl").unlink()
    assert {split: part.num_rows for split, part in load_prompts(tmp_path).splits.items()} == {"train": 20, "test": 5}


def test_a_column_names_the_splits(tmp_path):
    rows = [row | {"split": ("train", "Test", "train", "")[i % 4]} for i, row in enumerate(some(80))]
    corpus = load_prompts(tmp_path / "a.csv", table(rows))
    by_split = {split: {str(turns) for turns in said(corpus, split)} for split in corpus.splits}
    assert {str(turns) for turns in said_of(rows[1::4])} <= by_split["test"]
    assert {str(turns) for turns in said_of(rows[::2])} <= by_split["train"]
    assert sum(map(len, by_split.values())) == 80  # the fourth are divided by a hash


def test_a_split_alone_is_divided_and_that_is_told(tmp_path):
    corpus = load_prompts(tmp_path / "a.jsonl", [row | {"split": "test"} for row in ROWS])
    assert set(corpus.splits) == {"train", "test"}
    assert "rows are named for test alone: divided by a hash instead" in corpus.report.problems


def test_a_test_row_whose_prompt_is_in_train_is_set_aside_from_test(tmp_path):
    other = {"prompt": "Question 3?", "completion": "Another."}
    write(tmp_path / "test.jsonl", [other, *some(4, "Test"), some(1)[0]])
    write(tmp_path / "train.jsonl", some(30))
    corpus = load_prompts(tmp_path)
    assert said(corpus, "train") == said_of(some(30))
    assert said(corpus, "test") == said_of(some(4, "Test"))
    assert [(row["place"], row["kind"], row["row"]) for row in aside(corpus)] == [
        ("test.jsonl:1", "prompt is also in train", other),
        ("test.jsonl:6", "prompt is also in train", some(1)[0]),
    ]


def turns_of(*roles):
    return {"messages": [{"role": role, "content": f"I am {i}."} for i, role in enumerate(roles)]}


FAULTY = {
    "broken JSON": ('{"prompt": "a", ', r"broken JSON \(Expecting"),
    "not UTF-8": (b'{"prompt": "caf\xe9", "completion": "b"}', r"byte 16 of the line is not UTF-8"),
    "NUL character": ({"prompt": "a\0b", "completion": "b"}, "NUL character"),
    "half a surrogate pair": (r'{"prompt": "\ud800", "completion": "b"}', "surrogate"),
    "not text": ({"prompt": {"a": 3}, "completion": "b"}, "'prompt' holds dict, not text"),
    "empty prompt": ({"prompt": " ", "completion": "b"}, "the user says nothing"),
    "empty answer": ({"prompt": "a", "completion": None}, "the assistant says nothing"),
    "unknown format": ({"ask": "a", "tell": "b"}, "columns found: ask, tell"),
    "unknown role": (turns_of("user", "judge", "assistant"), "the role 'judge' is none of system, developer, user,"),
    "no messages": ({"messages": [{"who": "human", "value": "a"}]}, "not an object with role and content"),
    "unknown split": ({"prompt": "a", "completion": "b", "split": "elsewhere"}, "'elsewhere' is none of train,"),
    "broken check": ({"prompt": "a", "completion": "b", "check": 4}, "'check' is int, not an object"),
    "unknown rule": ({"prompt": "a", "completion": "b", "check": {"contain": ["b"]}}, "check 'contain' is unknown"),
    "answer breaks its check": (
        {"prompt": "a", "completion": "b", "check": {"begins": "b", "lacks": ["b"]}},
        r'the answer breaks its own check \{"lacks": \["b"\]\}',
    ),
    "repeated word for word": (ROWS[5], "an earlier row has the same messages"),
}

ORDERS = {
    ("user", "system", "assistant"): "a system message is not the first",
    ("user", "user", "assistant"): "two messages of the user in succession",
    ("user", "assistant", "assistant"): "two messages of the assistant in succession",
    ("user",): "the last message is not an assistant's",
    ("assistant",): "an assistant begins",
    ("system",): "the last message is not an assistant's",
    (): "there are no messages",
}


@pytest.mark.parametrize("kind", FAULTY)
def test_a_faulty_row_is_set_aside_and_the_reading_goes_on(tmp_path, kind):
    row, reason = FAULTY[kind]
    line = row if isinstance(row, bytes) else row.encode() if isinstance(row, str) else json.dumps(row).encode()
    half = len(ROWS) // 2
    corpus = load_prompts(
        tmp_path / "a.jsonl", b"\n".join([lines(ROWS[:half]).encode(), line, lines(ROWS[half:]).encode()])
    )
    assert said(corpus) == said_of(ROWS)
    (found,) = aside(corpus)
    place = f"a.jsonl:{half + 1}"
    assert (found["place"], found["kind"]) == (place, kind)
    assert re.search(reason, found["reason"])
    assert found["remedy"]
    if isinstance(row, dict):
        assert found["row"] == row
    assert corpus.report.removed[kind].documents == 1
    assert f"{place}: " in corpus.report.removed[kind].examples[0]
    assert f"corpora/{corpus.folder.name}/{SET_ASIDE}" in str(corpus.report)


@pytest.mark.parametrize("roles", ORDERS)
def test_a_wrong_order_of_roles_is_set_aside(tmp_path, roles):
    corpus = load_prompts(tmp_path / "a.jsonl", [*ROWS, turns_of(*roles)])
    (found,) = aside(corpus)
    assert (found["kind"], found["reason"]) == ("wrong order of roles", ORDERS[roles])
    assert said(corpus) == said_of(ROWS)


def test_rules_that_a_parquet_file_leaves_empty_do_not_count(tmp_path):
    rows = [row | {"check": {"begins": "Answer", "value": (None, 1)[i == 3]}} for i, row in enumerate(ROWS)]
    corpus = load_prompts(tmp_path / "a.parquet", parquet(rows))
    assert said(corpus) == said_of(ROWS[:3] + ROWS[4:])
    assert set(corpus.splits["train"]["check"]) == {'{"begins": "Answer"}'}
    assert [row["kind"] for row in aside(corpus)] == ["answer breaks its check"]


def test_half_a_surrogate_pair_does_no_harm_wherever_it_stands(tmp_path):
    lone = [r'"\ud800"', r'{"\ud800": 1}', r'{"messages": [{"role": "\ud800", "content": "a"}]}']
    columns = ("task", "group", "split", "check")
    lone += [json.dumps({"prompt": "a", "completion": "b", column: "\ud800"}) for column in columns]
    corpus = load_prompts(tmp_path / "a.jsonl", "\n".join([lines(ROWS), *lone]))
    assert said(corpus) == said_of(ROWS)
    assert [row["row"] for row in aside(corpus)] == [json.loads(line) for line in lone]
    assert str(corpus.report).encode()


def test_unreadable_bytes_stay_visible_in_the_file_of_rows_set_aside(tmp_path):
    (found,) = aside(load_prompts(tmp_path / "a.jsonl", lines(ROWS).encode() + b"\ncaf\xe9 \xff\n"))
    assert found["row"] == r"caf\xe9 \xff"


TABLES = {
    "ragged": (b"Q?,a,b\r\n", "ragged row", "the row has 3 fields, the header 2"),
    "short": (b"Q?\r\n", "ragged row", "the row has 1 fields, the header 2"),
    "quotes": (b'"Q"?,a\r\n', "broken table", "broken table"),
    "latin": (b"caf\xe9?,a\r\n", "not UTF-8", "byte 4 of the line is not UTF-8"),
    "latin, quoted": (b'"one\ncaf\xe9\ntwo",a\r\n', "not UTF-8", "byte 4 of the line is not UTF-8"),
    "NUL": (b"Q\0?,a\r\n", "NUL character", "NUL character"),
    "nothing": (b",\r\n", "empty prompt", "the user says nothing"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_faulty_row_of_a_table_is_set_aside_alone(tmp_path, name):
    row, kind, reason = TABLES[name]
    half = len(ROWS) // 2
    data = table(ROWS[:half]).encode() + row + table(ROWS[half:]).encode().partition(b"\n")[2]
    corpus = load_prompts(tmp_path / "a.csv", data)
    assert said(corpus) == said_of(ROWS)
    (found,) = aside(corpus)
    assert found["kind"] == kind
    assert reason in found["reason"]
    assert found["place"] == f"a.csv:{half + 2 + (name == 'latin, quoted')}"


def test_a_quote_that_is_not_closed_takes_its_own_line_alone(tmp_path):
    more = [{"prompt": f"Q{i}?", "completion": "a"} for i in range(5)]
    corpus = load_prompts(
        tmp_path / "a.csv", table(ROWS[:30]) + '"Open?,a\r\n' + "".join(f"{row['prompt']},a\r\n" for row in more)
    )
    assert said(corpus) == said_of(ROWS[:30] + more)
    (found,) = aside(corpus)
    assert (found["place"], found["row"]) == ("a.csv:32", '"Open?,a')


def test_a_line_that_is_too_long_is_skipped_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr("helpers.corpora.readers.tables.LONGEST", 5000)
    long = {"prompt": "word " * 4000, "completion": "b"}
    corpus = load_prompts(tmp_path / "a.jsonl", [*ROWS[:10], long, *ROWS[10:]])
    assert said(corpus) == said_of(ROWS)
    (found,) = aside(corpus)
    assert (found["place"], found["reason"]) == ("a.jsonl:11", "the line is longer than 5,000 bytes")
    assert len(found["row"]) == 1000


BAD = {
    "columns.jsonl": (
        [{"ask": "a", "tell": "b"}] * 3,
        r"line 1: columns found: ask, tell\. Accepted are a list of messages in messages, .*, gpt\."
        r'\nOf 3 rows, 3 cannot be used:\n  unknown format: 3\. Accepted (?s:.*):\n\{"prompt": .*\n\{"prompt": .*\}\n',
    ),
    "many.csv": ("ask,tell\n" + "a,b\n" * 2 * FIRST, r"line 2: columns found: ask, tell\. Accepted are"),
    "first.jsonl": (
        [{"ask": "a", "tell": "b"}] * FIRST + ROWS,
        rf"columns found: ask, tell\. Accepted are .*\nNone of the first {FIRST} rows can be used",
    ),
    "half.jsonl": (
        [*ROWS[:5], *[{"prompt": "a", "completion": ""}] * 4, {"prompt": "b"}, {"prompt": {}, "completion": {"b": 1}}],
        r"line 6: the assistant says nothing\. Mend .*\nOf 11 rows, 6 cannot be used:\n  empty answer: 4\. Mend.*\n"
        r"  unknown format: 1\. Accepted are .*\n  not text: 1\. ",
    ),
    "columns.parquet": (parquet([{"q": "a"}]), r"columns found: q\. Accepted are"),
    "strings.json": ('["a", "b"]', r"columns found: none, but a bare str\. Accepted are"),
    "a.txt": ("Some text.", r"plain text has no columns\. Write a table \(\.jsonl, .*\n\{.*\n\{"),
    "a.xlsx": ("x", r"its ending is unknown\. Known: .*\.jsonl"),
    "empty.jsonl": ("", r"the file is empty"),
    "header.csv": ("prompt,completion\n", r"the file is empty"),
    "latin.csv": (b"prompt,caf\xe9\na,b\n", r"line 1: byte 11 of the line is not UTF-8"),
    "broken.json": ('[\n{"prompt": "a"},\n]', r"line 3: broken JSON"),
    "latin.json": (b'["\xe9"]', r"line 1: byte 3 of the line is not UTF-8"),
    "object.json": ('{"prompt": "a"}', r"row 1: columns found: prompt"),
    "fake.parquet": (b"PAR1 no", r"no readable Parquet"),
    "pointer.jsonl": (
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        r"pointer of Git LFS.*git lfs pull",
    ),
    "damaged.jsonl.gz": (None, r"cut off or damaged"),
    "torn.jsonl": ('{"prompt"\n{', r"line 1: broken JSON .*\nOf 2 rows, 2 cannot be used:\n  broken JSON: 2\. Mend"),
    "faulty.jsonl": (
        '{"prompt": "a", "completion": ""}\n{',
        r"line 1: the assistant says nothing(?s:.)*broken JSON: 1",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_at_fault_gives_one_error_with_place_reason_and_remedy(tmp_path, own_cache, name):
    data, message = BAD[name]
    path = tmp_path / name
    if data is None:
        path.write_bytes(gzip.compress(lines(ROWS).encode())[:60])
    else:
        write(path, data)
    with pytest.raises(WorkbookError, match=message) as caught:
        load_prompts(path)
    assert str(caught.value).startswith(str(path))
    kept = list(own_cache.rglob("*.jsonl"))
    assert [str(path) in str(caught.value) for path in kept] == [True] * ("be used:" in str(caught.value))
    assert all(json.loads(line)["remedy"] for path in kept for line in path.read_text("utf-8").splitlines())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("pydocs", r"no such source of kind prompts\. Known are town, pydocs-functions, hub:owner/name, and paths"),
        ("missing.jsonl", r"no such source of kind prompts\. Known are town, "),
        ("town", r"say how large it is\. Give people="),
        ("hub:owner/name:::text", r"not in one column 'text'\. Write hub:owner/name"),
    ],
)
def test_what_is_not_there_lists_what_is_known(source, message):
    with pytest.raises(WorkbookError, match=f"^{source}: .*{message}"):
        load_prompts(source)


README = files.ROOT / "data" / "custom" / "README.md"


def test_the_examples_of_the_readme_can_be_read(tmp_path):
    blocks = re.findall(r"^```\n((?:\{|prompt,).*?)^```$", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 6
    for i, block in enumerate(blocks):
        path = tmp_path / str(i) / ("a.jsonl" if block.startswith("{") else "a.csv")
        corpus = load_prompts(path, block)
        assert len(said(corpus)) == 2
        assert aside(corpus) == []


def test_a_readme_in_a_folder_is_no_data(tmp_path):
    write(tmp_path / "README.md", "About the data.")
    with pytest.raises(
        WorkbookError, match=r"holds no files but perhaps a README\.md\. Put files there that end in \.jsonl"
    ):
        load_prompts(tmp_path)
    write(tmp_path / "a.jsonl", ROWS)
    assert said(load_prompts(tmp_path)) == said_of(ROWS)


@pytest.fixture
def hub_folder(tmp_path):
    """Conversations in the Hub's layout."""
    (tmp_path / "toy" / "data").mkdir(parents=True)
    for split, count in {"train": 40, "test": 6}.items():
        rows = [{"messages": as_messages(row)} for row in some(count, split)] + [{"messages": []}]
        Dataset.from_list(rows).to_parquet(tmp_path / "toy" / "data" / f"{split}-00000-of-00001.parquet")
    return tmp_path / "toy"


def test_conversations_of_the_hub_are_read(hub_folder):
    corpus = load_prompts(f"hub:{hub_folder}")
    assert said(corpus, "train") == said_of(some(40, "train"))
    assert said(corpus, "test") == said_of(some(6, "test"))
    assert [(row["place"], row["kind"]) for row in aside(corpus)] == [
        ("train:41", "wrong order of roles"),
        ("test:7", "wrong order of roles"),
    ]
    limited = load_prompts(f"hub:{hub_folder}::train", limit=30)
    assert said(limited) == said_of(some(30, "train"))
    assert set(limited.splits) == {"train", "test"}


def test_the_hubs_columns_are_told_if_they_do_not_fit(hub_folder):
    Dataset.from_list([{"words": "a"}] * 5).to_parquet(hub_folder / "data" / "train-00000-of-00001.parquet")
    (hub_folder / "data" / "test-00000-of-00001.parquet").unlink()
    with pytest.raises(WorkbookError, match=r"^hub:.*, row:1: columns found: words\. Accepted are"):
        load_prompts(f"hub:{hub_folder}")


def test_the_workbooks_own_conversations_are_loaded_by_name(monkeypatch):
    def conversations(people, seed):
        for i in range(people):
            messages = (Message("user", f"{seed}, {i}?"), Message("assistant", "Yes."))
            yield Conversation(
                messages, f"person {i}", ("train", "test")[i % 4 == 0], f"town, {i}", "facts", '{"begins": "Yes"}'
            )
        yield Conversation((Message("user", "And?"),), "person", "train", "town, last")

    monkeypatch.setattr(demonstrations, "conversations", conversations)
    corpus = load_prompts("town", people=12, seed=3)
    assert said(corpus, "test") == said_of([{"prompt": f"3, {i}?", "completion": "Yes."} for i in (0, 4, 8)])
    assert corpus.splits["train"][0] | {"messages": None} == {
        "text": "3, 1?\n\nYes.",
        "group": "person 1",
        "messages": None,
        "task": "facts",
        "check": '{"begins": "Yes"}',
        "place": "town, 1",
    }
    assert [row["place"] for row in aside(corpus)] == ["town, last"]
    assert len(said(load_prompts("town", people=8, seed=3))) == 8


def test_the_text_of_a_stranger_stays_text(tmp_path):
    rows = [*ROWS, {"prompt": "<script>alert(1)</script>", "completion": "b", "split": "<script>"}]
    corpus = load_prompts(tmp_path / "a.jsonl", rows)
    assert "<script>" in corpus.report.removed["unknown split"].examples[0]
    assert "<script>" not in corpus.report._repr_html_()


PEAK = """
import resource, sys
from pathlib import Path
from helpers import files
files.CACHE = Path(sys.argv[2])
from helpers.corpora import load
rows = sum(len(part) for part in load(sys.argv[1], kind="prompts").splits.values())
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_file(tmp_path):
    def peak(path):
        command = [sys.executable, "-c", PEAK, str(path), str(tmp_path / "cache")]
        rows, kilobytes = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        return int(rows), int(kilobytes) / 1e3

    def row(i):
        row = {"prompt": f"Question {i}? {'Why? ' * 100}", "completion": f"{i}. {'So. ' * 120}"}
        return json.dumps(row) + "\n"

    small, large = tmp_path / "small.jsonl", tmp_path / "large.jsonl"
    count = LARGE // len(row(0))
    small.write_text("".join(map(row, range(2000))))
    with large.open("w") as stream:
        stream.writelines(map(row, range(count)))
    rows, used = peak(large)
    assert rows == count
    assert used < peak(small)[1] + 40


def test_groups_that_pandas_wrote_as_floats_are_whole_numbers(tmp_path):
    rows = [row | {"group": float(i // 2)} for i, row in enumerate(ROWS)]
    corpus = load_prompts(tmp_path / "a.jsonl", rows)
    assert said(corpus) == said_of(ROWS)
    assert "1" in {group for part in corpus.splits.values() for group in part["group"]}
