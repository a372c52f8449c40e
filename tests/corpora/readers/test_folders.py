import gzip
import json
import os

import pytest
from written import parquet, write

from helpers.corpora import load
from helpers.corpora.corpus import SET_ASIDE
from helpers.corpora.readers.folders import FEW_FILES
from helpers.corpora.readers.tables import PIECE
from helpers.files import WorkbookError

TEXTS = ["The first text.", "A second — with a dash, a comma\nand a line.", 'A third, "quoted".']
ROWS = [{"id": i, "text": text} for i, text in enumerate(TEXTS)]


def texts(corpus):
    return sorted(text for part in corpus.splits.values() for text in part["text"])


def quoted(text):
    return '"' + text.replace('"', '""') + '"'


FORMATS = {
    "a.jsonl": "\n".join(map(json.dumps, ROWS)) + "\n\n",
    "strings.jsonl": "\n".join(map(json.dumps, TEXTS)),
    "a.json": json.dumps(ROWS, indent=1),
    "strings.json": json.dumps(TEXTS),
    "a.csv": "id,text\r\n" + "".join(f"{i},{quoted(text)}\r\n" for i, text in enumerate(TEXTS)),
    "a.tsv": "id\ttext\n" + "".join(f"{i}\t{quoted(text)}\n" for i, text in enumerate(TEXTS)),
    "a.parquet": parquet(ROWS),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_every_format_gives_the_same_documents_in_all_splits(tmp_path, name, ending):
    corpus = load(write(tmp_path / (name + ending), FORMATS[name]))
    assert texts(corpus) == sorted(TEXTS)
    assert set(corpus.splits) == {"train", "validation", "test"}
    assert len({group for part in corpus.splits.values() for group in part["group"]}) == len(TEXTS)


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.txt.gz"])
def test_a_text_file_is_cut_at_blank_lines_and_nothing_is_lost(tmp_path, name):
    paragraph = "A line of a paragraph.\nAnd another — not in ASCII.\n"
    whole = "\n".join(f"{i}. {paragraph}" for i in range(1000))
    corpus = load(write(tmp_path / name, whole))
    found = texts(corpus)
    assert all(text.startswith(tuple("0123456789")) and text.endswith("ASCII.") for text in found)
    assert all(len(text) < PIECE + 100 for text in found)
    assert sum(text.count("paragraph") for text in found) == 1000
    assert texts(load(write(tmp_path / "short" / name, "Two\n\nparagraphs.\n"))) == ["Two\n\nparagraphs."]


def test_byte_order_mark_and_line_ends_are_normalised(tmp_path):
    assert texts(load(write(tmp_path / "a.txt", b"\xef\xbb\xbfone\r\ntwo\r\n"))) == ["one\ntwo"]


def test_a_folder_is_read_in_order_without_hidden_files(tmp_path):
    for i in range(6):
        write(tmp_path / "data" / f"{i}.txt", f"Text {i}.")
    write(tmp_path / "data" / "sub" / "b.jsonl.gz", '{"text": "deep"}\n{"text": "deeper"}\n')
    write(tmp_path / "data" / ".hidden.bin", "x")
    corpus = load(str(tmp_path / "data"))
    assert texts(corpus) == sorted([f"Text {i}." for i in range(6)] + ["deep", "deeper"])
    assert [source.name for source in corpus.report.sources] == [*(f"{i}.txt" for i in range(6)), "sub/b.jsonl.gz"]


def test_splits_that_files_are_named_for_are_kept(tmp_path):
    for name, count in {"train.jsonl": 3, "dev.jsonl": 2, "test-0.jsonl": 1}.items():
        write(tmp_path / name, "\n".join(json.dumps(f"{name} {i}") for i in range(count)))
    corpus = load(str(tmp_path))
    assert {split: part.num_rows for split, part in corpus.splits.items()} == {"train": 3, "validation": 2, "test": 1}


def test_pieces_of_one_file_among_many_stay_in_one_split_and_those_of_few_do_not(tmp_path):
    for i in range(FEW_FILES + 1):
        write(tmp_path / f"{i}.txt", "\n".join(f"File {i}, paragraph {j}.\n" for j in range(500)))
    corpus = load(str(tmp_path))
    by_split = [set(part["group"]) for part in corpus.splits.values()]
    assert sum(map(len, by_split)) == len(set.union(*by_split)) == FEW_FILES + 1
    for i in range(3, FEW_FILES + 1):
        (tmp_path / f"{i}.txt").unlink()
    corpus = load(str(tmp_path))
    assert len(corpus.splits["train"]) > 2 * (len(corpus.splits["validation"]) + len(corpus.splits["test"]))


def test_empty_and_repeated_texts_are_removed_and_reported(tmp_path):
    corpus = load(write(tmp_path / "a.json", json.dumps(["one", "two", " ", "one", "three"])))
    assert texts(corpus) == ["one", "three", "two"]
    assert corpus.report.removed["repeated word for word"].examples == ["a.json:4: one"]
    assert corpus.report.removed["empty"].documents == 1


def test_another_column_can_be_chosen(tmp_path):
    path = write(tmp_path / "a.csv", "text,body\n" + "".join(f"x,{i}\n" for i in range(9)))
    assert texts(load(path, column="body")) == [str(i) for i in range(9)]


def test_a_changed_file_is_read_again(tmp_path):
    path = write(tmp_path / "a.txt", "before")
    assert texts(load(path)) == ["before"]
    write(tmp_path / "a.txt", "after it")
    assert texts(load(path)) == ["after it"]


def test_the_text_of_a_stranger_stays_text(tmp_path):
    corpus = load(write(tmp_path / "a.json", json.dumps(["<script>alert(1)</script>"] * 2)))
    assert texts(corpus) == ["<script>alert(1)</script>"]
    assert "<script>" not in corpus.report._repr_html_()


BAD = {
    "latin.txt": ("fine\ncaf\xe9\n".encode("latin-1"), r"line 2: byte 4 .* not UTF-8.*iconv"),
    "nul.txt": (b"a\0b", r"line 1: there is a NUL"),
    "nul.jsonl": ('"\\u0000"\n', r"line 1: there is a NUL"),
    "half.jsonl": ('"\\ud800"\n', r"line 1: half of a surrogate"),
    "broken.jsonl": ('{"text": "a"}\n{"text": \n{', r"line 2: broken JSON"),
    "broken.json": ('[\n"a",\n]', r"line 3: broken JSON"),
    "columns.json": ('{"text": {"0": "a"}, "label": {"0": "b"}}', r"object of columns.*orient='records'"),
    "splits.json": ('{"train": ["a"], "test": ["b"]}', r"object of columns or splits.*one file a split"),
    "deep.jsonl": ("[" * 100_000, r"line 1: this JSON cannot be read"),
    "column.jsonl": ('{"text": "a"}\n' + '{"body": "a", "id": 1}\n' * 2, r"line 2: .*found: body, id.*--column NAME"),
    "column.json": ('["a", {"body": "a"}, {"body": "b"}]', r", row 2: .*found: body"),
    "type.parquet": (parquet([{"text": 1}]), r", row 1: 'text' is int"),
    "type.jsonl": ('{"text": 1}\n', r"line 1: 'text' is int, not text"),
    "column.csv": ("id,body\n1,a\n", r"line 1: .*'text'; found: id, body.*--column NAME"),
    "ragged.csv": ('id,text\n1,"a\nb"\n2,a,b\n3,a,b\n', r"line 4: the row has 3 fields, the header 2"),
    "quote.csv": ('id,text\n1,"a\n', r"line 2: broken table"),
    "column.parquet": (parquet([{"id": 1}]), r"found: id.*--column NAME"),
    "fake.parquet": (b"PAR1 no", r"no readable Parquet"),
    "fake.parquet.gz": (b"PAR1 no", r"no readable Parquet"),
    "empty.txt": ("", r"the file is empty"),
    "blank.jsonl": ("\n\n", r"the file is empty"),
    "header.csv": ("text\n", r"the file is empty"),
    "picture.png": ("x", r"ending is unknown.*\.txt, \.md, \.jsonl"),
    "pointer.parquet": (
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        r"pointer of Git LFS.*git lfs pull",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gives_one_error_with_place_reason_and_remedy(tmp_path, own_cache, name):
    data, message = BAD[name]
    path = write(tmp_path / name, data)
    with pytest.raises(WorkbookError, match=f"(?s){message}") as caught:
        load(path)
    assert str(caught.value).startswith(path)
    assert not list(own_cache.rglob("*.arrow"))


def test_a_faulty_row_is_set_aside_with_its_remedy_and_the_others_are_read(tmp_path):
    bad = ['{"text":', '{"body": "b"}', '{"text": 1}', '"\\u0000"', "7"]
    corpus = load(write(tmp_path / "a.jsonl", "\n".join([*map(json.dumps, ROWS * 3), *bad])))
    assert texts(corpus) == sorted(TEXTS)
    found = list(map(json.loads, (corpus.folder / SET_ASIDE).read_text().splitlines()))[6:]
    assert [row["kind"] for row in found] == ["broken JSON", "no such column", "not text", "NUL character", "not text"]
    assert [row["place"] for row in found] == [f"a.jsonl:{10 + i}" for i in range(5)]
    assert all(row["remedy"] for row in found)
    assert corpus.report.removed["not text"].documents == 2


@pytest.mark.parametrize("keep", [5, 40])
def test_a_cut_off_gzip_file_is_told(tmp_path, keep):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"Some text that is long enough to be cut off." * 10)[:keep])
    with pytest.raises(WorkbookError, match="cut off or damaged"):
        load(str(path))


def test_unknown_places_and_kinds_list_what_is_known(tmp_path):
    with pytest.raises(WorkbookError, match=r"no such source of kind text\. Known are pydocs, town, hub:"):
        load(str(tmp_path / "nothing"))
    with pytest.raises(WorkbookError, match="holds no files"):
        load(str(tmp_path))
    with pytest.raises(WorkbookError, match=r"'poems' is unknown. Known: text"):
        load("pydocs", kind="poems")
    with pytest.raises(WorkbookError, match="people="):
        load("town")


SPLIT_FOLDERS = {
    "folders": ("train/part.jsonl", "test/part.jsonl"),
    "eval": ("train.jsonl", "eval.jsonl"),
    "training": ("training.jsonl", "testing.jsonl"),
    "capitals": ("reviewsTrain.jsonl", "reviewsTest.jsonl"),
    "glued": ("traindata.jsonl", "testdata.jsonl"),
    "suffix": ("mydata_train.jsonl", "mydata-test.jsonl"),
    "in a folder of data": ("training_data/a/train.jsonl", "training_data/a/held-out.jsonl"),
}


@pytest.mark.parametrize("names", SPLIT_FOLDERS.values(), ids=SPLIT_FOLDERS)
def test_an_authors_test_rows_stay_out_of_train(tmp_path, names):
    for name in names:
        rows = [{"text": f"{name} {i}", "label": "ab"[i % 2]} for i in range(40)]
        write(tmp_path / name, rows)
    corpus = load(str(tmp_path), "labels")
    for split, name in zip(("train", "test"), names, strict=True):
        assert {text.rpartition(" ")[0] for text in corpus.splits[split]["text"]} == {name}
    assert not corpus.report.problems


def test_splits_within_a_json_are_kept(tmp_path):
    rows = {split: [{"text": f"{split} {i}", "label": "ab"[i % 2]} for i in range(40)] for split in ("train", "test")}
    path = write(tmp_path / "a.json", json.dumps(rows))
    for kind in ("labels", "text"):
        corpus = load(path, kind)
        assert all(text.startswith(split) for split in rows for text in corpus.splits[split]["text"])
    alone = load(write(tmp_path / "b.json", json.dumps({"test": rows["test"]})), "labels")
    assert "rows are named for test alone: divided by a hash instead" in alone.report.problems


@pytest.mark.parametrize("column", ["Split", "set", "is_test", "partition"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_a_column_that_may_name_splits_is_a_finding(tmp_path, column, name):
    split = ["0", "1"] if column == "is_test" else ["train", "Test"]
    rows = [{"text": f"text {i}", "label": "ab"[i % 2], column: split[i % 4 == 3], "stars": "1"} for i in range(80)]
    table = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    data = {"a.jsonl": rows, "a.csv": "\n".join(table), "a.parquet": parquet(rows)}[name]
    (finding,) = load(write(tmp_path / name, data), "labels").report.problems
    assert finding == f"{name}: column {column!r} may name splits, but is not used: call it 'split' if it does"
    assert not load(write(tmp_path / name, data), "labels", label=column).report.problems


def test_folders_within_those_of_classes_are_a_finding(tmp_path):
    for place in ("fold1/good", "fold1/bad", "fold2/good", "fold2/bad"):
        for i in range(40):
            write(tmp_path / place / f"{i}.txt", f"{place} {i}")
    (finding,) = load(str(tmp_path), "labels").report.problems
    assert finding == "classes are fold1, fold2: the folders within are not used: bad, good"


@pytest.mark.parametrize(
    "names",
    [
        ("train.csv", "test.csv", "more.csv"),
        ("test/a.csv", "test/b.csv"),
        ("test.csv", "dev.csv"),
        ("train_test.csv",) * 1,
    ],
)
def test_names_for_splits_that_are_not_understood_are_a_finding(tmp_path, names):
    for name in names:
        write(tmp_path / name, "text\n" + "".join(f"{name} {i}\n" for i in range(20)))
    assert "divided by a hash. Name each file" in str(load(str(tmp_path)).report)


def test_what_is_about_the_data_is_passed_over_and_the_report_says_so(tmp_path):
    write(tmp_path / "README.md", "---\nlicense: mit\n---\n# Data\n")
    write(tmp_path / "LICENSE", "MIT")
    write(tmp_path / "dataset_infos.json", "{}")
    for split in ("train", "test"):
        write(tmp_path / "data" / f"{split}.jsonl", [{"text": f"{split} {i}", "label": "ab"[i % 2]} for i in range(40)])
    for kind in ("text", "labels"):
        corpus = load(str(tmp_path), kind)
        assert all(text.startswith(split) for split in ("train", "test") for text in corpus.splits[split]["text"])
        assert "passed over, since about the data: LICENSE, README.md, dataset_infos.json" in corpus.report.problems


def test_a_readme_among_markdown_is_text(tmp_path):
    for name in ("README.md", "a.md", "b.md"):
        write(tmp_path / name, f"The text of {name}.")
    assert len(texts(load(str(tmp_path)))) == 3


def test_links_are_followed(tmp_path):
    write(tmp_path / "elsewhere" / "a.txt", "far")
    write(tmp_path / "data" / "b.txt", "near")
    (tmp_path / "data" / "link").symlink_to(tmp_path / "elsewhere")
    assert texts(load(str(tmp_path / "data"))) == ["far", "near"]


def test_what_cannot_be_opened_is_named(tmp_path, monkeypatch):
    write(tmp_path / "a.txt", "text")
    (tmp_path / "b.txt").symlink_to(tmp_path / "nowhere.txt")
    with pytest.raises(WorkbookError, match=r"b\.txt: the link leads nowhere"):
        load(str(tmp_path))
    (tmp_path / "b.txt").unlink()
    (tmp_path / "loop").symlink_to(tmp_path)
    with pytest.raises(WorkbookError, match="loop: the link leads back"):
        load(str(tmp_path))
    (tmp_path / "loop").unlink()
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(WorkbookError, match=r"pipe\.txt: it is a pipe"):
        load(str(tmp_path))
    (tmp_path / "pipe.txt").unlink()
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the tests may run as root, who may read all
    with pytest.raises(WorkbookError, match=r"a\.txt: it cannot be read \(Permission denied\)\. .*chmod"):
        load(str(tmp_path))


def test_a_corpus_is_called_by_the_last_name_of_its_path(tmp_path):
    corpus = load(write(tmp_path / "home" / "mine.txt", "text"))
    assert corpus.name == "mine.txt"
    assert str(tmp_path) not in f"{corpus.report}{corpus.report._repr_html_()}"
