"""What is a model taught, and by what is it judged? Demonstrations, text to be replayed, and text not to be forgotten.

One place for the chapter and its studies, so that both teach and test alike.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from helpers.corpora import Corpus
from helpers.evaluation.likelihood import HeldOut, document_bits, held_out
from helpers.evaluation.skills import Question, fitting
from helpers.models import context_length
from helpers.profiles import Profile
from helpers.records import Record
from helpers.tokenization import with_chat_template
from helpers.training.demonstrations import RECIPE, EncodedRow, Recipe, encode_conversations, encode_replay

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from helpers.training.base import BaseText

REPLAYED = 0.06
"""Tokens replayed in an epoch, as a share of those of the base run: at laptop three tenths of what is read."""


KINDS = ("questions", "translation", "writing", "expressions", "support")
"""The tasks of the town that stand for the five kinds of claim C5: answering, translating, writing, coding, support."""

OWN_TASK = "your task"
"""What a task without a name is called."""


@dataclass(frozen=True)
class Lesson:
    """What a model is taught and tested with.

    Attributes:
        base: the causal model to start from; not changed.
        tokenizer: its tokenizer, with a chat template.
        train: demonstrations to learn from.
        test: questions to be judged by; those that leave no room for an answer are left out.
        texts: documents that the base model was pretrained on.
        unread: of each of its corpora, documents that it never read.
        context: tokens that it reads at once.
        replay_tokens: tokens that are replayed in an epoch.
    """

    base: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    train: Sequence[Question]
    test: Sequence[Question]
    texts: Sequence[str]
    unread: dict[str, HeldOut]
    context: int
    replay_tokens: int

    def rows(self, train: Sequence[Question]) -> list[EncodedRow]:
        """Encodes demonstrations for training.

        Args:
            train: the demonstrations.
        """
        return encode_conversations(self.tokenizer, [question["messages"] for question in train], self.context)

    def replay(self, epochs: int, seed: int) -> list[EncodedRow]:
        """Encodes text to be read again beside the demonstrations: for each epoch other text.

        Args:
            epochs: how many there will be.
            seed: of the draw.
        """
        return encode_replay(self.tokenizer, self.texts, epochs * self.replay_tokens, self.context, seed)

    def measure_forgetting(self, record: Record, who: str, model: PreTrainedModel, seed: int) -> None:
        """Adds to the record how surprised a model is by unread text, and how much more than the base model.

        Args:
            record: gets `<corpus>.<who>` and `forgotten: <corpus>.<who>`, paired by document.
            who: the model's name there.
            model: a causal model.
            seed: behind it.
        """
        for corpus, held in self.unread.items():
            before, after = (
                document_bits(each, self.tokenizer, held.texts, self.context) for each in (self.base, model)
            )
            for name, bits in ((corpus, after), (f"forgotten: {corpus}", after - before)):
                value, interval = held.bits_per_byte(bits)
                known = {"interval": interval, "n": held.n_groups, "seeds": (seed,)}
                record.measure(f"{name}.{who}", value, "bits per byte", **known)


def open_lesson(
    profile: Profile,
    base: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    demonstrations: Corpus,
    text: BaseText,
    seed: int,
) -> Lesson:
    """Puts a lesson together.

    Args:
        profile: says how many of the demonstrations are used, and how much text is measured on.
        base: the causal model to start from.
        tokenizer: its tokenizer.
        demonstrations: a corpus of kind `prompts`.
        text: what the base model read.
        seed: of what is drawn.
    """
    train, test = (
        some([_named(row) for row in demonstrations.splits.get(split, [])], profile.demonstrations)
        for split in ("train", "test")
    )
    unread = {
        name: held_out(corpus.splits["test"], profile.heldout_bytes // 5, seed)
        for name, corpus in text.corpora.items()
        if "test" in corpus.splits
    }
    tokenizer, context = with_chat_template(tokenizer), min(context_length(base), 1024)
    test = fitting(tokenizer, test, context)
    replay_tokens = round(profile.tokens * REPLAYED)
    return Lesson(base, tokenizer, train, test, text.training, unread, context, replay_tokens)


def _named(row: Question) -> dict[str, Any]:
    """Returns a row whose task has a name; a reader's own file seldom tells any apart."""
    return {**row, "task": row["task"] or OWN_TASK}


def recipe_for(profile: Profile) -> Recipe:
    """Returns the recipe for all weights; with a part of the demonstrations, as at `smoke`, of one epoch."""
    return RECIPE if profile.demonstrations == 1 else dataclasses.replace(RECIPE, epochs=1)


def some(questions: Sequence[Question], share: float) -> list[Question]:
    """Returns a share of the rows of each task, at least four of each where there are so many, evenly spread."""
    if share >= 1:
        return list(questions)
    chosen = []
    for task in dict.fromkeys(question["task"] for question in questions):
        mine = [question for question in questions if question["task"] == task]
        count = min(len(mine), max(4, round(share * len(mine))))
        chosen += [mine[i * len(mine) // count] for i in range(count)]
    return chosen
