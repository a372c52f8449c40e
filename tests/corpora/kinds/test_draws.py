"""Draws are fair and nested: equally many of each class, and the smaller ones are parts of the larger."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from datasets import Dataset

from helpers.corpora.kinds.draws import LabelTask


def task(train, test):
    """Makes a task of so many texts of each class in train and in test; of a group are two of a class."""
    splits = {
        split: Dataset.from_list(
            [
                {"text": f"{label} {split} {i}", "label": label, "group": f"{label} {i // 2}"}
                for label, count in counts.items()
                for i in range(count)
            ]
        )
        for split, counts in (("train", train), ("test", test))
    }
    return LabelTask("toy", SimpleNamespace(splits=splits))


@pytest.fixture(scope="module")
def toy():
    return task({"good": 40, "bad": 40}, {"good": 20, "bad": 20})


@pytest.fixture(scope="module")
def three():
    """A task of three classes, of which one has few texts."""
    return task({"c": 40, "a": 40, "b": 14}, {"c": 20, "a": 20, "b": 9})


def test_chance_is_one_over_the_number_of_classes(toy, three):
    assert toy.chance == 1 / 2
    assert three.chance == 1 / 3


def test_a_draw_has_equally_many_texts_of_each_class_each_with_what_belongs_to_it(three):
    drawn = three.sample("train", 30, seed=0)
    assert three.labels == ["a", "b", "c"]
    assert Counter(drawn.classes.tolist()) == {0: 10, 1: 10, 2: 10}
    assert [text[0] for text in drawn.texts] == [three.labels[i] for i in drawn.classes]
    assert len(set(drawn.texts)) == 30
    part = three.corpus.splits["train"]
    group_of = dict(zip(part["text"], part["group"], strict=True))
    assert drawn.groups == [group_of[text] for text in drawn.texts]
    assert not set(drawn.texts) & set(three.sample("test", 30, seed=0).texts)


def test_a_smaller_draw_is_the_beginning_of_a_larger_one(three):
    large = three.sample("train", 30, seed=0)
    for count in (3, 9, 30):
        small, first = three.sample("train", count, seed=0), large.first(count)
        assert small.texts == first.texts == large.texts[:count]
        assert small.groups == first.groups
        assert np.array_equal(small.classes, first.classes)


def test_another_seed_draws_other_texts_and_the_same_seed_the_same(toy):
    first = toy.sample("train", 20, seed=0)
    assert first.texts == toy.sample("train", 20, seed=0).texts
    assert set(first.texts) != set(toy.sample("train", 20, seed=1).texts)


def test_a_draw_to_learn_from_is_as_large_as_the_smallest_class_allows_and_no_smaller_than_one_of_each(three):
    assert Counter(three.sample("train", 1000, seed=0).classes.tolist()) == {0: 14, 1: 14, 2: 14}
    assert Counter(three.sample("train", 1, seed=0).classes.tolist()) == {0: 1, 1: 1, 2: 1}


def test_one_rare_class_does_not_shrink_a_test(three):
    assert Counter(three.sample("test", 1000, seed=0).classes.tolist()) == {0: 20, 1: 9, 2: 20}
    assert Counter(three.sample("test", 15, seed=0).classes.tolist()) == {0: 5, 1: 5, 2: 5}
    rare = task({"a": 40, "b": 40, "c": 40}, {"a": 30, "b": 30, "c": 1})
    assert Counter(rare.sample("test", 60, seed=0).classes.tolist()) == {0: 20, 1: 20, 2: 1}


def test_numbers_of_labels_are_those_for_which_there_are_texts(toy, three):
    assert toy.sizes([16, 64, 256]) == [16, 64]
    assert toy.sizes([80, 81]) == [80]
    assert toy.sizes([1, 2, 8]) == [2, 8]  # one of each class at least, and no number twice
    assert three.sizes([256, 1024]) == [42]
    assert three.sizes([64, 12]) == [12]
