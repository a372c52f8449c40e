"""How is a model pretrained without a notebook? The same run as chapter 01's, in one process or in many.

Under `accelerate launch` every process comes through here. The first one makes the tokenizer and the initial weights,
the others open what it made; then all of them train, each on its part of every batch, or on its own files of a stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate import PartialState

from helpers import files
from helpers.corpora.readers import streams
from helpers.models import load_model, quiet, save_model
from helpers.profiles import Profile
from helpers.tokenization import encode_documents, pack, pack_stream
from helpers.training import checkpoints as checkpointing
from helpers.training.base import base_text, starting_point
from helpers.training.pretraining import pretrain

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

TOKENIZER_CHARACTERS = 10_000_000
"""From how much of a stream the tokenizer is learned."""


@quiet()
def launch(profile: Profile, seed: int, folder: Path, corpus: str = "", stream: bool = False) -> dict[str, Any]:
    """Pretrains a new model, and goes on where an earlier process of the same run was killed.

    Args:
        profile: gives all sizes.
        seed: of weights, mixture and order.
        folder: where to write: `models/base`, `pretraining.json`, and on the way `checkpoints`.
        corpus: the user's own text in place of pydocs, beside the town; empty for pydocs.
        stream: whether to read the corpus as a stream, alone, for the profile's tokens.

    Returns:
        What `pretraining.json` holds: loss curve, tokens, seconds, processes, parameters. Every process gets it; the
        first one writes it.
    """
    state = PartialState(cpu=not torch.cuda.is_available())
    if stream:
        share = {"rank": state.process_index, "processes": state.num_processes, "seed": seed}
        documents = streams.stream(corpus, "train", **share)
        model, tokenizer = _start(state, profile, seed, folder, lambda: list(_beginning(documents)))
        blocks: Any = pack_stream(documents, tokenizer, profile.context)
    else:
        with state.main_process_first():  # the others find the corpora in the cache
            text = base_text(profile, seed, corpus)
        model, tokenizer = _start(state, profile, seed, folder, lambda: text.training)
        blocks = pack(encode_documents(tokenizer, text.training), profile.context)
    checkpoints = folder / "checkpoints"
    log = pretrain(model, blocks, profile, seed, checkpoints=checkpoints)
    save_model(model, tokenizer, folder / "models" / "base")
    result = {
        "loss_curve": [list(point) for point in log.losses.items()],
        "tokens": log.tokens,
        "training_seconds": round(log.seconds, 2),
        "processes": state.num_processes,
        "parameters": model.num_parameters(),
    }
    if state.is_main_process:
        files.write_json(folder / "pretraining.json", result)
        checkpointing.clear(checkpoints)
    return result


def _start(
    state: PartialState, profile: Profile, seed: int, folder: Path, texts: Callable[[], Sequence[str]]
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Makes tokenizer and initial weights in the first process, and opens them in the others."""
    start = folder / "models" / "start"
    if state.is_main_process:
        save_model(*starting_point("", texts(), profile, seed), start)
    state.wait_for_everyone()
    return load_model(start)


def _beginning(documents: Iterable[dict[str, str]]) -> Iterator[str]:
    """Yields the first documents of a stream, and so much of it that a tokenizer can be learned."""
    characters = 0
    for row in documents:
        yield row["text"]
        characters += len(row["text"])
        if characters > TOKENIZER_CHARACTERS:
            return
