"""The base run in one place: what it reads, in which mixture, from which start, and where its model is found later.

Chapter 01 trains the base model; all later chapters start from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from helpers import files
from helpers.corpora import Corpus, load
from helpers.corpora.kinds.texts import too_little
from helpers.corpora.mixing import mix
from helpers.models import backbone_of, causal_model, generates, load_backbone, load_model
from helpers.profiles import Profile
from helpers.tokenization import train_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


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


def starting_point(
    source: str, texts: Iterable[str], profile: Profile, seed: int
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Returns the source's model and tokenizer; or, of no source, a new model and a tokenizer trained on the texts."""
    if source:
        return load_model(source)
    tokenizer = train_tokenizer(texts, profile.vocab_size)
    return causal_model(profile, tokenizer, seed), tokenizer


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
    if not source:
        model, tokenizer, which = load_base(run)
        return Start(backbone_of(model), tokenizer, model, which)
    backbone, tokenizer = load_backbone(source)
    if not generates(backbone):
        return Start(backbone, tokenizer, None, f"The trained model is `{source}`, which does not generate text.")
    model, tokenizer = load_model(source)
    return Start(backbone_of(model), tokenizer, model, f"The trained model is `{source}`.")


def load_causal_start(source: str, run: Path) -> Start:
    """Loads a model to start from, as `load_start` does, and refuses one that does not generate text."""
    start = load_start(source, run)
    if start.language_model is None:
        raise files.at(source, "this model does not generate text", "Name a causal model, such as GPT or Llama.")
    return start
