"""The dial: everything derives from it, and a wrong setting is told."""

import pytest
import torch

from helpers.files import WorkbookError
from helpers.models import causal_model
from helpers.profiles import LEAST_VOCABULARY, PROFILES, calibrate, load_profile
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
        ("smoke", {"token": 1}, "token: there is no such size. Known: vocab_size, hidden_size, .*"),
        ("smoke", {"name": "mine"}, "name: there is no such size. .*"),
        ("smoke", {"tokens": "many"}, "tokens='many': it must be a whole number, such as tokens=32768."),
        ("smoke", {"tokens": 1.5}, "tokens=1.5: it must be a whole number, .*"),
        ("smoke", {"tokens": 100000.0}, "tokens=100000.0: it must be a whole number, .*"),
        ("smoke", {"tokens": True}, "tokens=True: it must be a whole number, .*"),
        ("smoke", {"tokens": None}, "tokens=None: it must be a whole number, .*"),
        ("smoke", {"tokens": 0}, "tokens=0: it must lie from 1 to .*"),
        ("smoke", {"context": 1}, "context=1: it must lie from 2 to .*"),
        ("smoke", {"n_layer": 0}, "n_layer=0: it must lie from 1 to .*"),
        ("smoke", {"seeds": 1}, "seeds=1: it must lie from 2 to .*"),
        ("smoke", {"vocab_size": 10}, "vocab_size=10: it must lie from 271 to .*"),
        ("smoke", {"vocab_size": 10**12}, "vocab_size=1000000000000: it must lie from 271 to .*"),
        ("smoke", {"learning_rate": float("nan")}, "learning_rate=nan: it must lie from .*"),
        ("smoke", {"matrix_learning_rate": float("inf")}, "matrix_learning_rate=inf: it must lie from .*"),
        ("smoke", {"learning_rate": "fast"}, "learning_rate='fast': it must be a number, .*"),
        *(
            ("smoke", {"pydocs_share": share}, f"pydocs_share={share}: it must lie from .*")
            for share in (0, 1, -0.5, 1.5)
        ),
        (
            "smoke",
            {"packages": "numpy"},
            r"packages='numpy': it must be a list of names, such as .*",
        ),
        ("smoke", {"packages": [1]}, r"packages=\[1\]: it must be a list of names.*"),
        ("smoke", {"hidden_size": 65}, "hidden_size=65 with n_head=2: the width does .* Set hidden_size=68."),
        ("smoke", {"hidden_size": 70, "n_head": 5}, "hidden_size=70 with n_head=5: .* Set hidden_size=80."),
    ],
)
def test_a_wrong_setting_is_told(name, overrides, message):
    with pytest.raises(WorkbookError, match=f"^{message}$"):
        load_profile(name, **overrides)


def test_the_smallest_vocabulary_is_what_a_tokenizer_has_without_a_merge():
    assert len(train_tokenizer(["a text"], LEAST_VOCABULARY)) == LEAST_VOCABULARY
    assert len(train_tokenizer(["a text"], 10)) == LEAST_VOCABULARY


@pytest.mark.parametrize("sizes", [{"hidden_size": 68}, {"hidden_size": 80, "n_head": 5}])
def test_a_width_that_is_recommended_works_whole_and_halved(sizes):
    profile = load_profile("smoke", **sizes, n_layer=1, context=16)
    tokenizer = train_tokenizer(["some text to read"], 300)
    ids = torch.tensor([[1, 2, 3]])
    for of in (profile, profile.small):
        assert causal_model(of, tokenizer, seed=0)(input_ids=ids).logits.shape == (1, 3, len(tokenizer))


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
