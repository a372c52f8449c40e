"""Text of any shape is cut and held out; what is too little says so."""

import pytest
from written import write

from helpers.corpora import load
from helpers.corpora.kinds.texts import FEWEST, too_little

SENTENCE = "This is sentence {}, and it is quite plain."
SHAPES = {
    "one sentence a line": "\n".join(map(SENTENCE.format, range(4500))),
    "one long line": " ".join(map(SENTENCE.format, range(4500))),
    "no blanks": "".join(map("水は冷たい{}".format, range(20_000))),
    "blank lines": "\n\n".join(map(SENTENCE.format, range(4500))),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_text_is_cut_and_held_out_by_pieces(tmp_path, shape):
    corpus = load(write(tmp_path / "a.txt", SHAPES[shape]))
    for split in ("validation", "test"):
        assert len(set(corpus.splits[split]["group"])) >= FEWEST
    pieces = [text for part in corpus.splits.values() for text in part["text"]]
    assert sum(len("".join(text.split())) for text in pieces) == len("".join(SHAPES[shape].split()))
    if shape != "no blanks":
        assert all(text.rstrip().endswith(".") for text in pieces)
    assert not corpus.report.problems


def test_three_files_are_held_out_by_pieces(tmp_path):
    for name in "abc":
        write(tmp_path / f"{name}.txt", f"{name}: {SHAPES['one sentence a line']}")
    sizes = {split: tally.documents for split, tally in load(str(tmp_path)).report.kept.items()}
    assert sizes["train"] > 4 * (sizes["validation"] + sizes["test"])


def test_too_little_text_says_how_much_is_needed(tmp_path):
    corpus = load(write(tmp_path / "a.txt", "\n".join(map(SENTENCE.format, range(150)))))
    assert "20 documents will do, or 160,000 characters of plain text" in str(corpus.report)
    enough = load(write(tmp_path / "b.txt", "\n".join(map(SENTENCE.format, range(4000)))))
    assert enough.report.kept.keys() == {"train", "validation", "test"}
    assert not too_little(enough)


def test_what_an_author_holds_out_stays_held_out_and_what_is_wanting_is_taken_from_train(tmp_path):
    rows = [{"text": f"Text {i}.", "split": "eval" if i % 4 == 0 else "training"} for i in range(400)]
    corpus = load(write(tmp_path / "a.jsonl", rows))
    assert sorted(corpus.splits["validation"]["text"]) == sorted(f"Text {i}." for i in range(0, 400, 4))
    assert corpus.report.problems == ["no rows are named for test: each is 5% of train, by a hash"]
    alone = load(write(tmp_path / "b.jsonl", [row | {"split": "test"} for row in rows]))
    assert "none for train: divided by a hash" in str(alone.report)


def test_a_text_without_anything_to_see_is_empty(tmp_path):
    lines = [{"text": SENTENCE.format(i)} for i in range(60)] + [
        {"text": text} for text in ("\u200b", "\u2060 \ufeff", "")
    ]
    assert load(write(tmp_path / "a.jsonl", lines)).report.removed["empty"].documents == 3
