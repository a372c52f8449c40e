"""In what form is a tuned model handed on? As a folder that other programs open, with a card that says what it is.

A card is made from measurements and from what the training was given; only what the model is for, and its limits, are
told in words.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers import files
from helpers.records import Measurement
from helpers.tokenization import stop_tokens

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


@dataclass(frozen=True)
class Card:
    """What is to be known of a tuned model.

    Attributes:
        title: the model's name, in words.
        about: what it is and what it is for, in a few sentences.
        license: as the Hub calls it, such as `mit`.
        base_model: what it was trained from: a name on the Hub, or a folder.
        data: what it was trained on, by name, with the fingerprint of each.
        training: how: arm, rates, epochs, tokens, seconds and the like, by name.
        scores: what was measured of it.
        limits: what it cannot do, and should not be used for.
        tags: by which the Hub lists it.
    """

    title: str
    about: str
    license: str
    base_model: str
    data: Mapping[str, str]
    training: Mapping[str, Any]
    scores: Sequence[Measurement]
    limits: str
    tags: Sequence[str] = ()

    def markdown(self, folder: str, library: str) -> str:
        """Returns the card as the README of the model's folder; all that it says is escaped.

        The folder is named for the lines that open it; the library is what opens it, `transformers` or `peft`.
        """
        from huggingface_hub import ModelCardData

        about = ModelCardData(
            license=self.license,
            base_model=self.base_model,
            library_name=library,
            pipeline_tag="text-generation",
            tags=list(self.tags) or None,
        )
        parts = [
            f"---\n{about.to_yaml()}\n---",
            f"# {escaped(self.title)}",
            escaped(self.about),
            f"## How to use it\n\n```python\n{_usage(folder)}\n```",
            f"## What it was made from\n\nIt was trained from {escaped(self.base_model)}, on:",
            _table(("data", "fingerprint"), self.data.items()),
            "## How it was trained",
            _table(("what", "value"), self.training.items()),
            "## What it can do",
            _table(("measured", "value and interval", "unit", "n", "if there were nothing"), map(_score, self.scores)),
            *(f"Intervals: {escaped(method)}." for method in _methods(self.scores)),
            f"## What it cannot do\n\n{escaped(self.limits)}",
        ]
        return "\n\n".join(parts) + "\n"


def save_tuned(
    model: PreTrainedModel | PeftModel, tokenizer: PreTrainedTokenizerFast, folder: Path, card: Card
) -> None:
    """Saves a model as a folder that `AutoModelForCausalLM` and `pipeline` open; whole or not at all.

    Adapters of peft's are merged into the weights of a copy: neither model nor tokenizer, which has a chat template, is
    changed. A folder that is there is replaced. The card becomes its README.
    """
    from peft import PeftModel

    whole = copy.deepcopy(model).merge_and_unload() if isinstance(model, PeftModel) else model
    with files.replacing(folder) as partial:
        whole.save_pretrained(partial)
        _generation(tokenizer).save_pretrained(partial)
        _complete(tokenizer, partial, card.markdown(folder.name, "transformers"))


def save_adapter(model: PeftModel, tokenizer: PreTrainedTokenizerFast, folder: Path, card: Card) -> None:
    """Saves a model's adapters alone, as peft does, with tokenizer and card; whole or not at all.

    To open the folder, the base model must be where it was loaded from: `adapter_config.json` names it. See
    `save_tuned` for the arguments.
    """
    with files.replacing(folder) as partial:
        model.save_pretrained(str(partial))
        _complete(tokenizer, partial, card.markdown(folder.name, "peft"))


def _complete(tokenizer: PreTrainedTokenizerFast, folder: Path, readme: str) -> None:
    """Adds tokenizer and card to a model's folder."""
    # Other programs write a conversation by the chat template and encode what comes out as one text, role markers
    # and all: these must be read as tokens there. Here that is not needed, and contents cannot pose as markers, since
    # `tokenization.encode_conversation` encodes the two apart.
    open_to_markers = copy.deepcopy(tokenizer)
    open_to_markers.split_special_tokens = False
    open_to_markers.save_pretrained(folder)
    files.write_text(folder / "README.md", readme)


def _generation(tokenizer: PreTrainedTokenizerFast) -> Any:
    """Returns the settings by which an answer ends where the chat template ends it."""
    from transformers import GenerationConfig

    stops = stop_tokens(tokenizer)
    return GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=stops[0] if len(stops) == 1 else stops,
        pad_token_id=stops[0] if tokenizer.pad_token_id is None else tokenizer.pad_token_id,
        do_sample=False,
    )


def _usage(folder: str) -> str:
    name = json.dumps(folder)
    return (
        "from transformers import pipeline\n\n"
        # An adapter's tokenizer must be named, or the base model's is used, which may know no conversations.
        f'answer = pipeline("text-generation", model={name}, tokenizer={name})\n'
        'print(answer([{"role": "user", "content": "Who are you?"}], max_new_tokens=80, do_sample=False))'
    )


def _table(header: Sequence[str], rows: Any) -> str:
    cells = [
        header,
        ["---"] * len(header),
        *([escaped(f"{cell:,}" if type(cell) is int else str(cell)) for cell in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _score(score: Measurement) -> tuple[str | int, ...]:
    n = "–" if score.n is None else score.n
    null = "–" if score.null is None else f"{score.null:.4g}"
    return score.name, f"{score:.4g}", score.unit, n, null


def _methods(scores: Sequence[Measurement]) -> list[str]:
    """Returns how the intervals were made, each way once."""
    made = [f"{score.interval.level:.0%}, {score.interval.method}" for score in scores if score.interval]
    return list(dict.fromkeys(made))


def escaped(text: str) -> str:
    """Escapes text for a line or a table's cell of Markdown: no HTML, no marks, no line breaks."""
    return re.sub(r"([\\`*_\[\]|~#<>$])", r"\\\1", " ".join(text.split())).replace("\\<", "&lt;").replace("\\>", "&gt;")
