"""A chat model is tuned on a file of conversations: an adapter that opens again, whole or not at all."""

import json

import pytest
import torch
from backbones import save_kind
from peft import PeftModel

from helpers import files, tune
from helpers.cli import main
from helpers.models import with_adapters
from helpers.pretrained import load_model


@pytest.fixture
def model(tmp_path):
    save_kind("llama", tmp_path / "model", special="chat", num_hidden_layers=2, max_position_embeddings=256)
    return tmp_path / "model"


@pytest.fixture
def chats(tmp_path):
    """A file of conversations whose answers are all alike in form."""
    path = tmp_path / "mine.jsonl"
    rows = [{"question": f"Where is mill {i}?", "answer": f"By the river {i}."} for i in range(60)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_it_says_cost_and_surprise_before_and_after_and_the_adapter_opens(model, chats, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["tune", str(model), str(chats), str(out), "--epochs", "2"]) == 0
    said = capsys.readouterr().out
    assert "GB of memory" in said
    assert said.index("expected on this machine") < said.index("training:") < said.index("Surprise at the answers")
    assert f"python -m helpers chat {out}" in said
    assert {path.name for path in out.iterdir()} == {"README.md", "adapter_config.json", "adapter_model.safetensors"}
    ids = torch.tensor([[5, 9, 30, 12]])
    base, opened = load_model(model)[0], load_model(out)[0]
    assert not torch.allclose(base(input_ids=ids).logits, opened(input_ids=ids).logits)


def test_a_saved_adapter_answers_as_the_tuned_model_did(model, tmp_path):
    base, _ = load_model(model)
    learner = with_adapters(base, 4, seed=0, first=1)
    torch.manual_seed(0)
    for weight in learner.parameters():
        if weight.requires_grad:
            torch.nn.init.normal_(weight, std=0.2)
    tune.save_adapter(learner.eval(), tmp_path / "adapter", str(model), "about")
    ids = torch.tensor([[5, 9, 30, 12]])
    expected = learner(input_ids=ids).logits
    assert torch.allclose(load_model(tmp_path / "adapter")[0](input_ids=ids).logits, expected, atol=1e-4)


def test_it_names_a_base_model_in_a_folder_by_its_whole_path(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tune.save_adapter(with_adapters(load_model("model")[0], 4, seed=0), tmp_path / "adapter", "model", "about")
    monkeypatch.chdir("/")
    assert load_model(tmp_path / "adapter")


def test_an_interrupted_saving_leaves_nothing(model, tmp_path, monkeypatch):
    def interrupted(self, folder, **options):
        (files.Path(folder)).mkdir()
        (files.Path(folder) / "adapter_model.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(PeftModel, "save_pretrained", interrupted)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        tune.save_adapter(with_adapters(load_model(model)[0], 4, seed=0), tmp_path / "adapter", str(model), "about")
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_that_is_there_is_refused_before_anything_is_read(tmp_path, capsys):
    assert main(["tune", "nowhere", "nothing.jsonl", str(tmp_path)]) == 2
    assert "this is there already" in capsys.readouterr().err


def test_data_that_are_not_fit_stop_it_before_it_trains(model, tmp_path, capsys):
    few = tmp_path / "few.jsonl"
    few.write_text("\n".join(json.dumps({"question": f"Where {i}?", "answer": "There."}) for i in range(3)), "utf-8")
    assert main(["tune", str(model), str(few), str(tmp_path / "out")]) == 1
    assert "stop:" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
