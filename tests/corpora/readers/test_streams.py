"""Every document must reach exactly one process, again and again, and the held-out ones never."""

import json
import random
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from accelerate import skip_first_batches
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from helpers import tokenization
from helpers.corpora.readers import streams
from helpers.corpora.readers.streams import stream
from helpers.corpora.rows import Row
from helpers.files import WorkbookError

COUNTS = [300, 5, 80, 40, 200, 120, 60]
README = "---\nconfigs:\n- config_name: plain\n  data_files:\n  - {split: train, path: 'data/*.parquet'}\n---\n"


@pytest.fixture
def folder(tmp_path):
    """Seven Parquet files of different sizes, in the Hub's layout."""
    (tmp_path / "toy" / "data").mkdir(parents=True)
    (tmp_path / "toy" / "README.md").write_text(README)
    for file, count in enumerate(COUNTS):
        table = pa.table({"text": [f"file {file}, document {i}" for i in range(count)], "n": range(count)})
        pq.write_table(table, tmp_path / "toy" / "data" / f"{file}.parquet", row_group_size=50)
    return tmp_path / "toy"


@pytest.fixture(params=["path", "hub"])
def source(request, folder):
    return str(folder / "data") if request.param == "path" else f"hub:{folder}"


ALL = {f"file {file}, document {i}" for file, count in enumerate(COUNTS) for i in range(count)}


def lines(path, values):
    path.write_text("".join(json.dumps(value) + "\n" for value in values))


def texts(rows, count=None):
    return [row["text"] for row in islice(rows, count)]


def epoch(rows):
    """Returns the texts of the first epoch of an endless stream of different texts."""
    seen = {}
    for row in rows:
        if row["text"] in seen:
            return list(seen)
        seen[row["text"]] = None


def test_each_document_reaches_one_process_and_each_file_too(source):
    training = [epoch(stream(source, "train", rank=rank, processes=3)) for rank in range(3)]
    held = [texts(stream(source, "validation", rank=rank, processes=3)) for rank in range(3)]
    assert sorted(text for part in training + held for text in part) == sorted(ALL)
    files = [{text.partition(",")[0] for text in train + rest} for train, rest in zip(training, held, strict=True)]
    assert sum(map(len, files)) == len(COUNTS)


def test_no_process_opens_the_file_of_another(folder, monkeypatch):
    opened, honest = [], Path.open

    def recording(path, *arguments, **keywords):
        opened.append(path.name)
        return honest(path, *arguments, **keywords)

    monkeypatch.setattr(Path, "open", recording)
    by_rank = []
    for rank in range(3):
        opened.clear()
        found = epoch(stream(str(folder / "data"), "train", rank=rank, processes=3))
        by_rank.append(set(opened))
        assert by_rank[-1] == {text[5] + ".parquet" for text in found}
    assert sum(map(len, by_rank)) == len(set.union(*by_rank)) == len(COUNTS)


@given(st.lists(st.integers(0, 1000), min_size=1), st.integers(1, 8))
def test_files_are_dealt_so_that_bytes_are_about_even(sizes, processes):
    hands = streams.deal(sizes, processes)
    assert sorted(file for hand in hands for file in hand) == list(range(len(sizes)))
    loads = [sum(sizes[file] for file in hand) for hand in hands]
    assert max(loads) - min(loads) <= max(sizes)
    assert all(hands) == (len(sizes) >= processes)


def test_too_few_files_are_told(source):
    with pytest.raises(WorkbookError, match=r"toy.*: 7 file.* for train .* 8 processes\. .*fewer processes") as caught:
        stream(source, "train", rank=0, processes=8)
    assert str(caught.value).startswith(source)


def test_training_repeats_for_ever_in_a_new_order_each_epoch(source):
    size = len(epoch(stream(source, "train")))
    first, second, third = (texts(islice(stream(source, "train"), i * size, None), size) for i in range(3))
    assert sorted(first) == sorted(second) == sorted(third)
    assert first != second != third != first
    assert [text.partition(",")[0] for text in first] != [text.partition(",")[0] for text in second]


def test_the_same_seed_gives_the_same_order_and_another_another(source):
    rows = stream(source, "train", processes=2, rank=1, seed=3)
    assert texts(rows, 900) == texts(rows, 900) == texts(stream(source, "train", processes=2, rank=1, seed=3), 900)
    assert texts(rows, 100) != texts(stream(source, "train", processes=2, rank=1, seed=4), 100)


def test_validation_goes_once_through_the_files_in_order(source, monkeypatch):
    monkeypatch.setattr(streams, "HELD_OUT", 1.0)
    expected = [f"file {file}, document {i}" for file, count in enumerate(COUNTS) for i in range(count)]
    assert texts(stream(source, "validation", seed=5)) == expected


def test_one_document_in_a_hundred_is_held_out_and_its_copies_with_it(tmp_path):
    lines(tmp_path / "a.jsonl", map(str, range(5000)))
    lines(tmp_path / "b.jsonl", map(str, range(5000)))
    held = [texts(stream(str(tmp_path), "validation", rank=rank, processes=2)) for rank in range(2)]
    assert held[0] == held[1]
    assert 25 < len(held[0]) < 100
    assert not set(held[0]) & set(texts(stream(str(tmp_path), "train"), 9000))


@pytest.mark.parametrize("hub", [False, True])
def test_splits_of_the_source_are_kept(tmp_path, hub):
    for name in ("train", "validation", "test"):
        lines(tmp_path / f"{name}.jsonl", [{"text": f"{name} {i}"} for i in range(300)])
    source = f"hub:{tmp_path}" if hub else str(tmp_path)
    assert sorted(epoch(stream(source, "train"))) == sorted(f"train {i}" for i in range(300))
    assert texts(stream(source, "validation")) == [f"validation {i}" for i in range(300)]


