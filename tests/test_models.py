"""Models must be what transformers opens, equal in size, whole on disk, and equal with and without a cache."""

import pytest
import torch

from helpers import models, tokenization
from helpers.files import WorkbookError
from helpers.generation import everywhere, sample
from helpers.profiles import load_profile


@pytest.fixture(scope="module")
def profile():
    return load_profile("smoke", vocab_size=320)


@pytest.fixture(scope="module")
def tokenizer():
    return tokenization.train_tokenizer(["A mill by the river."] * 9, vocab_size=320)


def test_same_seed_same_weights_and_the_callers_random_state_is_kept(profile, tokenizer):
    before = torch.random.get_rng_state()
    first = models.weights_fingerprint(models.causal_model(profile, tokenizer, seed=3))
    assert torch.equal(before, torch.random.get_rng_state())
    assert first == models.weights_fingerprint(models.causal_model(profile, tokenizer, seed=3))
    assert first != models.weights_fingerprint(models.causal_model(profile, tokenizer, seed=4))


@pytest.mark.parametrize("name", ["smoke", "laptop"])
def test_masked_and_causal_models_are_of_one_size(name, tokenizer):
    profile = load_profile(name)
    causal = models.causal_model(profile, tokenizer, seed=0).num_parameters()
    masked = models.masked_model(profile, tokenizer, seed=0).num_parameters()
    assert masked == causal


def test_the_masked_model_looks_both_ways_and_the_causal_one_does_not(profile, tokenizer):
    ids = torch.tensor([[0, 20, 21, 22, 1]])
    changed = torch.tensor([[0, 20, 21, 30, 1]])
    with torch.inference_mode():
        for make, looks_ahead in ((models.causal_model, False), (models.masked_model, True)):
            model = make(profile, tokenizer, seed=0).eval()
            assert models.looks_both_ways(model) == looks_ahead
            seen = everywhere(ids) if looks_ahead else None
            first, second = (model(input_ids=row, attention_mask=seen).logits[0, 1] for row in (ids, changed))
            assert torch.equal(first, second) != looks_ahead


def test_a_saved_model_comes_back_bit_for_bit(profile, tokenizer, tmp_path):
    model = models.causal_model(profile, tokenizer, seed=0)
    models.save_model(model, tokenizer, tmp_path / "base")
    opened, opened_tokenizer = models.load_model(tmp_path / "base")
    assert models.weights_fingerprint(opened) == models.weights_fingerprint(model)
    assert len(opened_tokenizer) == len(tokenizer)
    assert [path.name for path in tmp_path.iterdir()] == ["base"]
    assert not list((tmp_path / "base").glob("*.bin"))


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(WorkbookError, match=r"no model could be loaded.*model\.safetensors"):
        models.load_model(tmp_path)


def test_decoding_with_a_cache_equals_the_full_pass(profile, tokenizer):
    model = models.causal_model(profile, tokenizer, seed=0).eval()
    prompt = tokenizer("A mill", add_special_tokens=False)["input_ids"]
    ids = [tokenizer.bos_token_id, *prompt]
    for _ in range(12):
        with torch.inference_mode():
            ids.append(int(model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
        if ids[-1] == tokenizer.eos_token_id:
            break
    expected = tokenizer.decode(ids[1 + len(prompt) :], skip_special_tokens=True)
    assert sample(model, tokenizer, ["A mill"], max_new_tokens=12, seed=0, temperature=0) == [expected]


def test_samples_repeat_by_seed_and_do_not_depend_on_their_neighbours_length(profile, tokenizer):
    model = models.causal_model(profile, tokenizer, seed=0).eval()
    twice = [sample(model, tokenizer, ["A mill"], max_new_tokens=8, seed=5) for _ in range(2)]
    assert twice[0] == twice[1]
    alone = sample(model, tokenizer, ["A"], max_new_tokens=8, seed=0, temperature=0)
    padded = sample(model, tokenizer, ["A", "A mill by the river."], max_new_tokens=8, seed=0, temperature=0)
    assert padded[0] == alone[0]


def test_samples_are_drawn_from_all_of_the_vocabulary(profile, tokenizer):
    model = models.causal_model(profile, tokenizer, seed=0).eval()
    with torch.no_grad():
        model.lm_head.weight.mul_(1e-3)  # every token is about as likely as any other
    texts = sample(model, tokenizer, [""] * 40, max_new_tokens=20, seed=0, temperature=1.0)
    drawn = {token for ids in tokenizer(texts, add_special_tokens=False)["input_ids"] for token in ids}
    assert len(drawn) > 100
