"""What is being raised? Small models made from transformers' own configurations, or any model of the Hub; their states.

A small Qwen3 (Yang et al. 2025: Llama's rotary positions, RMS norm and gated feed-forward, and normalised queries and
keys, with which a small model learns faster), opened by `from_pretrained` without any code of ours. To guess hidden
tokens instead of the next one, the same network is made bidirectional.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from helpers import files
from helpers.profiles import Profile

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


def causal_model(profile: Profile, tokenizer: PreTrainedTokenizerFast, seed: int) -> PreTrainedModel:
    """Makes an untrained next-token model in float32, its output layer tied to its embedding."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=profile.hidden_size,
        intermediate_size=profile.intermediate_size,
        num_hidden_layers=profile.n_layer,
        num_attention_heads=profile.n_head,
        num_key_value_heads=profile.n_head,
        head_dim=profile.hidden_size // profile.n_head,
        max_position_embeddings=profile.context,
        # The default of 0.02 is for widths of a thousand; on narrow models it wastes the first hundred steps.
        initializer_range=profile.hidden_size**-0.5,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Qwen3ForCausalLM(config)


def masked_model(profile: Profile, tokenizer: PreTrainedTokenizerFast, seed: int) -> PreTrainedModel:
    """Makes an untrained model for guessing hidden tokens: `causal_model`, weight for weight, but bidirectional.

    Its logits at a place are for that place itself, not for the next one. Give it an `attention_mask` of
    (rows, 1, tokens, tokens): without one, it falls back to causal attention.
    """
    model = causal_model(profile, tokenizer, seed)
    model.config.is_causal, model.config.mask_token_id = False, tokenizer.mask_token_id
    return model


def is_bidirectional(model: PreTrainedModel) -> bool:
    """Returns whether a model is one that `masked_model` made."""
    return not getattr(model.config, "is_causal", True)


