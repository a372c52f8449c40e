"""What does a minute of this machine buy with our recipe, and what with the stock one? Ratios, medians over repeats.

Both recipes get the same text, tokenizer, number of parameters and minutes. The stock one is what somebody writes who
follows the documentation: `GPT2LMHeadModel` and the Trainer with its defaults. Its schedule, like ours, is laid out for
the tokens that fit into the minutes, which a short trial finds out before each race.
"""

from __future__ import annotations

import platform
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from helpers import files
from helpers.benchmarks.gpu import peak_tflops
from helpers.benchmarks.speedrun import draw
from helpers.corpora import load
from helpers.evaluation.likelihood import document_bits, held_out
from helpers.models import causal_model, device, quiet
from helpers.profiles import Profile, load_profile
from helpers.tokenization import encode_documents, pack, train_tokenizer
from helpers.training.pretraining import batch_of, pretrain

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

RECIPES = ("ours", "stock")
TRIAL_STEPS = 40


@dataclass(frozen=True)
class Race:
    """One training run; `matmul_gflops` is the float32 peak just before, `bits_per_byte` on pydocs' test split."""

    recipe: str
    minutes: float
    seed: int
    parameters: int
    tokens: int
    seconds: float
    matmul_gflops: float
    bits_per_byte: float


def bench(minutes: Sequence[float], repeats: int) -> None:
    """Races both recipes, prints the result, and saves it as `results/bench.json`.

    Each length in minutes is raced `repeats` times, with other seeds; the recipes take turns, so that a slow hour of
    the machine meets both.
    """
    profile = load_profile("laptop")
    corpus = load("pydocs")
    texts = corpus.splits["train"].shuffle(seed=0)["text"]
    tokenizer = train_tokenizer(texts, profile.vocab_size)
    blocks = pack(encode_documents(tokenizer, texts), profile.context)
    test = held_out(corpus.splits["test"], profile.heldout_bytes, seed=0)
    races = []
    for seed in range(repeats):
        for length in minutes:
            for recipe in RECIPES:
                peak = 1000 * peak_tflops(torch.float32, 1024)
                model, tokens, seconds = _race(recipe, 60 * length, seed, tokenizer, blocks, profile)
                bits = document_bits(model, tokenizer, test.texts, profile.context)
                size = model.num_parameters()
                races.append(Race(recipe, length, seed, size, tokens, seconds, peak, test.bits_per_byte(bits)[0]))
                print(f"{recipe}, {length:g} min, seed {seed}: {races[-1].bits_per_byte:.3f} bits per byte", flush=True)
    machine = {"processor": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}
    reduced = summary(races, profile)
    saved = {"machine": machine, "summary": reduced, "races": [asdict(race) for race in races]}
    files.write_json(files.RESULTS / "bench.json", saved)
    print(_table(reduced))


def summary(races: Sequence[Race], profile: Profile) -> dict[str, Any]:
    """Reduces races to medians over their repeats; `ratio` is of bits per byte, stock to ours, from pairs."""
    import pandas as pd

    table = pd.DataFrame(map(asdict, races))
    bits = table.pivot(index=["minutes", "seed"], columns="recipe", values="bits_per_byte")
    bits["ratio"] = bits["stock"] / bits["ours"]
    by_length = {
        f"{length:g}": {**of[[*RECIPES, "ratio"]].median(), "ratios": [of["ratio"].min(), of["ratio"].max()]}
        for length, of in bits.groupby("minutes")
    }
    rates = table["tokens"] / table["seconds"]
    shares = (rates * profile.flops_per_token / 1e9 / table["matmul_gflops"])[table["recipe"] == "ours"]
    return {
        "minutes": by_length,
        "tokens_per_second": rates.groupby(table["recipe"]).median().to_dict(),
        "share_of_matmul_peak": shares.median(),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
    }


def _race(
    recipe: str, seconds: float, seed: int, tokenizer: PreTrainedTokenizerFast, blocks: Dataset, profile: Profile
) -> tuple[PreTrainedModel, int, float]:
    """Trains for about so many seconds, and returns the model, the tokens that it read and the seconds it took."""
    run = {"ours": _ours, "stock": _stock}[recipe]
    _, tokens, took = run(tokenizer, draw(blocks, TRIAL_STEPS * batch_of(profile), seed), profile, seed)
    return run(tokenizer, draw(blocks, int(seconds * tokens / took / profile.context), seed), profile, seed)


def _ours(
    tokenizer: PreTrainedTokenizerFast, blocks: Dataset, profile: Profile, seed: int
) -> tuple[PreTrainedModel, int, float]:
    model = causal_model(profile, tokenizer, seed)
    log = pretrain(model, blocks, profile, seed)
    return model, log.tokens, log.seconds


def _stock(
    tokenizer: PreTrainedTokenizerFast, blocks: Dataset, profile: Profile, seed: int
) -> tuple[PreTrainedModel, int, float]:
    from transformers import GPT2Config, GPT2LMHeadModel, PrinterCallback, Trainer, TrainingArguments

    torch.manual_seed(seed)
    model = GPT2LMHeadModel(
        GPT2Config(
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            vocab_size=len(tokenizer),
            n_positions=profile.context,
            n_embd=profile.hidden_size,
            n_layer=profile.n_layer,
            n_head=profile.n_head,
        )
    )
    with tempfile.TemporaryDirectory() as scratch, quiet():
        arguments = TrainingArguments(
            scratch,
            num_train_epochs=1,
            dataloader_pin_memory=device().type == "cuda",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=seed,
        )
        trainer = Trainer(model, arguments, train_dataset=blocks.remove_columns("position_ids"))
        trainer.remove_callback(PrinterCallback)
        start = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - start
    return model.eval(), len(blocks) * profile.context, seconds


def _table(result: dict[str, Any]) -> str:
    import pandas as pd

    table = pd.DataFrame(result["minutes"]).T.rename_axis("minutes")
    rates = ", ".join(f"{name} {rate:,.0f}" for name, rate in result["tokens_per_second"].items())
    share, memory = result["share_of_matmul_peak"], result["peak_memory_mb"]
    return (
        f"{table.to_string(float_format='{:.3f}'.format)}\n"
        f"tokens a second: {rates}; {share:.0%} of the float32 matmul peak; {memory:,} MB at most"
    )
