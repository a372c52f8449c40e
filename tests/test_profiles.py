"""The dial: everything derives from it, and a wrong setting is told."""

import pytest

from helpers.files import WorkbookError
from helpers.models import causal_model
from helpers.profiles import PROFILES, calibrate, load_profile
from helpers.tokenization import train_tokenizer


def test_single_values_are_overridden_and_the_rest_stays():
    profile = load_profile("laptop", tokens=5000, learning_rate=1, packages=["numpy"])
    assert (profile.tokens, profile.learning_rate, profile.packages) == (5000, 1.0, ("numpy",))
    assert profile.vocab_size == PROFILES["laptop"].vocab_size
    assert hash(profile)  # also with a list given


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("huge", {}, "profile 'huge' is unknown. Known: smoke, laptop, gpu."),
        ("smoke", {"token": 1}, "profile parameter 'token' is unknown. Known: vocab_size, hidden_size, .*"),
        ("smoke", {"name": "mine"}, "profile parameter 'name' is unknown. .*"),
        ("smoke", {"tokens": "many"}, "profile parameter tokens='many' must be of type int."),
        ("smoke", {"tokens": 1.5}, "profile parameter tokens=1.5 must be of type int."),
        ("smoke", {"tokens": True}, "profile parameter tokens=True must be of type int."),
        ("smoke", {"tokens": 0}, "profile parameter tokens=0 must be positive."),
        ("smoke", {"packages": "numpy"}, "profile parameter packages='numpy' must be of type tuple."),
        ("smoke", {"hidden_size": 65}, "profile parameter hidden_size=65 must be a multiple of n_head=2."),
    ],
)
def test_a_wrong_setting_is_told(name, overrides, message):
    with pytest.raises(WorkbookError, match=f"^{message}$"):
        load_profile(name, **overrides)


def test_flops_count_the_models_own_matrices():
    profile = load_profile("smoke")
    model = causal_model(profile, train_tokenizer(["some text to read"], 300), seed=0)
    matrices = [p.numel() for name, p in model.named_parameters() if p.dim() == 2 and "embed" not in name]
    vocabulary = model.get_input_embeddings().num_embeddings
    expected = sum(matrices) + (profile.vocab_size - vocabulary) * profile.hidden_size
    tied = model.config.tie_word_embeddings
    assert profile.matrix_parameters == expected + (vocabulary * profile.hidden_size if tied else 0)


def test_a_larger_dial_costs_more_on_the_same_machine():
    seconds = [profile.training_seconds(gflops=100.0) for profile in PROFILES.values()]
    assert seconds == sorted(seconds)
    assert PROFILES["laptop"].training_seconds(50.0) == 2 * PROFILES["laptop"].training_seconds(100.0)


def test_all_demonstrations_are_used_from_laptop_on_and_at_smoke_a_small_part():
    shares = {name: profile.demonstrations for name, profile in PROFILES.items()}
    assert shares["laptop"] == shares["gpu"] == 1
    assert 0 < shares["smoke"] < 0.1
    assert load_profile("laptop", tokens=250_000).demonstrations == 0.25
    assert load_profile("laptop", tokens=1_000_000).demonstrations == 1


def test_calibration_gives_a_rate():
    assert calibrate() > 0
