"""An assay of readings that were made from a slope, an offset and a noise gives these back."""

import itertools

import numpy as np
import pandas as pd
import pytest

from helpers.evaluation.assay import BLANKS, Assay, Estimate, examine, logit, sigmoid
from helpers.statistics import Interval

DOSES = (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)
COARSE = (0.05, 0.25, 0.5, 0.75, 0.95)
SEEDS = range(8)
BLANK = np.array([-0.02, 0.01, 0.02, -0.01, 0.0])
SAME = np.zeros((4, 2))


def readings(respond, doses=DOSES, seeds=SEEDS):
    rows = [(dose, seed, respond(dose, seed)) for dose, seed in itertools.product(doses, seeds)]
    return pd.DataFrame(rows, columns=["dose", "seed", "value"])


def step(dose, seed=0):
    return float(np.sign(dose - 0.5) / 2 + 0.5)


@pytest.mark.parametrize("slope", [1.0, 0.4, -0.5])
def test_slope_and_offset_are_those_that_readings_were_made_from(slope):
    found = examine(
        readings(lambda dose, seed: 0.5 + 0.03 + slope * (dose - 0.5)), 0.5 + BLANK, SAME, in_log_odds=False
    )
    assert found.slope.value == pytest.approx(slope)
    assert found.ends.value == pytest.approx(slope)
    assert found.offset.value == pytest.approx(0.03)
    assert found.slope.interval.low == pytest.approx(found.slope.interval.high)


def test_log_odds_are_held_against_log_odds_of_the_dose_and_an_offset_against_none():
    found = examine(readings(lambda dose, seed: 0.1 + 0.8 * logit(dose)), BLANK, SAME, in_log_odds=True)
    assert (found.slope.value, found.ends.value, found.offset.value) == pytest.approx((0.8, 0.8, 0.1))
    assert not found.saturates


def test_under_noise_intervals_over_seeds_hold_the_truth():
    rng = np.random.default_rng(0)
    drawn = readings(lambda dose, seed: 0.5 + 0.9 * (dose - 0.5) + rng.normal(scale=0.02))
    found = examine(drawn, 0.5 + BLANK, SAME, in_log_odds=False)
    for estimate, truth in ((found.slope, 0.9), (found.ends, 0.9), (found.offset, 0.0)):
        assert estimate.interval.low < truth < estimate.interval.high
    shuffled = drawn.sample(frac=1, random_state=0)
    assert examine(shuffled, 0.5 + BLANK, SAME, in_log_odds=False) == found  # the order of rows means nothing


def test_the_offset_is_read_at_one_half_alone():
    bent = readings(lambda dose, seed: dose + 0.2 * (dose != 0.5))
    assert examine(bent, 0.5 + BLANK, SAME, in_log_odds=False).offset.value == pytest.approx(0)


@pytest.mark.parametrize("doses", [DOSES, COARSE])
def test_a_step_saturates_where_neighbours_at_the_ends_lie_on_one_side(doses):
    found = examine(readings(step, doses), 0.5 + BLANK, SAME, in_log_odds=False)
    assert found.ends.value == 0
    assert found.saturates
    assert found.slope.value > 1  # steeper than the dose all the same: the slope alone does not tell


def test_a_line_does_not_saturate_nor_does_a_step_between_the_ends_of_three_doses():
    for respond, doses in ((lambda dose, seed: dose, DOSES), (step, (0.05, 0.5, 0.95))):
        assert not examine(readings(respond, doses), 0.5 + BLANK, SAME, in_log_odds=False).saturates


def test_whether_it_saturates_is_for_the_interval_to_say():
    interval = Interval(0.1, 0.6, "t")
    assay = Assay(*[Estimate(0.35, interval)] * 4, 0.1, 0.1)
    assert not assay.saturates
    assert assay._replace(ends=Estimate(0.3, Interval(0.1, 0.49, "t"))).saturates


def test_the_limit_of_detection_is_by_the_spread_of_blanks_over_the_slope():
    flat = readings(lambda dose, seed: 0.5 + 0.5 * (dose - 0.5))
    spread = np.std(BLANK, ddof=1)
    assert BLANKS == 3.3
    assert examine(flat, 0.5 + BLANK, SAME, in_log_odds=False).detects == pytest.approx(3.3 * spread / 0.5)
    falling = readings(lambda dose, seed: 0.5 - 0.5 * (dose - 0.5))
    assert examine(falling, 0.5 + BLANK, SAME, in_log_odds=False).detects == pytest.approx(3.3 * spread / 0.5)
    loud = examine(flat, 0.5 + 100 * BLANK, SAME, in_log_odds=False)
    assert loud.detects == 0.5  # no dose is so far from one half


def test_the_limit_of_detection_of_log_odds_is_told_in_doses():
    nats = readings(lambda dose, seed: 2 * logit(dose))
    found = examine(nats, BLANK, SAME, in_log_odds=True)
    length = 3.3 * np.std(BLANK, ddof=1) / 2
    assert found.detects == pytest.approx(sigmoid(length) - 0.5)
    assert examine(nats, 1e4 * BLANK, SAME, in_log_odds=True).detects == pytest.approx(0.5)


def test_a_reading_repeats_as_its_halves_differ():
    rng = np.random.default_rng(0)
    halves = 0.5 + rng.normal(scale=0.04, size=(2000, 2)) + rng.normal(size=(2000, 1))  # models differ; halves by 0.04
    found = examine(readings(lambda dose, seed: 0.5 + 2 * (dose - 0.5)), 0.5 + BLANK, halves, in_log_odds=False)
    assert found.repeats == pytest.approx(0.04 / 2, rel=0.1)
    assert examine(readings(step), 0.5 + BLANK, SAME, in_log_odds=False).repeats == 0


def test_log_odds_and_shares_are_inverse():
    shares = np.array(DOSES)
    assert sigmoid(logit(shares)) == pytest.approx(shares)
    assert logit(np.array(0.5)) == 0
    assert logit(np.array(0.95)) == pytest.approx(-logit(np.array(0.05)))
