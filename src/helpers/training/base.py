"""The base run in one place: what it reads, in which mixture, from which start, and where its model is found later.

Chapter 01 trains the base model; all later chapters start from it.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from helpers import files
from helpers.corpora import Corpus, load
from helpers.corpora.kinds.texts import too_little
from helpers.corpora.mixing import mix
from helpers.machine import free_memory
from helpers.models import backbone_of, causal_model, context_length, device, flops_per_token, generates, is_own
from helpers.pretrained import load_any, load_model
from helpers.profiles import UTILISATION, Profile, calibrate
from helpers.progress import clock
from helpers.tokenization import train_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


STEP_TOKENS = 2048
"""Tokens of a step of training, at most, padding included."""

WIDE, WIDE_UTILISATION = 512, 0.55
"""Models so wide compute at a larger share of the calibrated rate than `UTILISATION`: SmolLM2 was tuned at this one."""

GENTLE = (0.0, 1e-4)
"""Rates as for `MuonTrainer` at which a model that is not ours is trained on: Adam steps all, in usual small steps."""


@dataclass(frozen=True)
class BaseText:
    """What the base run reads: `training` has the documents of the train splits, mixed, in the order of reading.

    The corpora are `pydocs` (or the reader's own text, under its name) and `town`; so many documents are from each.
    """

    corpora: dict[str, Corpus]
    training: list[str]
    documents: dict[str, int]


def base_text(profile: Profile, seed: int, own: str = "", column: str = "text") -> BaseText:
    """Loads and mixes the corpora of the base run.

    Args:
        own: a source of the reader's own text, in place of pydocs.
        column: where that is a table, which column has the text.

    Raises:
        WorkbookError: the reader's own text cannot be read, or is too little.

    The whole chronicle of the town is read, once: what the base-run contract counts must come out as promised. Real
    text fills up its share around it.
    """
    real = load(own or ":".join(["pydocs", ",".join(profile.packages)]).rstrip(":"), column=column)
    if own and (reason := too_little(real)):
        raise files.at(own, reason, "Give more text")
    corpora = {
        (real.name if real.name != "town" else "own town") if own else "pydocs": real,
        "town": load("town", people=profile.people, town_bytes=profile.town_bytes, seed=seed),
    }
    weights = dict(zip(corpora, [profile.pydocs_share, 1 - profile.pydocs_share], strict=True))
    town_bytes = corpora["town"].report.kept["train"].bytes
    wanted = int(town_bytes / (1 - profile.pydocs_share))  # rounded down: a byte more would begin the town anew
    mixture = mix(corpora, weights, wanted, seed)
    sources = Counter(mixture["source"])
    return BaseText(corpora, mixture["text"], {name: sources[name] for name in corpora})


def new_model(texts: Iterable[str], profile: Profile, seed: int) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Returns a new model and a tokenizer trained on the texts."""
    tokenizer = train_tokenizer(texts, profile.vocab_size)
    return causal_model(profile, tokenizer, seed), tokenizer


def fitted(profile: Profile, model: PreTrainedModel) -> Profile:
    """Returns the sizes with which a model of the reader's is trained on: its context, and rates that are gentle."""
    context = min(profile.context, context_length(model))
    if is_own(model.config):
        return dataclasses.replace(profile, context=context)
    return dataclasses.replace(profile, context=context, matrix_learning_rate=GENTLE[0], learning_rate=GENTLE[1])


def given_model(
    source: str, profile: Profile
) -> tuple[tuple[PreTrainedModel, PreTrainedTokenizerFast] | None, Profile]:
    """Loads the reader's causal model and its tokenizer, if one is named; with the sizes that fit it."""
    if not source:
        return None, profile
    given = load_model(source)
    return given, fitted(profile, given[0])


def load_base(run: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast, str]:
    """Loads this run's own base model if there is one, else the published one; with a sentence that says which it is.

    Raises:
        WorkbookError: there is neither.
    """
    own, published = (folder / "models" / "base" for folder in (run, files.REFERENCE))
    if own.exists():
        which = f"The base model is this run's own, made by chapter 01 of `results/{run.name}`."
    elif published.exists():
        own = published
        which = f"The base model is the published one, `results/reference`: `results/{run.name}` has none of its own."
    else:
        raise files.at(own, "there is no base model", "Run chapter 01 first: `make run`.")
    return *load_model(own), which


def expected_cost(
    model: PreTrainedModel,
    trained: float,
    read: float,
    context: int,
    copies: int,
    step_tokens: int = STEP_TOKENS,
    states: int = 0,
) -> str:
    """Says what a chapter will cost with a model of the reader's, before anything is spent: time and memory, about.

    Args:
        trained: tokens that it will be trained on; training takes three times as long as reading.
        read: tokens that it will read or write besides.
        context: tokens of a row.
        copies: of its weights that are held at once.
        step_tokens: tokens of a step of training.
        states: bytes of states that are kept besides.

    Raises:
        WorkbookError: copies and states alone need more memory than is free.
    """
    text, size = model.config.get_text_config(), model.num_parameters()
    flops = flops_per_token(model, context) * (trained + read / 3)
    held = 4 * size * copies + states
    # Of each token in a step about twenty states of each layer, and three copies of what it says of the vocabulary.
    beside = 4 * step_tokens * (20 * text.num_hidden_layers * text.hidden_size + 3 * text.vocab_size)
    free = free_memory()
    needs = f"{size:,} parameters; about {(held + beside) / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free"
    if held > free:
        raise files.WorkbookError(f"This model is too large for this machine: {needs}. Name a smaller one.")
    seconds = flops / ((UTILISATION if text.hidden_size < WIDE else WIDE_UTILISATION) * calibrate() * 1e9)
    line = f"{needs}; expected on this machine ({device().type}): about {clock(seconds)}."
    return line + " Memory may not be enough: close other programs." * (held + beside > free)


@dataclass(frozen=True)
class Start:
    """The trained model from which a later chapter starts; `which` says in a sentence which model it is.

    The language model shares the backbone's weights. It is None where a model does not generate text.
    """

    backbone: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    language_model: PreTrainedModel | None
    which: str


def load_start(source: str, run: Path) -> Start:
    """Loads the model to start from: the base model, as `load_base` finds it, or another that the reader names."""
    if source:
        return _named(source, *load_any(source))
    model, tokenizer, which = load_base(run)
    return Start(backbone_of(model), tokenizer, model, which)


def load_causal_start(source: str, run: Path) -> Start:
    """Loads a model to start from, as `load_start` does, and refuses one that does not generate text."""
    return _named(source, *load_model(source)) if source else load_start("", run)


def _named(source: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> Start:
    if not generates(model.config):
        return Start(model, tokenizer, None, f"The trained model is `{source}`, which does not generate text.")
    return Start(backbone_of(model), tokenizer, model, f"The trained model is `{source}`.")
