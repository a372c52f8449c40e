"""A small real training on several processes: `distributed.py KIND FOLDER`, where KIND is `data` or `sharded`."""

import json
import sys
from pathlib import Path

import runs
import torch
from accelerate import PartialState
from torch.distributed.fsdp import fully_shard

from helpers import models
from helpers.training.optimizers import Muon, parameter_groups


def data():
    """Deals each batch to all processes."""
    model, _, blocks = runs.start()
    log = runs.train(model, blocks)
    return {"losses": list(log.losses.values()), "tokens": log.tokens, "weights": models.weights_fingerprint(model)}


def sharded(steps=5):
    """Divides parameters and optimizer state among the processes, as FSDP2 does; each sees the same batch."""
    model, tokenizer, blocks = runs.start()
    if torch.distributed.is_initialized():
        for layer in model.model.layers:
            fully_shard(layer)
        fully_shard(model)
    optimizer = Muon(parameter_groups(model, 0.04, 0.03))
    losses = []
    for step in range(steps):
        rows = blocks[8 * step : 8 * step + 8]
        loss = model(**rows, use_cache=False).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    models.save_model(model, tokenizer, Path(sys.argv[2]) / "model")
    return {"losses": losses}


if __name__ == "__main__":
    PartialState(cpu=True)
    result = {"data": data, "sharded": sharded}[sys.argv[1]]()
    if PartialState().is_main_process:
        result["processes"] = PartialState().num_processes
        (Path(sys.argv[2]) / "result.json").write_text(json.dumps(result))
