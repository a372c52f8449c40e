"""In what form is a tuned model handed on? As a folder that other programs open, with a card that says what it is.

A card is made from measurements and from what the training was given; only what the model is for, and its limits, are
told in words.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers import files
from helpers.records import Measurement
from helpers.tokenization import stop_tokens

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


USAGE = """from transformers import pipeline

answer = pipeline("text-generation", model={0}, tokenizer={0})
print(answer([{{"role": "user", "content": "Who are you?"}}], max_new_tokens=80, do_sample=False))"""


@dataclass(frozen=True)
class Card:
    """What is to be known of a tuned model.

    Attributes:
        about: what it is and what it is for, in a few sentences.
        license: as the Hub calls it, such as `mit`.
        data: the fingerprint of all that it was trained on, by name.
        training: how: arm, rates, epochs, tokens, seconds and the like, by name.
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

    def markdown(self, folder: str) -> str:
        """Returns the card as the README of the model's folder, named for the line that opens it; all is escaped."""
        from huggingface_hub import ModelCardData

        about = ModelCardData(
            license=self.license,
            base_model=self.base_model,
            library_name="transformers",
            pipeline_tag="text-generation",
            tags=list(self.tags) or None,
        )
        scores = [
            (score.name, f"{score:.4g}", score.unit, score.n, None if score.null is None else f"{score.null:.4g}")
            for score in self.scores
        ]
        intervals = [f"{score.interval.level:.0%}, {score.interval.method}" for score in self.scores if score.interval]
        parts = [
            f"---\n{about.to_yaml()}\n---",
            f"# {escaped(self.title)}",
            escaped(self.about),
            f"## How to use it\n\n```python\n{USAGE.format(json.dumps(folder))}\n```",
            f"## What it was made from\n\nIt was trained from {escaped(self.base_model)}, on:",
            _table(("data", "fingerprint"), self.data.items()),
            "## How it was trained",
            _table(("what", "value"), self.training.items()),
            "## What it can do",
            _table(("measured", "value and interval", "unit", "n", "if there were nothing"), scores),
            *(f"Intervals: {escaped(method)}." for method in dict.fromkeys(intervals)),
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
    from transformers import GenerationConfig

    stops = stop_tokens(tokenizer)
    ending = GenerationConfig(  # an answer ends where the chat template ends it
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=stops[0] if len(stops) == 1 else stops,
        pad_token_id=stops[0] if tokenizer.pad_token_id is None else tokenizer.pad_token_id,
        do_sample=False,
    )
    whole = copy.deepcopy(model).merge_and_unload() if isinstance(model, PeftModel) else model
    with files.replacing(folder) as partial:
        whole.save_pretrained(partial)
        ending.save_pretrained(partial)
        # Other programs write a conversation by the chat template and encode what comes out as one text, role markers
        # and all: these must be read as tokens there. Here that is not needed, and contents cannot pose as markers,
        # since `tokenization.encode_conversation` encodes the two apart.
        open_to_markers = copy.deepcopy(tokenizer)
        open_to_markers.split_special_tokens = False
        open_to_markers.save_pretrained(partial)
        files.write_text(partial / "README.md", card.markdown(folder.name))


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    def shown(cell: Any) -> str:
        return "–" if cell is None else escaped(f"{cell:,}" if type(cell) is int else str(cell))

    cells = [header, ["---"] * len(header), *(map(shown, row) for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def escaped(text: str) -> str:
    """Escapes text for a line or a table's cell of Markdown: no HTML, no marks, no line breaks."""
    return re.sub(r"([\\`*_\[\]|~#<>$])", r"\\\1", " ".join(text.split())).replace("\\<", "&lt;").replace("\\>", "&gt;")
