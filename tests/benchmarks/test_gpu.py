"""What a card is measured by runs on a CPU too, and counts its operations right."""

import pytest
import torch

from helpers.benchmarks import gpu
from helpers.models import causal_model, save_model
from helpers.profiles import load_profile
from helpers.tokenization import train_tokenizer


def test_a_chat_model_is_measured_in_both_precisions_alike(tmp_path):
    texts = ["The mill stands by the river. " * 3, "A baker lives in the old street. " * 3]
    tokenizer = train_tokenizer(texts, 300)
    save_model(causal_model(load_profile("smoke"), tokenizer, 0), tokenizer, tmp_path / "tiny")
    found = {name: gpu.chat_model(tmp_path / "tiny", texts, name, 2, 96, peak=1.0) for name in gpu.PRECISIONS}
    wide, narrow = (found[name]["bits_per_byte"] for name in ("float32", "bfloat16"))
    assert 0 < abs(wide - narrow) < 0.01 * wide
    rates = found["float32"]
    read, trained = (
        rates[f"{what}_share_of_peak"] / rates[f"{what}_tokens_per_second"] for what in ("reading", "training")
    )
    assert trained / read == pytest.approx(3)


def test_seconds_of_counts_each_call_and_warms_up_first():
    calls = []
    assert gpu.seconds_of(lambda: calls.append(1), 4) >= 0
    assert len(calls) > 4


def test_the_peak_counts_two_operations_for_each_product(monkeypatch):
    monkeypatch.setattr(gpu, "seconds_of", lambda work: 1.0)
    assert gpu.peak_tflops(torch.float32, 100) == 2e6 / 1e12
