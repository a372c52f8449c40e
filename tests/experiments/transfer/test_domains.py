"""A domain is learned by a copy, at the rates of its start, and both starts are measured alike."""

from dataclasses import replace

import pytest

from helpers import models, tokenization
from helpers.evaluation.learning_curves import share_of_steps
from helpers.evaluation.likelihood import HeldOut
from helpers.experiments.transfer import domains
from helpers.experiments.transfer.domains import FROM_SCRATCH, FROM_TRAINED, Domain, DomainRun
from helpers.profiles import load_profile
from helpers.records import Record

PROFILE = load_profile("smoke", hidden_size=32, n_layer=2, n_head=2, context=32, vocab_size=320, batch_tokens=128)
CURVE = {0: 8.0, 4: 6.0, 8: 4.0}


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 64, 97])
def test_milestones_begin_before_the_first_step_and_end_after_the_last(steps):
    found = domains.milestones(steps)
    assert found == sorted(set(found))
    assert (found[0], found[-1]) == (0, steps)
    assert {2**k for k in range(10) if 2**k <= steps / 2} <= set(found)
    assert round(0.75 * steps) in found


def test_milestones_are_few_and_denser_where_more_is_learned():
    assert domains.milestones(100) == [0, 1, 2, 4, 8, 16, 32, 75, 100]


def test_what_both_starts_came_to_is_measured():
    record = Record("03_transfer", PROFILE)
    fresh, trained = DomainRun(CURVE, 12.5, None), DomainRun({0: 6.0, 4: 5.0, 8: 3.0}, 13.0, None)
    domains.measure_domain(record, "second town", fresh, trained, seed=3)
    bits = {"domain": "second town", "metric": "bits per byte"}
    found = {
        (start, when): record.find(**bits, start=start, when=when).value
        for start in (FROM_SCRATCH, FROM_TRAINED)
        for when in ("at first", "at the end")
    }
    assert list(found.values()) == [8, 4, 6, 3]
    share = record.find(domain="second town", metric="share of steps")
    assert (share.value, share.null) == (0.75, 1)
    assert record.find(domain="second town", metric="seconds", start=FROM_SCRATCH).value == 12.5
    assert all(found.seeds == (3,) for found in record.measurements.values())
    assert {name.partition(".")[2] for name in record.measurements} == {
        "from scratch, at first",
        "from scratch, at the end",
        "from the trained model, at first",
        "from the trained model, at the end",
        "share of steps",
        "seconds from scratch",
    }


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
    run = domains.train_on(domain, model, tokenizer, PROFILE, seed=1, fresh=True)
    assert models.weights_fingerprint(model) == before != models.weights_fingerprint(run.model)
    steps = max(run.bits)
    assert sorted(run.bits) == domains.milestones(steps)
    assert run.bits[steps] < run.bits[0] - 1
    assert run.seconds > 0
    again = domains.train_on(domain, model, tokenizer, PROFILE, seed=1, fresh=True)
    assert models.weights_fingerprint(again.model) == models.weights_fingerprint(run.model)
    assert again.bits == run.bits


def test_one_who_goes_on_begins_where_the_fresh_one_ended_and_learns_at_its_own_rates(tokenizer, domain):
    model = models.causal_model(PROFILE, tokenizer, seed=0).eval()
    fresh = domains.train_on(domain, model, tokenizer, PROFILE, seed=1, fresh=True)
    trained = domains.train_on(domain, fresh.model, tokenizer, PROFILE, seed=2, fresh=False)
    assert trained.bits[0] == pytest.approx(fresh.bits[max(fresh.bits)], rel=1e-5)
    assert share_of_steps(fresh.bits, trained.bits) == pytest.approx(0, abs=1e-3)
    matrices, rest = domains.TRAINED_ON
    slower = replace(
        PROFILE,
        matrix_learning_rate=matrices * PROFILE.matrix_learning_rate,
        learning_rate=rest * PROFILE.learning_rate,
    )
    same = domains.train_on(domain, fresh.model, tokenizer, slower, seed=2, fresh=True)
    assert models.weights_fingerprint(same.model) == models.weights_fingerprint(trained.model)


def test_both_starts_are_compared_on_each_domain(monkeypatch):
    def train_on(domain, model, tokenizer, profile, seed, fresh):
        trained.append((domain.texts, model, fresh))
        return DomainRun(CURVE if fresh else {0: 6.0, 4: 5.0, 8: 3.0}, 1.0, model)

    trained = []
    monkeypatch.setattr(
        domains, "read_domains", lambda *sizes: {"one": Domain([f"{sizes}"], None), "two": Domain(["text"], None)}
    )
    monkeypatch.setattr(domains, "train_on", train_on)
    record = Record("03_transfer", PROFILE)
    runs = domains.compare_starts(record, ("new", "old"), None, PROFILE, 1, 1000)
    assert trained[:2] == [([f"{(PROFILE, 1, 1000)}"], "new", True), ([f"{(PROFILE, 1, 1000)}"], "old", False)]
    assert trained[2:] == [(["text"], "new", True), (["text"], "old", False)]
    assert {name: {start: run.model for start, run in of.items()} for name, of in runs.items()} == {
        name: {FROM_SCRATCH: "new", FROM_TRAINED: "old"} for name in ("one", "two")
    }
    assert record.find(domain="two", metric="share of steps").value == 0.75
    assert len(record.measurements) == 2 * 6
