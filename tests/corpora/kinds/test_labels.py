"""Whatever the format, the same texts and labels; and no text is left out that the report does not count."""

import json
from itertools import chain

import pytest
from datasets import ClassLabel, Dataset, Features, Value
from written import parquet, write

from helpers.corpora import load
from helpers.corpora.corpus import SET_ASIDE
from helpers.corpora.kinds.labels import FEWEST
from helpers.corpora.pydocs import corpus, tasks
from helpers.corpora.rows import Labelled
from helpers.files import WorkbookError


def some(label, count, what="Text"):
    """Returns rows of one class; of these texts a hash puts some into test."""
    return [{"text": f"{what} {i}, {label!r}.", "label": label} for i in range(count)]


ROWS = [row for pair in zip(some("good", 60), some("bad", 60), strict=True) for row in pair]


def table(rows, separator):
    return "".join(f'"{row["text"]}"{separator}{row["label"]}\n' for row in [{"text": "text", "label": "label"}, *rows])


def load_labels(path, rows=None, **options):
    return load(str(path) if rows is None else write(path, rows), kind="labels", **options)


def pairs(corpus, *splits):
    parts = [corpus.splits[split] for split in splits or corpus.splits]
    return sorted(chain.from_iterable(zip(part["text"], part["label"], strict=True) for part in parts))


def pairs_of(rows):
    return sorted((row["text"], str(row["label"])) for row in rows)


