"""What does a card buy? The `gpu` profile's training and a chat model, in bfloat16 and float32, as shares of its peak.

`python -m helpers.benchmarks.gpu --model FOLDER` writes `results/gpu.json`; `results/reference` has what one card gave.
It runs on a CPU as well, which is how it is tested. Left out: more than one card, compiled models, quantised weights.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch.utils.benchmark import Timer

from helpers import files
from helpers.evaluation.likelihood import document_bits, held_out
from helpers.machine import environment
from helpers.models import causal_model, device
from helpers.pretrained import load_model
from helpers.profiles import Profile, load_profile
from helpers.tokenization import encode_documents, pack, train_tokenizer
from helpers.training.base import BaseText, base_text
from helpers.training.pretraining import pretrain

PRECISIONS = {"bfloat16": torch.bfloat16, "float32": torch.float32}


def seconds_of(work: Callable[[], Any], repeats: int = 10) -> float:
    """Returns the seconds of one call, after a warm-up, as the mean of some; a card is waited for."""
    timer = Timer("work()", globals={"work": work}, num_threads=torch.get_num_threads())
    return timer.timeit(repeats).mean


def peak_tflops(precision: torch.dtype, size: int) -> float:
    """Returns the rate of a product of two random square matrices of this size, in TFLOP/s."""
    a, b = torch.randn(2, size, size, device=device(), dtype=precision)
    return 2 * size**3 / seconds_of(lambda: a @ b) / 1e12


def pretraining(
    profile: Profile, text: BaseText, tokenizer: Any, blocks: Any, precision: str, peak: float
) -> dict[str, float]:
    """Trains a model of the profile once over the blocks, and returns rate, share of the peak and held-out loss."""
    model = causal_model(profile, tokenizer, 0)
    log = pretrain(model, blocks, profile, 0, bf16=precision == "bfloat16")
    test = held_out(text.corpora["town"].splits["test"], profile.heldout_bytes, 0)
    loss, _ = test.bits_per_byte(document_bits(model, tokenizer, test.texts, profile.context))
    rate = log.tokens_per_second
    return {
        "tokens": log.tokens,
        "tokens_per_second": rate,
        "share_of_peak": rate * profile.flops_per_token / peak / 1e12,
        "training_loss_at_the_end": list(log.losses.values())[-1],
        "town_bits_per_byte": loss,
    }


def chat_model(
    folder: Path, texts: list[str], precision: str, rows: int, context: int, peak: float
) -> dict[str, float]:
    """Returns what a saved model does in a second: reads, trains all its weights, and writes; and its bits of texts.

    Shares of the peak count 2 FLOPs a parameter and token for reading, 6 for training, attention left out.
    """
    loaded, tokenizer = load_model(folder)
    model: Any = loaded
    model.to(device(), PRECISIONS[precision])
    batch = torch.randint(0, model.config.vocab_size, (rows, context), device=device())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)

    def step() -> None:
        model(input_ids=batch, labels=batch, use_cache=False).loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    with torch.inference_mode():
        bits = document_bits(model, tokenizer, texts, context).sum()
        reading = rows * context / seconds_of(lambda: model(input_ids=batch, use_cache=False))
        new = {"max_new_tokens": 128, "min_new_tokens": 128, "do_sample": False, "pad_token_id": 0}
        prompts = {"inputs": batch[:, :64], "attention_mask": torch.ones_like(batch[:, :64])}
        writing = rows * 128 / seconds_of(lambda: model.generate(**prompts, **new), 1)
    training = rows * context / seconds_of(step)
    flops = model.num_parameters() / peak / 1e12
    return {
        "bits_per_byte": float(bits) / sum(len(text.encode()) for text in texts),
        "reading_tokens_per_second": reading,
        "reading_share_of_peak": 2 * reading * flops,
        "training_tokens_per_second": training,
        "training_share_of_peak": 6 * training * flops,
        "writing_tokens_per_second": writing,
    }


def main() -> None:
    """Reads the command line, measures in both precisions, and prints and saves that with machine and sizes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--profile", default="gpu")
    parser.add_argument("--tokens", type=int, default=10_000_000, help="of the pretraining run")
    parser.add_argument("--model", type=Path, help="a folder with a causal model; without one, that part is left out")
    parser.add_argument("--size", type=int, default=8192, help="of the matrices that tell the peak")
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--context", type=int, default=1024)
    given = parser.parse_args()
    profile = load_profile(given.profile, tokens=given.tokens, packages=("python",))
    text = base_text(profile, 0)
    tokenizer = train_tokenizer(text.training[:20_000], profile.vocab_size)
    blocks = pack(encode_documents(tokenizer, text.training), profile.context)
    texts = held_out(text.corpora["pydocs"].splits["test"], 100_000, 0).texts
    found: dict[str, Any] = {}
    for precision, kind in PRECISIONS.items():
        peak = peak_tflops(kind, given.size)
        found[precision] = {"peak_tflops": peak}
        if model := given.model:
            found[precision][model.name] = chat_model(model, texts, precision, given.rows, given.context, peak)
        found[precision]["pretraining"] = pretraining(profile, text, tokenizer, blocks, precision, peak)
    command = " ".join(["python -m helpers.benchmarks.gpu", *sys.argv[1:]])
    made_by = {"command": command, "machine": environment(), "sizes": asdict(profile)}
    files.write_json(files.RESULTS / "gpu.json", made_by | found)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
