"""Can it be used? A model that somebody else made, from a folder or the Hub: found, checked and opened, in one place.

Nothing of a model's folder is executed: weights are read as safetensors alone, and a model that brings code of its own
is refused. What cannot work is refused before anything is spent on it, in one sentence with a remedy.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from helpers import files, smollm2
from helpers.models import backbone_of, context_of, generates, quiet, states

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

WANTED = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model")
"""What is fetched from the Hub, of a repository's top folder: no code, and nothing pickled."""

READ = ("*config.json", "tokenizer.json", "vocab.json", "*tokens*.json", "*.index.json")
"""Files of JSON that decide how a model is opened."""

VOCABULARIES = ("tokenizer.json", "vocab*")
"""Files of which a tokenizer has one at least; SentencePiece's must be converted, with a library of its own."""

HUB_SECONDS = 5.0
"""For how long the Hub may be silent."""

FEWEST_TOKENS = 32
"""A model that reads fewer at once is of no use in any chapter."""

_WHOLE = "Give a folder with config.json, model.safetensors and tokenizer.json, or a name on the Hub while online."
_AGAIN = "Fetch the folder again, whole."
_NO_TOKENIZER = (
    "there is no tokenizer in this folder (no tokenizer.json)",
    "Save the model's tokenizer into it: `AutoTokenizer.from_pretrained(...).save_pretrained(...)`.",
)
_CAUSAL = "Name one that was made to say what comes next, such as GPT or Llama."
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".pkl")
_POINTER = b"version https://git-lfs"


