"""Models must be what transformers opens, equal in size, whole on disk, and equal with and without a cache."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from backbones import save_gpt2, save_kind
from peft import LoraConfig, get_peft_model
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

from helpers import machine, models, pretrained, tokenization
from helpers.files import WorkbookError
from helpers.generation import sample
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


def test_a_fingerprint_of_rounded_weights_survives_rounding(profile, tokenizer):
    model = models.causal_model(profile, tokenizer, seed=3)
    whole, rounded = (models.weights_fingerprint(model, dtype) for dtype in (None, torch.bfloat16))
    model.to(torch.bfloat16).to(torch.float32)
    assert models.weights_fingerprint(model, torch.bfloat16) == rounded
    assert models.weights_fingerprint(model) != whole


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
            assert models.is_bidirectional(model) == looks_ahead
            seen = models.full_attention_mask(ids) if looks_ahead else None
            first, second = (model(input_ids=row, attention_mask=seen).logits[0, 1] for row in (ids, changed))
            assert torch.equal(first, second) != looks_ahead


def test_a_saved_model_comes_back_bit_for_bit(profile, tokenizer, tmp_path):
    model = models.causal_model(profile, tokenizer, seed=0)
    models.save_model(model, tokenizer, tmp_path / "base")
    opened, opened_tokenizer = pretrained.load_model(tmp_path / "base")
    assert models.weights_fingerprint(opened) == models.weights_fingerprint(model)
    assert len(opened_tokenizer) == len(tokenizer)
    assert [path.name for path in tmp_path.iterdir()] == ["base"]
    assert not list((tmp_path / "base").glob("*.bin"))


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(WorkbookError, match=r"no model could be loaded.*model\.safetensors"):
        pretrained.load_model(tmp_path)


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


TEXTS = ["A mill.", "A mill by the river, and by the mill a wheel that turns at night.", "", "By the river."]


@pytest.mark.parametrize("kind", [models.causal_model, models.masked_model])
def test_mean_states_are_those_of_each_text_alone(profile, tokenizer, kind):
    model = kind(profile, tokenizer, seed=0).eval()
    rows = tokenization.encode_documents(tokenizer, TEXTS)
    found = np.stack(models.mean_states(model, rows), axis=1)
    assert found.shape == (len(TEXTS), profile.n_layer + 1, profile.hidden_size)
    for row, means in zip(rows, found, strict=True):
        ids = torch.tensor([row])
        seen = models.full_attention_mask(ids) if models.is_bidirectional(model) else None
        with torch.inference_mode():
            layers = model(input_ids=ids, attention_mask=seen, output_hidden_states=True).hidden_states
        expected = np.stack([layer[0].mean(0).numpy() for layer in layers])
        assert means == pytest.approx(expected, abs=1e-5)
        alone = np.concatenate(models.mean_states(model, [row]))  # without any padding
        assert alone == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", [models.causal_model, models.masked_model])
def test_a_backbone_has_the_states_of_its_language_model(profile, tokenizer, kind):
    model = kind(profile, tokenizer, seed=0).eval()
    rows = tokenization.encode_documents(tokenizer, TEXTS)
    backbone = models.backbone_of(model)
    assert all(map(np.array_equal, models.mean_states(backbone, rows), models.mean_states(model, rows)))


def test_mean_states_of_an_encoder_do_not_depend_on_the_texts_beside():
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    model = BertModel(BertConfig(vocab_size=50, max_position_embeddings=32, initializer_range=0.2, **sizes)).eval()
    rows = [[1, 7, 2], [1, *range(5, 30), 2], [1, 2]]
    together = models.mean_states(model, rows)
    for place, row in enumerate(rows):
        for layer, alone in zip(together, models.mean_states(model, [row]), strict=True):
            assert alone[0] == pytest.approx(layer[place], abs=1e-5)


def test_batches_hold_every_row_once_and_their_mask_shows_it_alone():
    rows = [[i] * (1 + i % 7) for i in range(50)]
    batches = list(models.in_batches(rows, tokens=20))
    assert sorted(place for batch in batches for place in batch) == list(range(50))
    for batch in batches:
        ids, mask = models.padded([rows[place] for place in batch], torch.device("cpu"))
        assert ids.shape == mask.shape
        assert ids.numel() <= 20
        for place, row, shown in zip(batch, ids, mask, strict=True):
            assert row[shown.bool()].tolist() == rows[place]
            assert shown.tolist() == sorted(shown.tolist(), reverse=True)


@pytest.mark.parametrize("part", [lambda model: model, models.backbone_of])
def test_an_untrained_model_is_of_the_same_kind_and_size_with_other_weights(profile, tokenizer, part):
    model = part(models.causal_model(profile, tokenizer, seed=3).eval())
    fingerprint, before = models.weights_fingerprint(model), torch.random.get_rng_state()
    fresh = models.untrained(model, seed=4)
    assert torch.equal(before, torch.random.get_rng_state())
    assert models.weights_fingerprint(model) == fingerprint
    assert type(fresh) is type(model)
    assert not fresh.training
    old, new = model.state_dict(), fresh.state_dict()
    assert {name: weight.shape for name, weight in old.items()} == {name: weight.shape for name, weight in new.items()}
    assert all(not torch.equal(old[name], new[name]) for name in old if old[name].ndim > 1)
    table = next(name for name in old if "embed_tokens" in name)
    assert new[table].std().item() == pytest.approx(old[table].std().item(), rel=0.1)
    assert models.weights_fingerprint(models.untrained(model, seed=4)) == models.weights_fingerprint(fresh)
    assert models.weights_fingerprint(models.untrained(model, seed=5)) != models.weights_fingerprint(fresh)


def test_untrained_models_look_where_their_model_looks(profile, tokenizer):
    masked = models.masked_model(profile, tokenizer, seed=0)
    assert models.is_bidirectional(models.untrained(masked, seed=1))
    assert not models.is_bidirectional(models.untrained(models.causal_model(profile, tokenizer, seed=0), seed=1))


def test_a_backbone_says_whether_its_model_was_made_to_write(profile, tokenizer, tmp_path):
    models.save_model(models.causal_model(profile, tokenizer, seed=0), tokenizer, tmp_path / "base")
    backbone, opened = pretrained.load_backbone(tmp_path / "base")
    assert not isinstance(backbone, Qwen3ForCausalLM)
    assert not backbone.training
    assert len(opened) == len(tokenizer)
    assert models.generates(backbone.config)
    assert models.generates(pretrained.load_model(tmp_path / "base")[0].config)
    backbone.save_pretrained(tmp_path / "backbone")  # without what writes
    tokenizer.save_pretrained(tmp_path / "backbone")
    assert not models.generates(pretrained.load_backbone(tmp_path / "backbone")[0].config)
    with pytest.raises(WorkbookError, match=r"no model could be loaded.*model\.safetensors"):
        pretrained.load_backbone(tmp_path)


def test_a_model_of_ours_is_known_as_such_and_costs_what_its_profile_says(profile, tokenizer, tmp_path):
    model = models.causal_model(profile, tokenizer, seed=0)
    models.save_model(model, tokenizer, tmp_path / "base")
    save_gpt2(tmp_path / "gpt2")
    assert models.is_own(pretrained.load_model(tmp_path / "base")[0].config)
    assert not models.is_own(pretrained.load_model(tmp_path / "gpt2")[0].config)
    sized = dataclasses.replace(profile, vocab_size=len(tokenizer))
    assert models.flops_per_token(model, profile.context) == sized.flops_per_token


def test_states_may_be_narrower_at_the_end(tmp_path):
    save_kind("opt", tmp_path / "opt")  # its embedding, and so its last states, are half as wide as its layers
    backbone, _ = pretrained.load_backbone(tmp_path / "opt")
    assert [layer.shape for layer in models.mean_states(backbone, [[3, 4], [5]])] == [(2, 32), (2, 32), (2, 16)]
    assert models.state_width(backbone) == 16


@pytest.mark.parametrize("fast", [torch.float32, torch.bfloat16])
def test_only_a_wide_model_that_somebody_brings_is_put_into_the_fast_arithmetic(monkeypatch, fast):
    asked = []
    monkeypatch.setattr(machine, "fast_dtype", lambda: asked.append(1) or fast)
    sizes = {"num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 8}
    narrow, wide = (
        LlamaForCausalLM(LlamaConfig(vocab_size=16, hidden_size=width, **sizes)) for width in (64, machine.WIDTH)
    )
    own = Qwen3Config(vocab_size=16, hidden_size=512, initializer_range=512**-0.5, head_dim=8, **sizes)
    assert models.fast_dtype_for(narrow) is models.fast_dtype_for(Qwen3ForCausalLM(own)) is torch.float32
    assert asked == []
    assert models.fast_dtype_for(wide) is fast


@pytest.fixture
def llama():
    torch.manual_seed(0)
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 64}
    return LlamaForCausalLM(LlamaConfig(vocab_size=64, hidden_size=32, **sizes)).eval()


def learn(adapted, steps=3):
    """Trains for some steps on a batch; returns the losses."""
    ids = torch.arange(24).view(2, 12)
    optimizer = torch.optim.SGD([weight for weight in adapted.parameters() if weight.requires_grad], lr=0.5)
    losses = []
    for _ in range(steps):
        loss = adapted(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def test_without_a_fast_path_adapters_are_what_they_were_to_the_bit(llama):
    options = {"target_modules": "all-linear", "task_type": "CAUSAL_LM"}
    torch.manual_seed(3)
    plain = get_peft_model(copy.deepcopy(llama), LoraConfig(r=4, lora_alpha=8, **options))
    ours = models.with_adapters(llama, 4, seed=3)
    with models.frozen_in(ours, torch.float32):
        assert learn(plain) == learn(ours)
    assert models.weights_fingerprint(plain) == models.weights_fingerprint(ours)


def test_beside_rounded_weights_adapters_are_exact_and_the_exact_weights_come_back(llama):
    before = models.weights_fingerprint(llama)
    exact_losses = learn(models.with_adapters(copy.deepcopy(llama), 4, seed=3))
    adapted = models.with_adapters(llama, 4, seed=3)
    with models.frozen_in(adapted, torch.bfloat16):
        kinds = {weight.requires_grad: weight.dtype for weight in adapted.parameters()}
        assert kinds == {True: torch.float32, False: torch.bfloat16}
        assert adapted.get_base_model().model.rotary_emb.inv_freq.dtype == torch.float32
        losses = learn(adapted)
    assert losses[-1] < losses[0]
    assert losses == pytest.approx(exact_losses, rel=0.01)
    assert models.weights_fingerprint(llama) == before
    merged = copy.deepcopy(adapted).merge_and_unload()
    assert {weight.dtype for weight in merged.parameters()} == {torch.float32}
    ids = torch.arange(12)[None]
    with torch.inference_mode():
        torch.testing.assert_close(merged(input_ids=ids).logits, adapted(input_ids=ids).logits)
    with pytest.raises(RuntimeError), models.frozen_in(adapted, torch.bfloat16):
        raise RuntimeError
    assert models.weights_fingerprint(llama) == before
