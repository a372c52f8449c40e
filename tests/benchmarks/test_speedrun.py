"""A speedrun must repeat itself, count the loss rightly, and say whether it arrived; its text must be readable."""

import json
import math
import random

import pytest
import torch

from helpers import models, tokenization
from helpers.benchmarks import speedrun as racing
from helpers.cli import main
from helpers.files import WorkbookError
from helpers.profiles import load_profile


@pytest.fixture
def text(tmp_path, monkeypatch):
    """A text in which half of the letters follow from the one before; and races short enough for a test."""
    monkeypatch.setattr(racing, "FIRST_TOKENS", 1000)
    monkeypatch.setattr(racing, "MOST_TOKENS", 15_000)
    rng = random.Random(0)
    path = tmp_path / "text.txt"
    path.write_text(
        "".join(letter + letter.upper() for letter in rng.choices("abcdefgh\n ä", k=6000)), encoding="utf-8"
    )
    return path


def test_the_same_seed_gives_the_same_curve_until_the_target_is_reached(text, capsys):
    command = ["speedrun", "--text", str(text), "--target-loss", "1.6", "--context", "32"]
    runs = []
    for _ in range(2):
        assert main(command) == 0
        runs.append(json.loads(capsys.readouterr().out))
    first, second = runs
    assert first["loss_curve"] == second["loss_curve"]
    assert first["reached"]
    assert first["loss_curve"][-1][1] <= 1.6 < first["loss_curve"][-2][1]
    assert first["tokens"] == first["loss_curve"][-1][0]
    assert first["training_seconds"] > 0


def test_a_target_out_of_reach_ends_with_status_1(text, capsys):
    assert main(["speedrun", "--text", str(text), "--target-loss", "0.1", "--context", "32"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert not result["reached"]
    assert 14_000 < result["tokens"] <= 15_000


def test_the_validation_loss_is_the_mean_over_all_predictions_of_whole_windows(text):
    content = text.read_text(encoding="utf-8")
    tokenizer = tokenization.character_tokenizer(content)
    ids = torch.tensor(tokenizer(content[:205], add_special_tokens=False)["input_ids"])
    model = models.causal_model(load_profile("smoke", context=20), tokenizer, seed=0).eval()
    expected = []
    for start in range(0, 200, 20):
        with torch.inference_mode():
            logits = model(input_ids=ids[None, start : start + 20]).logits[0].log_softmax(-1)
        expected += [-logits[i, ids[start + i + 1]].item() for i in range(20)]
    assert racing.validation_loss(model, ids, 20) == pytest.approx(math.fsum(expected) / len(expected), rel=1e-5)


def test_characters_come_back_as_they_were(text):
    content = text.read_text(encoding="utf-8")
    tokenizer = tokenization.character_tokenizer(content)
    ids = tokenizer(content, add_special_tokens=False)["input_ids"]
    assert len(ids) == len(content)
    assert tokenizer.decode(ids) == content


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), (b"one\n\xff", "line 2: this is not UTF-8"), (b"short", "Give a longer text")],
)
def test_a_text_that_cannot_be_raced_on_is_told(tmp_path, content, message):
    path = tmp_path / "text.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WorkbookError, match=message):
        racing.speedrun(path, "char", 1.0)
