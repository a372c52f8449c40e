"""What is measured on the way goes through a checkpoint's JSON, and comes back as tables."""

import json

import numpy as np
import pandas as pd
import pytest

from helpers import models, tokenization
from helpers.evaluation import milestones
from helpers.evaluation.choices import Choice, ChoiceTest
from helpers.evaluation.likelihood import HeldOut
from helpers.profiles import load_profile

TEXTS = ["A mill by the river.", "An old mill by the sea."]


def test_a_run_is_evaluated_at_its_ends_and_at_powers_of_two():
    assert milestones.milestones_of(84) == [0, 16, 32, 42, 63, 84]
    assert milestones.milestones_of(1460) == [0, 16, 32, 64, 128, 256, 512, 730, 1095, 1460]


def test_what_was_found_comes_back_as_tables():
    profile = load_profile("smoke", hidden_size=32, n_layer=1)
    tokenizer = tokenization.train_tokenizer(TEXTS * 9, vocab_size=300)
    model = models.causal_model(profile, tokenizer, seed=0).eval()
    test = ChoiceTest("part: test", [Choice(("A mill.", "Mill a."), str(i)) for i in range(3)], {"test": "test"})
    evaluation = milestones.Evaluation({"town": HeldOut(TEXTS, ["a", "b"])}, [test], ["", "A"], profile, seed=0)
    at = evaluation.of(model, tokenizer)
    assert at(0) == at(4)
    found = {int(step): seen for step, seen in json.loads(json.dumps({0: at(0), 4: at(4)})).items()}
    bits, accuracies, written = evaluation.tables(found)
    assert bits.loc[0, "town"] == bits.loc[4, "town"] > 1
    assert accuracies["step"].tolist() == [0, 4]
    assert (accuracies["low"] <= accuracies["value"]).all()
    assert (accuracies["value"] <= accuracies["high"]).all()
    assert written[["step", "prompt"]].to_numpy().tolist() == [[0, ""], [0, "A"], [4, ""], [4, "A"]]


def test_the_pace_is_that_of_the_first_and_the_last_steps():
    bits = pd.DataFrame({"fast": [4.0, 2.0, 1.0, 0.9], "slow": [4.0, 3.8, 3.0, 2.0]}, index=[0, 10, 20, 40])
    half, first, last = milestones.pace(bits)
    assert half.to_dict() == {"fast": 10, "slow": 40}
    assert first.to_dict() == pytest.approx({"fast": 0.2, "slow": 0.02})
    assert np.allclose(last, [0.005, 0.05])
