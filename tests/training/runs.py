"""A small real training run. Tests start it as a process of its own, kill it, and starve it of disk space."""

import json
import os
import resource
import sys
import time

import numpy as np

from helpers import files, models, tokenization
from helpers.profiles import load_profile
from helpers.training import pretraining

PROFILE = load_profile("smoke", vocab_size=320, context=32, batch_tokens=256)
EVERY_STEP = list(range(1, 82))


def start(seed=0):
    """Returns a model, its tokenizer and blocks for 81 steps."""
    tokenizer = tokenization.train_tokenizer(["A mill by the river."] * 9, vocab_size=320)
    rng = np.random.default_rng(0)  # text that cannot be learned by heart: else the last digits grow from step to step
    texts = ["".join(rng.choice(list("abcdefgh   "), 30)) for _ in range(650)]
    blocks = tokenization.pack(tokenization.encode_documents(tokenizer, texts), PROFILE.context)
    return models.causal_model(PROFILE, tokenizer, seed), tokenizer, blocks


def run(folder, pause=0.0, most_bytes=0):
    """Trains, slowed down so that there is time to kill it, and says what came out in a file.

    Args:
        folder: gets the checkpoints, and `stdout` and `stderr`.
        pause: seconds a step.
        most_bytes: that a file may have; 0 for no limit.
    """
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    model, _, blocks = start()
    if most_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes,) * 2)
    (folder / "begun").touch()
    try:
        log = train(model, blocks, lambda step: time.sleep(pause) or step, folder)
    except files.WorkbookError as error:
        sys.exit(f"error: {error}")
    assert log.evaluations == {step: step for step in EVERY_STEP}  # also what the processes before this one saw
    print("RESULT " + json.dumps({"weights": models.weights_fingerprint(model), "losses": [*log.losses.items()]}))


def train(model, blocks, evaluate=lambda step: step, checkpoints=None):
    """Trains, and evaluates after each step."""
    return pretraining.pretrain(model, blocks, PROFILE, 1, EVERY_STEP, evaluate, checkpoints=checkpoints)
