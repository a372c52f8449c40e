"""A later chapter finds the base model of its run, else the published one, and says which."""

import pytest

from helpers import files, models, tokenization
from helpers.profiles import load_profile
from helpers.training.base import load_base


@pytest.fixture
def save(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "REFERENCE", tmp_path / "reference")
    profile = load_profile("smoke", vocab_size=320)
    tokenizer = tokenization.train_tokenizer(["A mill by the river."] * 9, vocab_size=320)

    def save(folder, seed):
        model = models.causal_model(profile, tokenizer, seed)
        models.save_model(model, tokenizer, tmp_path / folder / "models" / "base")
        return models.weights_fingerprint(model)

    return save


def test_the_runs_own_comes_before_the_published_one(save, tmp_path):
    with pytest.raises(files.WorkbookError, match=r"no base model.*Run chapter 01 first"):
        load_base(tmp_path / "mine")
    published = save("reference", seed=1)
    model, tokenizer, which = load_base(tmp_path / "mine")
    assert models.weights_fingerprint(model) == published
    assert "the published one" in which
    assert tokenizer.bos_token_id is not None
    own = save("mine", seed=2)
    model, _, which = load_base(tmp_path / "mine")
    assert models.weights_fingerprint(model) == own
    assert "results/mine" in which
    assert "own" in which
