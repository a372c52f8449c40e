"""What is being raised? Small models made from transformers' own configurations, or any model of the Hub; their states.

A small Qwen3 (Yang et al. 2025: Llama's rotary positions, RMS norm and gated feed-forward, and normalised queries and
keys, with which a small model learns faster), which transformers opens without any code of ours. To guess hidden
tokens instead of the next one, the same network is made bidirectional. Models that are opened: see `pretrained`.
"""

from __future__ import annotations

import copy
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from helpers import files, machine
from helpers.profiles import Profile

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast


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


def untrained(model: PreTrainedModel, seed: int) -> PreTrainedModel:
    """Returns a model of the same kind and size with new random weights; the caller's random state is left alone."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return type(model)(copy.deepcopy(model.config)).eval()


def in_dtype(model: PreTrainedModel, dtype: torch.dtype) -> PreTrainedModel:
    """Puts a model's weights into another arithmetic; what is no weight, such as rotary angles, stays as it is."""
    for weight in model.parameters():
        weight.data = weight.data.to(dtype)
    return model


def fast_dtype_for(model: PreTrainedModel) -> torch.dtype:
    """Returns `machine.fast_dtype()` for a wide model that somebody brings; ours, and narrow ones, stay in float32."""
    narrow = model.config.get_text_config().hidden_size < machine.WIDTH // 2
    return torch.float32 if narrow or is_own(model.config) else machine.fast_dtype()


