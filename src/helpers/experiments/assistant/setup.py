"""With what is a model fine-tuned and tested? Demonstrations, text to be replayed, and text that shows what it forgets.

One place for the chapter and its studies, so that both train and test alike.
"""

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Self

import pandas as pd
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from helpers.corpora import Corpus
from helpers.corpora.kinds.checkup import CONTEXT, FEWEST_GROUPS
from helpers.evaluation.likelihood import Forgetting, HeldOut, held_out
from helpers.evaluation.skills import SHOTS, Demonstration, bits_per_token, fitting, room_for
from helpers.files import WorkbookError
from helpers.models import blocks, causal_model, context_length, flops_per_token, is_own, untrained, with_adapters
from helpers.profiles import Profile
from helpers.tokenization import with_chat_template
from helpers.training.base import BaseText, expected_cost
from helpers.training.demonstrations import (
    RECIPE,
    EncodedRow,
    Recipe,
    encode_conversations,
    encode_replay,
    finetune,
    gentle,
)
from helpers.training.frozen import TABLE_BYTES

REPLAYED = 0.06
"""Tokens replayed in an epoch, as a share of those of the base run: at laptop three tenths of what is read."""

FIVE_TASKS = ("questions", "translation", "writing", "expressions", "support")
"""The tasks of the town that stand for the five kinds of claim C5: answering, translating, writing, coding, support."""

INSTRUCTIONS = {test: f"instructions, {test}" for test in ("seen", "unseen wording", "unseen pair", "contradicted")}
"""The four tests of claim C6, each with the name of its task."""

FROM_SCRATCH, FROM_BASE = "from scratch", "from the base"
"""The two starts of our own model."""

UNNAMED_TASK = "your task"
"""What a task without a name is called; a reader's own file seldom tells any apart."""

WATCHED = (0, 0.1, 0.3, 0.6, 1)
"""After which shares of a training's steps its curve has a point."""

TRAIN_ROWS, EVERY = 60, 6
"""For a curve, about so many of the rows trained on are measured; of the test, one in so many."""


RANK = 16
"""Of LoRA's matrices beside a model that is not ours."""

FROZEN = 0.5
"""Share of such a model's layers, the lower ones, beside which no matrices stand.

Of SmolLM2, in a trial on 100 conversations, read twice: held-out answers cost 1.38 bits a token after training in all
layers, 1.50 in the upper half, 1.75 in the upper third, at 11.5, 7.6 and 6.3 ms of a busy core for each token read.
"""

ADAPTED = 2 / 3 * (1 - FROZEN)
"""What a token then costs, as a share of one that all weights are trained on: no slope goes below the upper layers, and
none is computed of weights that do not move, a third of a training. The lower layers are read once besides."""

ANSWER_FLOPS = 2e12
"""What a model that is not ours may spend on answering the test, each time: two minutes on two cores, about."""


