"""The command line: a mistake gets one clear line and status 2, never a traceback."""

import json
import subprocess
import sys

import pytest

from helpers import files
from helpers.cli import main
from helpers.experiments import registry, study
from helpers.models import causal_model, save_model
from helpers.profiles import load_profile
from helpers.tokenization import train_tokenizer


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "RESULTS", tmp_path)
    monkeypatch.setattr(files, "REFERENCE", tmp_path / "reference")
    for run, value in (("mine", 1.5), ("reference", 1.25)):
        loss = {"name": "loss", "value": value, "unit": "bits", "interval": None, "n": None, "seeds": [], "null": None}
        environment = {"python": "3.12", "libraries": {}, "commit": run}
        chapter = {"measurements": {"loss": loss}, "verdicts": {}, "sizes": {}, "parameters": {}, "fingerprints": {}}
        files.write_json(
            tmp_path / run / "results.json",
            {"format": 1, "chapters": {"01_pretraining": chapter | {"environment": environment}}},
        )
    return tmp_path


def test_help_names_every_command():
    shown = subprocess.run([sys.executable, "-m", "helpers", "--help"], capture_output=True, text=True, check=True)
    assert all(
        command in shown.stdout
        for command in ("run", "lab", "study", "compare", "publish", "export", "report", "check-data", "demonstrations")
    )


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("run 1 --profile smoke --set SEED", "write it as KEY=VALUE"),
        ("run 1 --profile smoke --set seed=3", "parameter 'seed' of 01_pretraining.ipynb is unknown. Known: SEED,"),
        ("run 1 --profile smoke --set tokens=many", "--set tokens='many': it must be a whole number"),
        ("run 77 --profile smoke", "chapter '77' is unknown here. Known: 01_"),
        ("run --name reference", "is the published run"),
        ("study 77", "study '77' is unknown. Known: 01_pretraining, 01_scaling"),
        ("compare nowhere", "nowhere: there is no such record"),
        ("publish nowhere", "nowhere: there is no such record"),
        ("export nowhere.ipynb", "nowhere.ipynb: there is no such notebook"),
        ("report nowhere.txt", "nowhere.txt"),
    ],
)
def test_a_mistake_is_told_in_one_message(command, message, results, capsys):
    assert main(command.split()) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said
    assert "Traceback" not in said


def test_a_run_is_compared_with_the_published_one_by_default(results, capsys):
    assert main(["compare", "mine"]) == 0
    shown = capsys.readouterr().out
    assert "1.5" in shown
    assert "1.25" in shown
    assert main(["compare", "mine", str(results / "mine")]) == 0
    assert "1 identical" in capsys.readouterr().out


