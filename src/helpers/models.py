"""What is being raised? Small models made from transformers' own configurations, or any model of the Hub.

A small Qwen3 (Yang et al. 2025: Llama's rotary positions, RMS norm and gated feed-forward, and normalised queries and
keys, with which a small model learns faster), opened by `from_pretrained` without any code of ours. To guess hidden
tokens instead of the next one, the same network looks both ways.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch

from helpers import files
from helpers.profiles import Profile

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


def causal_model(profile: Profile, tokenizer: PreTrainedTokenizerFast, seed: int) -> PreTrainedModel:
    """Makes an untrained next-token model of the profile's size.

    Args:
        profile: gives width, depth, heads and context.
        tokenizer: gives the vocabulary and the special tokens.
        seed: of the initial weights.

    Returns:
        A `Qwen3ForCausalLM` in float32, its output layer tied to its embedding.
    """
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
    """Makes an untrained model for guessing hidden tokens: `causal_model`, weight for weight, but it looks both ways.

    Args:
        profile: gives width, depth, heads and context.
        tokenizer: gives the vocabulary and the special tokens, a mask token among them.
        seed: of the initial weights.

    Returns:
        A `Qwen3ForCausalLM` in float32 whose configuration says `is_causal=False`. Its logits at a place are for that
        place itself, not for the next one. Give it an `attention_mask` of (rows, 1, tokens, tokens): without one,
        attention falls back to looking at the past alone.
    """
    model = causal_model(profile, tokenizer, seed)
    model.config.is_causal, model.config.mask_token_id = False, tokenizer.mask_token_id
    return model


def looks_both_ways(model: PreTrainedModel) -> bool:
    """Returns whether a model is one that `masked_model` made."""
    return not getattr(model.config, "is_causal", True)


def load_model(source: str | Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Loads a causal model and its tokenizer from a folder or, by name, from the Hub.

    Args:
        source: a folder that `save_model` or `save_pretrained` wrote, or `owner/name` on the Hub.

    Returns:
        The model in float32, in evaluation mode, and its tokenizer.

    Raises:
        WorkbookError: nothing can be loaded from there; the message says what was tried.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, use_safetensors=True)
        tokenizer = cast("PreTrainedTokenizerFast", AutoTokenizer.from_pretrained(source))
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise files.at(
            source,
            f"no model could be loaded from here ({reason})",
            "Give a folder with config.json, model.safetensors and tokenizer.json, or a name on the Hub while online.",
        ) from error
    return model.eval(), tokenizer


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
    parts: list[str | bytes] = []
    for name, tensor in sorted(model.state_dict().items()):
        parts += [name, tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()]
    return files.fingerprint(parts)


def device() -> torch.device:
    """Returns the device that training and evaluation use: CUDA, else MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
