import pytest

from helpers.corpora.corpus import split_groups, split_of


def test_splits_of_names_never_change():
    assert [split_of(name) for name in ("argparse", "dataclasses", "json")] == ["train", "validation", "test"]


def test_shares_are_ninety_five_five():
    splits = [split_of(f"module{i}") for i in range(10_000)]
    assert {split: round(splits.count(split) / 10_000, 2) for split in ("train", "validation", "test")} == {
        "train": 0.9,
        "validation": 0.05,
        "test": 0.05,
    }


@pytest.mark.parametrize("count", range(3, 40))
def test_no_split_of_three_or_more_groups_is_empty(count):
    for start in range(20):
        splits = split_groups(f"{start} {i}" for i in range(count))
        assert set(splits.values()) == {"train", "validation", "test"}
        assert list(splits.values()).count("train") >= count / 3


def test_one_or_two_groups_are_for_training():
    assert set(split_groups(["a"]).values()) | set(split_groups(["b", "c"]).values()) == {"train"}
