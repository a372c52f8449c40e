"""Whatever a file is called and whoever exported it: the same rows, or one error that says what it is."""

import gzip
import io
import json
import subprocess
import zipfile

import pytest
from datasets import ClassLabel, Dataset, Features, Value
from written import parquet, write

from helpers.corpora import load
from helpers.corpora.corpus import SET_ASIDE
from helpers.corpora.readers.tables import value_in
from helpers.corpora.rows import Unfit
from helpers.files import WorkbookError

ROWS = [
    {"text": f"The {what} nº {i} was {how}, said she.", "label": label}
    for i, what in enumerate(["soup", "bread", "table"] * 20)
    for how, label in (("cold", "bad"), ("fine", "good"))
]


def table(separator=",", header=("text", "label"), end="\n", quote='"', after=""):
    lines = [separator.join(header), *(f"{quote}{row['text']}{quote}{separator}{row['label']}{after}" for row in ROWS)]
    return "".join(line + end for line in lines)


LINES = "\n".join(map(json.dumps, ROWS))
PRETTY = "\n".join(json.dumps(row, indent=2) for row in ROWS)
EXPORTED = {
    "semicolon.csv": table(";"),
    "tabs.csv": table("\t"),
    "pipes.csv": table("|"),
    "commas.tsv": table(","),
    "sep.csv": "sep=;\r\n" + table(";", end="\r\n"),
    "quoted-sep.csv": '"sep=;"\n' + table(";"),
    "blank-first.csv": "\n \n,,\n" + table(),
    "blanks.csv": table(header=(" text ", "\tlabel\u200b")),
    "spaced.csv": table(", ", header=('"text"', '"label"')),
    "carriage-returns.csv": table(end="\r"),
    "mixed-ends.csv": table(end="\r\n").replace("bad\r\n", "bad\r"),
    "trailing.csv": table(after=","),
    "trailing-header.csv": table(header=("text", "label", "", ""), after=",,"),
    "trailing-header-alone.csv": table(header=("text", "label", "")),
    "rows-of-nothing.csv": table(after=",") + ",,\n" * 500,
    "marked.csv": b"\xef\xbb\xbf" + table().encode(),
    "utf16.csv": table("\t").encode("utf-16"),
    "utf16-big.csv": b"\xfe\xff" + table().encode("utf-16-be"),
    "utf16-unmarked.csv": table().encode("utf-16-le"),
    "utf16-big-unmarked.csv": table().encode("utf-16-be"),
    "utf32.csv": table().encode("utf-32"),
    "utf16.jsonl": LINES.encode("utf-16"),
    "lines.json": LINES,
    "list.jsonl": json.dumps(ROWS),
    "spread-list.jsonl": json.dumps(ROWS, indent=1),
    "pretty.json": PRETTY,
    "pretty.jsonl": PRETTY,
    "data.json": json.dumps({"data": ROWS}),
    "data.jsonl": json.dumps({"version": "1.0", "data": ROWS}, indent=2),
    "lines.csv": LINES,
    "packed.csv": gzip.compress(table().encode()),
    "unpacked.csv.gz.csv": table(),
    "parquet.csv": parquet(ROWS),
    "parquet.jsonl": parquet(ROWS),
}


@pytest.mark.parametrize("name", EXPORTED)
def test_a_table_is_read_as_it_was_exported(tmp_path, name):
    corpus = load(write(tmp_path / name, EXPORTED[name]), "labels")
    found = [pair for part in corpus.splits.values() for pair in zip(part["text"], part["label"], strict=True)]
    assert sorted(found) == sorted((row["text"], row["label"]) for row in ROWS)
    assert not corpus.report.removed
    assert not corpus.report.problems


def test_classes_keep_the_names_that_a_parquet_file_has(tmp_path):
    features = Features({"text": Value("string"), "label": ClassLabel(names=["bad", "good"])})
    Dataset.from_list(ROWS, features=features).to_parquet(tmp_path / "a.parquet")
    assert load(str(tmp_path / "a.parquet"), "labels").report.classes.keys() == {"bad", "good"}


def test_what_is_called_gz_and_is_not_packed_is_read(tmp_path):
    (tmp_path / "a.csv.gz").write_text(table())
    assert sum(part.num_rows for part in load(str(tmp_path / "a.csv.gz"), "labels").splits.values()) == len(ROWS)


def archive(*names):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name in names:
            file.writestr(name, "x")
    return data.getvalue()


