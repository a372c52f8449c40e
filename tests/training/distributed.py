"""Small real trainings on one or several processes: `distributed.py FOLDER` writes what came of them."""

import json
import sys
from pathlib import Path

import runs
import torch
from accelerate import PartialState
from torch.distributed.fsdp import fully_shard

from helpers import models
from helpers.training.optimizers import Muon, parameter_groups


def deal():
    """Trains a model whose batches are dealt to all processes."""
    model, _, blocks = runs.start()
    log = runs.train(model, blocks)
    return {"losses": list(log.losses.values()), "tokens": log.tokens, "weights": models.weights_fingerprint(model)}


def shard(folder, steps=5):
    """Trains and saves a model whose parameters are divided among the processes, as FSDP2 does."""
    model, tokenizer, blocks = runs.start()
    if torch.distributed.is_initialized():
        for layer in model.model.layers:
            fully_shard(layer)
        fully_shard(model)
    optimizer = Muon(parameter_groups(model, 0.04, 0.03))
    losses = []
    for step in range(steps):  # each process sees the same batch
        rows = blocks[8 * step : 8 * step + 8]
        loss = model(**rows, use_cache=False).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    models.save_model(model, tokenizer, folder / "model")
    return {"losses": losses}


def main(folder):
    """Trains both ways; the first process writes `result.json`."""
    state = PartialState(cpu=True)
    result = {"processes": state.num_processes, "dealt": deal(), "sharded": shard(folder)}
    if state.is_main_process:
        (folder / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