def test_no_more_is_read_ahead_than_the_buffer_holds(tmp_path, monkeypatch):
    taken = []

    def read_rows(path, columns):
        for i in range(10**9):
            taken.append(i)
            yield Row(f"{i}".rjust(100), i)

    lines(tmp_path / "a.jsonl", ["x"])
    monkeypatch.setattr(streams, "read_rows", read_rows)
    monkeypatch.setattr(streams, "BUFFER", 50)
    texts(stream(str(tmp_path), "train"), 10)
    assert 50 < len(taken) < 70
    taken.clear()
    monkeypatch.setattr(streams, "BUFFER_CHARACTERS", 1000)
    texts(stream(str(tmp_path), "train"), 10)
    assert 10 < len(taken) < 30


def test_a_shard_of_the_hub_is_not_read_whole(tmp_path):
    rows = [random.Random(i).randbytes(2000).hex() for i in range(2000)]  # 8 MB
    pq.write_table(pa.table({"text": rows}), tmp_path / "a.parquet", row_group_size=50, use_dictionary=False)
    before = pa.total_allocated_bytes()
    held = [pa.total_allocated_bytes() - before for _ in islice(stream(f"hub:{tmp_path}", "train"), 500)]
    assert max(held) < 2e6


def test_a_stream_without_any_document_ends_with_an_error(tmp_path, monkeypatch):
    lines(tmp_path / "a.jsonl", [" ", "\n"])
    with pytest.raises(WorkbookError, match=r"a\.jsonl, process 0 of 1: no document is left for training"):
        next(iter(stream(str(tmp_path / "a.jsonl"), "train")))
    lines(tmp_path / "a.jsonl", ["some text"])
    monkeypatch.setattr(streams, "HELD_OUT", 1.0)
    with pytest.raises(WorkbookError, match="held out"):
        next(iter(stream(str(tmp_path), "train")))


def test_a_column_can_be_chosen(folder):
    answers = [{"body": f"body {i}", "text": "x"} for i in range(9)]
    pq.write_table(pa.Table.from_pylist(answers), folder / "data" / "body.parquet")
    path = folder / "data" / "body.parquet"
    assert sorted(epoch(stream(str(path), "train", column="body"))) == [f"body {i}" for i in range(9)]
    for file in range(len(COUNTS)):
        (folder / "data" / f"{file}.parquet").unlink()
    assert texts(stream(f"hub:{folder}:::body", "train"), 9) == texts(
        stream(f"hub:{folder}", "train", column="body"), 9
    )


def test_a_fault_in_the_middle_is_told_with_its_place(tmp_path):
    lines(tmp_path / "a.jsonl", ["fine", 1])
    with pytest.raises(WorkbookError, match=r"a\.jsonl, line 2: 'text' is int"):
        texts(stream(str(tmp_path), "train"), 3)


@pytest.mark.parametrize(
    ("source", "split", "message"),
    [
        ("{}", "test", "'test' is unknown. Known: train, validation"),
        ("{}/missing", "train", "no such file or folder"),
        ("pydocs:python", "train", "no source for streams.*corpora.load"),
        ("hub:{}:::body", "train", "found: text, n.*--column NAME"),
        ("hub:{}:::n", "train", "file ., row 1: 'n' is int, not text"),
        ("hub:{}:nowhere", "train", "cannot be read.*nowhere"),
        ("hub:{}:::::", "train", "owner/name"),
        ("hub:{}/missing", "train", "there is no folder"),
        ("hub:owner/name", "train", "hub:owner/name: the data set cannot be read.*connection"),
    ],
)
def test_what_cannot_be_opened_is_told(folder, source, split, message):
    with pytest.raises(WorkbookError, match=f"(?s){message}"):
        next(iter(stream(source.format(folder), split)))


@pytest.fixture
def blocks(source, monkeypatch):
    monkeypatch.setattr(tokenization, "ENCODED_AT_ONCE", 8)
    tokenizer = tokenization.train_tokenizer(ALL, vocab_size=300)
    return lambda: tokenization.pack_stream(stream(source, "train", seed=7), tokenizer, context=16)


def first(batches, count=6):
    return [batch["input_ids"] for batch in islice(batches, count)]


def same(some, others):
    return len(some) == len(others) and all(map(torch.equal, some, others))


def test_blocks_come_in_batches_the_same_with_the_same_seed(blocks):
    batches = first(DataLoader(blocks(), batch_size=4))
    assert all(batch.shape == (4, 16) and batch.dtype == torch.int64 for batch in batches)
    assert same(batches, first(DataLoader(blocks(), batch_size=4)))


def test_a_resumed_run_goes_on_where_it_stopped(blocks):
    straight = first(DataLoader(blocks(), batch_size=4), 10)
    assert same(straight[4:], first(skip_first_batches(DataLoader(blocks(), batch_size=4), 4)))


def test_a_stream_that_would_train_on_an_authors_test_rows_is_an_error(tmp_path):
    lines(tmp_path / "a.jsonl", [{"text": f"Text {i}.", "split": "test" if i == 5 else "train"} for i in range(9)])
    with pytest.raises(WorkbookError, match=r"line 6: a stream does not divide by the column 'split'"):
        texts(stream(str(tmp_path / "a.jsonl"), "validation"))
    lines(tmp_path / "test.jsonl", [{"text": "Mine."}])
    with pytest.raises(WorkbookError, match=r"test\.jsonl is named for a split, but a\.jsonl is not"):
        stream(str(tmp_path), "train")
