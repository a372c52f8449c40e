"""What a docstring becomes in each of the two tasks, and that neither gives its answer away."""

import random
from collections import Counter
from types import SimpleNamespace

import pytest
from datasets import Dataset

from helpers.corpora import load
from helpers.corpora.pydocs import corpus, tasks
from helpers.corpora.pydocs.tasks import CLASSES, SHUFFLED, WRITTEN, first_sentence, shuffle_inside, without_names


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Return the sum. It is exact.", "Return the sum."),
        ("Return the sum\n\nIt is exact.", "Return the sum"),
        ("Is it exact? Yes.", "Is it exact?"),
        ("Stop! `halt` is called.", "Stop!"),
        ('Say so. "Thus" is said.', "Say so."),
        ("Use version 3.11 or so, e.g. the last one.", "Use version 3.11 or so, e.g. the last one."),
        ("Return x.y of it.\nThen stop.", "Return x.y of it."),
        ("One sentence", "One sentence"),
        ("", ""),
    ],
)
def test_the_first_sentence_ends_with_its_mark_or_its_paragraph(text, sentence):
    assert first_sentence(text) == sentence


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("A PyTorch tensor as numpy array.", "A X tensor as X array."),
        ("Like scikit-learn's or sklearn's.", "Like X's or X's."),
        ("Give a `torch.nn.Module` or pandas.DataFrame.", "Give a `X` or X."),
        ("Made by Hugging Face, np for short.", "Made by X Face, X for short."),
        ("PANDAS, SciPy (sympy); statsmodels/numpy!", "X, X (X); X/X!"),
    ],
)
def test_names_of_packages_are_hidden_in_every_spelling(text, hidden):
    assert without_names(text, "some.module") == hidden


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("Reads signal and windows.", "Reads X and X."),
        ("Signal of scipy.signal.windows at once.", "X of X at once."),
        ("See io.signal.read for more.", "See X for more."),
        ("The common part of it.", "The X part of it."),  # the module is called _common
    ],
)
def test_the_texts_own_module_and_its_parts_are_hidden(text, hidden):
    assert without_names(text, "scipy.signal.windows._common") == hidden


@pytest.mark.parametrize(
    "text",
    [
        "Signals windowed commonly.",  # longer words
        "A torchlight, a pythonic npy file, unpandas_like.",
        "See os.path.join, e.g. for well-known names.",
        "Transform it by 3 x 4.5 and return None",
        "",
    ],
)
def test_other_words_stay_as_they_are(text):
    assert without_names(text, "scipy.signal.windows._common") == text


def test_shuffling_keeps_the_first_and_the_last_word_and_all_words():
    sentence = "Return the sum of all numbers in the list, or zero."
    found = {shuffle_inside(sentence, random.Random(seed)) for seed in range(20)}
    assert len(found) > 10
    for mixed in found:
        assert mixed.split()[0] == "Return"
        assert mixed.split()[-1] == "zero."
        assert Counter(mixed.split()) == Counter(sentence.split())
    assert shuffle_inside(sentence, random.Random(3)) == shuffle_inside(sentence, random.Random(3))
    assert shuffle_inside("Return zero.", random.Random(0)) == "Return zero."


ORDINARY = "Return the {} of all the numbers in this list of values."
SPLITS = {"train": 40, "validation": 6, "test": 6}


def documents():
    """Returns rows of two packages that are in the task and of one that is not, in modules of two texts each."""
    rows = {}
    for split, count in SPLITS.items():
        rows[split] = []
        for i in range(count):
            for package in ("torch", "sympy", "seaborn"):
                text = ORDINARY.format(f"{split} {package} {package[:2]}{i}") + " More is said. And more."
                rows[split].append({"text": text, "package": package, "group": f"{package}.{split}{i // 2}"})
    return rows


@pytest.fixture
def given(monkeypatch):
    """Puts documents in place of pydocs."""

    def give(rows, fingerprint="0123"):
        splits = {split: Dataset.from_list(of) for split, of in rows.items()}
        loaded = SimpleNamespace(splits=splits, fingerprint=fingerprint)
        monkeypatch.setattr(corpus, "load_docstrings", lambda packages: loaded)

    return give


def test_packages_that_are_named_are_the_labels(given):
    given(documents())
    assert {row.label for row in tasks.by_package(["seaborn", "torch"])} == {"seaborn", "torch"}


def test_the_label_is_the_package_and_other_packages_are_left_out(given):
    given(documents())
    found = list(tasks.by_package())
    assert Counter(row.label for row in found) == {"torch": 52, "sympy": 52}
    assert {"torch", "sympy"} < set(CLASSES)
    for row in found:
        assert row.group.split(".")[0] == row.label
        assert row.label not in row.text
        assert row.text.endswith("in this list of values.")
        assert row.group in row.place
    assert "Return the train X to0 of all the numbers in this list of values." in {row.text for row in found}


