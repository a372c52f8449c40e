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
from helpers.progress import clock
from helpers.records import Measurement
from helpers.tokenization import stop_tokens

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

TEMPLATE = Path(__file__).with_name("card.md.j2")


@dataclass(frozen=True)
class Card:
    """What is to be known of a tuned model."""

    title: str
    about: str  # what it is and what it is for, in a few sentences
    license: str  # as the Hub calls it, such as `mit`
    base_model: str
    data: Mapping[str, str]  # the fingerprint of all that it was trained on, by name
    training: Mapping[str, Any]  # how: arm, rates, epochs, tokens, seconds and the like, by name
    scores: Sequence[Measurement]
    limits: str
    tags: Sequence[str] = ()  # by which the Hub lists it

    def markdown(self, folder: str) -> str:
        """Returns the card as the README of the model's folder, named for the line that opens it; all is escaped."""
        from huggingface_hub import ModelCardData

        data = ModelCardData(
            license=self.license,
            base_model=self.base_model,
            library_name="transformers",
            pipeline_tag="text-generation",
            tags=list(self.tags) or None,
        )
        intervals = [score.interval for score in self.scores if score.interval]
        methods = dict.fromkeys(f"{interval.level:.0%}, {interval.method}" for interval in intervals)
        return render(TEMPLATE, card=self, data=data.to_yaml(), folder=json.dumps(folder), methods=methods) + "\n"


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


def render(template: Path, **values: Any) -> str:
    """Fills a template of Markdown; its filters are `md`, which is `escaped`, `clock`, and `measurement`, of a dict."""
    import jinja2

    folder = jinja2.FileSystemLoader(template.parent)
    environment = jinja2.Environment(loader=folder, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"clock": clock, "md": escaped, "measurement": Measurement.from_dict}
    return environment.get_template(template.name).render(values)


def escaped(value: Any) -> str:
    """Returns a value as text for a line or a cell of Markdown: no HTML, marks or line breaks; a dash for None."""
    text = "–" if value is None else f"{value:,}" if type(value) is int else str(value)
    return re.sub(r"([\\`*_\[\]|~#<>$])", r"\\\1", " ".join(text.split())).replace("\\<", "&lt;").replace("\\>", "&gt;")