def load_model(source: str | Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Loads a causal model, in float32 and evaluation mode, and its tokenizer.

    Args:
        source: the folder of a model or of an adapter of peft's, which is merged into its base model; or `owner/name`
            on the Hub; or `smollm2`.

    Raises:
        WorkbookError: it is not there, not whole, needs code of its own, or does not generate text.
    """
    return _load(source, causal=True)


def load_backbone(source: str | Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Loads an encoder like BERT, or a causal model without its output layer; otherwise like `load_model`."""
    model, tokenizer = load_any(source)
    return (backbone_of(model) if generates(model.config) else model), tokenizer


def load_any(source: str | Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Loads a causal model as `load_model` does, or else, like `load_backbone`, what an encoder's states come from."""
    return _load(source, causal=False)


def load_tokenizer(source: str | Path) -> tuple[PreTrainedTokenizerFast, int]:
    """Loads the tokenizer of a causal model, and how many tokens the model reads at once, without its weights."""
    folder = find(source)
    with quiet(), _told(source):
        config, tokenizer = _described(source, folder)
        _require_causal(source, config)
    return tokenizer, context_of(config)


def find(source: str | Path) -> Path:
    """Returns a model's folder; that of a model on the Hub is fetched, or found where it was fetched before.

    What looks like a path is one: the Hub is asked, once, for `owner/name` alone. `smollm2` is converted once.

    Raises:
        WorkbookError: there is no such folder, or nothing of that name on the Hub; or the real model is not installed.
    """
    text = str(source)
    with _told(source):  # of a home that is not there, or a name that is too long
        path = Path(source).expanduser()
        is_folder, is_there = path.is_dir(), path.exists()
    if is_folder and text.strip():
        return path
    if is_there and not is_folder:
        raise files.at(source, "this is a file, not a model's folder", _WHOLE)
    if text == smollm2.NAME:
        return smollm2.folder()
    on_hub = re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", text) and not path.parent.exists()
    if not on_hub or isinstance(source, Path):
        raise files.at(
            source, "there is no such folder", "Name one that is there, or a model on the Hub as owner/name."
        )
    return _fetched(text)


def _fetched(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        with quiet():
            return Path(
                snapshot_download(
                    name,
                    allow_patterns=list(WANTED),
                    ignore_patterns=["*/*", "consolidated*"],
                    etag_timeout=HUB_SECONDS,
                )
            )
    except LocalEntryNotFoundError as error:
        reason = "there is no such folder, it was not fetched before, and the Hub cannot be reached"
        raise files.at(name, reason, "Name a folder that is there, or try again while online.") from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        reason = f"there is no such folder, and the Hub does not give such a model ({_first_line(error)})"
        raise files.at(name, reason, "Look at the spelling; some models must be asked for on their page.") from error


def _load(source: str | Path, causal: bool) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    folder = find(source)
    with quiet(), _told(source):
        config, tokenizer = _described(source, folder)
        if causal:
            _require_causal(source, config)
        adapter = folder / "adapter_config.json"
        if adapter.is_file():
            model = _adapted(source, folder, _base_of(adapter), config)
        else:
            model = _opened(source, folder, config)
        _check_weights_are_numbers(source, model)
        _try_out(source, model.eval())
    model.name_or_path = model.config._name_or_path = str(source)
    return model, tokenizer


def _described(source: str | Path, folder: Path) -> tuple[PretrainedConfig, PreTrainedTokenizerFast]:
    """Reads and checks all but the weights: configuration and tokenizer; an adapter's are its base model's."""
    from transformers import AutoConfig, AutoTokenizer

    _check_files(source, folder)
    adapter = folder / "adapter_config.json"
    if adapter.is_file():
        base = _base_of(adapter)
        try:
            if (find(base) / adapter.name).is_file():
                raise files.at(base, "it is an adapter itself", "Merge that one into its base model first.")
            config, tokenizer = _described(base, find(base))
        except files.WorkbookError as error:
            raise files.WorkbookError(f"{source}: the adapter's base model cannot be used. {error}") from error
        _check_weights(source, folder, "adapter_model.safetensors")
        if not (folder / "tokenizer_config.json").is_file():
            return config, tokenizer
    elif not (folder / "config.json").is_file():
        raise files.at(source, "no model could be loaded from here (there is no config.json)", _WHOLE)
    else:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        _check_kind(source, config)
        _check_weights(source, folder)
    if not any(path.match(pattern) for path in folder.iterdir() for pattern in VOCABULARIES):
        raise files.at(source, *_NO_TOKENIZER)
    own: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    _check_tokenizer(source, folder, own, config)
    return config, own


def _base_of(adapter: Path) -> str | Path:
    """Returns the base model that an adapter names; a relative path may count from here, or from the adapter."""
    named = files.read_json(adapter, _AGAIN).get("base_model_name_or_path")
    if not named or not isinstance(named, str):
        raise files.at(adapter, "the adapter does not name its base model", "Set base_model_name_or_path in it.")
    beside = adapter.parent / named
    return beside if not Path(named).expanduser().exists() and beside.is_dir() else str(named)


def _check_files(source: str | Path, folder: Path) -> None:
    """Refuses a folder in which a file that is read is a mere pointer of Git LFS, or broken JSON."""
    for path in sorted(folder.iterdir()):
        if not path.is_file() or not any(path.match(pattern) for pattern in WANTED):
            continue
        with path.open("rb") as file:
            if file.read(len(_POINTER)) == _POINTER:
                remedy = "Run `git lfs pull` in the folder, or fetch it again."
                raise files.at(path, "only a pointer of Git LFS is here, not the file itself", remedy)
        decides = any(path.match(pattern) for pattern in READ)
        if decides and not isinstance(files.read_json(path, _AGAIN), dict):
            raise files.at(path, "not what a model's folder holds under this name", _AGAIN)


def _check_kind(source: str | Path, config: PretrainedConfig) -> None:
    """Refuses models of which no chapter can make use."""
    if not hasattr(config.get_text_config(), "vocab_size"):
        raise files.at(source, f"this model does not read text (it is of the type {config.model_type})", _CAUSAL)
    if getattr(config, "is_encoder_decoder", False):
        reason = "this model reads with an encoder and writes with a decoder, which no chapter uses"
        raise files.at(source, reason, "Name an encoder such as BERT, or a causal model such as GPT or Llama.")
    if quantized := getattr(config, "quantization_config", None):
        kind = quantized.get("quant_method") if isinstance(quantized, dict) else None
        reason = (
            f"its weights are quantized ({kind or 'quantization_config in config.json'}), which no chapter can train"
        )
        raise files.at(source, reason, "Take the version with whole weights.")
    if context_of(config) < FEWEST_TOKENS:
        reason = f"this model reads {context_of(config)} tokens at once, and at least {FEWEST_TOKENS} are needed"
        raise files.at(source, reason, "Name one with a longer context.")


def _require_causal(source: str | Path, config: PretrainedConfig) -> None:
    if not config.architectures:
        remedy = 'Add it, such as "architectures": ["LlamaForCausalLM"].'
        raise files.at(source, "its config.json does not say of which architecture the model is", remedy)
    if not generates(config):
        reason = f"this model does not generate text (its architecture is {config.architectures[0]})"
        raise files.at(source, reason, _CAUSAL)


def _check_tokenizer(source: str | Path, folder: Path, tokenizer: Any, config: PretrainedConfig) -> None:
    """Refuses a tokenizer that is not there, or that gives numbers which the model has no embedding for."""
    names = {"tokenizer.json", *tokenizer.vocab_files_names.values()}
    if not any((folder / name).is_file() for name in names) or not tokenizer.is_fast:
        raise files.at(source, *_NO_TOKENIZER)
    tokens = max(tokenizer.get_vocab().values(), default=-1) + 1
    rows = getattr(config.get_text_config(), "vocab_size", tokens)
    if tokens > rows:
        reason = f"the tokenizer knows {tokens:,} tokens, the model only {rows:,}"
        raise files.at(source, reason, "Give the tokenizer that belongs to the model, or resize its embedding.")


def _check_weights(source: str | Path, folder: Path, name: str = "model.safetensors") -> None:
    """Refuses weights that are missing, pickled, elsewhere or cut off, without reading them."""
    from safetensors import SafetensorError, safe_open

    single, index = folder / name, folder / f"{name}.index.json"
    shards = [single] if single.is_file() or not index.is_file() else _shards(index)
    if not shards[0].is_file() and not index.is_file():
        pickled = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLED)
        if pickled:
            reason = f"its weights are pickled ({pickled[0]}), and such a file can run code when it is opened"
            remedy = f"Take a version with {name}, or have it converted where you trust it."
            raise files.at(source, reason, remedy)
        raise files.at(source, f"no model could be loaded from here (there is no {name})", _WHOLE)
    for shard in shards:
        if not shard.is_file():
            raise files.at(shard, f"this part of the weights, one of {len(shards)}, is missing", _AGAIN)
        try:
            with safe_open(shard, "pt") as opened:
                opened.keys()
        except (SafetensorError, OSError) as error:
            raise files.at(shard, f"the weights are cut off or damaged ({_first_line(error)})", _AGAIN) from error


def _shards(index: Path) -> list[Path]:
    """Returns the files among which weights are divided, as an index names them; each lies beside it."""
    named = files.read_json(index, _AGAIN).get("weight_map")
    names = list(named.values()) if isinstance(named, dict) else []
    if not names or any(not isinstance(name, str) or Path(name).name != name for name in names):
        raise files.at(index, "it does not say which files beside it hold the weights", _AGAIN)
    return [index.with_name(name) for name in sorted(set(names))]


def _opened(source: str | Path, folder: Path, config: PretrainedConfig) -> PreTrainedModel:
    """Opens weights; refuses them where some are missing or of another shape than the configuration says."""
    from transformers import AutoModel, AutoModelForCausalLM

    kind = AutoModelForCausalLM if generates(config) else AutoModel
    loaded: Any = kind.from_pretrained(
        folder,
        config=config,
        dtype=torch.float32,
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        ignore_mismatched_sizes=True,  # they are told below
        output_loading_info=True,
    )
    model, found = loaded
    for name, here, wanted in sorted(found["mismatched_keys"]):
        reason = f"the weights do not fit config.json ({name}: {tuple(here)} is there, {tuple(wanted)} is wanted)"
        raise files.at(source, reason, _AGAIN)
    # Encoders are often saved without the pooler, which nothing here asks.
    if missing := sorted(name for name in found["missing_keys"] if "pooler" not in name):
        raise files.at(source, f"{len(missing)} weights are missing, such as {missing[0]}", _AGAIN)
    return cast("PreTrainedModel", model)


def _adapted(source: str | Path, folder: Path, base: str | Path, config: PretrainedConfig) -> PreTrainedModel:
    """Opens an adapter's base model and merges the adapter into it."""
    from peft import PeftModel

    model = _opened(base, find(base), config)
    with warnings.catch_warnings(action="ignore"):
        warnings.filterwarnings("error", "Found missing adapter keys")
        adapted: Any = PeftModel.from_pretrained(cast(Any, model), str(folder))
    if not hasattr(adapted, "merge_and_unload"):  # such as a prompt in front of all that is read
        reason = f"an adapter of the kind {adapted.active_peft_config.peft_type.value} is not part of the weights"
        raise files.at(source, reason, "Name one that can be merged into its base model, such as LoRA's.")
    return cast("PreTrainedModel", adapted.merge_and_unload())


def _check_weights_are_numbers(source: str | Path, model: PreTrainedModel) -> None:
    for name, weight in model.named_parameters():
        if not weight.isfinite().all():
            raise files.at(source, f"the weights {name} hold values that are no numbers (NaN or infinite)", _AGAIN)


@torch.inference_mode()
def _try_out(source: str | Path, model: PreTrainedModel) -> None:
    """Lets a model read two rows that differ in the last token: it must give states, and if it is causal, look back."""
    table = cast("torch.nn.Embedding", model.get_input_embeddings())
    ids = torch.arange(8) % table.weight.shape[0]
    rows = torch.stack([ids, torch.cat([ids[:-1], ids[:1]])])  # (2, tokens)
    mask = torch.ones_like(rows)
    shapes = [state.shape[:2] for state in states(model, rows, mask)]
    logits = model(input_ids=rows, attention_mask=mask).logits if generates(model.config) else None
    if any(shape != rows.shape for shape in shapes):
        raise files.at(source, "this model does not give a state for each token", _CAUSAL)
    if logits is not None and (logits[0] - logits[1])[:-1].abs().max() > 1e-4 * logits.abs().max():
        raise files.at(source, "this model looks ahead when it reads, so it cannot say what comes next", _CAUSAL)


@contextmanager
def _told(source: str | Path) -> Iterator[None]:
    """Turns what libraries raise over somebody's files into one sentence that names the model."""
    try:
        yield
    except files.WorkbookError:
        raise
    except Exception as error:  # a damaged file can make a library fail in any way
        if "trust_remote_code" in str(error):
            reason = "it brings program code of its own, and no code of a model is run here"
            raise files.at(source, reason, "Name a model of a kind that transformers knows.") from error
        raise files.at(source, f"no model could be loaded from here ({_first_line(error)})", _WHOLE) from error


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    count = 2 if lines[0].endswith(":") else 1  # one that ends so says nothing yet
    return " ".join(lines[:count]).rstrip(".")
