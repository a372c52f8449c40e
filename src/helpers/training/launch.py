"""How is a model pretrained without a notebook? The same run as chapter 01's, in one process or in many.

Under `accelerate launch` every process comes through here. The first one makes the tokenizer and the initial weights,
the others open what it made; then all of them train, each on its part of every batch, or on its own files of a stream.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState

from helpers import files
from helpers.corpora.readers import streams
from helpers.models import quiet, save_model
from helpers.pretrained import load_model
from helpers.profiles import Profile
from helpers.tokenization import encode_documents, pack, pack_stream
from helpers.training import checkpoints as checkpointing
from helpers.training.base import base_text, new_model
from helpers.training.pretraining import pretrain

TOKENIZER_CHARACTERS = 10_000_000
"""From how much of a stream the tokenizer is learned."""


@quiet()
def launch(profile: Profile, seed: int, folder: Path, corpus: str = "", stream: bool = False) -> dict[str, Any]:
    """Pretrains a new model, and goes on where an earlier process of the same run was killed.

    Into the folder it writes `models/base`, `pretraining.json`, and on the way `checkpoints`. The corpus is the user's
    own text in place of pydocs, beside the town; as a `stream` it is read alone, for the profile's tokens.

    Returns:
        What `pretraining.json` holds: loss curve, tokens, seconds, processes, parameters.
    """
    state = PartialState(cpu=not torch.cuda.is_available())
    start = folder / "models" / "start"
    if stream:
        share = {"rank": state.process_index, "processes": state.num_processes, "seed": seed}
        documents = streams.stream(corpus, "train", **share)
        texts: Any = _beginning(documents)
    else:
        with state.main_process_first():  # the others find the corpora in the cache
            texts = base_text(profile, seed, corpus).training
    if state.is_main_process:
        save_model(*new_model(texts, profile, seed), start)
    state.wait_for_everyone()
    model, tokenizer = load_model(start)
    if stream:
        blocks: Any = pack_stream(documents, tokenizer, profile.context)
    else:
        blocks = pack(encode_documents(tokenizer, texts), profile.context)
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


def _beginning(documents: Iterable[dict[str, str]]) -> Iterator[str]:
    """Yields so much of a stream that a tokenizer can be learned."""
    characters = 0
    for row in documents:
        yield row["text"]
        characters += len(row["text"])
        if characters > TOKENIZER_CHARACTERS:
            return
