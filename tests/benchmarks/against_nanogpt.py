"""How much sooner is the speedrun where nanoGPT's CPU recipe ends? Both on one text, in turns, on a quiet machine.

    python tests/benchmarks/against_nanogpt.py --nanogpt CHECKOUT --text FILE [--seeds 5] [--target LOSS]

nanoGPT (Karpathy 2022) trains once, by its README's recipe for a CPU. Its validation loss at the end is the target,
unless one is given. Then the speedrun is run with each seed, and after each a hundred steps of nanoGPT are timed again.
Prints JSON: for each seed the seconds of training of both, without evaluation, and their ratio. Not a test: it takes
minutes, and what it says is about this machine.
"""

import argparse
import json
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

STEPS, TIMED = 2000, 100
RECIPE = {
    "device": "cpu",
    "compile": False,
    "eval_interval": STEPS,
    "eval_iters": 150,  # as many tokens as there are in the last tenth of a megabyte
    "log_interval": 1,
    "block_size": 64,
    "batch_size": 12,
    "n_layer": 4,
    "n_head": 4,
    "n_embd": 128,
    "lr_decay_iters": STEPS,
    "dropout": 0.0,
}


def main() -> None:
    """Runs both and prints what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nanogpt", type=Path, required=True)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--target", type=float)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        copy = prepared(options.nanogpt, options.text, Path(scratch))
        step_seconds, loss = nanogpt(copy, STEPS)
        target = options.target or loss
        runs = []
        for seed in range(options.seeds):
            ours = speedrun(options.text, target, seed)
            theirs = STEPS * nanogpt(copy, TIMED)[0]
            of_both = {"ours": ours["training_seconds"], "nanogpt": round(theirs, 1)}
            ratio = round(theirs / ours["training_seconds"], 2)
            runs.append({"seed": seed, "reached": ours["reached"], "tokens": ours["tokens"], **of_both, "ratio": ratio})
    print(json.dumps({"target": target, "nanogpt_loss": loss, "nanogpt": round(STEPS * step_seconds, 1), "runs": runs}))


def prepared(checkout: Path, text: Path, scratch: Path) -> Path:
    """Returns a copy of nanoGPT in which the text lies as its own scripts would have prepared it, by characters."""
    copy = scratch / "nanogpt"
    shutil.copytree(checkout, copy, ignore=shutil.ignore_patterns("data", "out*", ".git"))
    data = copy / "data" / "shakespeare_char"
    data.mkdir(parents=True)
    content = text.read_text(encoding="utf-8")
    number = {character: i for i, character in enumerate(sorted(set(content)))}
    cut = int(0.9 * len(content))
    for name, part in (("train", content[:cut]), ("val", content[cut:])):
        np.array([number[character] for character in part], np.uint16).tofile(data / f"{name}.bin")
    meta = {"vocab_size": len(number), "stoi": number, "itos": {i: character for character, i in number.items()}}
    (data / "meta.pkl").write_bytes(pickle.dumps(meta))
    return copy


def nanogpt(copy: Path, steps: int) -> tuple[float, float]:
    """Trains nanoGPT for so many steps; returns the mean seconds of a step and the last validation loss."""
    settings = [f"--{name}={value}" for name, value in {**RECIPE, "max_iters": steps}.items()]
    command = [sys.executable, "train.py", "config/train_shakespeare_char.py", *settings]
    said = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=True).stdout
    times = [float(found) for found in re.findall(r"^iter \d+: loss [\d.]+, time ([\d.]+)ms", said, re.MULTILINE)]
    pure = times[1:steps]  # those of the first and the last contain an evaluation
    return sum(pure) / len(pure) / 1000, float(re.findall(r"val loss ([\d.]+)", said)[-1])


def speedrun(text: Path, target: float, seed: int) -> dict:
    """Returns what `helpers speedrun` prints."""
    command = [sys.executable, "-m", "helpers", "speedrun", "--text", str(text), "--tokenizer", "char"]
    command += ["--target-loss", str(target), "--seed", str(seed)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # 1 if it did not get there
    if done.returncode > 1:
        sys.exit(f"The speedrun failed: {' '.join(command)}")
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
