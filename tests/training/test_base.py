"""A later chapter finds the base model of its run, else the published one, or the model named, and says which."""

import re

import pytest
import torch
from backbones import save_bert, save_gpt2

from helpers import files, models, tokenization
from helpers.profiles import load_profile
from helpers.training import base
from helpers.training.base import load_base, load_causal_start, load_start


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


def shares_weights(start):
    """Returns whether what moves the backbone moves the language model."""
    pairs = zip(start.language_model.base_model.parameters(), start.backbone.parameters(), strict=True)
    return all(one is other for one, other in pairs)


def test_without_a_name_a_chapter_starts_from_the_base_model(save, tmp_path):
    with pytest.raises(files.WorkbookError, match=r"no base model.*Run chapter 01 first"):
        load_start("", tmp_path / "mine")
    published = save("reference", seed=1)
    start = load_start("", tmp_path / "mine")
    assert models.weights_fingerprint(start.language_model) == published
    assert shares_weights(start)
    assert "the published one" in start.which
    save("mine", seed=2)
    assert load_start("", tmp_path / "mine").which == load_base(tmp_path / "mine")[2]


def test_a_model_named_comes_before_the_base_model_and_writes_if_it_was_made_to(save, tmp_path):
    save("mine", seed=2)
    save_gpt2(tmp_path / "gpt2")
    start = load_start(str(tmp_path / "gpt2"), tmp_path / "mine")
    assert type(start.backbone).__name__ == "GPT2Model"
    assert type(start.language_model).__name__ == "GPT2LMHeadModel"
    assert shares_weights(start)
    assert start.tokenizer.pad_token is None
    assert start.which == f"The trained model is `{tmp_path / 'gpt2'}`."
    with torch.inference_mode():
        ids = torch.tensor([[0, 20, 21]])
        states = start.backbone(input_ids=ids).last_hidden_state
        assert torch.equal(start.language_model.lm_head(states), start.language_model(input_ids=ids).logits)


def test_of_an_encoder_it_is_said_that_it_does_not_write(tmp_path):
    save_bert(tmp_path / "bert")
    start = load_start(str(tmp_path / "bert"), tmp_path / "mine")
    assert type(start.backbone).__name__ == "BertModel"
    assert start.language_model is None
    assert start.tokenizer.cls_token == "[CLS]"
    assert start.which == f"The trained model is `{tmp_path / 'bert'}`, which does not generate text."


def test_where_something_is_to_be_written_an_encoder_is_refused(save, tmp_path):
    save_bert(tmp_path / "bert")
    with pytest.raises(files.WorkbookError) as refused:
        load_causal_start(str(tmp_path / "bert"), tmp_path / "mine")
    assert str(refused.value).startswith(f"{tmp_path / 'bert'}: this model does not generate text")
    assert "Name one that was made to say what comes next, such as GPT or Llama." in str(refused.value)
    save_gpt2(tmp_path / "gpt2")
    start = load_causal_start(str(tmp_path / "gpt2"), tmp_path / "mine")
    assert type(start.language_model).__name__ == "GPT2LMHeadModel"
    own = save("mine", seed=2)
    assert models.weights_fingerprint(load_causal_start("", tmp_path / "mine").language_model) == own


def test_a_name_where_nothing_is_gives_the_name(save, tmp_path):
    save("mine", seed=2)
    with pytest.raises(files.WorkbookError, match=rf"^{tmp_path / 'nothing'}: there is no such folder"):
        load_start(str(tmp_path / "nothing"), tmp_path / "mine")


def test_a_readers_model_is_trained_gently_and_within_its_context(tmp_path):
    save_gpt2(tmp_path / "gpt2")
    profile = load_profile("laptop")
    fitted = base.fitted(profile, load_causal_start(str(tmp_path / "gpt2"), tmp_path).language_model)
    assert (fitted.context, fitted.matrix_learning_rate) == (32, 0.0)  # 0: Adam steps the matrices too
    assert fitted.learning_rate < profile.learning_rate / 100
    ours = models.causal_model(profile, tokenization.train_tokenizer(["A mill."], 300), 0)
    assert base.fitted(profile, ours) == profile


def test_what_does_not_fit_into_memory_is_refused_before_it_is_begun(tmp_path, monkeypatch):
    save_gpt2(tmp_path / "gpt2")
    model = load_causal_start(str(tmp_path / "gpt2"), tmp_path).language_model
    asked = {"trained": 1e6, "read": 1e6, "context": 32, "copies": 3}
    assert re.search(r"[\d,]+ parameters; about .* GB of memory.*about \d+:\d\d", base.expected_cost(model, **asked))
    monkeypatch.setattr(base, "free_memory", lambda: 100_000)
    with pytest.raises(files.WorkbookError, match=r"too large for this machine: .* Name a smaller one"):
        base.expected_cost(model, **asked)
