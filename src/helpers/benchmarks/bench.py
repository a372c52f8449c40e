"""What does a minute of this machine buy with our recipe, and what with the stock one? Ratios, medians over repeats.

Both recipes get the same text, tokenizer, number of parameters and minutes. The stock one is what somebody writes who
follows the documentation: `GPT2LMHeadModel` and the Trainer with its defaults. Its schedule, like ours, is laid out for
the tokens that fit into the minutes, which a short trial finds out before each race.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from helpers import files
from helpers.benchmarks.gpu import peak_tflops
from helpers.benchmarks.speedrun import draw
from helpers.corpora import load
from helpers.evaluation.likelihood import document_bits, held_out
from helpers.machine import environment, peak_memory_mb
from helpers.models import causal_model, device, quiet
from helpers.profiles import Profile, load_profile
from helpers.tokenization import encode_documents, pack, train_tokenizer
from helpers.training.pretraining import batch_of, pretrain

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    Trained = tuple[PreTrainedModel, int, float]  # a model, the tokens that it read, the seconds that this took

TRIAL_STEPS = 40


def bench(minutes: Sequence[float], repeats: int) -> None:
    """Races both recipes, prints the result, and saves it as `results/bench.json`.

    Each length in minutes is raced `repeats` times, with other seeds; the recipes take turns, so that a slow hour of
    the machine meets both. Of each race are kept the float32 peak just before it and the bits per byte on pydocs' test
    split.
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
                race = {"recipe": recipe, "minutes": length, "seed": seed}
                race["matmul_gflops"] = 1000 * peak_tflops(torch.float32, 1024)
                model, race["tokens"], race["seconds"] = _race(recipe, 60 * length, seed, tokenizer, blocks, profile)
                race["parameters"] = model.num_parameters()
                bits = document_bits(model, tokenizer, test.texts, profile.context)
                race["bits_per_byte"], _ = test.bits_per_byte(bits)
                races.append(race)
                print(f"{recipe}, {length:g} min, seed {seed}: {race['bits_per_byte']:.3f} bits per byte", flush=True)
    reduced = summary(races, profile)
    files.write_json(files.RESULTS / "bench.json", {"machine": environment(), "summary": reduced, "races": races})
    print(_table(reduced))


def summary(races: Sequence[Mapping[str, Any]], profile: Profile) -> dict[str, Any]:
    """Reduces races to medians over their repeats; `ratio` is of bits per byte, stock to ours, from pairs."""
    import pandas as pd

    table = pd.DataFrame(races)
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
        "peak_memory_mb": round(peak_memory_mb()),
    }


def _race(
    recipe: str, seconds: float, seed: int, tokenizer: PreTrainedTokenizerFast, blocks: Dataset, profile: Profile
) -> Trained:
    """Trains for about so many seconds; a short trial tells how many blocks they are enough for."""
    run = RECIPES[recipe]
    _, tokens, took = run(tokenizer, draw(blocks, TRIAL_STEPS * batch_of(profile), seed), profile, seed)
    return run(tokenizer, draw(blocks, int(seconds * tokens / took / profile.context), seed), profile, seed)


def _ours(tokenizer: PreTrainedTokenizerFast, blocks: Dataset, profile: Profile, seed: int) -> Trained:
    model = causal_model(profile, tokenizer, seed)
    log = pretrain(model, blocks, profile, seed)
    return model, log.tokens, log.seconds


def _stock(tokenizer: PreTrainedTokenizerFast, blocks: Dataset, profile: Profile, seed: int) -> Trained:
    from transformers import GPT2Config, GPT2LMHeadModel, PrinterCallback, Trainer, TrainingArguments

    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=profile.context,
        n_embd=profile.hidden_size,
        n_layer=profile.n_layer,
        n_head=profile.n_head,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = GPT2LMHeadModel(config)
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
        seconds = trainer.train().metrics["train_runtime"]
    return model.eval(), len(blocks) * profile.context, seconds


RECIPES = {"ours": _ours, "stock": _stock}


def _table(result: dict[str, Any]) -> str:
    import pandas as pd

    table = pd.DataFrame(result["minutes"]).T.rename_axis("minutes")
    rates = ", ".join(f"{name} {rate:,.0f}" for name, rate in result["tokens_per_second"].items())
    share, memory = result["share_of_matmul_peak"], result["peak_memory_mb"]
    return (
        f"{table.to_string(float_format='{:.3f}'.format)}\n"
        f"tokens a second: {rates}; {share:.0%} of the float32 matmul peak; {memory:,} MB at most"
    )
