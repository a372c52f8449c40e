"""Blocks that compute in fewer passes must give the same logits and gradients, and leave a model as it was."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from helpers import models, tokenization
from helpers.profiles import load_profile
from helpers.training.fused import fused
from helpers.training.objectives import document_mask


@pytest.fixture
def model():
    tokenizer = tokenization.train_tokenizer(["A mill by the river."] * 9, vocab_size=320)
    made = models.causal_model(load_profile("smoke", vocab_size=320), tokenizer, seed=0)
    with torch.no_grad():
        for weight in made.parameters():
            if weight.ndim == 1:  # norms begin at one, where their place in a product would not be seen
                weight.uniform_(0.5, 1.5)
    return made


def result(model, **inputs):
    """Returns logits and gradients, by name, of a batch."""
    model.zero_grad()
    logits = model(**inputs, use_cache=False).logits
    cross_entropy(logits[:, :-1].flatten(0, 1), inputs["input_ids"][:, 1:].flatten()).backward()
    return {"logits": logits.detach()} | {name: weight.grad.clone() for name, weight in model.named_parameters()}


@pytest.mark.parametrize("reads", ["a text", "two texts", "with a mask"])
def test_logits_and_gradients_are_those_of_transformers(model, reads):
    torch.manual_seed(0)
    inputs = {"input_ids": torch.randint(model.config.vocab_size, (3, 20))}
    if reads != "a text":
        inputs["position_ids"] = torch.arange(10).repeat(3, 2)
    if reads == "with a mask":
        inputs["attention_mask"] = document_mask(inputs["position_ids"])
    expected = result(model, **inputs)
    with fused(model):
        found = result(model, **inputs)
    for name, tensor in expected.items():
        assert (found[name] - tensor).norm() <= 1e-5 * tensor.norm(), name
    assert all("forward" not in vars(part) for part in model.modules())


def test_texts_are_generated_as_without(model):
    prompt = torch.arange(6)[None]
    options = {"max_new_tokens": 20, "do_sample": False, "pad_token_id": 0}
    expected = model.generate(prompt, **options)
    with fused(model):
        assert torch.equal(model.generate(prompt, **options), expected)


def test_a_model_with_adapters_computes_as_it_did(model):
    adapted = models.with_adapters(model, rank=2, seed=0)
    with fused(adapted):
        assert all("forward" not in vars(part) for part in adapted.modules() if "DecoderLayer" in type(part).__name__)