FORMATS = {
    "a.jsonl": "\n".join(map(json.dumps, ROWS)),
    "a.json": json.dumps(ROWS, indent=1),
    "a.csv": table(ROWS, ","),
    "a.tsv": table(ROWS, "\t"),
    "a.parquet": parquet([{"n": 1.5, "label": row["label"], "text": row["text"]} for row in ROWS]),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_every_format_gives_the_same_texts_and_labels(tmp_path, name, ending):
    corpus = load_labels(tmp_path / (name + ending), FORMATS[name])
    assert corpus.kind == "labels"
    assert pairs(corpus) == pairs_of(ROWS)
    assert set(corpus.splits) == {"train", "test"}
    assert corpus.splits["train"].column_names == ["text", "group", "label"]
    assert corpus.report.removed == {}
    assert [(source.name, source.documents) for source in corpus.report.sources] == [(name + ending, len(ROWS))]


def test_a_quarter_is_for_test_and_stays_there(tmp_path):
    corpus = load_labels(tmp_path / "a.jsonl", some("good", 1000) + some("bad", 1000))
    assert corpus.splits["test"].num_rows == pytest.approx(500, abs=60)
    longer = load_labels(tmp_path / "longer" / "a.jsonl", some("good", 1000) + some("bad", 1000) + ROWS)
    assert set(pairs(corpus, "test")) <= set(pairs(longer, "test"))


def test_a_file_gives_the_same_fingerprint_again_and_other_labels_another(tmp_path, own_cache):
    first = load_labels(tmp_path / "a.jsonl", ROWS).fingerprint
    assert load_labels(tmp_path / "a.jsonl").fingerprint == first
    again = load_labels(tmp_path / "again" / "a.jsonl", ROWS).fingerprint
    swapped = [row | {"label": {"good": "bad", "bad": "good"}[row["label"]]} for row in ROWS]
    assert again == first != load_labels(tmp_path / "swapped" / "a.jsonl", swapped).fingerprint


def test_a_file_can_be_read_as_text_and_with_its_labels(tmp_path):
    corpus = load(write(tmp_path / "a.jsonl", ROWS))
    assert corpus.kind == "text"
    assert set(corpus.splits) == {"train", "validation", "test"}
    assert load_labels(tmp_path / "a.jsonl").kind == "labels"


@pytest.mark.parametrize("values", [(0, 1), (True, False), (" no ", "yes")])
@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_whole_numbers_and_booleans_become_text(tmp_path, values, name):
    rows = [{"text": f"Text {i}.", "label": values[i % 2]} for i in range(120)]
    corpus = load_labels(tmp_path / name, rows if name == "a.jsonl" else parquet(rows))
    assert pairs(corpus) == sorted((f"Text {i}.", str(values[i % 2]).strip()) for i in range(120))


def test_other_columns_can_be_chosen(tmp_path):
    rows = [{"body": row["text"], "mood": row["label"], "text": 1, "label": 0.5} for row in ROWS]
    assert pairs(load_labels(tmp_path / "a.jsonl", rows, column="body", label="mood")) == pairs_of(ROWS)
    with pytest.raises(WorkbookError, match=r"both to be read from 'mood'\. Choose two with --column and --label"):
        load_labels(tmp_path / "a.jsonl", column="mood", label="mood")


def test_splits_that_files_are_named_for_are_kept_and_dev_is_joined_to_train(tmp_path):
    for name, count in {"train": 20, "dev": 5, "test-0": 3}.items():
        write(tmp_path / f"{name}.jsonl", some("good", count, name) + some("bad", count, name))
    corpus = load_labels(tmp_path)
    assert {split: part.num_rows for split, part in corpus.splits.items()} == {"train": 50, "test": 6}
    assert pairs(corpus, "test") == pairs_of(some("good", 3, "test-0") + some("bad", 3, "test-0"))
    (tmp_path / "test-0.jsonl").unlink()
    assert {split: part.num_rows for split, part in load_labels(tmp_path).splits.items()} == {"train": 40, "test": 10}


REMOVED = {
    "empty": (
        [{"text": " ", "label": "good"}, {"text": None, "label": "bad"}],
        ["a.jsonl:121: good: ", "a.jsonl:122: bad: "],
    ),
    "repeated": ([{"text": "text 7,  'GOOD'", "label": "good"}], ["a.jsonl:121: good: text 7, 'GOOD'"]),
    "contradictory labels": (
        [{"text": "Text?", "label": "good"}, {"text": "text", "label": "bad"}, {"text": "Text?", "label": "good"}],
        ["a.jsonl:121: good: Text?", "a.jsonl:122: bad: text", "a.jsonl:123: good: Text?"],
    ),
    "too few of its class": (
        [{"text": f"Rare {i}.", "label": "rare"} for i in range(3)],
        ["a.jsonl:121: rare: Rare 0.", "a.jsonl:122: rare: Rare 1.", "a.jsonl:123: rare: Rare 2."],
    ),
}


@pytest.mark.parametrize("reason", REMOVED)
def test_what_is_set_aside_is_counted_with_examples(tmp_path, reason):
    rows, examples = REMOVED[reason]
    corpus = load_labels(tmp_path / "a.jsonl", ROWS + rows)
    assert pairs(corpus) == pairs_of(ROWS)
    assert {reason: tally.documents for reason, tally in corpus.report.removed.items()} == {reason: len(rows)}
    assert corpus.report.removed[reason].examples == examples
    assert all(example.strip() in str(corpus.report) for example in examples)


def test_a_contradiction_sets_aside_the_earlier_text_too(tmp_path):
    corpus = load_labels(tmp_path / "a.jsonl", [*ROWS, {"text": ROWS[0]["text"].upper(), "label": "bad"}])
    assert pairs(corpus) == pairs_of(ROWS[1:])
    assert corpus.report.removed["contradictory labels"].documents == 2


def test_texts_without_words_are_told_apart(tmp_path):
    rows = [{"text": ":-)", "label": "good"}, {"text": ":-(", "label": "bad"}]
    assert pairs(load_labels(tmp_path / "a.jsonl", ROWS + rows)) == pairs_of(ROWS + rows)


def test_a_test_text_that_stands_in_train_is_set_aside(tmp_path):
    write(tmp_path / "test.jsonl", [*some("good", 4), *some("bad", 4), {"text": "Mine.", "label": "bad"}])
    write(tmp_path / "train.jsonl", some("good", 20)[3:] + some("bad", 20)[3:])
    corpus = load_labels(tmp_path)
    assert pairs(corpus, "test") == pairs_of([*some("good", 3), *some("bad", 3), {"text": "Mine.", "label": "bad"}])
    assert corpus.report.removed["stands also in train"].examples == [
        "test.jsonl:4: good: Text 3, 'good'.",
        "test.jsonl:8: bad: Text 3, 'bad'.",
    ]
    assert corpus.splits["train"].num_rows == 34


def test_a_class_that_cannot_be_learned_or_tested_is_set_aside_and_named(tmp_path):
    counts = {"a": FEWEST, "b": FEWEST, "few": FEWEST - 1, "untested": 50}
    write(tmp_path / "train.jsonl", [row for label, count in counts.items() for row in some(label, count)])
    write(tmp_path / "test.jsonl", [{"text": f"Test {label}.", "label": label} for label in ("a", "b", "few", "new")])
    corpus = load_labels(tmp_path)
    assert {label for _, label in pairs(corpus)} == {"a", "b"}
    assert corpus.report.problems[:-1] == [
        "class 'few': too few documents, 9 in train and 1 in test",
        "class 'new': too few documents, 0 in train and 1 in test",
        "class 'untested': too few documents, 50 in train and 0 in test",
    ]
    assert corpus.report.removed["too few of its class"].documents == 9 + 1 + 1 + 50


def test_fewer_than_two_classes_are_told_with_their_counts(tmp_path, own_cache):
    for name, rows in {"train": some("good", 30) + some("<b>", 2), "test": some("good", 5, "New")}.items():
        write(tmp_path / f"{name}.jsonl", rows)
    message = (
        r"'good' \(30 in train, 5 in test\), '<b>' \(2 in train, 0 in test\)\. Give more .*--label NAME.*LABEL=NAME"
    )
    with pytest.raises(WorkbookError, match=message):
        load_labels(tmp_path)
    with pytest.raises(WorkbookError, match=r"found: 'n 0' .*, and 110 more\. "):
        load_labels(tmp_path / "many.jsonl", [{"text": f"Text {i}.", "label": f"n {i}"} for i in range(120)])
    with pytest.raises(WorkbookError, match=r"(?s)found: none\..*empty +2"):
        load_labels(tmp_path / "none.jsonl", [{"text": "", "label": "good"}, {"text": "", "label": "bad"}])
    assert not list(own_cache.rglob("*.arrow"))


def test_the_label_of_a_stranger_stays_text(tmp_path):
    rows = some("<script>", 60) + some("<script>alert(1)</script>", 2)
    corpus = load_labels(tmp_path / "a.jsonl", [*ROWS, *rows, rows[0]])
    assert "<script>" in {label for _, label in pairs(corpus)}
    assert "<script>" in str(corpus.report)
    page = corpus.report._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


BAD = {
    "column.jsonl": (
        '{"text": "a", "label": "b"}' + '\n{"text": "a", "kind": "b"}' * 2,
        r"line 2: there is no column 'label'; found: text, kind\. Choose one with --label NAME",
    ),
    "column.csv": (
        "text,kind\na,b\n",
        r"line 1: there is no column 'label'; found: text, kind\. Choose .* --label NAME",
    ),
    "column.parquet": (
        parquet([{"body": "a", "label": "b"}]),
        r"no column 'text'; found: body, label\. Choose .* --column NAME",
    ),
    "null.jsonl": ('{"text": "a", "label": null}', r"line 1: 'label' is empty\. Give the row a label"),
    "null.parquet": (parquet([{"text": "a", "label": None}]), r", row 1: 'label' is empty"),
    "blank.csv": ("text,label\na,b\nc, \nd,\n", r"line 3: 'label' is empty\. Give(?s:.*)Of 3 rows, 2 cannot be used"),
    "twice.csv": ("text,label,text\na,b,c\n", r"line 1: 2 columns are called 'text'\. Rename"),
    "float.json": ('[{"text": "a", "label": 0.5}]', r", row 1: 'label' is float, no label\. Choose .* --label NAME"),
    "list.jsonl": ('{"text": "a", "label": ["b"]}', r"line 1: 'label' is list, no label"),
    "nul.jsonl": ('{"text": "a", "label": "\\u0000"}', r"line 1: there is a NUL"),
    "text.jsonl": ('{"text": 1, "label": "b"}', r"line 1: 'text' is int, not text"),
    "strings.jsonl": (
        '"a"\n"b"',
        r"line 1: this str is no object with 'text' and 'label'\. Write .\"text\": \"...\", ",
    ),
    "strings.json": ('["a", "b"]', r", row 1: this str is no object with 'text' and 'label'"),
    "empty.csv": ("text,label\n", r"the file is empty"),
    "a.txt": ("Some text.", r"plain text has no columns\. Write a table \(\.jsonl, .*\.gz.*\n.*good.*\n.*bad.*$"),
    "a.md.gz": ("Some text.", r"plain text has no columns"),
    "a.png": ("x", r"ending is unknown"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gives_one_error_with_place_reason_and_remedy(tmp_path, own_cache, name):
    data, message = BAD[name]
    path = write(tmp_path / name, data)
    with pytest.raises(WorkbookError, match=message) as caught:
        load_labels(path)
    assert str(caught.value).startswith(path)
    assert not list(own_cache.rglob("*.arrow"))


@pytest.mark.parametrize("source", ["pydocs", "town", "pydocs-parcels", "missing.csv"])
def test_what_has_no_labels_or_is_not_there_lists_what_is_known(source):
    with pytest.raises(WorkbookError, match=f"{source}: .*pydocs-packages, pydocs-order, hub:owner/name, and paths"):
        load_labels(source)


FEATURES = Features({"text": Value("string"), "mood": ClassLabel(names=["bad", "good"]), "stars": Value("int64")})


@pytest.fixture
def hub_folder(tmp_path):
    """A data set in the Hub's layout, whose classes have names; that of the last row of test is hidden."""
    for split, count in {"train": 40, "validation": 4, "test": 6}.items():
        rows = [{"text": f"{split} {i}", "mood": i % 2, "stars": i % 2 + 4} for i in range(count)]
        (tmp_path / "toy" / "data").mkdir(parents=True, exist_ok=True)
        Dataset.from_list(rows, FEATURES).to_parquet(tmp_path / "toy" / "data" / f"{split}-00000-of-00001.parquet")
    return tmp_path / "toy"


def test_classes_of_the_hub_have_their_names_and_numbers_stay_numbers(hub_folder):
    corpus = load_labels(f"hub:{hub_folder}", label="mood")
    assert pairs(corpus, "test") == [(f"test {i}", ("bad", "good")[i % 2]) for i in range(6)]
    assert {split: part.num_rows for split, part in corpus.splits.items()} == {"train": 44, "test": 6}
    assert "validation:1" in corpus.splits["train"]["group"]
    stars = load_labels(f"hub:{hub_folder}", label="stars")
    assert pairs(stars, "test") == [(f"test {i}", str(i % 2 + 4)) for i in range(6)]


def test_one_split_of_the_hub_is_divided_and_a_limit_can_be_given(hub_folder):
    corpus = load_labels(f"hub:{hub_folder}::train", label="mood", limit=36)
    assert set(corpus.splits) == {"train", "test"}
    assert pairs(corpus) == sorted((f"train {i}", ("bad", "good")[i % 2]) for i in range(36))


@pytest.mark.parametrize(
    ("address", "label", "message"),
    [
        ("", "label", r"no column 'label'; found: text, mood, stars\. Choose one with --label NAME"),
        (":::mood", "mood", "both to be read from 'mood'"),
        (":::stars", "mood", "train:1: 'stars' is int, not text"),
        (":nowhere", "mood", "nowhere"),
    ],
)
def test_what_the_hub_does_not_have_is_told(hub_folder, address, label, message):
    with pytest.raises(WorkbookError, match=f"(?s){message}"):
        load_labels(f"hub:{hub_folder}{address}", label=label)


def test_a_hidden_class_is_told(hub_folder):
    rows = [{"text": f"test {i}", "mood": -1, "stars": 4} for i in range(6)]
    Dataset.from_list(rows, FEATURES).to_parquet(hub_folder / "data" / "test-00000-of-00001.parquet")
    with pytest.raises(WorkbookError, match=r"test:1: 'mood' is empty\. .*choose a split that has labels"):
        load_labels(f"hub:{hub_folder}", label="mood")


def source_of(rows):
    def made(packages):
        assert packages == ()
        yield from rows

    made.__module__ = tasks.__name__
    return made


def test_a_task_is_loaded_by_its_name_and_again_when_its_key_changes(monkeypatch):
    rows = [Labelled(f"Text {i}.", "ab"[i % 2], f"module{i}", ("train", "test")[i >= 40], f"m, {i}") for i in range(50)]
    monkeypatch.setitem(tasks.TASKS, "pydocs-packages", source_of(rows))
    monkeypatch.setattr(corpus, "key_of", lambda packages: ["first"])
    loaded = load_labels("pydocs-packages")
    assert pairs(loaded, "test") == sorted((row.text, row.label) for row in rows[40:])
    assert loaded.splits["train"]["group"][0] == "module0"
    assert loaded.report.sources[0].documents == 50
    rows.append(Labelled("Text 50.", "a", "module0", None, "m, 50"))
    assert len(pairs(load_labels("pydocs-packages"))) == 50
    monkeypatch.setattr(corpus, "key_of", lambda packages: ["second"])
    assert len(pairs(load_labels("pydocs-packages"))) == 51


def test_rows_of_a_group_stay_together(monkeypatch):
    rows = [Labelled(f"Text {i}.", "ab"[i % 2], f"group {i % 21}", None, f"m, {i}") for i in range(210)]
    monkeypatch.setitem(tasks.TASKS, "pydocs-order", source_of(rows))
    monkeypatch.setattr(corpus, "key_of", lambda packages: [])
    splits = load_labels("pydocs-order").splits
    assert not set(splits["train"]["group"]) & set(splits["test"]["group"])


FAULTY = {
    "no label": {"text": "Text.", "label": None},
    "no such column": {"text": "Text."},
    "not text": {"text": 3, "label": "good"},
    "NUL character": {"text": "a\0b", "label": "good"},
    "no object": "Text.",
    "broken JSON": '{"text":',
}


@pytest.mark.parametrize("kind", FAULTY)
def test_a_faulty_row_is_set_aside_with_its_remedy(tmp_path, kind):
    row = FAULTY[kind]
    line = row if kind == "broken JSON" else json.dumps(row)
    corpus = load_labels(tmp_path / "a.jsonl", "\n".join([*map(json.dumps, ROWS), line]))
    assert pairs(corpus) == pairs_of(ROWS)
    (found,) = map(json.loads, (corpus.folder / SET_ASIDE).read_text().splitlines())
    assert (found["place"], found["kind"], found["row"]) == ("a.jsonl:121", kind, row)
    assert found["remedy"]
    assert corpus.report.removed[kind].documents == 1
    assert f"corpora/{corpus.folder.name}/{SET_ASIDE}" in str(corpus.report)


@pytest.mark.parametrize("top", ["{}/{}.txt", "train/{}/{}.txt", "reviews/{}/{}.txt"])
def test_folders_of_texts_may_name_classes(tmp_path, top):
    names = ("valid", "invalid") if top.startswith("{") else ("good", "bad")
    for label in names:
        for i in range(40):
            write(tmp_path / top.format(label, i), f"A text {i},\n\nwhich is {label}.\n")
            if top.startswith("train") and i < 8:
                write(tmp_path / f"test/{label}/{i}.txt", f"A test {i},\n\nwhich is {label}.\n")
    write(tmp_path / "README.md", "About it.")
    corpus = load_labels(tmp_path)
    assert set(pairs(corpus, "train")) <= {
        (f"A text {i},\n\nwhich is {label}.", label) for label in names for i in range(40)
    }
    assert corpus.report.classes.keys() == set(names)
    if top.startswith("train"):
        assert len(pairs(corpus, "train")) == 80
        assert len(pairs(corpus, "test")) == 16
    write(tmp_path / "notes.txt", "Mine.")
    with pytest.raises(WorkbookError, match=r"notes\.txt: it lies in no folder that names its class"):
        load_labels(tmp_path)


def test_classes_are_listed_with_their_sizes(tmp_path):
    report = load_labels(tmp_path / "a.jsonl", ROWS + some("best", 300)).report
    sizes = [sum(of.values()) for of in report.classes.values()]
    assert list(report.classes) == ["best", "bad", "good"]
    assert sizes == [300, 60, 60]
    assert "Classes\n  label  train  test\n  best " in str(report)


TWINS = {
    "case": (["good", "GOOD"], "classes 'GOOD', 'good' differ in case"),
    "invisible": (["good", "go\u200bod"], r"classes 'good', 'go\u200bod' differ in case"),
    "numbers": (["1", "1.0"], "classes '1', '1.0' differ"),
    "missing": (["good", "nan", "N/A"], "label 'N/A', 'nan' may stand for no label"),
}


@pytest.mark.parametrize("kind", TWINS)
def test_classes_that_may_be_a_mistake_are_named(tmp_path, kind):
    labels, message = TWINS[kind]
    rows = [row for i, label in enumerate(labels) for row in some(label, 60, f"Text of {i}:")]
    report = load_labels(tmp_path / "a.jsonl", rows).report
    assert any(problem.startswith(message) for problem in report.problems)


def test_a_column_split_is_kept(tmp_path):
    rows = [row | {"split": "test" if i % 6 < 2 else "Train"} for i, row in enumerate(ROWS)]
    for name in ("a.jsonl", "a.parquet"):
        corpus = load_labels(tmp_path / name, rows if name == "a.jsonl" else parquet(rows))
        assert pairs(corpus, "test") == pairs_of(row for row in rows if row["split"] == "test")
    with pytest.raises(
        WorkbookError, match=r"the split 'mine' is none of train, training.*call the column something else"
    ):
        load_labels(tmp_path / "b.jsonl", [row | {"split": "mine"} for row in ROWS])


def test_whole_numbers_that_pandas_made_fractional_are_whole_and_gaps_are_gaps(tmp_path):
    rows = [{"text": f"Text {i}.", "label": [0.0, 1.0, float("nan")][i % 3]} for i in range(150)]
    corpus = load_labels(tmp_path / "a.parquet", parquet(rows))
    assert {label for _, label in pairs(corpus)} == {"0", "1"}
    assert corpus.report.removed["no label"].documents == 50
