"""Layers below the lowest that is trained are computed once: same losses and weights as of the whole model."""

import copy

import pytest
import torch
from backbones import save_kind, save_own

from helpers import models
from helpers.models import with_adapters
from helpers.pretrained import load_model
from helpers.training import demonstrations, frozen
from helpers.training.demonstrations import EncodedRow, Recipe, finetune
from helpers.training.frozen import above_frozen, lowest_trained

IDS = [[5, 9, 30, 12, 7, 44], [61, 8, 8, 19], [100, 3, 50, 77, 21, 6, 90, 14]]
ROWS = [EncodedRow(ids, [-100, -100, *ids[2:]]) for ids in IDS]
LAYERS, FIRST = 3, 2
RECIPE = Recipe(3, (0.0, 1e-2), batch_tokens=1)


@pytest.fixture(params=["own", "llama", "qwen2", "gemma"])
def adapted(request, tmp_path):
    """A model with matrices beside its last layer, that do something already, and its tokenizer."""
    save_own(tmp_path) if request.param == "own" else save_kind(request.param, tmp_path, num_hidden_layers=LAYERS)
    model, tokenizer = load_model(tmp_path)
    learner = with_adapters(model, 4, seed=0, first=1 if request.param == "own" else FIRST)
    torch.manual_seed(0)
    for weight in learner.parameters():
        if weight.requires_grad:
            torch.nn.init.normal_(weight, std=0.2)
    return learner, tokenizer


def loss(model, rows, labels):
    logits = [model(input_ids=torch.tensor([list(row)]), use_cache=False).logits[0, :-1] for row in rows]
    wanted = torch.tensor([label for each in labels for label in each[1:]])
    return torch.nn.functional.cross_entropy(torch.cat(logits), wanted)


def test_the_upper_part_has_the_loss_and_the_gradients_of_the_whole(adapted):
    learner, _ = adapted
    upper, places = above_frozen(learner, IDS)
    assert len(models.blocks(upper.base_model.model if hasattr(upper.base_model, "model") else upper)) < LAYERS
    labels = [row.labels for row in ROWS]
    found = []
    for model, rows in ((learner, IDS), (upper, places)):
        learner.zero_grad()
        value = loss(model, rows, labels)
        value.backward()
        moved = {name: weight.grad.clone() for name, weight in learner.named_parameters() if weight.grad is not None}
        found.append((value.item(), moved))
    (whole, expected), (short, gradients) = found
    assert short == pytest.approx(whole, rel=1e-5)
    assert gradients.keys() == expected.keys() == {n for n, w in learner.named_parameters() if w.requires_grad}
    for name, gradient in gradients.items():
        assert torch.allclose(gradient, expected[name], atol=1e-5), name


def test_training_ends_with_the_same_weights_as_without_the_table(adapted, monkeypatch):
    learner, tokenizer = adapted
    other = copy.deepcopy(learner)
    before = {name: weight.clone() for name, weight in learner.named_parameters()}
    finetune(learner, tokenizer, ROWS, RECIPE, seed=0)
    monkeypatch.setattr(frozen, "TABLE_BYTES", 0)
    finetune(other, tokenizer, ROWS, RECIPE, seed=0)
    for (name, weight), expected in zip(learner.named_parameters(), other.parameters(), strict=True):
        assert torch.allclose(weight, expected, atol=1e-4), name
        assert torch.equal(weight, before[name]) != weight.requires_grad, name
    assert not learner.training


def test_a_model_whose_layers_cannot_be_fed_with_states_is_trained_whole(tmp_path):
    save_kind("gpt2", tmp_path)
    model, _ = load_model(tmp_path)
    learner = with_adapters(model, 4, seed=0, first=1)
    assert lowest_trained(learner.get_base_model()) == 1
    assert above_frozen(learner, IDS) == (learner, IDS)


def test_where_all_is_trained_nothing_is_kept(tmp_path):
    save_own(tmp_path)
    model, _ = load_model(tmp_path)
    assert above_frozen(model.requires_grad_(True), IDS) == (model, IDS)
    model.requires_grad_(False)
    models.blocks(model)[-1].requires_grad_(True)
    model.get_input_embeddings().requires_grad_(True)
    assert lowest_trained(model) == 0


def test_adapters_share_the_weights_that_they_stand_beside(tmp_path):
    save_kind("llama", tmp_path, num_hidden_layers=LAYERS)
    model, _ = load_model(tmp_path)
    ids = torch.tensor([IDS[0]])
    before = model(input_ids=ids).logits
    learner = with_adapters(model, 4, seed=0, first=FIRST)
    shared = {weight.data_ptr() for weight in model.parameters()}
    added = [name for name, weight in learner.named_parameters() if weight.data_ptr() not in shared]
    assert added
    assert all(f".layers.{LAYERS - 1}." in name and "lora" in name for name in added)
    assert torch.equal(model(input_ids=ids).logits, before)
    demonstrations.finetune(learner, load_model(tmp_path)[1], ROWS, RECIPE, seed=0)
    assert torch.equal(model(input_ids=ids).logits, before)
    assert not torch.allclose(learner(input_ids=ids).logits, before)


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt2"])  # the last cannot be fed with states
def test_frozen_weights_may_be_rounded_while_it_trains_and_come_back(kind, tmp_path, monkeypatch):
    save_kind(kind, tmp_path, num_hidden_layers=LAYERS)
    model, tokenizer = load_model(tmp_path)
    before = models.weights_fingerprint(model)
    losses = []
    for dtype in (torch.float32, torch.bfloat16):
        monkeypatch.setattr(demonstrations, "fast_dtype_for", lambda _, dtype=dtype: dtype)
        learner = with_adapters(model, 4, seed=0, first=FIRST)
        finetune(learner, tokenizer, ROWS, RECIPE, seed=0)
        losses.append(loss(learner, IDS, [row.labels for row in ROWS]).item())
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert models.weights_fingerprint(model) == before