@contextmanager
def frozen_in(model: torch.nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """Keeps the weights that are not trained in another arithmetic meanwhile; then they are as before, to the bit."""
    exact = {weight: weight.data for weight in model.parameters() if not weight.requires_grad}
    try:
        for weight in exact:
            weight.data = weight.data.to(dtype)
        yield
    finally:
        for weight, data in exact.items():
            weight.data = data


def with_adapters(model: PreTrainedModel, rank: int, seed: int, first: int = 0) -> PeftModel:
    """Returns a model in which only LoRA's matrices (Hu et al. 2022) are trained, beside each matrix inside.

    They stand in the layers from the `first` on. The weights are those of the given model, which is moved to the
    `device`: they are not copied, and not trained.
    """
    from peft import LoraConfig, get_peft_model

    task = None if backbone_of(model) is model else "CAUSAL_LM"
    # Mamba computes past its `out_proj`: matrices beside it would do nothing, and peft refuses them.
    left_out = [r".*\bout_proj"] if any(name.endswith("conv1d") for name, _ in model.named_modules()) else []
    frozen = list(blocks(model)[:first]) if first else []
    left_out += [re.escape(name) + r"\..*" for name, part in model.named_modules() if any(part is f for f in frozen)]
    model.to(device())  # type: ignore[arg-type]  # torch's stubs; a move later on would take the weights from one of two
    shared: dict[int, Any] = {id(weight): torch.nn.Parameter(weight.data, False) for weight in model.parameters()}
    with torch.random.fork_rng(), warnings.catch_warnings(action="ignore"):  # peft tells how it treats GPT-2, and more
        torch.manual_seed(seed)
        options: dict[str, Any] = {"target_modules": "all-linear", "task_type": task}
        excluded = "|".join(left_out) or None
        adapters = LoraConfig(r=rank, lora_alpha=2 * rank, exclude_modules=excluded, **options)
        return cast("PeftModel", get_peft_model(copy.deepcopy(model, shared), adapters))


def blocks(model: PreTrainedModel) -> torch.nn.ModuleList:
    """Returns the layers of a model of transformers, whatever it calls them."""
    lists = [part for part in model.modules() if isinstance(part, torch.nn.ModuleList)]
    layers = model.config.get_text_config().num_hidden_layers
    return next((part for part in lists if len(part) == layers), lists[0])  # ALBERT's layers share one block


def is_own(config: PretrainedConfig) -> bool:
    """Returns whether a model is one of this workbook's: only `causal_model` spreads first weights by the width."""
    spread = getattr(config, "initializer_range", None)
    return config.model_type == "qwen3" and spread is not None and math.isclose(spread, config.hidden_size**-0.5)


def flops_per_token(model: PreTrainedModel, context: int) -> int:
    """Returns the training FLOPs of a token: 6 per matrix parameter + 12 × layers × width × context for attention.

    (PaLM, Chowdhery et al. 2022, appendix B.) The embedding counts where it is the output layer too.
    """
    matrices = sum(weight.numel() for weight in model.parameters() if weight.ndim > 1)
    head, table = model.get_output_embeddings(), cast("torch.nn.Embedding", model.get_input_embeddings())
    looked_up = table.weight.numel() if head is None or head.weight is not table.weight else 0
    text = model.config.get_text_config()
    return 6 * (matrices - looked_up) + 12 * text.num_hidden_layers * text.hidden_size * context


def generates(config: PretrainedConfig) -> bool:
    """Returns whether a model of this configuration was made to say what comes next, as the folder it is from says."""
    return getattr(config, "is_causal", True) and any(
        name.endswith(("ForCausalLM", "LMHeadModel")) for name in config.architectures or []
    )


def context_of(config: PretrainedConfig) -> int:
    """Returns how many tokens a model of this configuration can read at once; 512 where it does not say."""
    text = config.get_text_config()
    told = (getattr(text, name, None) for name in ("max_position_embeddings", "max_seq_len", "seq_length"))
    return next((tokens for tokens in told if tokens and tokens > 0), 512)


def context_length(model: PreTrainedModel) -> int:
    """Returns how many tokens a model can read at once, as `context_of` does."""
    return context_of(model.config)


def backbone_of(model: PreTrainedModel) -> PreTrainedModel:
    """Returns a language model without its output layer; the two share their weights."""
    return cast("PreTrainedModel", model.base_model)


def padded(rows: Sequence[Sequence[int]], where: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns `input_ids`, padded on the right, and the `attention_mask` that hides padding; (rows, tokens) each."""
    longest = max(map(len, rows))
    input_ids = torch.tensor([[*row, *[rows[0][0]] * (longest - len(row))] for row in rows], device=where)
    lengths = torch.tensor([len(row) for row in rows], device=where)
    return input_ids, (torch.arange(longest, device=where) < lengths[:, None]).long()


BATCH_TOKENS, BATCH_NUMBERS = 8192, 1 << 26
"""A model reads so many tokens at once at most, and fewer if it would give more numbers (a quarter of a gigabyte)."""


def batch_tokens(numbers: int) -> int:
    """Returns the tokens of a batch in which each token has so many numbers that are kept, such as logits."""
    return max(1, min(BATCH_TOKENS, BATCH_NUMBERS // numbers))


def in_batches(rows: Sequence[Sequence[int]], tokens: int = BATCH_TOKENS) -> Iterator[list[int]]:
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


def visible(model: PreTrainedModel, attention_mask: torch.Tensor) -> torch.Tensor:
    """Returns a mask of (rows, tokens) in the form that shows a model all of it that it may see.

    Without a mask of four dimensions transformers lets our own bidirectional models see only what is before.
    """
    if is_bidirectional(model):
        return attention_mask[:, None, None].expand(-1, 1, attention_mask.shape[1], -1).bool()
    return attention_mask


def states(model: PreTrainedModel, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Returns a model's states: the embeddings, then those after each layer, (rows, tokens, width) each.

    OPT's last ones may be narrower. `input_ids` and `attention_mask` are (rows, tokens), padded on the right.
    """
    options = {"use_cache": False} if hasattr(model.config, "use_cache") else {}
    seen = visible(model, attention_mask)
    return model(input_ids=input_ids, attention_mask=seen, output_hidden_states=True, **options).hidden_states


@torch.inference_mode()
def mean_states(model: PreTrainedModel, rows: Sequence[Sequence[int]]) -> list[np.ndarray]:
    """Returns a model's `states`, averaged over the tokens of each row of token ids: for each, (rows, width)."""
    text = model.config.get_text_config()
    found: list[np.ndarray] = []
    for batch in in_batches(rows, batch_tokens((text.num_hidden_layers + 1) * text.hidden_size)):
        input_ids, mask = padded([rows[row] for row in batch], model.device)
        means = [mean_of(layer, mask).float().cpu().numpy() for layer in states(model, input_ids, mask)]
        found = found or [np.empty((len(rows), mean.shape[1]), np.float32) for mean in means]
        for layer, mean in zip(found, means, strict=True):
            layer[batch] = mean
    return found


@torch.no_grad()
def state_width(model: PreTrainedModel) -> int:
    """Returns the width of a model's last states, found out by a token: OPT's may be narrower than those before."""
    with torch.random.fork_rng():
        one = torch.zeros((1, 1), dtype=torch.long, device=model.device)
        return states(model, one, torch.ones_like(one))[-1].shape[-1]


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


def weights_fingerprint(model: PreTrainedModel, dtype: torch.dtype | None = None) -> str:
    """Returns a fingerprint of the weights: equal if and only if every bit of every parameter is.

    A dtype says to which they are rounded first: `bfloat16` is how they are published.
    """
    weights = ((name, weight.detach().cpu().to(dtype or weight.dtype)) for name, weight in model.state_dict().items())
    return files.fingerprint(
        chain.from_iterable(
            (name, weight.contiguous().view(torch.uint8).numpy().tobytes()) for name, weight in sorted(weights)
        )
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
