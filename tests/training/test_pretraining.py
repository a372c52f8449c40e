"""Training must repeat to the bit, learn, and leave the caller's model and clock as promised."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from helpers import models, tokenization
from helpers.files import WorkbookError
from helpers.profiles import load_profile
from helpers.training.pretraining import _filled, expected_cost, pretrain

PROFILE = load_profile("smoke", vocab_size=320, context=32, batch_tokens=256)


@pytest.fixture(scope="module")
def tokenizer():
    return tokenization.train_tokenizer(["A mill by the river."] * 9, vocab_size=320)


@pytest.fixture(scope="module")
def blocks(tokenizer):
    rng = np.random.default_rng(0)
    texts = [f"The mill of {rng.choice(['Ada', 'Ben', 'Cid'])} stands by the river." for _ in range(400)]
    return tokenization.pack(tokenization.encode_documents(tokenizer, texts), PROFILE.context)


def test_two_runs_give_identical_weights_and_losses(tokenizer, blocks):
    runs = []
    for _ in range(2):
        model = models.causal_model(PROFILE, tokenizer, seed=0)
        log = pretrain(model, blocks, PROFILE, seed=1)
        runs.append((models.weights_fingerprint(model), log.losses))
    assert runs[0] == runs[1]


def test_training_learns_and_looks_where_asked(tokenizer, blocks):
    model = models.causal_model(PROFILE, tokenizer, seed=0)
    seen = []
    log = pretrain(
        model, blocks, PROFILE, seed=1, at_steps=[0, 7], evaluate=lambda step: seen.append((step, model.training))
    )
    assert seen == [(0, False), (7, False)]
    assert list(log.losses.values())[-1] < 0.2 * math.log(len(tokenizer))
    assert log.tokens == len(blocks) * PROFILE.context
    assert not model.training


def test_less_than_one_batch_is_one_step(tokenizer, blocks):
    log = pretrain(models.causal_model(PROFILE, tokenizer, 0), blocks.select(range(3)), PROFILE, seed=0)
    assert log.tokens == 3 * PROFILE.context


def test_reckoning_the_cost_leaves_the_model_as_it_was(tokenizer, blocks):
    model = models.causal_model(PROFILE, tokenizer, seed=0)
    before = models.weights_fingerprint(model)
    asked = []
    sentence = expected_cost(model, blocks, PROFILE, [0, 10, 20], asked.append)
    assert f"{model.num_parameters():,} parameters" in sentence
    assert ", of these 0:00 for 3 evaluations" in sentence
    assert asked == [0]
    assert "evaluations" not in expected_cost(model, blocks, PROFILE)
    assert models.weights_fingerprint(model) == before


@pytest.mark.parametrize("rates", [{"matrix_learning_rate": 1e30}, {"learning_rate": float("nan")}])
def test_a_run_without_a_number_for_its_loss_stops_and_says_where(tokenizer, blocks, rates, tmp_path):
    profile = dataclasses.replace(PROFILE, **rates)
    model = models.causal_model(PROFILE, tokenizer, seed=0)
    with pytest.raises(WorkbookError, match=r"stopped at step \d+, learning rate .*There is no checkpoint before it"):
        pretrain(model, blocks, profile, seed=1, checkpoints=tmp_path)


def test_a_loss_that_leaves_its_ground_stops_the_run_and_names_the_last_good_checkpoint(tokenizer, blocks, tmp_path):
    model = models.causal_model(PROFILE, tokenizer, seed=0)

    def spoil(step):
        torch.nn.init.normal_(model.model.embed_tokens.weight, std=5.0)

    with pytest.raises(WorkbookError, match=r"stopped at step (\d+).*the loss has gone from .*checkpoint-10\."):
        pretrain(model, blocks, PROFILE, 1, [11, 15, 19, 21, 25, 29], spoil, checkpoints=tmp_path)


def test_a_run_ends_when_what_was_seen_is_enough(tokenizer, blocks):
    model = models.causal_model(PROFILE, tokenizer, seed=0)
    log = pretrain(model, blocks, PROFILE, 1, range(100), lambda step: step, until=lambda seen: seen == 5)
    assert log.evaluations == {step: step for step in range(6)}
    assert log.tokens == 5 * PROFILE.batch_tokens


def test_the_last_batch_is_filled_up_with_blocks_that_teach_nothing(tokenizer, blocks):
    odd = blocks.select(range(11))
    filled = _filled(odd, 8)
    assert len(filled) == 16
    assert (filled[11:]["labels"] == tokenization.IGNORED).all()
    assert torch.equal(filled[:11]["labels"], odd[:]["labels"])


def test_an_open_ended_run_leaves_the_weights_that_were_evaluated_and_resumes_to_the_bit(tokenizer, blocks, tmp_path):
    def trained(evaluate, folder, enough=13):
        model, seen = models.causal_model(PROFILE, tokenizer, seed=0), []
        steps, until = [13, 17], lambda found: found == enough
        look = lambda step: seen.append(models.weights_fingerprint(model)) or evaluate(step)  # noqa: E731
        pretrain(model, blocks, PROFILE, 1, steps, look, until=until, checkpoints=folder, open_ended=True)
        return models.weights_fingerprint(model), seen

    weights, seen = trained(lambda step: step, None)
    assert seen == [weights]
    unbroken = trained(lambda step: step, None, enough=17)

    def interrupt(step):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(interrupt, tmp_path)
    assert (trained(lambda step: step, tmp_path, enough=17)) == unbroken
    assert unbroken[1][0] == weights
