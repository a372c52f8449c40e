"""A small real training run, as a process of its own: `python runs.py FOLDER [SECONDS A STEP] [BYTES A FILE]`.

It prints the fingerprint of the weights at its end. Tests kill it, starve it of disk space, and run several of it.
"""

import json
import resource
import sys
import time
from pathlib import Path

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


def main(folder, pause="0", most_bytes=""):
    """Trains, slowed down so that there is time to kill it, and says what came out."""
    model, _, blocks = start()
    if most_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(most_bytes),) * 2)
    (Path(folder) / "begun").touch()
    try:
        log = train(model, blocks, lambda step: time.sleep(float(pause)) or step, Path(folder))
    except files.WorkbookError as error:
        sys.exit(f"error: {error}")
    assert log.evaluations == {step: step for step in EVERY_STEP}  # also what the processes before this one saw
    print("RESULT " + json.dumps({"weights": models.weights_fingerprint(model), "losses": [*log.losses.items()]}))


def train(model, blocks, look=lambda step: step, checkpoints=None):
    """Trains, and looks after each step."""
    return pretraining.pretrain(model, blocks, PROFILE, 1, EVERY_STEP, look, checkpoints=checkpoints)


if __name__ == "__main__":
    main(*sys.argv[1:])
