"""bfloat16 is chosen only where it was measured to be clearly faster, and the record says what was measured."""

import pytest
import torch

from helpers import machine


@pytest.fixture
def measured(monkeypatch):
    """Replaces the probe by given rates, and the card, if there is one, by none."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    machine.fast_dtype.cache_clear()
    machine.matrix_gflops.cache_clear()

    def rates(float32, bfloat16):
        monkeypatch.setattr(
            machine, "_gflops", lambda rows, dtype: {torch.float32: float32, torch.bfloat16: bfloat16}[dtype]
        )

    yield rates
    machine.fast_dtype.cache_clear()
    machine.matrix_gflops.cache_clear()


@pytest.mark.parametrize(
    ("bfloat16", "chosen"),
    [(900.0, torch.bfloat16), (150.0, torch.bfloat16), (140.0, torch.float32), (1.0, torch.float32)],
)
def test_the_arithmetic_is_chosen_by_what_was_measured(measured, bfloat16, chosen):
    measured(100.0, bfloat16)
    assert machine.fast_dtype() is chosen
    assert machine.environment()["arithmetic"] == str(chosen).removeprefix("torch.")
    assert machine.measured_gflops() == {"float32": 100.0, "bfloat16": bfloat16}


def test_who_never_asked_for_it_measures_nothing(measured):
    assert "arithmetic" not in machine.environment()
    assert machine.measured_gflops() == {}


@pytest.mark.parametrize(("supported", "chosen"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_card_is_asked_not_measured(measured, monkeypatch, supported, chosen):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")
    assert machine.fast_dtype() is chosen
    assert machine.measured_gflops() == {}
