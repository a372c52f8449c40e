"""Bits of a document are those of its definition, however it is batched or windowed; what is forgotten is paired."""

import math

import numpy as np
import pytest
import torch

from helpers import models, tokenization
from helpers.evaluation.likelihood import Forgetting, HeldOut, byte_lengths, document_bits
from helpers.profiles import load_profile
from helpers.records import Record

PROFILE = load_profile("smoke", hidden_size=32, n_layer=1, n_head=2, context=32, vocab_size=300)


@pytest.fixture(scope="module")
def tokenizer():
    return tokenization.train_tokenizer(["A mill by the river."] * 9, vocab_size=300)


@pytest.fixture(scope="module")
def model(tokenizer):
    return models.causal_model(load_profile("smoke"), tokenizer, seed=0).eval()


def test_bits_equal_the_sum_over_single_tokens(model, tokenizer):
    texts = ["A mill.", "The river runs by.", ""]
    expected = []
    for ids in tokenization.encode_documents(tokenizer, texts):
        with torch.inference_mode():
            log_probabilities = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        expected.append(-sum(log_probabilities[i, token].item() for i, token in enumerate(ids[1:])) / math.log(2))
    assert document_bits(model, tokenizer, texts, context=128) == pytest.approx(expected, rel=1e-5)


def test_a_model_that_knows_nothing_pays_the_uniform_price_in_every_window(model, tokenizer):
    uniform = models.causal_model(load_profile("smoke"), tokenizer, seed=0).eval()
    with torch.no_grad():
        uniform.lm_head.weight.zero_()  # the output layer is tied to the embedding
    texts = ["river " * repeats for repeats in (1, 7, 40, 200)]
    targets = [len(ids) - 1 for ids in tokenization.encode_documents(tokenizer, texts)]
    expected = np.array(targets) * math.log2(len(tokenizer))
    assert document_bits(uniform, tokenizer, texts, context=32) == pytest.approx(expected, rel=1e-6)


def test_windows_give_later_tokens_at_least_half_the_context(model, tokenizer):
    ids = tokenization.encode_documents(tokenizer, ["A mill by the river. " * 8])[0]
    text, context = "A mill by the river. " * 8, 16
    expected = 0.0
    for i in range(1, len(ids)):
        start = 0 if i < context else min(context + (i - context) // 8 * 8 + 8, len(ids)) - context
        with torch.inference_mode():
            row = model(torch.tensor([ids[start : i + 1]])).logits[0, i - start - 1].log_softmax(-1)
        expected -= row[ids[i]].item() / math.log(2)
    assert document_bits(model, tokenizer, [text], context) == pytest.approx([expected], rel=1e-5)


def test_bytes_are_counted_in_utf8():
    assert byte_lengths(["abc", "é", "🐈", ""]).tolist() == [3, 2, 4, 0]


def test_bits_forgotten_are_those_beyond_the_originals(tokenizer):
    original, other = (models.causal_model(PROFILE, tokenizer, seed).eval() for seed in (0, 1))
    held = HeldOut([f"A mill by river {i}." for i in range(6)], list("aabbcc"))
    forgetting = Forgetting(original, tokenizer, {"town": held}, 1000)
    assert forgetting.context == models.context_length(original)
    record = Record("03_transfer", PROFILE)
    forgetting.measure(record, "itself", original, 3, method="itself")
    forgetting.measure(record, "other", other, 3, method="other")
    before, after = (document_bits(model, tokenizer, held.texts, 32) for model in (original, other))
    assert forgetting.before == {"town": pytest.approx(before.sum() / held.bytes.sum())}
    itself, found = (record.find(metric="forgotten", corpus="town", method=method) for method in ("itself", "other"))
    whole = record.find(metric="bits per byte", corpus="town", method="other")
    assert (whole.name, whole.value, whole.interval) == ("town.other", *held.bits_per_byte(after))
    assert (itself.value, itself.low, itself.high) == (0, 0, 0)
    value, interval = held.bits_per_byte(after - before)
    assert (found.name, found.value, found.interval) == ("forgotten: town.other", value, interval)
    assert (found.unit, found.n, found.seeds, found.null) == ("bits per byte", 3, (3,), 0)
