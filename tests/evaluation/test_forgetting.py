"""What is forgotten is the difference of the bits per byte, paired by document; of the model itself nothing is."""

import pytest

from helpers import models, tokenization
from helpers.evaluation.forgetting import Forgetting
from helpers.evaluation.likelihood import HeldOut, document_bits
from helpers.profiles import load_profile
from helpers.records import Record

PROFILE = load_profile("smoke", hidden_size=32, n_layer=1, n_head=2, context=32, vocab_size=300)


def test_bits_forgotten_are_those_beyond_the_originals():
    tokenizer = tokenization.train_tokenizer(["A mill by the river."] * 9, PROFILE.vocab_size)
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
