"""A tuned model's folder is opened by other programs and answers there as here; its card says what was measured."""

import json

import pytest
import torch
import yaml
from backbones import SAVED
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

from helpers.cards import Card, save_tuned
from helpers.generation import reply
from helpers.models import weights_fingerprint
from helpers.pretrained import load_model
from helpers.records import Measurement
from helpers.statistics import Interval
from helpers.tokenization import encode_conversation, stop_tokens, with_chat_template

ASKED = [{"role": "user", "content": "mill?"}]
CARD = Card(
    title="The tuned | model",
    about="It answers <b>questions</b>.",
    license="mit",
    base_model="results/reference/models/base",
    data={"town": "0123456789abcdef", "mine | <script>": "fedcba9876543210"},
    training={"arm": "LoRA", "rates": (0.01, 0.003), "epochs": 3, "tokens": 120_000, "seconds": 61.5},
    scores=[
        Measurement("exact match", 0.75, "share", Interval(0.7, 0.8, "bootstrap over questions"), n=1200, null=0.1),
        Measurement("loss", 1.25, "nats"),
    ],
    limits="It knows *one* town.",
    tags=("chat", "town"),
)


@pytest.fixture(params=["own", "GPT-2"])
def tuned(request, tmp_path):
    """A model with its tokenizer, the second of a kind that has neither template nor padding."""
    SAVED[request.param](tmp_path / "base")
    model, tokenizer = load_model(tmp_path / "base")
    return model, with_chat_template(tokenizer)


def adapted(model):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return get_peft_model(model, LoraConfig(target_modules="all-linear", init_lora_weights=False)).eval()


def logits(model):
    with torch.inference_mode():
        return model(input_ids=torch.tensor([[1, 40, 41, 42]], device=model.device)).logits


def test_the_folder_opens_elsewhere_and_answers_as_here(tuned, tmp_path):
    model, tokenizer = tuned
    split = tokenizer.split_special_tokens
    save_tuned(model, tokenizer, tmp_path / "tuned", CARD)
    assert tokenizer.split_special_tokens == split
    expected = reply(model, tokenizer, [ASKED], 8)[0]
    opened = AutoModelForCausalLM.from_pretrained(tmp_path / "tuned")
    assert weights_fingerprint(opened) == weights_fingerprint(model)
    assert reply(*load_model(tmp_path / "tuned"), [ASKED], 8) == [expected]
    answer = pipeline("text-generation", model=str(tmp_path / "tuned"))
    for options in ({"do_sample": False}, {}):  # the folder says so itself
        written = answer(ASKED, max_new_tokens=8, **options)[0]["generated_text"]
        assert written[-1] == {"role": "assistant", "content": expected}
    assert [path.name for path in (tmp_path / "tuned").glob("*.safetensors")] == ["model.safetensors"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "tuned"]


def test_role_markers_are_tokens_for_programs_that_encode_the_template_as_text(tuned, tmp_path):
    model, tokenizer = tuned
    save_tuned(model, tokenizer, tmp_path / "tuned", CARD)
    opened = AutoTokenizer.from_pretrained(tmp_path / "tuned")
    assert opened.chat_template == tokenizer.chat_template
    ids = opened(opened.apply_chat_template(ASKED, tokenize=False), add_special_tokens=False)["input_ids"]
    assert ids == encode_conversation(tokenizer, ASKED)[0] == encode_conversation(opened, ASKED)[0]
    settings = json.loads((tmp_path / "tuned" / "generation_config.json").read_text())
    assert settings["eos_token_id"] in (stop_tokens(tokenizer), *stop_tokens(tokenizer))
    assert settings["pad_token_id"] == tokenizer.pad_token_id


def test_adapters_are_merged_and_the_model_itself_is_not(tuned, tmp_path):
    base, tokenizer = tuned
    plain = logits(base)
    model = adapted(base)
    before = logits(model)
    assert (before - plain).abs().max() > 0.01
    save_tuned(model, tokenizer, tmp_path / "merged", CARD)
    model.save_pretrained(tmp_path / "adapter")
    assert torch.equal(logits(model), before)  # the model itself was not merged
    merged, _ = load_model(tmp_path / "merged")
    kept = PeftModel.from_pretrained(load_model(tmp_path / "base")[0], tmp_path / "adapter").eval()
    assert type(merged) is type(load_model(tmp_path / "base")[0])
    torch.testing.assert_close(logits(merged), before, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(logits(kept), logits(merged), atol=1e-5, rtol=1e-5)


def test_the_card_says_what_it_was_made_from_and_what_was_measured(tuned, tmp_path):
    save_tuned(*tuned, tmp_path / "tuned", CARD)
    text = (tmp_path / "tuned" / "README.md").read_text(encoding="utf-8")
    front, body = text.removeprefix("---\n").split("\n---\n", 1)
    assert yaml.safe_load(front) == {
        "license": "mit",
        "base_model": "results/reference/models/base",
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["chat", "town"],
    }
    for shown in (
        "# The tuned \\| model\n",
        "| town | 0123456789abcdef |",
        "| arm | LoRA |",
        "| tokens | 120,000 |",
        "| exact match | 0.75 \\[0.7, 0.8\\] | share | 1,200 | 0.1 |",
        "| loss | 1.25 | nats | – | – |",
        "Intervals: 95%, bootstrap over questions.",
        "It knows \\*one\\* town.",
        'pipeline("text-generation", model="tuned", tokenizer="tuned")',
    ):
        assert shown in body
    assert "<script>" not in body
    assert "<b>" not in body
    assert "mine \\| " in body


def test_nothing_is_left_half_written(tuned, tmp_path, monkeypatch):
    model, tokenizer = tuned
    save_tuned(model, tokenizer, tmp_path / "tuned", CARD)
    before = {path.name: path.read_bytes() for path in (tmp_path / "tuned").iterdir()}

    def full(*arguments):
        raise OSError("No space left on device")

    monkeypatch.setattr("helpers.files.write_text", full)
    for name in ("tuned", "new"):
        with pytest.raises(OSError, match="No space left"):
            save_tuned(model, tokenizer, tmp_path / name, CARD)
    assert {path.name: path.read_bytes() for path in (tmp_path / "tuned").iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "tuned"]
