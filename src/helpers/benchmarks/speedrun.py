"""How long does it take from random numbers to a given loss? One text, one target, one small model.

The race of the small-model speedruns, on any text: the first 90% train, the last 10% validation. The model has the size
of the `laptop` profile and learns by its recipe; only batch and context are those of the race.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from helpers import files
from helpers.models import causal_model
from helpers.profiles import Profile, load_profile
from helpers.tokenization import character_tokenizer, pack, train_tokenizer
from helpers.training.pretraining import TrainingLog, pretrain, steps_of

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel

BATCH_TOKENS = 768
FIRST_TOKENS, MOST_TOKENS = 200_000, 20_000_000
"""Tokens of the first cycle of the learning rate, and of all cycles; each is twice as long as the one before."""

LOOKS = (*(i / 10 for i in range(1, 7)), *(0.6 + i / 25 for i in range(1, 11)))
"""Shares of a cycle after which the validation loss is looked at: oftener where the rate has come down."""

WINDOWS_AT_ONCE = 256


def speedrun(path: Path, tokenizer: str, target_loss: float, context: int = 64, seed: int = 0) -> dict[str, Any]:
    """Trains a model from scratch until its validation loss reaches a target.

    The learning rate goes through cycles of warm-up, stable and decay, each twice as long as the last, until the target
    is reached or `MOST_TOKENS` are read.

    Args:
        path: the text, in UTF-8.
        tokenizer: `char` for the characters of the text; `bpe` for one trained on its first 90%.
        target_loss: mean loss, in nats per token, over consecutive windows of the validation text.
        context: tokens that the model sees at once, in training and validation.
        seed: of the weights and of the order of the text; the same gives the same curve.

    Returns:
        `reached`, `training_seconds` (without validation), `tokens` (read in training), `parameters`, and `loss_curve`:
        a list of pairs of tokens read and validation loss.

    Raises:
        WorkbookError: the text cannot be read or is too short.
    """
    profile = load_profile("laptop", context=context, batch_tokens=max(BATCH_TOKENS, context), tokens=FIRST_TOKENS)
    encoder, train, validation = _read(path, tokenizer, profile)
    model = causal_model(profile, encoder, seed)
    tokens, seconds, curve = 0, 0.0, []
    cycle = 0
    reached = False
    while not reached and tokens + profile.tokens * 2**cycle <= MOST_TOKENS:
        blocks = _draw(train, profile.tokens * 2**cycle // context, seed + cycle)
        steps = steps_of(blocks, profile)
        milestones = [round(share * steps) for share in LOOKS]
        log = pretrain(
            model,
            blocks,
            profile,
            seed + cycle,
            milestones,
            lambda step: validation_loss(model, validation, context),
            until=lambda loss: loss <= target_loss,
        )
        curve += [(tokens + step * profile.batch_tokens, loss) for step, loss in log.looks.items()]
        tokens, seconds = tokens + log.tokens, seconds + log.seconds
        reached = curve[-1][1] <= target_loss
        cycle += 1
    return {
        "reached": reached,
        "training_seconds": round(seconds, 2),
        "tokens": tokens,
        "parameters": model.num_parameters(),
        "loss_curve": curve,
    }