@dataclass(frozen=True)
class Setup:
    """What a model is fine-tuned and tested with: the causal model to start from, not changed, and demonstrations.

    The test is without any that leave no room for an answer. The `texts` are documents that the base model was
    pretrained on, of which so many tokens are replayed in an epoch; `unread` are, by corpus, documents that it never
    read. It reads `context` tokens at once.
    """

    base: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    train: Sequence[Demonstration]
    test: Sequence[Demonstration]
    texts: Sequence[str]
    unread: dict[str, HeldOut]
    context: int
    replay_tokens: int

    @property
    def own(self) -> bool:
        """Whether the base is a model of ours, for which the recipe was chosen."""
        return is_own(self.base.config)

    @property
    def way(self) -> str:
        """What of the base is trained."""
        return "all weights" if self.own else f"LoRA of rank {RANK} in the upper layers"

    def learner(self, seed: int) -> PreTrainedModel | PeftModel:
        """Returns what is tuned: a copy of the base, or of a base that is not ours one in which LoRA alone is."""
        return copy.deepcopy(self.base) if self.own else self.adapters(seed)

    def adapters(self, seed: int) -> PeftModel:
        """Returns the base with LoRA in its upper layers, whatever model it is."""
        return with_adapters(self.base, RANK, seed, round(FROZEN * len(blocks(self.base))))

    def fresh(self, profile: Profile, seed: int) -> PreTrainedModel:
        """Returns a model that has read nothing: of the base's kind and size, if that is ours, else a small of ours."""
        if self.own:
            return untrained(self.base, seed)
        return causal_model(dataclasses.replace(profile, context=self.context), self.tokenizer, seed)

    def expected_cost(self, rows: Sequence[EncodedRow], recipe: Recipe) -> str:
        """Says what the chapter will cost with a base model that is not ours: see `base.expected_cost`."""
        if self.own:
            return "What the chapter costs is said at its head."
        tokens = sum(len(row.input_ids) for row in rows)
        few = 60 * 20 * tokens / len(rows)  # twenty rows, sixty times
        trained = (recipe.epochs + 2 / 3) * tokens + few + recipe.epochs * self.replay_tokens
        asked = tokens_to_answer(self.tokenizer, self.test, self.context)
        unread = sum(len(text) for held in self.unread.values() for text in held.texts) / 3
        read = FROZEN * 3 * tokens + 3 * asked + 4 * unread
        cost = expected_cost(self.base, ADAPTED * trained, read, self.context, copies=2)
        return f"Trained: {self.way}. Asked: {len(self.test):,} questions, as many as are soon answered. {cost}"

    def cost_of_adapters(self, rows: Sequence[EncodedRow], recipe: Recipe) -> str:
        """Says what it will cost to train `adapters`, and to read what is held out before and after."""
        tokens, held = (sum(len(row.input_ids) for row in part) for part in (rows, self.encoded(self.test)))
        trained, read = ADAPTED * recipe.epochs * tokens, FROZEN * tokens + 2 * held
        states = min(TABLE_BYTES, 4 * tokens * self.base.config.get_text_config().hidden_size)
        step = max(recipe.batch_tokens, *(len(row.input_ids) for row in rows))
        cost = expected_cost(self.base, trained, read, self.context, copies=1, step_tokens=step, states=states)
        return f"{recipe.epochs} times {len(rows):,} conversations, {tokens:,} tokens. {cost}"

    def encoded(self, demonstrations: Sequence[Demonstration]) -> list[EncodedRow]:
        """Encodes demonstrations for training."""
        return encode_conversations(self.tokenizer, [row["messages"] for row in demonstrations], self.context)

    def replay(self, epochs: int, seed: int) -> list[EncodedRow]:
        """Encodes text to be read again beside the demonstrations: for each of the epochs other text."""
        return encode_replay(self.tokenizer, self.texts, epochs * self.replay_tokens, self.context, seed)

    def require_test(self) -> Self:
        """Returns the set-up itself, or raises WorkbookError if its test has too few groups for an interval."""
        groups = len({row["group"] for row in self.test})
        if groups < FEWEST_GROUPS:
            raise WorkbookError(
                f"The demonstrations have {len(self.test):,} rows to test on that leave room for an answer in the "
                f"{self.context:,} tokens that the model reads at once, of {groups} groups; needed are {FEWEST_GROUPS} "
                "groups. Give more prompts, name more groups, name some rows test in a column split, or take a model "
                "that reads more. `python -m helpers check-data` says more."
            )
        return self

    def answer_bits(self, model: PreTrainedModel, rows: Sequence[EncodedRow]) -> dict[str, float]:
        """Returns a model's bits per token of answers: of some `rows`, as `train`, and of some of the test, `held-out`.

        Instructions are not among those of the test.
        """
        judged = [row for row in self.test if row["task"] not in INSTRUCTIONS.values()]
        trained = rows[:: max(1, len(rows) // TRAIN_ROWS)]
        return {
            "train": bits_per_token(model, trained),
            "held-out": bits_per_token(model, self.encoded(judged[::EVERY])),
        }

    def learning_curve(
        self, model: PreTrainedModel, rows: Sequence[EncodedRow], recipe: Recipe, seed: int
    ) -> pd.DataFrame:
        """Tunes a model, in place and without replay; returns what `answer_bits` finds on the way, by training step."""
        run = finetune(model, self.tokenizer, rows, recipe, seed, WATCHED, lambda step: self.answer_bits(model, rows))
        return pd.DataFrame.from_dict(run.evaluations, orient="index").rename_axis("step")

    @cached_property
    def forgetting(self) -> Forgetting:
        """What measures how much of its unread text a model has forgotten since it was the base."""
        return Forgetting(self.base, self.tokenizer, self.unread, self.context)


def make_setup(
    profile: Profile,
    base: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    demonstrations: Corpus,
    text: BaseText,
    seed: int,
) -> Setup:
    """Puts a set-up together from a base model, a corpus of kind `prompts`, and what the base model read.

    The profile says how many of the demonstrations are used, and how much text is measured on.
    """
    named = (
        [{**row, "task": row["task"] or UNNAMED_TASK} for row in demonstrations.splits.get(split, [])]
        for split in ("train", "test")
    )
    train, test = (share_of_tasks(rows, profile.demonstrations) for rows in named)
    unread = {
        name: held_out(corpus.splits["test"], profile.heldout_bytes // 5, seed)
        for name, corpus in text.corpora.items()
        if "test" in corpus.splits
    }
    tokenizer, context = with_chat_template(tokenizer), min(context_length(base), CONTEXT)
    test = fitting(tokenizer, test, context)
    if not is_own(base.config) and test:
        spent = flops_per_token(base, context) / 3 * tokens_to_answer(tokenizer, test, context)
        test = share_of_tasks(test, ANSWER_FLOPS / spent)
    replay_tokens = round(profile.tokens * REPLAYED)
    return Setup(base, tokenizer, train, test, text.training, unread, context, replay_tokens)


def chat_setup(base: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, conversations: Corpus) -> Setup:
    """Puts a set-up together for conversations alone: what the base model was pretrained on is not known.

    The test has what is held out of them, the rows for validation included.
    """
    tokenizer, context = with_chat_template(tokenizer), min(context_length(base), CONTEXT)
    train, *others = (
        [{**row, "task": row["task"] or UNNAMED_TASK} for row in conversations.splits.get(split, [])]
        for split in ("train", "validation", "test")
    )
    return Setup(base, tokenizer, train, fitting(tokenizer, list(chain(*others)), context), [], {}, context, 0)


def tokens_to_answer(tokenizer: PreTrainedTokenizerFast, rows: Sequence[Demonstration], context: int) -> int:
    """Returns the tokens that a base model reads and writes to answer a test after examples, about."""
    contents = [message["content"] for row in rows for message in row["messages"]]
    read = sum(map(len, tokenizer(contents, add_special_tokens=False)["input_ids"]))
    return (1 + SHOTS) * read + len(rows) * room_for(tokenizer, rows, context)


def recipe_for(profile: Profile, base: PreTrainedModel | None = None) -> Recipe:
    """Returns the recipe for all weights of a model of ours, or for LoRA beside a base that is not.

    With a part of the demonstrations, as at `smoke`, it is of one epoch.
    """
    recipe = RECIPE if base is None or is_own(base.config) else gentle(base)
    return recipe if profile.demonstrations == 1 else dataclasses.replace(recipe, epochs=1)


def share_of_tasks(rows: Sequence[Demonstration], share: float) -> list[Demonstration]:
    """Returns a share of the rows of each task, at least four of each where there are so many, evenly spread."""
    if share >= 1:
        return list(rows)
    chosen = []
    for task in dict.fromkeys(row["task"] for row in rows):
        mine = [row for row in rows if row["task"] == task]
        count = min(len(mine), max(4, round(share * len(mine))))
        chosen += [mine[i * len(mine) // count] for i in range(count)]
    return chosen


def aspects(row: Demonstration) -> str:
    """Returns what instructions ask of an answer, such as `length and role`: with it the row's group begins."""
    return str(row["group"]).partition(":")[0]
