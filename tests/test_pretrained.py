"""A model that somebody brings works in every chapter, or is refused in one sentence; and nothing of it is executed."""

import ast
import io
import json
import re
import shutil

import architectures
import pytest
import torch
from backbones import KINDS, bpe, save_gpt2, save_kind
from peft import LoraConfig, PrefixTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file

from helpers import files, models, pretrained, tokenization
from helpers.cli import main
from helpers.files import WorkbookError
from helpers.publishing import chapters

LOADERS = {"from_pretrained", "from_config", "load_dataset", "load_dataset_builder", "pipeline"}
SAFE = {"PeftModel"}
"""Whose loaders take no such argument, and read an adapter's weights alone."""


@pytest.fixture
def folder(tmp_path):
    save_gpt2(tmp_path / "model")
    return tmp_path / "model"


def calls(source):
    """Yields the calls in a source that load a model, a tokenizer or a data set, each with who is called."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            *owner, name = ast.unparse(node.func).split(".")
            if name in LOADERS and not SAFE.intersection(owner):
                yield node


def test_every_call_that_loads_says_that_no_code_is_trusted():
    sources = {path: path.read_text(encoding="utf-8") for path in (files.ROOT / "src").rglob("*.py")}
    for path in files.NOTEBOOKS.glob("*.ipynb"):
        cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
        sources[path] = "\n".join("".join(cell["source"]) for cell in cells)
    found = [(path, call) for path, source in sources.items() for call in calls(source)]
    assert len(found) >= 5
    for path, call in found:
        assert "trust_remote_code=False" in map(ast.unparse, call.keywords), f"{path}, line {call.lineno}"


def test_code_in_a_models_folder_is_never_run_nor_asked_for(folder, tmp_path, monkeypatch, capsys):
    ran = tmp_path / "ran"
    (folder / "code.py").write_text(f"open({str(ran)!r}, 'w')\nclass Mine: pass\n")
    about = json.loads((folder / "config.json").read_text())
    unknown = {"model_type": "mine", "auto_map": {"AutoConfig": "code.Mine", "AutoModelForCausalLM": "code.Mine"}}
    for changed in (about | unknown, about | {"auto_map": unknown["auto_map"]}):
        (folder / "config.json").write_text(json.dumps(changed))
        monkeypatch.setattr("sys.stdin", io.StringIO("y\nhello\n"))
        status = main(["chat", str(folder), "--max-new-tokens", "2"])
        said = capsys.readouterr()
        assert not ran.exists()
        if changed["model_type"] == "mine":
            assert status == 2
            assert said.err == (
                f"error: {folder}: it brings program code of its own, and no code of a model is run here. "
                "Name a model of a kind that transformers knows.\n"
            )
        else:  # transformers has its own code for this type
            assert status == 0
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings |= {"tokenizer_class": "Mine", "auto_map": {"AutoTokenizer": ["code.Mine", None]}}
    (folder / "config.json").write_text(json.dumps(about | {"model_type": "mine"}))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    assert main(["chat", str(folder)]) == 2
    assert not ran.exists()


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def point(path):
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def pickle(folder):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def shard(folder):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, **index}))


def reweigh(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def without_tokenizer(folder):
    for path in folder.glob("*token*"):
        path.unlink()


def looks_ahead(folder):
    shutil.rmtree(folder)
    save_kind("bert", folder)
    edit(folder / "config.json", architectures=["BertLMHeadModel"])


def not_a_number(folder):
    reweigh(folder, lambda weights: weights["transformer.ln_f.bias"].fill_(float("nan")))


def shard_elsewhere(folder):
    index = {"metadata": {}, "weight_map": {"a": "../model.safetensors"}}
    (folder / "model.safetensors").rename(folder.parent / "model.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def only_sentencepiece(folder):
    without_tokenizer(folder)
    (folder / "tokenizer.model").write_bytes(b"a model of SentencePiece")


def pad_elsewhere(folder):
    shutil.rmtree(folder)
    save_kind("llama", folder)
    edit(folder / "config.json", pad_token_id=9999)


def template(text):
    return lambda folder: edit(folder / "tokenizer_config.json", chat_template=text)


FAULTS = {
    "weights of git-lfs": (lambda f: point(f / "model.safetensors"), r"pointer of Git LFS.*`git lfs pull`"),
    "tokenizer of git-lfs": (lambda f: point(f / "tokenizer.json"), r"tokenizer.json: only a pointer of Git LFS"),
    "truncated": (
        lambda f: truncate(f / "model.safetensors"),
        r"weights are cut off or damaged.*Fetch the folder",
    ),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), r"there is no model.safetensors"),
    "pickled": (pickle, r"pickled \(pytorch_model.bin\).*can run code.*model.safetensors"),
    "a shard missing": (shard, r"model-00002-of-00002.safetensors: this part of the weights, one of 2, is missing"),
    "other sizes": (lambda f: edit(f / "config.json", n_embd=48), r"do not fit config.json \(.*\(96,\) is there"),
    "more layers": (lambda f: edit(f / "config.json", n_layer=3), r"12 weights are missing, such as transformer.h.2"),
    "no numbers": (not_a_number, r"ln_f.bias.*no numbers"),
    "no tokenizer": (without_tokenizer, r"there is no tokenizer in this folder"),
    "small vocabulary": (lambda f: edit(f / "config.json", vocab_size=200), r"knows \d+ tokens, the model only 200"),
    "broken config": (lambda f: (f / "config.json").write_text("{"), r"config.json, line 1: not valid JSON"),
    "broken tokenizer": (lambda f: truncate(f / "tokenizer.json"), r"tokenizer.json, line \d+: not valid JSON"),
    "odd tokenizer": (lambda f: (f / "tokenizer.json").write_text("{}"), r"no model could be loaded from here"),
    "a number": (lambda f: (f / "config.json").write_text("3"), r"config.json: not what a model's folder holds"),
    "unknown kind": (lambda f: edit(f / "config.json", model_type="mine"), r"no model could be loaded.*mine"),
    "short context": (lambda f: edit(f / "config.json", n_positions=16), r"reads 16 tokens at once, and at least 32"),
    "no config": (lambda f: (f / "config.json").unlink(), r"there is no config.json"),
    "shards elsewhere": (shard_elsewhere, r"index.json: it does not say which files beside it hold the weights"),
    "quantized": (
        lambda f: edit(f / "config.json", quantization_config={"quant_method": "gptq"}),
        r"quantized \(gptq\)",
    ),
    "a text for a number": (lambda f: edit(f / "config.json", vocab_size="many"), r"Validation error.*'vocab_size'"),
    "numbers for names": (lambda f: edit(f / "config.json", architectures=[3]), r"no model could be loaded from here"),
    "a padding that is not there": (pad_elsewhere, r"no model could be loaded from here \(Padding_idx"),
    "no architecture": (lambda f: edit(f / "config.json", architectures=None), r"not say of which architecture"),
    "SentencePiece alone": (only_sentencepiece, r"there is no tokenizer in this folder \(no tokenizer.json\)"),
    "looks ahead": (looks_ahead, r"this model looks ahead when it reads"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_work_is_refused_in_one_sentence(folder, capfd, fault):
    spoil, reason = FAULTS[fault]
    spoil(folder)
    capfd.readouterr()
    assert main(["chat", str(folder)]) == 2
    said = capfd.readouterr()
    assert re.fullmatch(rf"error: {re.escape(str(folder))}.*\n", said.err), said.err
    assert re.search(reason, said.err), said.err
    assert said.out == ""


TEMPLATES = {
    "{{ messages[0].content ": "unexpected end of template",
    "{{ messages[0].content | nothing }}": "No filter named 'nothing'",
    "{% for i in range(10**9) %}{% endfor %}": "Range too big",
    "{{ 1 / 0 }}": "division by zero",
    "{{ ''.__class__.__mro__ }}": "unsafe",
    "{% for m in messages %}[{{ m.role }}]{% endfor %}": "does not show each message once",
    "{{ raise_exception('Never') }}": "Never",
}


@pytest.mark.parametrize("text", TEMPLATES)
def test_a_template_that_fails_is_told_before_anything_is_spent(folder, tmp_path, monkeypatch, capfd, text):
    monkeypatch.setattr(files, "RESULTS", tmp_path / "results")
    template(text)(folder)
    rows = [{"prompt": f"Where is mill {i}?", "answer": f"By river {i}."} for i in range(40)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    capfd.readouterr()
    for status, command in [
        (2, ["chat", str(folder)]),
        (1, ["check-data", str(tmp_path / "rows.jsonl"), "--model", str(folder)]),
        (2, ["run", "04", "--profile", "smoke", "--set", f"MODEL={folder}"]),
    ]:
        assert main(command) == status
        said = capfd.readouterr()
        assert re.fullmatch(
            rf"error: [^\n]*{re.escape(TEMPLATES[text])}[^\n]* Mend [^\n]* a plain one is used\.\n", said.err
        )
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(("chapter", "kind"), [("01", "bert"), ("03", "t5"), ("04", "bert"), ("01", None)])
def test_a_run_does_not_begin_with_a_model_that_its_chapter_cannot_use(tmp_path, monkeypatch, capfd, chapter, kind):
    monkeypatch.setattr(files, "RESULTS", tmp_path / "results")
    if kind:
        save_kind(kind, tmp_path / "model")
    capfd.readouterr()
    assert main(["run", chapter, "--profile", "smoke", "--set", f"MODEL={tmp_path / 'model'}"]) == 2
    said = capfd.readouterr()
    assert re.fullmatch(rf"error: (--set MODEL=)?{tmp_path / 'model'}: [^\n]*\n", said.err)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("name", ["./nowhere", "/no/where", "~/nowhere", "nowhere", "a/b/c", "tests/nowhere", "a b/c"])
def test_what_looks_like_a_path_is_not_looked_for_on_the_hub(monkeypatch, name):
    monkeypatch.setattr(pretrained, "_fetched", lambda name: pytest.fail("the Hub was asked"))
    monkeypatch.chdir(files.ROOT)
    with pytest.raises(WorkbookError, match=rf"^{re.escape(name)}: there is no such folder"):
        pretrained.find(name)


@pytest.mark.parametrize("name", ["", " ", "~nobody/model", "a" * 5000, "a\0b"])
def test_what_no_folder_can_be_called_is_refused(name):
    with pytest.raises(WorkbookError, match=r"(there is no such folder|no model could be loaded from here \(.*\))\. "):
        pretrained.find(name)


def test_the_hub_is_asked_once_for_a_name(monkeypatch):
    asked = []

    def fail(name, **options):
        asked.append(name)
        raise OSError("404 Not Found")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(WorkbookError, match=r"^nobody/nothing: .*the Hub does not give such a model \(404 Not Found\)"):
        pretrained.load_model("nobody/nothing")
    assert asked == ["nobody/nothing"]


def test_a_home_folder_is_found(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    model, _ = pretrained.load_model("~/model")
    assert models.weights_fingerprint(model) == models.weights_fingerprint(pretrained.load_model(folder)[0])


def adapter_of(folder, into):
    options = {"task_type": "CAUSAL_LM", "fan_in_fan_out": True, "init_lora_weights": False}
    adapted = get_peft_model(
        pretrained.load_model(folder)[0], LoraConfig(target_modules="all-linear", **options)
    ).eval()
    adapted.save_pretrained(into)
    return adapted


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_is_read_with_its_base_model_everywhere(folder, tmp_path, monkeypatch):
    adapted, into = adapter_of(folder, tmp_path / "adapter"), tmp_path / "adapter"
    edit(into / "adapter_config.json", base_model_name_or_path="../model")  # beside the adapter, wherever one stands
    ids = torch.tensor([[3, 4, 5]])
    with torch.inference_mode():
        expected = adapted(input_ids=ids).logits
        for load in (pretrained.load_model, pretrained.load_any):
            assert torch.allclose(load(into)[0](input_ids=ids).logits, expected, atol=1e-5)
        hidden = pretrained.load_backbone(into)[0](input_ids=ids).last_hidden_state
    assert hidden.shape == (1, 3, 32)
    assert pretrained.load_tokenizer(into)[1] == 32
    shutil.rmtree(folder)
    with pytest.raises(WorkbookError, match=r"adapter: the adapter's base model cannot be used. .*model: there is no"):
        pretrained.load_model(into)


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_that_cannot_be_merged_is_refused_in_one_sentence(folder, tmp_path, capfd):
    into = tmp_path / "adapter"
    faults = {
        r"does not name its base model": lambda: edit(into / "adapter_config.json", base_model_name_or_path=3),
        r"it is an adapter itself": lambda: edit(into / "adapter_config.json", base_model_name_or_path="../adapter"),
        r"no adapter_model.safetensors": lambda: (into / "adapter_model.safetensors").unlink(),
        r"cut off or damaged": lambda: truncate(into / "adapter_model.safetensors"),
    }
    for reason, spoil in faults.items():
        adapter_of(folder, into)
        spoil()
        capfd.readouterr()
        assert main(["chat", str(into)]) == 2
        assert re.fullmatch(rf"error: {into}[^\n]*{reason}[^\n]*\n", capfd.readouterr().err)
    shutil.rmtree(into)
    options = PrefixTuningConfig(num_virtual_tokens=2, task_type="CAUSAL_LM")
    get_peft_model(pretrained.load_model(folder)[0], options).save_pretrained(into)
    with pytest.raises(WorkbookError, match=r"of the kind PREFIX_TUNING is not part of the weights"):
        pretrained.load_model(into)


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_for_another_model_is_refused(folder, tmp_path):
    adapter_of(folder, tmp_path / "adapter")
    save_kind("llama", tmp_path / "llama")
    edit(tmp_path / "adapter" / "adapter_config.json", base_model_name_or_path=str(tmp_path / "llama"))
    with pytest.raises(WorkbookError, match=r"adapter: no model could be loaded from here"):
        pretrained.load_model(tmp_path / "adapter")


@pytest.mark.parametrize("special", ["none", "end", "begin end", "chat"])
def test_a_model_writes_whatever_special_tokens_its_tokenizer_has(tmp_path, special):
    save_kind("gpt2", tmp_path / "model", special)
    assert architectures.generation.sample(*pretrained.load_model(tmp_path / "model"), ["", "The mill"], 4, seed=0)


def test_a_template_without_system_role_begins_the_users_turn_with_the_message():
    tokenizer = tokenization.with_chat_template(bpe("no system"))
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who?"}]
    ids, _ = tokenization.encode_conversation(tokenizer, [*turns, {"role": "assistant", "content": "Ada."}])
    assert tokenizer.decode(ids).startswith("<bos><start>user\nBe brief.\n\nWho?<stop>")
    assert tokenization.encode_conversation(tokenizer, turns[1:]) == tokenization.encode_conversation(
        tokenization.with_chat_template(bpe("no system")), turns[1:]
    )


REFUSED = {
    **{kind: {"01", "03", "04", "chat"} for kind in ("t5", "bart")},
    **{kind: {"01", "04", "chat"} for kind in ("bert", "distilbert", "roberta", "albert")},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["gpt2", "qwen2", "gemma", "opt", "bloom", "mamba", "bert", "albert", "t5"])
def test_a_kind_of_model_runs_or_is_refused(kind, capsys):
    assert kind in KINDS
    found = {chapter: architectures.outcome(kind, chapter) for chapter in architectures.CHAPTERS}
    assert {chapter for chapter in found if found[chapter] != "runs"} == REFUSED.get(kind, set()), found


def test_the_chapters_open_a_readers_model_before_all_else():
    for chapter in chapters.chapters():
        cells = chapters.cells(chapters.source(chapter.name))
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        loads = [place for place, source in enumerate(code) if "MODEL" in source]
        assert loads[:2] == [0, 2], chapter.name
