"""Choices are tried on oracles first: one who knows, one who never does, one who cannot tell, one who counts words."""

import numpy as np
import pytest

from helpers.evaluation import choices, scorecard
from helpers.evaluation.choices import Choice, ChoiceTest
from helpers.evaluation.likelihood import HeldOut
from helpers.profiles import load_profile
from helpers.records import Record

ASKED = [Choice(("right", "wrong", "false"), str(i)) for i in range(4)]


def test_the_knowing_the_wrong_and_the_clueless_get_what_they_deserve():
    def knowing(texts):
        return np.array([0.0 if text == "right" else 1.0 for text in texts])

    assert choices.score_choices(ASKED, knowing).tolist() == [1, 1, 1, 1]
    assert choices.score_choices(ASKED, lambda texts: -knowing(texts)).tolist() == [0, 0, 0, 0]
    assert choices.score_choices(ASKED, lambda texts: np.ones(len(texts))).tolist() == pytest.approx([1 / 3] * 4)


def test_a_tie_with_one_wrong_option_is_half_a_credit():
    prices = {"right": 1.0, "wrong": 1.0 + 1e-9, "false": 2.0}
    assert choices.score_choices(ASKED[:1], lambda texts: np.array([prices[text] for text in texts])).tolist() == [0.5]


def test_what_is_measured_has_its_chance_its_clusters_and_an_interval():
    record = Record("01_pretraining", load_profile("smoke"))
    scores = {scorecard.OURS: np.ones(4), scorecard.RIVAL: np.array([1.0, 0.0, 0.5, 1.0])}
    found = scorecard.measure_choices(record, ChoiceTest("part: test", ASKED, {"test": "test"}), scores, seed=0)
    ours, gap = record.measurements["part: test.our model"], record.measurements["part: test.our model - 5-gram"]
    assert found == {"our model": ours, "5-gram": record.find(test="test", method="5-gram"), scorecard.LEAD: gap}
    assert (ours.value, ours.n, ours.null) == (1.0, 4, pytest.approx(1 / 3))
    assert ours.interval.low == pytest.approx(0.05 ** (1 / 4))  # the exact bound, 4 of 4
    assert ours.interval.high == 1
    assert (gap.value, gap.null) == (0.375, 0)
    assert gap.interval.low < 0.375 < gap.interval.high


def test_bits_are_measured_of_each_method_beside_the_floor_and_shown_in_a_table():
    record = Record("01_pretraining", load_profile("smoke"))
    held = HeldOut(["abcd", "efgh"], ["a", "b"], floor_bits=np.array([2.0, 2.0]))
    bits = {scorecard.OURS: np.array([4.0, 6.0]), scorecard.NULL: np.array([16.0, 16.0]), scorecard.RIVAL: np.ones(2)}
    scorecard.measure_bits(record, "town", held, bits, seed=0)
    assert record.find(corpus="town", method="floor").value == 0.5
    assert record.find(corpus="town", method=scorecard.LEAD).value == 1.0
    assert (record.find(corpus="town", method=scorecard.OURS).null, record.find(corpus="town", method="floor").n) == (
        4,
        2,
    )
    record.measure("steps", 8, "steps", method=scorecard.OURS)  # of no corpus, so not in its table
    record.measure("pydocs.floor", 0.25, "bits per byte", corpus="pydocs", method="floor")
    table = scorecard.table(record, "corpus method", ".1f")[["floor", scorecard.OURS]]
    assert table.loc["town"].to_dict() == {"floor": "0.5 [0.5, 0.5]", scorecard.OURS: "1.2 [-1.9, 4.4]"}
    assert table.loc["pydocs"].dropna().to_dict() == {"floor": "0.2"}
    assert list(scorecard.table(record, "corpus method", ".1f", corpus="pydocs").index) == ["pydocs"]