REFUSED = {
    "book.csv": (archive("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook.*save it as CSV"),
    "book.xlsx": (archive("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook.*save it as CSV"),
    "old.csv": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an old Office file.*save it as CSV"),
    "zip.jsonl": (archive("a.jsonl"), "a zip archive.*Unpack it"),
    "page.csv": ("\n<!DOCTYPE html>\n<html><body>Log in</body></html>", "an HTML page.*Fetch"),
    "page.jsonl": ("<html><body>Log in</body></html>", "an HTML page.*Fetch"),
    "table.csv": ("<table>\n<tr><td>text</td></tr></table>", "an HTML page"),
    "title.csv": ("Our survey, 2024\n\n" + table(), "no column 'text'; found: Our survey, 2024.*remove what is above"),
    "row-names.csv": (table(after=",1"), "name every column in the header"),
    "pickle.csv": (b"\x80\x04\x95\0\0", "a pickle, which could run code"),
    "picture.csv": (b"\x89PNG\r\n\x1a\n\0", "a picture"),
    "odd.csv": (table().encode("utf-16") + b"\0", "no whole UTF-16"),
    "pointer.csv": ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "twice.csv": (table(header=("text", "label,label")), "2 columns are called 'label'"),
    "twice.jsonl": ('{"text": "a", "text": "b", "label": "c"}\n' * 20, "two keys are called 'text'"),
    "columns.json": (json.dumps({"text": {"0": "a"}, "label": {"0": "b"}}), "orient='records'"),
    "shift-jis.csv": (
        table().replace("soup", "スープ").encode("shift-jis", "ignore"),
        "nor Windows-1252.*iconv -f ENC",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_refused_by_what_it_is(tmp_path, name):
    data, message = REFUSED[name]
    path = write(tmp_path / name, data)
    with pytest.raises(WorkbookError, match=f"(?s){message}") as caught:
        load(path, "labels")
    assert str(caught.value).startswith(path)


def test_windows_1252_is_named_with_a_command_that_mends_the_file(tmp_path):
    path = tmp_path / "my reviews.csv"
    path.write_bytes(table().encode("windows-1252"))
    with pytest.raises(
        WorkbookError, match=r"line 2: byte \d+ of the line is not UTF-8, but may be Windows-1252"
    ) as told:
        load(str(path), "labels")
    command = str(told.value).splitlines()[0].partition("in its folder with: ")[2].rstrip(".")
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    corpus = load(str(tmp_path / "utf-8-my reviews.csv"), "labels")
    assert sum(part.num_rows for part in corpus.splits.values()) == len(ROWS)


def test_two_damaged_lines_do_not_make_another_encoding(tmp_path):
    data = table().encode() + b'"caf\xe9",good\n' * 2
    assert load(write(tmp_path / "a.csv", data), "labels").report.removed["not UTF-8"].documents == 2


def test_quotes_between_tabs_are_text_and_no_row_swallows_another(tmp_path):
    said = [
        ('"Fine, said she', "good"),
        ('Cold" he said', "bad"),
        ('"Bad" he said', "bad"),
        ('the 5" pipe "', "good"),
        ('"', "bad"),
    ]
    rows = [
        (f"{text} {i}" if i % 3 else f"{text}", label) for i in range(40) for text, label in said[i % 5 : i % 5 + 1]
    ]
    plain = [(f"A text {i}", "ab"[i % 2]) for i in range(80)]
    rows = [
        row for pair in zip(plain[:40], [(f"{t}{i}", x) for i, (t, x) in enumerate(rows)], strict=True) for row in pair
    ]
    corpus = load(write(tmp_path / "a.tsv", "text\tlabel\n" + "".join("\t".join(row) + "\n" for row in rows)))
    assert sorted(text for part in corpus.splits.values() for text in part["text"]) == sorted(text for text, _ in rows)


def test_a_lone_quote_in_a_csv_takes_its_own_row_alone(tmp_path):
    good = [f"Text {i}" for i in range(30)]
    rows = [*good[:10], '"Lone', *good[10:20], '"Another', *good[20:]]
    corpus = load(write(tmp_path / "a.csv", "text,label\n" + "".join(f"{text},x\n" for text in rows)))
    assert sorted(text for part in corpus.splits.values() for text in part["text"]) == sorted(good)
    aside = list(map(json.loads, (corpus.folder / SET_ASIDE).read_text().splitlines()))
    assert [row["row"] for row in aside] == ['"Lone,x', '"Another,x']


def test_rows_of_other_lengths_are_set_aside(tmp_path):
    corpus = load(write(tmp_path / "a.csv", table() + "one\na,b,c\n"), "labels")
    assert corpus.report.removed["ragged row"].documents == 2


def test_a_list_as_text_may_be_json_or_python():
    assert value_in('["a", null]', "answers") == value_in("['a', None]", "answers") == ["a", None]
    for text in ("[a", "__import__('os')", "[" * 10_000):
        with pytest.raises(Unfit, match=""):
            value_in(text, "answers")
