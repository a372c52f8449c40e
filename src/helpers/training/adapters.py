"""What if only a few weights are trained? LoRA (Hu et al. 2022), set up alike for language models and classifiers."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, cast

import torch

from helpers.models import backbone_of

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


def with_adapters(model: PreTrainedModel, rank: int, seed: int) -> PeftModel:
    """Returns a copy of a model in which only LoRA's matrices are trained, beside each matrix inside.

    Args:
        model: a causal model or a backbone; not changed.
        rank: of the matrices.
        seed: of those that do not begin at zero.
    """
    from peft import LoraConfig, get_peft_model

    task = None if backbone_of(model) is model else "CAUSAL_LM"
    with torch.random.fork_rng(), warnings.catch_warnings(action="ignore"):  # peft tells how it treats GPT-2, and more
        torch.manual_seed(seed)
        adapters = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type=task)
        return cast("PeftModel", get_peft_model(copy.deepcopy(model), adapters))
