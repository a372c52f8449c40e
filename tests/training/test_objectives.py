"""Hidden tokens are hidden and asked for, nothing leaks between documents, and the loss stays finite."""

import pytest
import torch

from helpers import models, tokenization
from helpers.profiles import load_profile
from helpers.tokenization import IGNORED
from helpers.training import objectives, pretraining

MASK = 3


@pytest.fixture(scope="module")
def profile():
    return load_profile("smoke", vocab_size=320, context=16, hidden_size=32, n_layer=1, batch_tokens=64)


@pytest.fixture(scope="module")
def tokenizer():
    return tokenization.train_tokenizer(["A mill by the river."] * 9, vocab_size=320)


@pytest.fixture(scope="module")
def blocks(tokenizer, profile):
    documents = tokenization.encode_documents(tokenizer, [f"A mill by the river {i}." for i in range(600)])
    return tokenization.pack(documents, profile.context)


def test_what_is_hidden_is_asked_for_and_nothing_else():
    torch.manual_seed(0)
    ids = torch.randint(20, 300, (50, 400))
    labels = ids.masked_fill(torch.rand(ids.shape) < 0.1, IGNORED)
    seen, asked = objectives.hide(ids, labels, MASK, 320)
    wanted = asked != IGNORED
    assert wanted.float().mean() / 0.9 == pytest.approx(objectives.HIDDEN, abs=0.01)
    assert torch.equal(asked[wanted], ids[wanted])
    assert not (wanted & (labels == IGNORED)).any()
    assert torch.equal(seen[~wanted], ids[~wanted])
    masked, kept = (seen == MASK)[wanted].float().mean(), (seen == ids)[wanted].float().mean()
    assert masked == pytest.approx(0.8, abs=0.02)
    assert kept == pytest.approx(0.1, abs=0.02)


def test_a_document_is_seen_whole_and_alone():
    seen = objectives.document_mask(torch.tensor([[0, 1, 2, 0, 1]]))
    assert seen.shape == (1, 1, 5, 5)
    assert seen[0, 0].int().tolist() == [[1, 1, 1, 0, 0]] * 3 + [[0, 0, 0, 1, 1]] * 2


def test_what_another_document_says_changes_nothing(profile, tokenizer):
    model = models.masked_model(profile, tokenizer, seed=0).eval()
    position_ids = torch.tensor([[0, 1, 2, 0, 1, 2]])
    seen = objectives.document_mask(position_ids)

    def logits(last):
        ids = torch.tensor([[0, 40, 41, 0, 50, last]])
        with torch.inference_mode():
            return model(input_ids=ids, position_ids=position_ids, attention_mask=seen).logits[0]

    assert torch.equal(logits(60)[:3], logits(61)[:3])
    assert not torch.equal(logits(60)[4], logits(61)[4])  # its own document is seen, also what comes later


def test_where_nothing_can_be_asked_the_loss_is_zero(profile, tokenizer):
    model = models.masked_model(profile, tokenizer, seed=0)
    ids = torch.full((2, 16), 40)
    batch = {"input_ids": ids, "position_ids": torch.arange(16).expand(2, -1), "labels": ids * 0 + IGNORED}
    loss = objectives.hidden_token_loss(model, model.lm_head, batch, MASK, 320)
    assert loss.item() == 0
    loss.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_pretraining_teaches_the_masked_model_what_is_hidden(profile, tokenizer, blocks):
    model = models.masked_model(profile, tokenizer, seed=0)
    log = pretraining.pretrain(model, blocks, profile, seed=0)
    losses = list(log.losses.values())
    again = models.masked_model(profile, tokenizer, seed=0)
    pretraining.pretrain(again, blocks, profile, seed=0)
    assert losses[-1] < 0.8 * losses[0]
    assert models.weights_fingerprint(again) == models.weights_fingerprint(model)
