"""How soon is one where the other ends? Read off curves made by hand; and learning must leave the given model alone."""

from dataclasses import replace

import pytest

from helpers import models, tokenization
from helpers.evaluation.likelihood import HeldOut
from helpers.experiments.transfer import domains
from helpers.experiments.transfer.domains import Course, Domain, share_of_steps
from helpers.profiles import load_profile
from helpers.records import Record

PROFILE = load_profile("smoke", hidden_size=32, n_layer=2, n_head=2, context=32, vocab_size=320, batch_tokens=128)
FRESH = {0: 8.0, 4: 6.0, 8: 4.0}


@pytest.mark.parametrize(
    ("trained", "share"),
    [
        ({0: 3.0, 4: 2.0, 8: 1.0}, 0),  # there before its first step
        ({0: 4.0, 4: 3.5, 8: 3.0}, 0),  # just there
        ({0: 7.0, 4: 6.0, 8: 5.0}, 1),  # never there
        (FRESH, 1),  # there at the end
        ({0: 6.0, 4: 4.0, 8: 3.0}, 0.5),
        ({0: 6.0, 4: 5.0, 8: 3.0}, 6 / 8),  # half-way between 4 and 8
        ({0: 5.0, 4: 1.0, 8: 1.0}, 1 / 8),  # a quarter of the way to 4
        ({0: 5.0, 4: 7.0, 8: 3.0}, 6 / 8),  # the best so far counts: from 5 to 3
        ({0: 5.0, 2: 3.0, 4: 9.0, 8: 9.0}, 1 / 8),  # once there, it was there
    ],
)
def test_the_share_of_steps_is_where_the_trained_curve_crosses_the_fresh_ones_end(trained, share):
    assert share_of_steps(FRESH, trained) == pytest.approx(share)
    assert share_of_steps(FRESH, dict(reversed(trained.items()))) == pytest.approx(share)


def test_the_goal_is_the_fresh_ones_last_value_even_if_it_was_better_before():
    assert share_of_steps({0: 8.0, 4: 2.0, 8: 4.0}, {0: 6.0, 4: 4.0, 8: 3.0}) == 0.5


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 64, 97])
def test_looks_begin_before_the_first_step_and_end_after_the_last(steps):
    found = domains.milestones(steps)
    assert found == sorted(set(found))
    assert (found[0], found[-1]) == (0, steps)
    assert {2**k for k in range(10) if 2**k <= steps / 2} <= set(found)
    assert round(0.75 * steps) in found


def test_looks_are_few_and_denser_where_more_is_learned():
    assert domains.milestones(100) == [0, 1, 2, 4, 8, 16, 32, 75, 100]


def test_what_both_starts_came_to_is_measured():
    record = Record("03_transfer", PROFILE)
    fresh, trained = Course(FRESH, 12.5, None), Course({0: 6.0, 4: 5.0, 8: 3.0}, 13.0, None)
    domains.measure_courses(record, "second town", fresh, trained, seed=3)
    values = {name.removeprefix("second town."): m.value for name, m in record.measurements.items()}
    assert values == {
        "from scratch, at first": 8,
        "from scratch, at the end": 4,
        "from the trained model, at first": 6,
        "from the trained model, at the end": 3,
        "share of steps": 0.75,
        "seconds from scratch": 12.5,
    }
    assert all(found.seeds == (3,) for found in record.measurements.values())
    assert record.measurements["second town.share of steps"].null == 1
    assert record.measurements["second town.from scratch, at first"].unit == "bits per byte"


@pytest.fixture(scope="module")
def tokenizer():
    return tokenization.train_tokenizer(["A mill by the river."] * 9, PROFILE.vocab_size)


@pytest.fixture(scope="module")
def domain():
    texts = [f"A mill by the river, and wheel {i}." for i in range(60)]
    return Domain(texts[:50], HeldOut(texts[50:], list("aabbccddee")))


def test_a_domain_is_learned_by_a_copy(tokenizer, domain):
    model = models.causal_model(PROFILE, tokenizer, seed=0).eval()
    before = models.weights_fingerprint(model)
    course = domains.learn(model, tokenizer, domain, PROFILE, seed=1, fresh=True)
    assert models.weights_fingerprint(model) == before != models.weights_fingerprint(course.model)
    steps = max(course.surprise)
    assert sorted(course.surprise) == domains.milestones(steps)
    assert course.surprise[steps] < course.surprise[0] - 1
    assert course.seconds > 0
    again = domains.learn(model, tokenizer, domain, PROFILE, seed=1, fresh=True)
    assert models.weights_fingerprint(again.model) == models.weights_fingerprint(course.model)
    assert again.surprise == course.surprise


def test_one_who_goes_on_begins_where_the_fresh_one_ended_and_learns_at_its_own_rates(tokenizer, domain):
    model = models.causal_model(PROFILE, tokenizer, seed=0).eval()
    fresh = domains.learn(model, tokenizer, domain, PROFILE, seed=1, fresh=True)
    trained = domains.learn(fresh.model, tokenizer, domain, PROFILE, seed=2, fresh=False)
    assert trained.surprise[0] == pytest.approx(fresh.surprise[max(fresh.surprise)], rel=1e-5)
    assert domains.share_of_steps(fresh.surprise, trained.surprise) == pytest.approx(0, abs=1e-3)
    matrices, rest = domains.TRAINED_ON
    slower = replace(
        PROFILE,
        matrix_learning_rate=matrices * PROFILE.matrix_learning_rate,
        learning_rate=rest * PROFILE.learning_rate,
    )
    same = domains.learn(fresh.model, tokenizer, domain, slower, seed=2, fresh=True)
    assert models.weights_fingerprint(same.model) == models.weights_fingerprint(trained.model)