def load_model(source: str | Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Loads a causal model, in float32 and evaluation mode, and its tokenizer, from a folder or the Hub."""
    return _load("AutoModelForCausalLM", source)


def load_backbone(source: str | Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Loads an encoder like BERT or a decoder like GPT without its output layer; otherwise like `load_model`."""
    return _load("AutoModel", source)


def _load(kind: str, source: str | Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    import transformers

    try:
        model = getattr(transformers, kind).from_pretrained(source, dtype=torch.float32, use_safetensors=True)
        tokenizer = cast("PreTrainedTokenizerFast", transformers.AutoTokenizer.from_pretrained(source))
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise files.at(
            source,
            f"no model could be loaded from here ({reason})",
            "Give a folder with config.json, model.safetensors and tokenizer.json, or a name on the Hub while online.",
        ) from error
    return model.eval(), tokenizer


def untrained(model: PreTrainedModel, seed: int) -> PreTrainedModel:
    """Returns a model of the same kind and size with new random weights; the caller's random state is left alone."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return type(model)(copy.deepcopy(model.config)).eval()


def with_adapters(model: PreTrainedModel, rank: int, seed: int) -> PeftModel:
    """Returns a copy of a model in which only LoRA's matrices (Hu et al. 2022), beside each inside, are trained."""
    from peft import LoraConfig, get_peft_model

    task = None if backbone_of(model) is model else "CAUSAL_LM"
    with torch.random.fork_rng(), warnings.catch_warnings(action="ignore"):  # peft tells how it treats GPT-2, and more
        torch.manual_seed(seed)
        adapters = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type=task)
        return cast("PeftModel", get_peft_model(copy.deepcopy(model), adapters))


def generates(model: PreTrainedModel) -> bool:
    """Returns whether a model, or the one that a backbone was part of, was made to say what comes next."""
    return not is_bidirectional(model) and any(
        name.endswith(("ForCausalLM", "LMHeadModel")) for name in model.config.architectures or []
    )


def context_length(model: PreTrainedModel) -> int:
    """Returns how many tokens a model can read at once; 512 where its configuration does not say."""
    return getattr(model.config, "max_position_embeddings", None) or 512


def backbone_of(model: PreTrainedModel) -> PreTrainedModel:
    """Returns a language model without its output layer; the two share their weights."""
    return cast("PreTrainedModel", model.base_model)


def padded(rows: Sequence[Sequence[int]], where: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns `input_ids`, padded on the right, and the `attention_mask` that hides padding; (rows, tokens) each."""
    longest = max(map(len, rows))
    input_ids = torch.tensor([[*row, *[rows[0][0]] * (longest - len(row))] for row in rows], device=where)
    lengths = torch.tensor([len(row) for row in rows], device=where)
    return input_ids, (torch.arange(longest, device=where) < lengths[:, None]).long()


def in_batches(rows: Sequence[Sequence[int]], tokens: int = 8192) -> Iterator[list[int]]:
    """Yields places of rows of like length, so many together that with their padding they have about so many tokens."""
    order = sorted(range(len(rows)), key=lambda row: -len(rows[row]))
    while order:
        size = max(1, tokens // len(rows[order[0]]))
        yield order[:size]
        order = order[size:]


def mean_of(states: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    """Averages states (rows, tokens, width) over the tokens that the mask (rows, tokens) shows; (rows, width)."""
    shown = attention_mask[..., None].to(states.dtype)
    return (states * shown).sum(1) / shown.sum(1)


def full_attention_mask(input_ids: torch.Tensor) -> torch.Tensor:
    """Returns the mask, (rows, 1, tokens, tokens), with which each token of `input_ids` sees all of its row."""
    rows, tokens = input_ids.shape
    return torch.ones(rows, 1, tokens, tokens, dtype=torch.bool, device=input_ids.device)


def states(model: PreTrainedModel, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Returns a model's states: the embeddings, then those after each layer, (rows, tokens, width) each.

    `input_ids` and `attention_mask` are (rows, tokens), padded on the right.
    """
    seen = attention_mask
    if is_bidirectional(model):  # without a mask of four dimensions transformers lets our own see only what is before
        seen = attention_mask[:, None, None].expand(-1, 1, attention_mask.shape[1], -1).bool()
    options = {"use_cache": False} if hasattr(model.config, "use_cache") else {}
    return model(input_ids=input_ids, attention_mask=seen, output_hidden_states=True, **options).hidden_states


@torch.inference_mode()
def mean_states(model: PreTrainedModel, rows: Sequence[Sequence[int]]) -> np.ndarray:
    """Returns a model's `states`, averaged over the tokens of each row of token ids, (rows, layers + 1, width)."""
    found: list[Any] = [None] * len(rows)
    for batch in in_batches(rows):
        input_ids, mask = padded([rows[row] for row in batch], model.device)
        means = torch.stack([mean_of(layer, mask) for layer in states(model, input_ids, mask)], 1).float().cpu().numpy()
        for row, mean in zip(batch, means, strict=True):
            found[row] = mean
    return np.stack(found)


def save_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Saves model (safetensors) and tokenizer into one folder that transformers opens; whole or not at all.

    Of a model that is divided among processes, all of them call this, and the first one saves it.
    """
    from torch.distributed.tensor import DTensor

    state = {
        name: tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
        for name, tensor in model.state_dict().items()
    }
    if torch.distributed.is_initialized() and torch.distributed.get_rank():
        return
    with files.replacing(folder) as partial:
        model.save_pretrained(partial, state_dict=state)
        tokenizer.save_pretrained(partial)


def weights_fingerprint(model: PreTrainedModel) -> str:
    """Returns a fingerprint of the weights: equal if and only if every bit of every parameter is."""
    weights = ((name, weight.detach().cpu().contiguous()) for name, weight in sorted(model.state_dict().items()))
    return files.fingerprint(
        chain.from_iterable((name, weight.view(torch.uint8).numpy().tobytes()) for name, weight in weights)
    )


def device() -> torch.device:
    """Returns the device that training and evaluation use: CUDA, else MPS, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu")


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps transformers from showing a bar for each checkpoint, and from wondering about tied weights."""
    from transformers.utils import logging

    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()
