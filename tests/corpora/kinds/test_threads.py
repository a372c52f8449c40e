"""A tree of replies gives a conversation for each of its ends; the two ways to write it down give the same."""

from test_layouts import noted
from test_prompts import aside, load_prompts, said

TREE = (
    "Where is the mill?",
    [("By the river.", [("Which?", [("The Ouse.", [])]), ("Thanks!", [])]), ("I forget.", [])],
)
ENDS = [
    ["Where is the mill?", "By the river.", "Which?", "The Ouse."],
    ["Where is the mill?", "By the river."],
    ["Where is the mill?", "I forget."],
]


def named(number, text):
    return text.replace("mill", f"mill {number}")


def nested(number, tree=TREE, depth=0):
    text, replies = tree
    role = ("prompter", "assistant")[depth % 2]
    return {
        "text": named(number, text), "role": role, "lang": "en",
        "replies": [nested(number, reply, depth + 1) for reply in replies],
    }  # fmt: skip


def flat(number):
    rows = []

    def add(node, parent, depth):
        text, replies = node
        own = f"{number}-{len(rows)}"
        role = ("prompter", "assistant")[depth % 2]
        rows.append({"message_id": own, "parent_id": parent, "text": named(number, text), "role": role, "lang": "en"})
        for reply in replies:
            add(reply, own, depth + 1)

    add(TREE, None, 0)
    return rows


def expected(count):
    paths = [[named(i, text) for text in path] for i in range(count) for path in ENDS]
    return sorted([[("user", "assistant")[k % 2], text] for k, text in enumerate(path)] for path in paths)


def test_nested_and_flat_trees_give_the_same_conversations(tmp_path):
    layouts = {
        "prompt": [{"message_tree_id": f"tree {i}", "prompt": nested(i)} for i in range(20)],
        "root": [nested(i) for i in range(20)],
        "flat": [row for i in range(20) for row in flat(i)],
        "shuffled": [row for i in range(20) for row in flat(i)][::-1],
    }
    for name, rows in layouts.items():
        corpus = load_prompts(tmp_path / name / "a.jsonl", rows)
        assert said(corpus) == expected(20)
        assert aside(corpus) == []
        assert noted(corpus)["not used: column 'lang' of messages"] == (60, False)
        assert noted(corpus)["the last message was not answered: it is left out"] == (20, False)
        trees = [set(part["group"]) for part in corpus.splits.values()]
        assert len(trees) == 2
        assert not trees[0] & trees[1]
        assert sum(map(len, trees)) == 20


def test_the_splits_of_a_flat_tree_are_kept(tmp_path):
    rows = [row | {"split": ("train", "test")[i % 4 == 0]} for i in range(8) for row in flat(i)]
    corpus = load_prompts(tmp_path / "a.jsonl", rows)
    assert {split: len(part) for split, part in corpus.splits.items()} == {"train": 18, "test": 6}


def test_a_tree_that_nobody_answered_and_a_reply_to_nobody_are_set_aside(tmp_path):
    rows = [row for i in range(8) for row in flat(i)]
    rows += [
        {"message_id": "x", "parent_id": None, "text": "Anybody?", "role": "prompter"},
        {"message_id": "y", "parent_id": "lost", "text": "Yes.", "role": "assistant"},
    ]
    corpus = load_prompts(tmp_path / "a.jsonl", rows)
    assert said(corpus) == expected(8)
    assert [(row["place"], row["kind"]) for row in aside(corpus)] == [
        ("a.jsonl:49", "wrong order of roles"),
        ("a.jsonl:50", "wrong order of roles"),
    ]


def test_replies_in_a_circle_and_ids_that_are_not_their_own_are_set_aside(tmp_path):
    faulty = [{"id": i, "parent": 1 - i, "text": "A?", "role": "user"} for i in range(2)]
    faulty += [{"id": own, "parent": None, "text": "A?", "role": "user"} for own in (None, 0)]
    corpus = load_prompts(tmp_path / "a.jsonl", [*(row for i in range(8) for row in flat(i)), *faulty])
    assert said(corpus) == expected(8)
    assert sorted((row["place"], row["kind"]) for row in aside(corpus)) == [
        (f"a.jsonl:{number}", "broken tree") for number in (49, 50, 51, 52)
    ]