@pytest.mark.parametrize(
    "record",
    ["", "{", "[]", "1", '{"format": 2}', '{"format": 1, "chapters": []}', '{"format": 1, "chapters": {"01_a": 3}}',
     '{"format": 1, "chapters": {"01_a": {}}}', '{"format": 1, "chapters": {"01_a": {"measurements": {"x": {}}}}}'],
)  # fmt: skip
@pytest.mark.parametrize("command", ["compare", "publish"])
def test_a_damaged_record_is_one_error(record, command, results, capsys):
    (results / "mine" / "results.json").write_text(record)
    assert main([command, "mine"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_a_path_in_the_users_home_is_found_in_every_command(results, monkeypatch, capsys):
    monkeypatch.setattr(files, "CACHE", results / "cache")
    monkeypatch.setenv("HOME", str(results))
    assert main(["compare", "~/mine"]) == 0
    (results / "texts.jsonl").write_text("".join(json.dumps({"text": f"Text number {i}."}) + "\n" for i in range(50)))
    assert main(["report", "~/texts.jsonl"]) == 0
    assert main(["demonstrations", "--people", "12", "--to", "~/new"]) == 0
    assert (results / "new" / "train.jsonl").exists()
    assert main(["check-data", "~/new"]) == 0
    capsys.readouterr()
    for command in ("export ~/x.ipynb", "chat ~/x", "report hub:~/x", "pretrain --corpus ~/x", "publish ~/x"):
        assert main(command.split()) == 2
        assert f"{results}/x" in capsys.readouterr().err
    assert main(["report", "~no-such-user/x"]) == 2
    assert "~no-such-user/x: there is no such user" in capsys.readouterr().err


def test_a_corpus_is_reported(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(files, "CACHE", tmp_path / "cache")
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": f"Text number {i}."}) + "\n" for i in range(50)))
    assert main(["report", str(tmp_path / "texts.jsonl")]) == 0
    assert "texts.jsonl" in capsys.readouterr().out


def test_labelled_texts_are_reported(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(files, "CACHE", tmp_path / "cache")
    rows = [{"body": f"Text number {i}.", "mood": ("good", "bad")[i % 2]} for i in range(60)] + [
        {"body": "", "mood": 3}
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = ["report", str(tmp_path / "rows.jsonl"), "--kind", "labels", "--column", "body", "--label", "mood"]
    assert main(command) == 0
    assert "rows.jsonl:61: 3:" in capsys.readouterr().out
    assert main([*command[:-1], "moods"]) == 2
    assert "no column 'moods'; found: body, mood. Choose one with --label NAME" in capsys.readouterr().err


def conversations(path, count):
    rows = [{"prompt": f"Where is number {i}?", "completion": f"Number {i} is by the river."} for i in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"prompt": "Where?", "completion": ""}]))
    return str(path)


def test_conversations_are_reported(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(files, "CACHE", tmp_path / "cache")
    assert main(["report", conversations(tmp_path / "rows.jsonl", 30), "--kind", "prompts"]) == 0
    shown = capsys.readouterr().out
    assert "rows.jsonl:31: the assistant says nothing" in shown
    assert "set-aside.jsonl" in shown


def test_data_are_checked_in_words_where_there_is_no_model(tmp_path, results, monkeypatch, capsys):
    monkeypatch.setattr(files, "CACHE", tmp_path / "cache")
    assert main(["check-data", conversations(tmp_path / "rows.jsonl", 30)]) == 0
    shown = capsys.readouterr().out
    assert "no base model yet: lengths are in words" in shown
    assert "rows.jsonl:31: the assistant says nothing" in shown
    assert "set aside: empty answer: 1 (rows.jsonl:31)" in shown
    assert "Verdict: Fine-tuning on these rows makes sense" in shown


@pytest.mark.parametrize("named", [True, False])
def test_data_are_checked_in_tokens_of_the_model_named_or_of_the_base_model(
    tmp_path, results, monkeypatch, capsys, named
):
    monkeypatch.setattr(files, "CACHE", tmp_path / "cache")
    path = conversations(tmp_path / "rows.jsonl", 30)
    folder = tmp_path / "model" if named else results / "reference" / "models" / "base"
    tokenizer = train_tokenizer(["no word of theirs"], 300)
    profile = load_profile("smoke", hidden_size=32, n_layer=1, n_head=2, context=32)
    save_model(causal_model(profile, tokenizer, seed=0), tokenizer, folder)
    assert main(["check-data", path, *(["--model", str(folder)] if named else [])]) == 1
    shown = capsys.readouterr().out
    assert f"Lengths are in tokens of {folder}; a conversation may have 32 of them." in shown
    assert "longer than the model's 32 tokens" in shown


def test_a_model_without_an_end_token_cannot_be_fine_tuned(tmp_path, results, monkeypatch, capsys):
    monkeypatch.setattr(files, "CACHE", tmp_path / "cache")
    tokenizer = train_tokenizer(["Where is number 1? By the river."], 300)
    tokenizer.eos_token, tokenizer.chat_template = None, None
    profile = load_profile("smoke", hidden_size=32, n_layer=1, n_head=2)
    save_model(causal_model(profile, tokenizer, seed=0), tokenizer, tmp_path / "model")
    arguments = ["check-data", conversations(tmp_path / "rows.jsonl", 30), "--model", str(tmp_path / "model")]
    assert main(arguments) == 1
    assert f"error: {tmp_path / 'model'}: The tokenizer has no token that ends a text" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (5, [], "pointless: fewer than 20 rows to learn from"),
        (None, [], "error: nowhere.jsonl: there is no such source of kind prompts. Known are town"),
        (30, ["--model", "nowhere"], "error: nowhere: there is no such folder. Name one that is there"),
        (30, ["--model", "."], "error: .: no model could be loaded from here (there is no config.json)"),
    ],
)
def test_data_not_worth_training_on_have_status_1(tmp_path, results, monkeypatch, capsys, rows, options, message):
    monkeypatch.setattr(files, "CACHE", tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    path = "nowhere.jsonl" if rows is None else conversations(tmp_path / "rows.jsonl", rows)
    assert main(["check-data", path, *options]) == 1
    shown = capsys.readouterr()
    assert message in (shown.err if message.startswith("error") else shown.out)


def test_demonstrations_are_written_and_counted(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(files, "CACHE", tmp_path / "cache")
    folder = tmp_path / "new" / "shown"
    assert main(["demonstrations", "--people", "12", "--seed", "1", "--to", str(folder)]) == 0
    shown = capsys.readouterr().out.splitlines()
    for line, name in zip(shown, ("train.jsonl", "test.jsonl"), strict=True):
        data = (folder / name).read_bytes()
        assert line == f"{folder / name}: {data.count(10):,} rows, {len(data):,} bytes"
    assert main(["check-data", str(folder)]) == 0
    assert main(["demonstrations", "--people", "12", "--seed", "2", "--to", str(folder)]) == 0
    assert (folder / name).read_bytes() != data


def test_demonstrations_of_a_town_that_cannot_be_replace_nothing(tmp_path, capsys):
    assert main(["demonstrations", "--people", "7", "--to", str(tmp_path)]) == 2
    assert "people=7 must be a multiple of four" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_has_its_own_status(monkeypatch, capsys):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setitem(registry.STUDIES, "01_pretraining", None)
    monkeypatch.setattr(study, "run_study", interrupted)
    assert main(["study", "01_pretraining"]) == 130
    assert "Stopped" in capsys.readouterr().err