@pytest.mark.parametrize("task", tasks.TASKS)
def test_a_task_can_be_made_of_a_few_packages(task):
    found = list(tasks.TASKS[task](["seaborn", "evaluate"]))
    assert found  # though neither is one of the eight
    assert all(row.group.partition(".")[0] in ("seaborn", "evaluate") for row in found)


@pytest.mark.parametrize("task", ["pydocs-packages", "pydocs-order"])
def test_validation_and_test_are_for_test_and_a_module_is_in_one_split(given, task):
    given(documents())
    found = list(tasks.TASKS[task](()))
    assert {row.split for row in found} == {"train", "test"}
    splits = {row.group: set() for row in found}
    for row in found:
        splits[row.group].add(row.split)
        assert (row.split == "train") == (".train" in row.group)
    assert all(len(of) == 1 for of in splits.values())
    assert {group.split(".")[1][:4] for group, of in splits.items() if of == {"test"}} == {"vali", "test"}


def test_very_short_and_very_long_sentences_are_left_out(given):
    texts = [" ".join(["Word", *["word"] * (count - 2), f"{count}."]) for count in range(2, 40)]
    given({"train": [{"text": text, "package": "torch", "group": "torch.m"} for text in texts]})
    assert [len(row.text.split()) for row in tasks.by_package()] == list(range(5, 25))
    texts = [" ".join(["Word", *map(str, range(count - 2)), "end."]) for count in range(2, 40)]
    given({"train": [{"text": text, "package": "torch", "group": "torch.m"} for text in texts]})
    assert [len(row.text.split()) for row in tasks.by_order()] == list(range(8, 21))


def originals(rows):
    return [first_sentence(row["text"]) for of in rows.values() for row in of]


def test_a_sentence_stands_there_once_as_written_or_shuffled(given):
    rows = documents()
    given(rows)
    found = list(tasks.by_order())
    written = {row.text for row in found if row.label == WRITTEN}
    mixed = [row.text for row in found if row.label == SHUFFLED]
    assert Counter(row.label for row in found).keys() == {WRITTEN, SHUFFLED}
    assert 0.35 < len(mixed) / len(found) < 0.65
    assert written < set(originals(rows))
    assert not set(mixed) & set(originals(rows))
    bags = Counter(tuple(sorted(row.text.split())) for row in found)
    assert bags == Counter(tuple(sorted(sentence.split())) for sentence in originals(rows))  # every sentence, and once
    for text in mixed:
        assert (text.split()[0], text.split()[-1]) == ("Return", "values.")


def test_the_toss_does_not_depend_on_the_neighbours(given):
    rows = documents()
    given(rows)
    before = {tuple(sorted(row.text.split())): row for row in tasks.by_order()}
    fewer = {split: [row | {"group": "another.module"} for row in of[::-3]] for split, of in rows.items()}
    given(fewer)
    after = list(tasks.by_order())
    assert len(after) == sum(map(len, fewer.values()))
    for row in after:
        assert (row.text, row.label) == before[tuple(sorted(row.text.split()))][:2]


def test_a_sentence_that_cannot_be_shuffled_is_left_out(given):
    given({"train": [{"text": "One two two two two two two three.", "package": "torch", "group": "torch.m"}]})
    assert list(tasks.by_order()) == []


def test_a_sentence_of_two_modules_has_one_fate_and_is_loaded_once(given):
    rows = documents()
    again = [row | {"group": f"copy.{split}"} for split, of in rows.items() for row in of[:9]]
    given(rows | {"train": rows["train"] + again})
    found = list(tasks.by_order())
    fates = {}
    for row in found:
        fates.setdefault(tuple(sorted(row.text.split())), set()).add((row.text, row.label))
    assert all(len(of) == 1 for of in fates.values())
    loaded = load("pydocs-order", "labels")
    kept = [text for part in loaded.splits.values() for text in part["text"]]
    assert len(kept) == len(set(kept)) == len(fates)
    assert set(loaded.splits["train"]["label"]) == {WRITTEN, SHUFFLED}


def test_a_task_is_made_anew_when_its_documents_change(given):
    given(documents())
    first = load("pydocs-packages", "labels")
    assert {*first.splits["test"]["label"]} == {"torch", "sympy"}
    fewer = {split: of[:60] for split, of in documents().items()}
    given(fewer, fingerprint="4567")
    second = load("pydocs-packages", "labels")
    assert second.splits["train"].num_rows == 40 < first.splits["train"].num_rows
    assert second.fingerprint != first.fingerprint
