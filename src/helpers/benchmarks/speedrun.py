"""How long does it take from random numbers to a given loss? One text, one target, one small model.

The race of the small-model speedruns, on any text: the first 90% train, the last 10% validation. The model learns by
the recipe of the `laptop` profile; shape, batch and context are those of the race.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from helpers import files
from helpers.models import causal_model
from helpers.profiles import Profile, load_profile
from helpers.tokenization import character_tokenizer, pack, train_tokenizer
from helpers.training.pretraining import batch_of, pretrain, steps_of

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

BATCH_TOKENS = 768
# Smaller than the `laptop` profile's: with a third layer, or wider, it learns more from a token, but less in a second.
SHAPE = {"n_layer": 2, "hidden_size": 128}
# Tokens at which the validation loss is measured first, by how much more each time, and that are read at most.
FIRST_TOKENS, LONGER, MOST_TOKENS = 50_000, 1.04, 20_000_000
WINDOWS_AT_ONCE = 256


def speedrun(path: Path, tokenizer: str, target_loss: float, context: int = 64, seed: int = 0) -> dict[str, Any]:
    """Trains a model from scratch until its validation loss, in nats per token, reaches a target.

    Nobody knows how many tokens that takes, so the run can end at any step (see `pretrain`); after `MOST_TOKENS` it
    gives up. The tokens are the characters of the text (`char`), or those of a tokenizer that is trained on its first
    90% (`bpe`).

    Returns:
        `reached`, `training_seconds` (without validation), `tokens` (read in training), `parameters`, and `loss_curve`:
        a list of pairs of tokens read and validation loss.
    """
    sizes = {"context": context, "batch_tokens": max(BATCH_TOKENS, context), "tokens": MOST_TOKENS}
    profile = load_profile("laptop", **SHAPE, **sizes)
    encoder, train, validation = _read(path, tokenizer, profile)
    model = causal_model(profile, encoder, seed)
    blocks = draw(train, MOST_TOKENS // context, seed)
    log = pretrain(
        model,
        blocks,
        profile,
        seed,
        evaluated_at(steps_of(blocks, profile), batch_of(profile) * context),
        lambda step: validation_loss(model, validation, context),
        until=lambda loss: loss <= target_loss,
        open_ended=True,
    )
    curve = [(step * batch_of(profile) * context, loss) for step, loss in log.evaluations.items()]
    return {
        "reached": curve[-1][1] <= target_loss,
        "training_seconds": round(log.seconds, 2),
        "tokens": log.tokens,
        "parameters": model.num_parameters(),
        "loss_curve": curve,
    }


def evaluated_at(steps: int, step_tokens: int) -> list[int]:
    """Returns the steps after which the validation loss is measured, each some per cent later than the one before."""
    at = [max(1, min(steps, FIRST_TOKENS // step_tokens))]
    while at[-1] < steps:
        at.append(min(steps, max(at[-1] + 1, round(at[-1] * LONGER))))
    return at


@torch.inference_mode()
def validation_loss(model: PreTrainedModel, ids: torch.Tensor, context: int) -> float:
    """Returns the mean loss in nats per token over consecutive windows of a text.

    Each window predicts `context` of the `ids`, (tokens,), from the token before the first of them on; a last one that
    is not full is left out.
    """
    count = (len(ids) - 1) // context
    inputs = ids[: count * context].view(count, context)
    targets = ids[1 : count * context + 1].view(count, context)
    total = 0.0
    for rows, wanted in zip(inputs.split(WINDOWS_AT_ONCE), targets.split(WINDOWS_AT_ONCE), strict=True):
        asked = {"labels": wanted.to(model.device), "shift_labels": wanted.to(model.device), "num_items_in_batch": 1}
        total += model(input_ids=rows.to(model.device), use_cache=False, **asked).loss.item()  # a sum, not divided
    return total / (count * context)


def _read(path: Path, kind: str, profile: Profile) -> tuple[PreTrainedTokenizerFast, Dataset, torch.Tensor]:
    """Returns the tokenizer, the training text in blocks, and the tokens of the validation text."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise files.at(path, f"the text cannot be read ({error.strerror})", "Give the path of a text file") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise files.at(path, "this is not UTF-8", "Save the file as UTF-8", line) from None
    parts = text[: int(0.9 * len(text))], text[int(0.9 * len(text)) :]
    tokenizer = character_tokenizer(text) if kind == "char" else train_tokenizer([parts[0]], profile.vocab_size)
    train, validation = (tokenizer(part, add_special_tokens=False)["input_ids"] for part in parts)
    if len(validation) <= profile.context:
        reason = f"its last tenth has {len(validation)} tokens, less than a context of {profile.context}"
        raise files.at(path, reason, "Give a longer text or a smaller --context")
    whole = len(train) // profile.context * profile.context
    blocks = pack([train[:whole]], profile.context)
    return tokenizer, blocks.remove_columns("position_ids"), torch.tensor(validation)  # it is one document


def draw(blocks: Dataset, count: int, seed: int) -> Dataset:
    """Draws so many of the blocks of `tokenization.pack` at random, each of them once before any comes again."""
    rng = np.random.default_rng(seed)
    epochs = [rng.permutation(len(blocks)) for _ in range(-(-count // len(blocks)))]
    return blocks.select(np.concatenate(epochs)[:count])
